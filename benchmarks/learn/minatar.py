"""MinAtar's environments (Young & Tian 2019, arXiv:1903.03176) under their own ids, such as MinAtar/Breakout-v1.

Gymnasium finds them by the name of this module: "benchmarks.learn.minatar:MinAtar/Breakout-v1". They are as MinAtar has
them: actions stick with a probability of 0.1, and difficulty rises where the game has it; ids that end in -v1 have the
actions of the game alone. Episodes end by the game only.
"""

import gymnasium as gym
from minatar.gym import register_envs

BREAKOUT = f"{__name__}:MinAtar/Breakout-v1"

if "MinAtar/Breakout-v1" not in gym.registry:
    register_envs()
