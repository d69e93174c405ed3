"""What holds for all tests: one thread, since networks are tiny; drawn examples that are always the same."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
