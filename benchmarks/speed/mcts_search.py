"""Searches by `mcts` and `gumbel-mcts` in a network of 64 units, beside the bare calls of that network, and mctx.

The network is that of mctx's benchmark: two layers of 64 of latent and action, and heads for reward, value and policy.
`mcts_1_50_7` is from 1 root, 50 simulations, 7 actions. Each search is measured as it comes (`compiled`: a small batch
is searched without torch) and by calls of the model alone (`calls`); mctx where the bars ask for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

import zoo_core
from benchmarks.results import Bar, Condition, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.mctx_peer import GAMMA, HIDDEN, mctx_search
from benchmarks.speed.timing import fastest, torch_threads
from zoo_core.planner import Evaluation
from zoo_core.seeding import construction_rng
from zoo_core.world_model import ModelStep, WorldModel
from zoo_mcts.dense import DenseModel, pack

ROOTS, SIMULATIONS, ACTIONS = (1, 32, 256), (50, 200), (7, 82)
PEERS = ((32, 50, 7), (256, 50, 82))  # roots, simulations, actions
OPTIONS: dict[str, dict[str, Any]] = {"mcts": {"value_scale": "min-max"}, "gumbel-mcts": {}}
BAR = Bar(
    (
        *(
            Condition(f"mcts_{b}_{s}_{a}_over_bare", "<=", 1.5)
            for b, s, a in itertools.product(ROOTS, SIMULATIONS, ACTIONS)
        ),
        Condition("mcts_32_50_7_over_mctx", ">=", 4.0),
        Condition("mcts_256_50_82_over_mctx", ">=", 20.0),
    )
)
ROUNDS = 5


class Latent(NamedTuple):
    """What the network makes of an observation, `[B, 64]`."""

    latent: Tensor


class Network(WorldModel):
    """A MuZero of two layers, untrained."""

    def __init__(self, num_actions: int) -> None:
        super().__init__(gym.spaces.Box(-1.0, 1.0, (HIDDEN,)), gym.spaces.Discrete(num_actions))
        self.num_actions = num_actions
        with construction_rng(0):
            self.first, self.second = nn.Linear(HIDDEN + num_actions, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
            self.reward, self.value = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 1)
            self.policy = nn.Linear(HIDDEN, num_actions)

    def observe(self, state: Any, action: Any, obs: Any, is_first: Any, *, rng: torch.Generator) -> Latent:
        """Takes what is seen for the latent."""
        return Latent(obs)

    def features(self, state: Any) -> Tensor:
        """Returns the latent."""
        latent: Tensor = state.latent
        return latent

    def step(
        self, state: Any, action: Tensor, *, rng: torch.Generator, temperature: float = 1.0, uncertainty: bool = False
    ) -> ModelStep:
        """Runs the dynamics."""
        x = torch.cat([state.latent, nn.functional.one_hot(action, self.num_actions).float()], -1)
        x = self.second(self.first(x).relu_()).relu_()
        return ModelStep(Latent(x), self.reward(x)[:, 0], torch.ones(len(x)))

    def evaluate(self, state: Any, *, rng: torch.Generator) -> Evaluation:
        """Runs the heads of value and policy."""
        return Evaluation(self.value(state.latent)[:, 0], self.policy(state.latent))

    def dense(self) -> DenseModel:
        """Returns the layers, for the compiled search."""
        return pack([self.first, self.second], [self.reward], [self.value], [self.policy], trunk_relu=True)


def measure() -> Measured:
    figures: dict[str, float] = {}
    with torch_threads(1):
        for num_actions, num, num_roots in itertools.product(ACTIONS, SIMULATIONS, ROOTS):
            figures |= _measure(num_roots, num, num_actions)
    return Measured(BAR, [Run(seed=0, score=figures["mcts_32_50_7_over_bare"], figures=figures)])


def _measure(num_roots: int, num: int, num_actions: int) -> dict[str, float]:
    """Measures one size."""
    size, model = (num_roots, num, num_actions), Network(num_actions)
    roots = Latent(torch.randn(num_roots, HIDDEN, generator=zoo_core.rng(0)))
    functions: dict[str, Callable[[], object]] = {"bare": _bare_calls(model, roots, num)}
    for name in OPTIONS:
        functions[name] = _search(name, model, roots, num, compiled=True)
        functions[f"{name}-calls"] = _search(name, model, roots, num, compiled=False)
    if size in PEERS:
        functions["mctx"] = mctx_search("muzero", "mlp", *size)
        functions["mctx-gumbel"] = mctx_search("gumbel", "mlp", *size)
    seconds = fastest(functions, rounds=ROUNDS)
    label, figures = "_".join(map(str, size)), {}
    for name in OPTIONS:
        figures[f"{name}_{label}_over_bare"] = seconds[name] / seconds["bare"]
        figures[f"{name}-calls_{label}_over_bare"] = seconds[f"{name}-calls"] / seconds["bare"]
    if size in PEERS:
        figures[f"mcts_{label}_over_mctx"] = seconds["mctx"] / seconds["mcts"]
        figures[f"gumbel-mcts_{label}_over_mctx"] = seconds["mctx-gumbel"] / seconds["gumbel-mcts"]
    figures |= {f"{name}_{label}_simulations_per_s": num_roots * num / value for name, value in seconds.items()}
    return figures


def _bare_calls(model: Network, roots: Latent, num: int) -> Callable[[], None]:
    """Returns as many calls of the network as there are simulations."""
    action, rng = torch.zeros(len(roots.latent), dtype=torch.int64), zoo_core.rng(0)

    def call() -> None:
        with torch.no_grad():
            for _ in range(num):
                model.evaluate(model.step(roots, action, rng=rng).state, rng=rng)

    return call


def _search(name: str, model: Network, roots: Latent, num: int, *, compiled: bool) -> Callable[[], object]:
    config = {"num_simulations": num, "gamma": GAMMA, "compiled": compiled, **OPTIONS[name]}
    planner, rng = zoo_core.make_planner(name, config, evaluate=model.evaluate), zoo_core.rng(0)
    return lambda: planner.plan(model, roots, rng=rng)
