"""Experience replay against Dyna-Q: both learn from the past equally often, one what happened, one what would happen.

In a maze that stays as it is, both find the way about as fast. When the wall moves, what is replayed is true no longer,
while a model keeps the last that it saw: the value that each expects at the start shows who goes on believing.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from stable_baselines3.common.callbacks import BaseCallback

from zoo_dyna.agent import DynaQAgent, QLearningAgent
from zoo_dyna.config import QLearningConfig
from zoo_dyna.tabular_agent import Steps

WALL_MOVES_AT, START = 1_000, 48  # of BlockingMaze: a step, a state
AGENTS = {"experience replay": "#d55e00", "Dyna-Q": "#0072b2"}  # and their colours


@dataclass(frozen=True)
class ReplayConfig(QLearningConfig):
    """Q-learning with experience replay (Lin 1992)."""

    num_replayed: int = 50  # stored steps to learn from again after each real one


class ReplayAgent(QLearningAgent):
    """Learns from each real step, and again from steps drawn from all that it has stored."""

    config_class = ReplayConfig
    past: Steps | None = None

    def update(self, steps: Steps) -> None:
        """Learns, stores, replays."""
        super().update(steps)
        self.past = steps if self.past is None else Steps(*map(np.append, self.past, steps))
        drawn = self._learning.integers(len(self.past.state), size=self.config.num_replayed)
        super().update(Steps(*(values[drawn] for values in self.past)))


class Diary(BaseCallback):
    """Notes the length of every episode and, at every step, the reward so far and the value expected at the start."""

    def __init__(self, max_episodes: int | None = None) -> None:
        super().__init__()
        self.max_episodes = max_episodes
        self.lengths: list[int] = []
        self.rewards: list[float] = [0.0]
        self.expected: list[float] = []

    def _on_step(self) -> bool:
        self.lengths += [info["episode"]["l"] for info in self.locals["infos"] if "episode" in info]
        self.rewards.append(self.rewards[-1] + self.locals["rewards"][0])
        self.expected.append(self.model.q[START].max())
        return len(self.lengths) != self.max_episodes


def live(label: str, env_id: str, seed: int, steps: int, max_episodes: int | None = None) -> Diary:
    """Lets an agent with 50 updates a step learn from nothing; α = 1, as nothing is left to chance in these mazes."""
    diary = Diary(max_episodes)
    agent_class = DynaQAgent if label == "Dyna-Q" else ReplayAgent
    agent_class(env_id, {"learning_rate": 1.0}, seed=seed).learn(steps, callback=diary)
    return diary


def draw(axes: Any, runs: list[list[float]], label: str, first: int = 0) -> None:
    """Draws the mean of some runs, and a band from their 10th to their 90th percentile."""
    at = first + np.arange(len(runs[0]))
    axes.fill_between(at, *np.quantile(runs, (0.1, 0.9), axis=0), color=AGENTS[label], alpha=0.18, linewidth=0)
    axes.plot(at, np.mean(runs, axis=0), color=AGENTS[label], label=label)


def main(
    path: str | Path = "replay_against_dyna.png", runs: int = 20, episodes: int = 25, steps: int = 3_000
) -> dict[str, float]:
    """Draws what both agents do in two mazes; returns their mean rewards in the one whose wall moves."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    fixed, reward, value = figure.subplots(1, 3)
    rewards = {}
    for label in AGENTS:
        stays = [live(label, "zoo_envs/DynaMaze-v0", seed, 100_000, episodes) for seed in range(runs)]
        moves = [live(label, "zoo_envs/BlockingMaze-v0", seed, steps) for seed in range(runs)]
        draw(fixed, [diary.lengths for diary in stays], label, first=1)
        draw(reward, [diary.rewards for diary in moves], label)
        draw(value, [diary.expected for diary in moves], label)
        rewards[label] = float(np.mean([diary.rewards[-1] for diary in moves]))
        print(f"{label}: reward {rewards[label]:.0f} in {steps:,} steps of the blocking maze")

    fixed.set(yscale="log", title="The wall stays", xlabel="episode", ylabel="steps of the episode")
    reward.set(title="The wall moves", xlabel="real steps", ylabel="reward so far")
    value.set(title="What each believes of it", xlabel="real steps", ylabel="return expected at the start")
    for axes in (reward, value):
        axes.axvline(WALL_MOVES_AT, color="black", linewidth=0.8, linestyle="--")
        axes.xaxis.set_major_formatter("{x:,.0f}")
    reward.annotate(
        "the wall \nmoves ", (WALL_MOVES_AT, 0.98), xycoords=("data", "axes fraction"), ha="right", va="top"
    )
    for axes in (fixed, reward, value):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e6e6")
    fixed.legend(frameon=False, title=f"mean of {runs} runs,\n10th to 90th percentile")
    figure.savefig(path, dpi=110)
    return rewards


if __name__ == "__main__":
    main(*sys.argv[1:2])
