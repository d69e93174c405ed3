"""Dyna-Q and Dyna-Q+ in the mazes of Sutton & Barto 2018, chapter 8: figures 8.2, 8.4 and 8.5."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from benchmarks.learn.report import Measured, curve, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run

SEEDS = tuple(range(30))
EPISODES = 50  # of figure 8.2
JUDGED_EPISODE = 3
SHORTEST = 14  # steps from start to goal
MAX_STEPS = 10**6  # that 50 episodes may take; none came near
POINTS = 60  # of a curve of rewards


@dataclass(frozen=True)
class Learner:
    """An agent with settings of its own, by the name that it has in results and figures."""

    name: str
    agent: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChangingMaze:
    """A maze whose wall moves.

    Attributes:
        case: name of the result.
        env_id: the maze.
        env_steps: real steps of a run.
        wall_moves_at: step after which it moves.
        bar: reward in all steps to reach, in every run.
    """

    case: str
    env_id: str
    env_steps: int
    wall_moves_at: int
    bar: float


MAZE, DYNA_MAZE = "dyna-q-maze", "zoo_envs/DynaMaze-v0"
PLANNING = tuple(Learner(f"dyna-q, n = {n}", "dyna-q", {"planning_updates": n}) for n in (50, 5, 0))  # figure 8.2
BLOCKING = ChangingMaze("dyna-q-plus-blocking", "zoo_envs/BlockingMaze-v0", 3_000, 1_000, 100.0)
SHORTCUT = ChangingMaze("dyna-q-plus-shortcut", "zoo_envs/ShortcutMaze-v0", 6_000, 3_000, 340.0)
CURIOUS = Learner("dyna-q-plus", "dyna-q-plus")  # with its defaults: n = 50, κ = 1e-3, α = 1
CONTENT = Learner("dyna-q", "dyna-q", {"planning_updates": 50, "learning_rate": 1.0})
RANDOM = Learner("random policy", "random")
_FEW = {"planning_updates": 10, "learning_rate": 1.0}  # as the book's figures are often redrawn
CURIOUS_FEW = Learner("dyna-q-plus, n = 10, κ = 1e-4", "dyna-q-plus", {**_FEW, "bonus": 1e-4})
CONTENT_FEW = Learner("dyna-q, n = 10", "dyna-q", _FEW)
CHANGING = (CURIOUS, CONTENT, RANDOM, CURIOUS_FEW, CONTENT_FEW)


class Trace(NamedTuple):
    """A run: reward of every real step, length of every episode that ended."""

    seed: int
    rewards: list[float]
    lengths: list[int]
    wall_s: float


class Recorder(BaseCallback):
    """Notes rewards and lengths of episodes, and stops the agent after so many of these."""

    def __init__(self, max_episodes: int | None = None) -> None:
        super().__init__()
        self.max_episodes = max_episodes
        self.rewards: list[float] = []
        self.lengths: list[int] = []

    def _on_step(self) -> bool:
        self.rewards.append(float(self.locals["rewards"][0]))
        self.lengths += [info["episode"]["l"] for info in self.locals["infos"] if "episode" in info]
        return len(self.lengths) != self.max_episodes


def trace(learner: Learner, env_id: str, steps: int, episodes: int | None, seed: int) -> Trace:
    """Trains a learner from nothing for so many steps, or episodes."""
    begun = time.perf_counter()
    recorder = Recorder(episodes)
    zoo_core.make_agent(learner.agent, env_id, learner.config, seed=seed).learn(steps, callback=recorder)
    return Trace(seed, recorder.rewards, recorder.lengths, round(time.perf_counter() - begun, 2))


def measure_maze(seeds: Sequence[int] = SEEDS, jobs: int = 2) -> Measured:
    """Figure 8.2: how many steps an episode takes; the score is the third's."""
    traces = _traces(PLANNING, DYNA_MAZE, MAX_STEPS, EPISODES, seeds, jobs)
    lengths = {name: np.array([run.lengths for run in runs]) for name, runs in traces.items()}
    judged = {name: values[:, JUDGED_EPISODE - 1] for name, values in lengths.items()}
    agent, *others = (learner.name for learner in PLANNING)
    mean_without = {"n_0_mean": float(judged[PLANNING[-1].name].mean())}  # the same in every run: the bar asks for it
    runs = {
        name: [_run(one, float(score)) for one, score in zip(traces[name], scores, strict=True)]
        for name, scores in judged.items()
    }
    for run in runs[agent]:
        run.figures.update(mean_without)
    return Measured(
        Bar((Condition("score", "<=", 25), Condition("n_0_mean", ">=", 200)), runs_required=len(seeds)),
        runs[agent],
        [Control(name, runs[name]) for name in others]
        + [Control("shortest path", score=float(SHORTEST), note="of a policy that never explores")],
        {
            "task": f"{agent}, on {DYNA_MAZE}: steps of episode {JUDGED_EPISODE}",
            "curves": {name: curve(values) for name, values in lengths.items()},
        },
    )


def measure_changing(maze: ChangingMaze, seeds: Sequence[int] = SEEDS, jobs: int = 2) -> Measured:
    """Figures 8.4 and 8.5: the reward in all steps, some of them after the wall has moved."""
    traces = _traces(CHANGING, maze.env_id, maze.env_steps, None, seeds, jobs)
    totals = {name: np.cumsum([run.rewards for run in runs], axis=1) for name, runs in traces.items()}
    best = float(totals[CONTENT.name][:, -1].max())
    runs = {
        name: [_run(one, float(total[-1])) for one, total in zip(traces[name], totals[name], strict=True)]
        for name in traces
    }
    for run in runs[CURIOUS.name]:
        run.figures["over_best_dyna_q"] = run.score - best
    conditions = Condition("score", ">=", maze.bar), Condition("over_best_dyna_q", ">=", 1.0)
    return Measured(
        Bar(conditions, runs_required=len(seeds)),
        runs[CURIOUS.name],
        [Control(learner.name, runs[learner.name], note=_settings(learner)) for learner in CHANGING[1:]],
        {
            "task": f"{CURIOUS.name} on {maze.env_id}: reward in {maze.env_steps:,} steps",
            "wall_moves_at": maze.wall_moves_at,
            "curves": {name: curve(total, every=maze.env_steps // POINTS) for name, total in totals.items()},
        },
    )


def _traces(
    learners: Sequence[Learner], env_id: str, steps: int, episodes: int | None, seeds: Sequence[int], jobs: int
) -> dict[str, list[Trace]]:
    work = [(learner, env_id, steps, episodes) for learner in learners]
    return dict(zip([each.name for each in learners], for_all_seeds(trace, work, seeds, jobs), strict=True))


def _run(one: Trace, score: float) -> Run:
    return Run(seed=one.seed, score=score, env_steps=len(one.rewards), wall_s=one.wall_s)


def _settings(learner: Learner) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in learner.config.items())
