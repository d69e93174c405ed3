"""One thread: the tests' networks are tiny, and several test processes share a machine."""

import torch

torch.set_num_threads(1)
