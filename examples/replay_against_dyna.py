"""Experience replay against Dyna-Q, which learn from the past equally often: one what happened, one what would happen.

In a maze that stays as it is, both find the way as fast. When the wall moves, most of what is replayed is no longer
true, while a model has forgotten it: what each still expects at the start tells.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from stable_baselines3.common.callbacks import BaseCallback

from zoo_core.seeding import numpy_rng
from zoo_dyna.agent import DynaQAgent, QLearningAgent
from zoo_dyna.config import QLearningConfig
from zoo_dyna.tabular_agent import Steps


@dataclass(frozen=True)
class ReplayConfig(QLearningConfig):
    """Q-learning with experience replay (Lin 1992)."""

    num_replayed: int = 50  # stored steps to learn from again after each real one


class ReplayAgent(QLearningAgent):
    """Learns from each real step, and again from steps drawn from all that it has stored."""

    config_class = ReplayConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.past, self._drawing = Steps(*(np.zeros(0, kind) for kind in (int, int, float, int, bool))), numpy_rng(self.seed, "replay")

    def update(self, steps: Steps) -> None:
        super().update(steps)
        self.past = Steps(*map(np.append, self.past, steps))
        drawn = self._drawing.integers(len(self.past.state), size=self.config.num_replayed)
        super().update(Steps(*(values[drawn] for values in self.past)))
