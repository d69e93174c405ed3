"""The rules of `Planner`, as a check for plugin authors."""

from __future__ import annotations

import inspect
from typing import Any

import gymnasium as gym
import optree
import torch

from zoo_core import seeding, spaces, world_model as beliefs
from zoo_core.errors import NonFiniteError, ZooError
from zoo_core.planner import Evaluation, Plan, Planner
from zoo_core.testing.checks.expect import difference, expect, global_streams_untouched, same
from zoo_core.testing.checks.samples import describe
from zoo_core.testing.fakes.broken import Altered
from zoo_core.testing.fakes.choices import Choices
from zoo_core.world_model import ModelStep, State, WorldModel

_NUM_ROOTS = 7  # of Choices
_VALUE = 1_000.0  # of every state, in the eyes of an `evaluate`


def check_planner(planner: Planner, model: WorldModel, *, num: int = 3, needs_gradients: bool = False) -> Plan:
    """Checks that a planner keeps the contract, on a fitted model.

    Args:
        planner: to check.
        model: to search in.
        num: roots searched at once.
        needs_gradients: the planner climbs gradients of the model, as its spec says, and so refuses one without.

    Returns:
        The plan from `num` initial states.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    state = model.initial_state(num, rng=seeding.rng(0, "roots", device=model.device))
    with global_streams_untouched("plan"):
        plan = planner.plan(model, state, rng=_rng(model))
    _check_plan(plan, model, state)
    _check_passes(planner, model)
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
    if model.num_players == 1 and (space := _simple(model.action_space)) is not None:
        _check_choices(planner, Choices(space))
        _check_flawed(planner, Choices(space, flawed=True))
        if "evaluate" in inspect.signature(type(planner).__init__).parameters:
            _check_evaluate(planner, Choices(space))
        if needs_gradients:
            _check_refuses(planner, Choices(space))
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


def _check_passes(planner: Planner, model: WorldModel) -> None:
    try:
        planner.check(model)
    except Exception as error:
        seen, mend = f"{type(error).__name__}: {error}", "let it raise only what `plan` raises from any state"
        expect(False, "`check` passes a model in which `plan` finds a plan", seen, mend)


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


def _simple(space: gym.Space[Any]) -> gym.Space[Any] | None:
    """Returns a space of the kind of `space` with two sides, None if there is none."""
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(2)
    return gym.spaces.Box(-1.0, 1.0, (1,)) if isinstance(space, gym.spaces.Box) else None


def _check_choices(planner: Planner, world: Choices) -> None:
    """Checks values and actions where they are known, root by root."""
    state = world.initial_state(_NUM_ROOTS, rng=_rng(world))
    plans = [planner.plan(world, state, rng=_rng(world, seed)) for seed in range(2)]
    value = plans[0].value
    expect(
        (value[:5].diff() > 1.0).all(),
        "each root has a value and a plan of its own",
        f"values {value[:5].tolist()} of roots that are worth about 2, 12, 22, 32, 42",
        "search all B roots, and keep their candidates apart",
    )
    _check_sides(plans[0], state, "the action is that of its own root", "pick row i's best candidate for root i")
    expect(
        value[5] > value[6] + 1.0,
        "what follows a step counts by the probability that the episode goes on",
        f"values {value[5:].tolist()} of two roots, of which the second nearly always ends before it pays 10",
        "weigh later rewards by the product of `continues`; let check_config look two steps ahead",
    )
    expect(
        not same(*plans),
        "two seeds give two plans in a world of chance",
        "two plans that are the same to the last bit",
        "pass `rng` to model.step, and draw from no other generator",
    )


def _check_flawed(planner: Planner, world: Choices) -> None:
    state = world.initial_state(_NUM_ROOTS, rng=_rng(world))
    rule, mend = "a candidate whose return is NaN ranks last", "put -inf for NaN before you rank"
    try:
        plan = planner.plan(world, state, rng=_rng(world))
    except NonFiniteError as error:
        expect(False, rule, f"NonFiniteError: {error}, though not all candidates are NaN", mend)
    expect(plan.value.isfinite().all(), rule, f"values {plan.value.tolist()}", mend)
    _check_sides(plan, state, rule, mend)


def _check_sides(plan: Plan, state: Any, rule: str, mend: str) -> None:
    side = 2.0 * plan.action - 1.0 if plan.action.ndim == 1 else plan.action[:, 0]
    seen = f"actions {plan.action.tolist()} where the sides {state.wanted.tolist()} are right (-1: low, 1: high)"
    expect((side * state.wanted > 0.0).all(), rule, seen, mend)


def _check_evaluate(planner: Planner, world: Choices) -> None:
    state = world.initial_state(_NUM_ROOTS, rng=_rng(world))
    values = []
    for worth in (0.0, _VALUE):
        evaluate = _Evaluates(world, worth)
        evaluated = type(planner)(planner.config, evaluate=evaluate)
        values.append(evaluated.plan(world, state, rng=_rng(world)).value)
    expect(
        (values[1][:5] > values[0][:5] + 1.0).all(),
        "`evaluate` counts: it is the value of where a plan ends",
        f"values {values[0].tolist()}, and {values[1].tolist()} where every state is worth {_VALUE:g}",
        "add its value to the return, or leave `evaluate` out of the constructor",
    )


def _check_refuses(planner: Planner, world: Choices) -> None:
    """Checks that a model without gradients is refused."""

    def cut(step: ModelStep) -> ModelStep:
        state = optree.tree_map(torch.Tensor.detach, step.state)
        return step._replace(state=state, reward=step.reward.detach(), continues=step.continues.detach())

    rule = "a planner that needs gradients refuses a model without them, and names it"
    mend = "raise a ZooError if no gradient reaches the actions, or leave needs_gradients out of the spec"
    try:
        plan = planner.plan(Altered(world, cut), world.initial_state(_NUM_ROOTS, rng=_rng(world)), rng=_rng(world))
    except ZooError as error:
        expect(Altered.__name__ in str(error), rule, str(error), mend)
        return
    except Exception as error:
        expect(False, rule, f"{type(error).__name__}: {error}", mend)
    expect(False, rule, f"a plan of value {plan.value.tolist()}", mend)


class _Evaluates:
    """Holds every state to be worth the same, and every action to be as good."""

    def __init__(self, world: Choices, worth: float) -> None:
        self.space, self.worth = world.action_space, worth

    def __call__(self, state: State, *, rng: torch.Generator) -> Evaluation:
        num = beliefs.batch_size(state)
        value = torch.full((num,), self.worth, device=rng.device)
        if isinstance(self.space, gym.spaces.Discrete):
            return Evaluation(value, logits=torch.zeros(num, int(self.space.n), device=rng.device))
        return Evaluation(value, action=2.0 * torch.rand(num, 1, generator=rng, device=rng.device) - 1.0)


def _rng(model: WorldModel, seed: int = 0) -> torch.Generator:
    return seeding.rng(seed, "plan", device=model.device)
