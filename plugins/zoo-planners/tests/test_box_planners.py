"""What all planners of Box actions have in common."""

import numpy as np
import optree
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from zoo_core.errors import UnsupportedSpaceError
from zoo_core.plugins import make_planner, specs
from zoo_core.testing import cases, check_planner
from zoo_core.world_model import ModelStep, WorldModel, index

SMALL = {
    "cem": {"num_candidates": 64, "num_elites": 8, "iterations": 6},
    "icem": {"num_candidates": 64, "num_elites": 8, "iterations": 6},
    "mppi": {"num_candidates": 128, "num_elites": 16, "iterations": 6},
    "gradient": {"num_candidates": 4, "iterations": 20},
}
SPECS = {spec.id: spec for spec in specs("planner")}


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture
def planner(name):
    return make_planner(name, {"horizon": 5, **SMALL[name]})


def test_the_contract_is_kept(name, linear_model):
    spec = SPECS[name]
    for model in (linear_model, next(case.model for case in cases.model_cases() if case.name == "kalman")):
        check_planner(make_planner(name, spec.check_config), model, needs_gradients=spec.needs_gradients)


def test_the_check_notices_who_says_it_needs_gradients_and_does_not(linear_model):
    with pytest.raises(AssertionError, match="needs gradients refuses a model without them"):
        check_planner(make_planner("cem", SPECS["cem"].check_config), linear_model, needs_gradients=True)


def test_equal_numbers_give_equal_plans_and_others_others(name, linear_model, positions, rng):
    planner = make_planner(name, {"horizon": 5, **SMALL[name], "iterations": 1})
    state = positions([9.0, 9.0], [0.0, -9.0])
    first, again, other = (planner.plan(linear_model, state, rng=rng.manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.sequence, again.sequence)
    assert not torch.equal(first.sequence, other.sequence)


def test_roots_do_not_depend_on_their_neighbours(planner, linear_model, positions, rng):
    """The same numbers, another second root: not a bit of the other plans changes."""
    rows = ([1.0, 0.5], [0.3, 0.3], [0.0, -1.0])
    calm = planner.plan(linear_model, positions(*rows), rng=rng.manual_seed(0))
    wild = planner.plan(linear_model, positions(rows[0], [900.0, -900.0], rows[2]), rng=rng.manual_seed(0))
    for one, two in zip(optree.tree_leaves(calm), optree.tree_leaves(wild), strict=True):
        assert torch.equal(one[[0, 2]], two[[0, 2]])
        assert not torch.equal(one[1], two[1])


def test_a_root_alone_is_worth_as_much_as_in_company(name, linear_model, rng):
    thorough = make_planner(name, {"horizon": 5, **SMALL[name], "iterations": 40})
    state = linear_model.initial_state(4, rng=rng)
    together = thorough.plan(linear_model, state, rng=rng)
    alone = [thorough.plan(linear_model, index(state, slice(i, i + 1)), rng=rng).value for i in range(4)]
    assert torch.allclose(torch.cat(alone), together.value, rtol=0.02, atol=0.02)


@pytest.fixture
def forbids(linear_model_class):
    """Makes the linear model with no idea of actions above `edge`, though the best ones are."""

    class Forbids(linear_model_class):
        def __init__(self, edge):
            super().__init__()
            self.edge = edge

        def step(self, state, action, **kwargs):
            step = super().step(state, action, **kwargs)
            return step._replace(reward=torch.where(action[:, 0] > self.edge, torch.nan, step.reward))

    return Forbids


def test_candidates_with_nan_rank_last(planner, forbids, positions, rng):
    plan = planner.plan(forbids(3.0), positions([-1.0, -1.0], [-0.5, -1.0]), rng=rng)
    assert plan.value.isfinite().all()
    assert (plan.sequence <= 3.0).all()
    assert (plan.action > 0.0).all()


@pytest.mark.parametrize("name", ["cem", "icem", "mppi"])
def test_candidates_with_nan_do_not_count_even_where_elites_are_too_few(name, forbids, positions, rng):
    """One in eight has a return, one in two would be an elite."""
    planner = make_planner(name, {"horizon": 3, "num_candidates": 400, "num_elites": 200, "iterations": 1})
    plan = planner.plan(forbids(0.0), positions([-1.0, -1.0], [-0.5, -1.0]), rng=rng)
    assert plan.value.isfinite().all()
    assert (plan.sequence <= 0.0).all()


def test_a_plan_that_was_written_and_read_goes_on_as_the_live_one(planner, linear_model, positions, rng):
    state = positions([1.0, 0.5], [0.0, -1.0])
    live = planner.plan(linear_model, state, rng=rng)
    leaves, structure = optree.tree_flatten(live)
    arrays = [leaf.numpy().tobytes() for leaf in leaves]
    read = [
        torch.from_numpy(np.frombuffer(data, np.float32).copy().reshape(leaf.shape))
        for data, leaf in zip(arrays, leaves, strict=True)
    ]
    restored = optree.tree_unflatten(structure, read)
    plans = [planner.plan(linear_model, state, rng=rng.manual_seed(1), previous=p) for p in (live, restored, None)]
    for one, two in zip(optree.tree_leaves(plans[0]), optree.tree_leaves(plans[1]), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(plans[0].sequence, plans[2].sequence)


def test_sequences_stay_in_a_box_of_any_shape(planner, rng):
    class Tall(WorldModel):
        def __init__(self):
            super().__init__(Box(-9.0, 9.0, (1,)), Box(np.float32([[-0.1], [2.0]]), np.float32([[0.3], [7.7]])))

        def observe(self, state, action, obs, is_first, *, rng):
            return obs

        def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
            return ModelStep(state, action.sum((1, 2)), torch.ones(len(state)))

    plan = planner.plan(Tall(), torch.zeros(3, 1), rng=rng)
    assert plan.sequence.shape == (3, 5, 2, 1)
    space = Tall().action_space
    assert all(space.contains(action.numpy()) for action in plan.sequence.flatten(0, 1))
    assert (plan.value > 5 * (0.1 + 4.85)).all()  # more than the middle


class Unsteppable(WorldModel):
    """Must be refused before it is asked anything."""

    def __init__(self, action_space):
        super().__init__(Box(-1.0, 1.0, (1,)), action_space)

    def observe(self, *args, **kwargs):
        raise AssertionError

    step = observe


@pytest.mark.parametrize("name", ["icem", "mppi", "gradient"])
@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Discrete(3), r"{} takes Box action spaces, got Discrete\(3\)"),
        (Box(-np.inf, np.inf, (1,)), r"{} searches between the bounds of its actions, which must be finite"),
    ],
)
def test_other_actions_are_refused_before_any_step(name, space, message, rng):
    planner, model = make_planner(name), Unsteppable(space)
    for refuse in (lambda: planner.check(model), lambda: planner.plan(model, torch.zeros(2, 1), rng=rng)):
        with pytest.raises(UnsupportedSpaceError, match=message.format(name)):
            refuse()


@pytest.mark.parametrize("name", [*SMALL, "random-shooting"])
def test_games_are_refused_before_any_step(name, rng):
    class Duel(Unsteppable):
        num_players = 2

    planner, model = make_planner(name), Duel(Box(-1.0, 1.0, (1,)))
    for refuse in (lambda: planner.check(model), lambda: planner.plan(model, torch.zeros(2, 1), rng=rng)):
        with pytest.raises(ValueError, match="planned for one player, got Duel, a game of 2: plan in it by forward"):
            refuse()


@pytest.mark.parametrize("other", ["horizon", "roots", "planner", "shooting"])
def test_a_plan_that_it_cannot_go_on_from_is_refused(name, planner, linear_model, positions, rng, other):
    other_name = {"planner": "cem" if name == "icem" else "icem", "shooting": "random-shooting"}.get(other, name)
    sizes = SMALL.get(other_name, {})
    state = positions([1.0, 0.5], [0.0, -1.0])
    before = make_planner(other_name, {"horizon": 4 if other == "horizon" else 5, **sizes}).plan(
        linear_model, positions([1.0, 0.5]) if other == "roots" else state, rng=rng
    )
    got = {"horizon": r"\w+ \[2, 4, 1\]", "roots": r"\w+ \[1, 5, 1\]", "shooting": "nothing"}
    got["planner"] = r"Tensor \[2, 5, 1\]" if name == "icem" else r"ICEMMemory \[2, 5, 1\]"
    message = rf"a plan of {name} with horizon 5 from the same 2 roots, .*, got one that remembers {got[other]}"
    with pytest.raises(ValueError, match=message):
        planner.plan(linear_model, state, rng=rng, previous=before)


def test_a_horizon_of_no_steps_is_refused(name):
    with pytest.raises(ValueError, match=r"horizon must be in \[1, inf\), got 0"):
        make_planner(name, {"horizon": 0})


@pytest.mark.parametrize("name", ["icem", "mppi"])
def test_more_elites_than_candidates_are_refused(name):
    with pytest.raises(ValueError, match=r"num_elites must be in \[1, 40\], got 41"):
        make_planner(name, {"num_candidates": 40, "num_elites": 41})
