"""The rules of `Planner`, as a check for plugin authors."""

from __future__ import annotations

from typing import Any

import optree
import torch

from zoo_core import seeding, spaces, world_model as beliefs
from zoo_core.errors import NonFiniteError
from zoo_core.planner import Plan, Planner
from zoo_core.testing.checks.expect import difference, expect, global_streams_untouched, same
from zoo_core.testing.checks.samples import describe
from zoo_core.testing.fakes.broken import Altered
from zoo_core.world_model import State, WorldModel


def check_planner(planner: Planner, model: WorldModel, *, num: int = 3) -> Plan:
    """Checks that a planner keeps the contract, on a fitted model.

    Args:
        planner: to check.
        model: to search in.
        num: roots searched at once.

    Returns:
        The plan from `num` initial states.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    state = model.initial_state(num, rng=seeding.rng(0, "roots", device=model.device))
    with global_streams_untouched("plan"):
        plan = planner.plan(model, state, rng=_rng(model))
    _check_plan(plan, model, state)
    again = planner.plan(model, state, rng=_rng(model))
    expect(same(plan, again), "the same rng gives the same plan", difference(plan, again), "draw from rng only")
    _check_plan(planner.plan(model, state, rng=_rng(model), previous=plan), model, state)
    alone = planner.plan(model, beliefs.index(state, slice(0, 1)), rng=_rng(model))
    _check_plan(alone, model, beliefs.index(state, slice(0, 1)))
    third = planner.plan(model, state, rng=_rng(model))
    expect(
        same(plan, third),
        "a planner keeps no state between calls",
        difference(plan, third),
        "let warm starts and subtrees travel in Plan.memory",
    )
    _check_nan(planner, model, state)
    return plan


def _check_plan(plan: Plan, model: WorldModel, state: State) -> None:
    num, space = beliefs.batch_size(state), model.action_space
    like = spaces.to_tensor(space, spaces.zeros(space, num), model.device)
    expect(
        describe(plan.action) == describe(like),
        f"the action is {describe(like)}",
        describe(plan.action),
        "Discrete actions are int64 from 0, Box actions float32 in the environment's units",
    )
    inside = all(space.contains(row) for row in spaces.to_numpy(space, plan.action))  # NumPy's copy is clipped
    inside = inside and same(spaces.to_tensor(space, spaces.to_numpy(space, plan.action)), plan.action.cpu())
    expect(inside, f"the action is in {space}", plan.action.tolist(), "clamp candidates to the bounds")
    expect(
        plan.value.shape == (num,) and plan.value.isfinite().all(),
        "the value is [B] and finite",
        plan.value.tolist(),
        "return the estimated return of each root's plan",
    )
    legal = model.legal_actions(state)
    if legal is not None:
        allowed = legal.gather(1, plan.action[:, None])
        expect(allowed.all(), "the action is legal", plan.action.tolist(), "mask every choice by model.legal_actions")
        if plan.weights is not None:
            expect(
                not (plan.weights * ~legal).any(),
                "illegal actions have no weight",
                plan.weights.tolist(),
                "mask by model.legal_actions",
            )
    parts: dict[str, Any] = {"sequence": plan.sequence, "weights": plan.weights, "memory": plan.memory}
    for name, part in parts.items():
        rows = {len(leaf) for leaf in optree.tree_leaves(part)}
        expect(rows <= {num}, f"{name} has the leading dimension B", rows, "keep one entry a root")


def _check_nan(planner: Planner, model: WorldModel, state: State) -> None:
    poisoned = Altered(model, lambda step: step._replace(reward=torch.full_like(step.reward, torch.nan)))
    try:
        plan = planner.plan(poisoned, state, rng=_rng(model))
    except NonFiniteError:
        return
    expect(
        False,
        "if all returns are NaN, plan raises NonFiniteError",
        plan.value.tolist(),
        "rank NaN last; all NaN raises",
    )


def _rng(model: WorldModel) -> torch.Generator:
    return seeding.rng(0, "plan", device=model.device)
