"""The rules of `WorldModel.step`: shapes, independence of rows, long dreams, ends."""

from __future__ import annotations

from typing import Any

import optree
import torch
from torch import Tensor

from zoo_core import spaces, world_model as beliefs
from zoo_core.errors import Undecodable
from zoo_core.testing.checks.expect import difference, expect, global_streams_untouched, same
from zoo_core.testing.checks.samples import check_leaves, check_rng, describe, detached, layout_of, sample_actions
from zoo_core.world_model import ModelStep, State, WorldModel

_ROLLOUT = 25  # steps, enough for most models to leave their data if they can
_CLOSE = 1e-4  # batches of different sizes sum in different orders
_STAY = (
    "hold predicted observations to the bounds of the space and the range of the data, inside the state, and rewards "
    "to the range seen"
)


def check_step(model: WorldModel, state: State) -> None:
    """Checks shapes, dtypes and ranges of a step, and that the same rng gives the same one."""
    num, action = beliefs.batch_size(state), sample_actions(model, state)
    before = optree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf.copy(), state)
    with global_streams_untouched("step"):
        step = model.step(state, action, rng=check_rng(model))
        again = model.step(state, action, rng=check_rng(model))
    expect(isinstance(step, ModelStep), "step returns a ModelStep", type(step).__name__, "return ModelStep(...)")
    check_leaves(model, step.state, num, "step")
    layout = layout_of(step.state)
    expect(
        layout == layout_of(state),
        "a step leaves the layout of the state as it was: tree, shapes, dtypes",
        f"{layout_of(state)} became {layout}",
        "build both in one place, and cast there",
    )
    for name, values in (("reward", step.reward), ("continues", step.continues)):
        expect(
            isinstance(values, Tensor) and values.shape == (num,) and values.is_floating_point(),
            f"{name} is a float tensor [B]",
            describe(values),
            "drop the last dimension ([:, 0]), cast bool flags with .float()",
        )
        expect(values.isfinite().all(), f"{name} is finite", values.tolist(), "bound what the model predicts")
    _check_continues(step)
    sign = torch.as_tensor(step.sign)
    expect(
        sign.shape in ((), (num,)) and bool((sign.abs() == 1).all()),
        "sign is 1 or -1, a number or [B]",
        sign.tolist(),
        "leave it out unless two players alternate",
    )
    expect(step.uncertainty is None, "uncertainty is None unless asked for", step.uncertainty, "look at uncertainty=")
    expect(
        same(before, state),
        "step leaves the state it was given as it was",
        difference(before, state),
        "clone before you write into a tensor; treat the objects of a state as constants",
    )
    expect(same(step, again), "the same rng gives the same step", difference(step, again), "draw from rng only")
    _check_uncertainty(model, state, action)


def check_rows(model: WorldModel, state: State) -> None:
    """Checks that rows are independent: of the batch they are in, and of the others' actions."""
    state = detached(
        model.step(state, sample_actions(model, state), rng=check_rng(model)).state
    )  # random choices are made
    num, action = beliefs.batch_size(state), sample_actions(model, state)
    whole = model.step(state, action, rng=check_rng(model), temperature=0.0)
    for i in range(num):
        row = slice(i, i + 1)
        alone = model.step(beliefs.index(state, row), action[row], rng=check_rng(model), temperature=0.0)
        expect(
            same(_row(alone, slice(0, 1)), _row(whole, row), tolerance=_CLOSE),
            "at temperature 0 a row does not depend on the batch it is in",
            f"row {i}: reward {alone.reward.tolist()} alone, {whole.reward[row].tolist()} in a batch of {num}",
            "no statistics over the batch (BatchNorm), nothing drawn at temperature 0",
        )
    for seed, temperature in ((1, 0.0), (2, 1.0), (3, 1.0)):
        others = sample_actions(model, state, seed=seed)
        others[0] = action[0]
        streams = check_rng(model), check_rng(model)
        first, second = (
            model.step(state, choice, rng=rng, temperature=temperature)
            for choice, rng in zip((action, others), streams, strict=True)
        )
        expect(
            same(_row(first, slice(0, 1)), _row(second, slice(0, 1)), tolerance=_CLOSE),
            "another row's action does not move this row",
            f"row 0 changed with the actions of the others, at temperature {temperature}",
            "keep rows apart; draw the same random numbers whatever state and action are",
        )
        expect(
            torch.equal(streams[0].get_state(), streams[1].get_state()),
            "what a step draws depends on B alone",
            "the stream stands elsewhere after other actions",
            "draw for all rows at once, before you look at states or actions",
        )


def check_rollout(model: WorldModel, state: State) -> None:
    """Checks that a long dream stays finite and in the space, and that nothing follows a certain end."""
    rng = check_rng(model)
    for t in range(_ROLLOUT):
        with torch.no_grad():
            step = model.step(state, sample_actions(model, state, seed=t), rng=rng)
        finite = all(leaf.isfinite().all() for leaf in optree.tree_leaves(step.state) if _is_float(leaf))
        expect(finite, "a dream stays finite", f"NaN or infinity in the state after {t + 1} steps", _STAY)
        expect(step.reward.isfinite().all(), "a dream stays finite", f"reward {step.reward.tolist()}", _STAY)
        _check_continues(step)
        state = step.state
        if (over := step.continues == 0).any():
            _check_terminal(model, state, over)
    check_decode(model, state)


def _check_continues(step: ModelStep) -> None:
    inside = (step.continues >= 0) & (step.continues <= 1)
    expect(
        inside.all(),
        "continues is a probability in [0, 1]",
        step.continues.tolist(),
        "apply a sigmoid; the discount belongs to the agent",
    )


def _check_terminal(model: WorldModel, state: State, over: Tensor) -> None:
    """Checks a step from states after a `continues` of exactly 0, true in `over`."""
    with torch.no_grad():
        after = model.step(state, sample_actions(model, state, seed=99), rng=check_rng(model))
        features = [model.features(one)[over] for one in (state, after.state)]
    expect(
        (after.reward[over] == 0).all() and (after.continues[over] == 0).all(),
        "a step from a state that is certainly terminal has reward 0 and continues 0",
        f"reward {after.reward[over].tolist()}, continues {after.continues[over].tolist()}",
        "keep a flag in the state, or never predict a continues of exactly 0",
    )
    expect(
        same(*features),
        "a step from a state that is certainly terminal leads to the same state",
        difference(*features),
        "use zoo_core.world_model.select(over, state, after)",
    )


def _check_uncertainty(model: WorldModel, state: State, action: Any) -> None:
    uncertainty = model.step(state, action, rng=check_rng(model), uncertainty=True).uncertainty
    if uncertainty is None:
        return
    keys = set(uncertainty)
    expect(keys == {"epistemic", "aleatoric"}, 'uncertainty has "epistemic" and "aleatoric"', keys, "give both")
    for name, values in uncertainty.items():
        expect(
            values.shape == (beliefs.batch_size(state),) and bool((values >= 0).all() and values.isfinite().all()),
            f"{name} uncertainty is [B], finite and not negative",
            f"{describe(values)}, {values.tolist()}",
            "reduce over outputs; take a deviation, not its logarithm",
        )


def _row(step: ModelStep, row: slice) -> Any:
    return beliefs.index(detached((step.state, step.reward, step.continues)), row)


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def check_decode(model: WorldModel, state: State) -> None:
    """Checks that decoded observations are laid out as the space, and lie in it."""
    try:
        with torch.no_grad():
            decoded = model.decode(state)
    except Undecodable:
        return
    num = beliefs.batch_size(state)

    def check(leaf: Any, value: Any) -> None:
        wanted = (num, *leaf.shape)
        expect(
            isinstance(value, Tensor) and tuple(value.shape) == wanted,
            f"decode returns tensors laid out as the observation space: {list(wanted)} for {leaf}",
            describe(value),
            "reshape the outputs; images stay HWC",
        )
        if not hasattr(leaf, "low"):
            return
        low, high = (torch.as_tensor(side, device=value.device).double() for side in (leaf.low, leaf.high))
        slack = _CLOSE * torch.where((high - low).isfinite(), high - low, 0.0)
        inside = (value.double() >= low - slack) & (value.double() <= high + slack)
        expect(
            inside.all(),
            f"decoded observations are within the bounds of {leaf}",
            f"from {value.min().item():.4g} to {value.max().item():.4g}",
            _STAY,
        )

    spaces.map_space(model.observation_space, check, decoded)
