"""Prioritized sweeping against Dyna-Q on finer and finer grids (Sutton & Barto 2018, example 8.4)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from benchmarks.learn.dyna import DYNA_MAZE, SEEDS, Learner
from benchmarks.learn.report import Measured, curve, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run
from zoo_core.plugins import make_env

CASE = "prioritized-sweeping-maze"
SHORTEST = {1: 14, 2: 27, 3: 40, 4: 53}  # steps from start to goal, by resolution
NUM_STATES = {resolution: 47 * resolution**2 for resolution in SHORTEST}  # that are no walls
GOOD_ENOUGH = 1.2  # times the shortest
MAX_STEPS = 10**6  # real ones; a run that needs more counts with the updates it had made
BAR = 0.6
SWEEPING = Learner("prioritized-sweeping", "prioritized-sweeping")  # with its defaults: n = 5, α = 1, θ = 1e-4
PEERS = tuple(
    Learner(f"dyna-q, α = {rate:g}", "dyna-q", {"planning_updates": 5, "learning_rate": rate})
    for rate in (0.1, 0.5, 1.0)
)


class Search(NamedTuple):
    """What it took until the greedy path was good enough."""

    updates: int
    env_steps: int
    reached: bool
    wall_s: float


class UntilGoodEnough(BaseCallback):
    """Stops an agent when its greedy path is at most so many steps long."""

    def __init__(self, maze: Any, longest: int) -> None:
        super().__init__()
        self._next_state, _, self._terminated = maze.transition_arrays()
        self._start, self._longest = int(maze.initial_state_distrib.argmax()), longest
        self._updates = -1
        self.reached = False

    def _on_step(self) -> bool:
        agent: Any = self.model
        if agent.updates != self._updates:  # else the path is what it was
            self._updates = agent.updates
            length = greedy_path(agent.q, self._next_state, self._terminated, self._start, self._longest)
            self.reached = length > 0
        return not self.reached


@njit(cache=True)
def greedy_path(q: Any, next_state: Any, terminated: Any, start: int, longest: int) -> int:
    """Returns the steps of the greedy path to an end, 0 if it takes more than `longest` or nothing is known on it."""
    state = start
    for step in range(longest):
        action = q[state].argmax()
        if q[state, action] == 0.0:
            return 0
        if terminated[state, action]:
            return step + 1
        state = next_state[state, action]
    return 0


def search(learner: Learner, resolution: int, seed: int) -> Search:
    """Trains a learner until its greedy path is good enough."""
    begun = time.perf_counter()
    env = make_env(DYNA_MAZE, resolution=resolution)
    callback = UntilGoodEnough(env.unwrapped, int(GOOD_ENOUGH * SHORTEST[resolution]))
    agent: Any = zoo_core.make_agent(learner.agent, env, learner.config, seed=seed)
    agent.learn(MAX_STEPS, callback=callback)
    return Search(agent.updates, agent.num_timesteps, callback.reached, time.perf_counter() - begun)


def measure(seeds: Sequence[int] = SEEDS, jobs: int = 2, resolutions: Sequence[int] = tuple(SHORTEST)) -> Measured:
    """How many updates it takes, in proportion to Dyna-Q with the α that is best on each grid.

    The score, of all seeds together, is the largest of these ratios of means.
    """
    learners = SWEEPING, *PEERS
    work = [(learner, resolution) for learner in learners for resolution in resolutions]
    done = iter(for_all_seeds(search, work, seeds, jobs))
    found = {learner.name: [next(done) for _ in resolutions] for learner in learners}
    updates, env_steps = (
        {name: np.array([[getattr(one, field) for one in searches] for searches in of]).T for name, of in found.items()}
        for field in ("updates", "env_steps")
    )
    fewest = np.min([updates[peer.name].mean(0) for peer in PEERS], axis=0)
    ratios = {name: (numbers.mean(0) / fewest).tolist() for name, numbers in updates.items()}

    def runs(name: str) -> list[Run]:
        searches = zip(*found[name], strict=True)
        return [
            _run(seed, max(ratios[name]), dict(zip(resolutions, of, strict=True)))
            for seed, of in zip(seeds, searches, strict=True)
        ]

    at = {"at": [NUM_STATES[resolution] for resolution in resolutions]}
    return Measured(
        Bar((Condition("score", "<=", BAR),), runs_required=len(seeds)),
        runs(SWEEPING.name),
        [Control(peer.name, runs(peer.name), note="n = 5") for peer in PEERS],
        {
            "task": f"{SWEEPING.name} on {DYNA_MAZE}: share of Dyna-Q's updates",
            "resolutions": list(resolutions),
            "ratios": ratios,
            "given_up": {
                name: [sum(not one.reached for one in searches) for searches in of] for name, of in found.items()
            },
            "curves": {name: curve(numbers) | at for name, numbers in updates.items()},
            "env_steps": {name: curve(numbers) | at for name, numbers in env_steps.items()},
        },
    )


def _run(seed: int, score: float, searches: Mapping[int, Search]) -> Run:
    figures: dict[str, float] = {}
    for resolution, one in searches.items():
        figures |= {f"updates_{resolution}": one.updates, f"env_steps_{resolution}": one.env_steps}
    return Run(
        seed,
        score,
        env_steps=sum(one.env_steps for one in searches.values()),
        wall_s=round(sum(one.wall_s for one in searches.values()), 2),
        figures=figures,
    )
