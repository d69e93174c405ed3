"""SB3's SAC as an agent of the zoo, against SB3 alone: env steps with one update each, taking turns."""

from __future__ import annotations

from stable_baselines3 import SAC

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import ENV
from benchmarks.speed.timing import fastest, torch_threads

STEPS = 50  # env steps timed at once, with as many updates
ROUNDS = 60
BAR = Bar((Condition("updates_ratio", ">=", 0.97),))


def measure() -> Measured:
    with torch_threads(1):
        alone = SAC("MlpPolicy", ENV, learning_starts=STEPS, seed=0, device="cpu")
        agent = zoo_core.make_agent("sac", ENV, {"sac": {"learning_starts": STEPS}}, seed=0, device="cpu")
        seconds = fastest(
            {
                "sb3": lambda: alone.learn(STEPS, reset_num_timesteps=False),
                "zoo": lambda: agent.learn(STEPS, reset_num_timesteps=False),
            },
            rounds=ROUNDS,
        )
    figures = {f"{name}_updates_per_s": STEPS / value for name, value in seconds.items()}
    figures["updates_ratio"] = seconds["sb3"] / seconds["zoo"]
    return Measured(BAR, [Run(seed=0, score=figures["updates_ratio"], figures=figures)])
