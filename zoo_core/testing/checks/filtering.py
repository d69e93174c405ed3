"""The rules of `WorldModel.observe`: nothing counts before an episode begins, and rows are independent."""

from __future__ import annotations

import torch

from zoo_core import spaces, world_model as beliefs
from zoo_core.testing.checks.expect import difference, expect, global_streams_untouched, same
from zoo_core.testing.checks.samples import check_leaves, check_rng, layout_of, sample_actions, sample_observations
from zoo_core.world_model import State, WorldModel

_CLOSE = 1e-4  # batches of different sizes sum in different orders
_SAME = 1e-6  # batches of one size
_PASTS = 4  # different pasts that must make no difference


def check_observe(model: WorldModel, state: State) -> None:
    """Checks filtering: where an episode begins, nothing of the past counts."""
    num, obs = beliefs.batch_size(state), sample_observations(model, state)
    with global_streams_untouched("observe"):
        begun = model.observe(None, None, obs, None, rng=check_rng(model))
    check_leaves(model, begun, num, "observe")
    layouts = [layout_of(one) for one in (begun, model.initial_state(num, rng=check_rng(model)))]
    expect(
        layouts[0] == layouts[1],
        "observe and initial_state return states of one layout",
        f"{layouts[0]} and {layouts[1]}",
        "let initial_state call observe, as the default does",
    )
    is_first = torch.zeros(num, dtype=torch.bool, device=model.device)
    is_first[0] = True
    rows, past = [], begun
    for seed in range(_PASTS):
        action = sample_actions(model, past, seed=seed)
        with torch.no_grad():
            seen = model.observe(past, action, obs, is_first, rng=check_rng(model))
            past = model.step(past, action, rng=check_rng(model)).state
        check_leaves(model, seen, num, "observe")
        rows.append(beliefs.index(seen, slice(0, 1)))
    expect(
        all(same(rows[0], row, tolerance=_CLOSE) for row in rows),
        "where is_first is true, observe ignores state and action",
        f"{_PASTS} beliefs that differ by what happened before",
        "use zoo_core.world_model.select(is_first, begun, updated)",
    )


def check_rows_of_observe(model: WorldModel, state: State) -> None:
    """Checks that what other rows do and see does not move the first row."""
    num = beliefs.batch_size(state)
    action, obs = sample_actions(model, state), sample_observations(model, state)
    is_first = torch.zeros(num, dtype=torch.bool, device=model.device)
    with torch.no_grad():
        past = model.step(state, action, rng=check_rng(model)).state
        batches = list(range(num)), [0] + [num - 1] * (num - 1)
        seen = [
            model.observe(
                beliefs.index(past, rows),
                action[rows],
                spaces.index(model.observation_space, obs, rows),
                is_first,
                rng=check_rng(model),
            )
            for rows in batches
        ]
    first, second = (beliefs.index(each, slice(0, 1)) for each in seen)
    expect(
        same(first, second, tolerance=_SAME),
        "what another row sees does not move this row",
        f"{difference(first, second)} in row 0, where the other rows did and saw something else",
        "keep rows apart in observe: no statistics over the batch, nothing drawn by what a row holds",
    )
