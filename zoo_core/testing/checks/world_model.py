"""The rules of `WorldModel`, as a check for plugin authors."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optree
import torch
from torch import Tensor

from zoo_core import spaces, world_model as beliefs
from zoo_core.replay import Replay
from zoo_core.testing.checks.dynamics import check_decode, check_rollout, check_rows, check_step
from zoo_core.testing.checks.expect import difference, expect, global_streams_untouched, same
from zoo_core.testing.checks.filtering import check_observe, check_rows_of_observe
from zoo_core.testing.checks.samples import (
    check_leaves,
    check_rng,
    describe,
    sample_actions,
)
from zoo_core.world_model import State, WorldModel


def check_world_model(
    model: WorldModel | Callable[[], WorldModel],
    replay: Replay | None = None,
    *,
    max_updates: int | None = 20,
    num: int = 4,
) -> WorldModel:
    """Checks that a model keeps the contract.

    Args:
        model: the model, or a function that makes it.
        replay: what to fit it to; None if it is fitted, or knows its world.
        max_updates: limit on gradient steps of the fit.
        num: rows of the batches.

    Returns:
        The model, fitted.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    model = model if isinstance(model, WorldModel) else check_construction(model)
    if replay is not None:
        check_fit(model, replay, max_updates=max_updates)
    state = check_initial_state(model, num)
    check_faces_of_a_state(model, state)
    check_step(model, state)
    check_rows(model, state)
    check_rollout(model, state)
    check_observe(model, state)
    check_rows_of_observe(model, state)
    check_particles(model, state)
    check_gradients(model, state)
    check_save(model, num, replay, max_updates=max_updates)
    return model


def check_construction(make: Callable[[], WorldModel]) -> WorldModel:
    """Checks that a model begins with weights that its seed decides, and returns it."""
    with global_streams_untouched("construction"):
        model, twin = make(), make()
    weights = [dict(each.state_dict()) for each in (model, twin)]
    expect(
        same(*weights),
        "the same seed gives the same initial weights",
        difference(*weights),
        "construct networks inside zoo_core.seeding.construction_rng(seed)",
    )
    return model


def check_fit(model: WorldModel, replay: Replay, *, max_updates: int | None) -> None:
    """Checks what `fit` returns and leaves behind."""
    with global_streams_untouched("fit"):
        metrics = model.fit(replay, rng=check_rng(model), max_updates=max_updates)
    numbers = isinstance(metrics, dict) and all(isinstance(value, float | int) for value in metrics.values())
    expect(numbers and metrics, "fit returns a dict of numbers, at least one", metrics, "return e.g. {'loss': loss}")
    expect(
        all(math.isfinite(value) for value in metrics.values()),
        "the metrics of fit are finite",
        metrics,
        "look for divisions by zero and diverging losses; clip gradients, standardise inputs",
    )


def check_initial_state(model: WorldModel, num: int) -> State:
    """Checks the beliefs where dreams begin, and returns `num` of them."""
    with global_streams_untouched("initial_state"):
        states = [model.initial_state(size, rng=check_rng(model)) for size in (num, num, 1)]
    for size, state in zip((num, num, 1), states, strict=True):
        check_leaves(model, state, size, "initial_state")
    expect(
        same(states[0], states[1]),
        "initial_state with the same rng returns the same beliefs",
        difference(states[0], states[1]),
        "draw from rng only",
    )
    return states[0]


def check_faces_of_a_state(model: WorldModel, state: State) -> None:
    """Checks `features`, `legal_actions` and `decode`."""
    num = beliefs.batch_size(state)
    features = model.features(state)
    expect(
        features.ndim == 2 and len(features) == num and features.dtype == torch.float32,
        "features are float32 [B, F]",
        describe(features),
        "flatten and cast; a model without decode must write its own features",
    )
    legal = model.legal_actions(state)
    if legal is not None:
        wanted = (num, spaces.flat_dim(model.action_space))
        expect(
            legal.dtype == torch.bool and legal.shape == wanted,
            f"legal_actions is None or bool {list(wanted)}",
            describe(legal),
            "return a mask over all actions, true where the action is allowed",
        )
    check_decode(model, state)


def check_particles(model: WorldModel, state: State) -> None:
    """Checks that particles of one root are neighbours."""
    num = beliefs.batch_size(state)
    spread = model.particles(state, 3, rng=check_rng(model))
    check_leaves(model, spread, 3 * num, "particles(num=3)")


def check_gradients(model: WorldModel, state: State) -> None:
    """Checks that a step can be differentiated where the model has something to learn by gradient."""
    step = model.step(state, sample_actions(model, state), rng=check_rng(model))
    outputs: Any = (step.state, step.reward, step.continues)
    leaves = [leaf for leaf in optree.tree_leaves(outputs) if isinstance(leaf, Tensor)]
    expect(
        not any(leaf.is_inference() for leaf in leaves),
        "step makes no inference tensors",
        "a tensor made under torch.inference_mode",
        "leave gradients to the caller, who uses no_grad where none are needed",
    )
    if any(parameter.requires_grad for parameter in model.parameters()):
        expect(
            any(leaf.requires_grad for leaf in leaves),
            "step is differentiable",
            "no output needs a gradient though the model has parameters that do",
            "remove torch.no_grad() and .detach() from step",
        )


def check_save(model: WorldModel, num: int, replay: Replay | None, *, max_updates: int | None) -> None:
    """Checks that a loaded model dreams the same dream, and goes on learning from a replay as the saved one does; a
    model that refuses to be saved (TypeError) is left alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = model.save(Path(folder) / "model")
        except TypeError:
            return
        loaded = type(model).load(path, device=model.device)
    _check_same_dream(
        model,
        loaded,
        num,
        rule="a model that was saved and loaded dreams the same dream",
        mend="register what fit computes as buffers, or write it in to_file and read it in load_file",
    )
    if replay is None:
        return
    for each in (model, loaded):
        each.fit(replay, rng=check_rng(each), max_updates=max_updates)
    _check_same_dream(
        model,
        loaded,
        num,
        rule="a model that was saved and loaded goes on learning as if it never had been",
        mend="keep optimisers as attributes of the model, and what else fit goes on from in to_file and load_file",
        tolerance=1e-4,  # the solvers of LAPACK differ in the last bits from call to call
    )


def _check_same_dream(
    model: WorldModel, loaded: WorldModel, num: int, *, rule: str, mend: str, tolerance: float = 0.0
) -> None:
    dreams = []
    for each in (model, loaded):
        rng = check_rng(each)
        state = each.initial_state(num, rng=rng)
        rewards = []
        with torch.no_grad():
            for t in range(3):
                step = each.step(state, sample_actions(model, state, seed=t), rng=rng)
                state = step.state
                rewards.append(step.reward)
            dreams.append((rewards, each.features(state)))
    expect(same(*dreams, tolerance=tolerance), rule, difference(*dreams), mend)
