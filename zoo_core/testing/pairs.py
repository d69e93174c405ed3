"""Planners and world models that fit each other by their specs: all pairs of them, or a few with all of them in."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

from gymnasium import Space

from zoo_core.plugins import PlannerSpec, WorldModelSpec, make_planner, specs
from zoo_core.testing.cases import ModelCase, env_ids_for, model_cases
from zoo_core.testing.checks.planner import check_planner


@dataclass(frozen=True)
class Pair:
    """A registered planner and a registered model, in a small environment that both take.

    Attributes:
        planner: searches, with its `check_config`.
        model: is searched, with its `check_config`.
        case: the model in the environment.
    """

    planner: PlannerSpec
    model: WorldModelSpec
    case: ModelCase

    def __str__(self) -> str:
        return f"{self.planner.id}-in-{self.case}"

    def check(self) -> None:
        """Fits the model to a little experience, and checks that the planner keeps the contract in it.

        Raises:
            AssertionError: A rule is broken.
        """
        planner = make_planner(self.planner.id, self.planner.check_config)
        check_planner(planner, self.case.model, needs_gradients=self.planner.needs_gradients)


@functools.cache
def all_pairs() -> tuple[Pair, ...]:
    """Returns every registered planner with every registered model that it fits, in each small environment for both.

    Models of board games are left out: there are no small environments for them.

    Raises:
        AssertionError: The specs say that two fit, and no small environment has spaces that both take.
    """
    cases = {case.name: case for case in model_cases()}
    pairs: list[Pair] = []
    for planner, model in itertools.product(specs("planner"), specs("model")):
        if model.players == 1 and planner.fits(model):
            known = [cases[f"{model.id}-{env_id}"] for env_id in env_ids_for(model)]
            fitting = [Pair(planner, model, case) for case in known if _takes(planner, case)]
            assert fitting, f"planner {planner.id!r} and model {model.id!r} fit in none of {', '.join(map(str, known))}"
            pairs += fitting
    return tuple(pairs)


def few_pairs() -> tuple[Pair, ...]:
    """Returns pairs among which is each planner with each kind of action, and each model in each environment."""
    parts = {pair: _parts(pair) for pair in all_pairs()}
    missing = set().union(*parts.values())
    chosen: list[Pair] = []
    while missing:
        chosen.append(max(parts, key=lambda pair: len(parts[pair] & missing)))
        missing -= parts[chosen[-1]]
    return tuple(chosen)


def _parts(pair: Pair) -> set[str]:
    _, action_space = _spaces(pair.case)
    return {f"{pair.planner.id} by {type(action_space).__name__}", pair.case.name}


def _takes(planner: PlannerSpec, case: ModelCase) -> bool:
    return planner.supports(*_spaces(case))


@functools.cache
def _spaces(case: ModelCase) -> tuple[Space[Any], Space[Any]]:
    assert case.make_env is not None, f"{case} has no environment"
    env = case.make_env()
    return env.observation_space, env.action_space
