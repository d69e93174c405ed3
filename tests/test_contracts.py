"""The contracts at work: planners that use them alone, on models of every kind; and what the fakes learn."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from zoo_core import seeding
from zoo_core.errors import NonFiniteError
from zoo_core.planner import Evaluation, Plan, Planner
from zoo_core.replay import Replay
from zoo_core.simulator import SimulatorModel
from zoo_core.testing import check_planner
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import (
    Altered,
    Corridor,
    CrossEntropyPlanner,
    KalmanModel,
    LookupTable,
    TicTacToe,
    TreeSearch,
)
from zoo_core.testing.fakes.kalman import Belief
from zoo_core.testing.fakes.tic_tac_toe import Board
from zoo_core.world_model import index, repeat

CONTINUOUS = [case for case in model_cases() if isinstance(case.model.action_space, spaces.Box)]
DISCRETE = [case for case in model_cases() if isinstance(case.model.action_space, spaces.Discrete)]
CASES = {case.name: case for case in model_cases()}
SHOOTING = {"horizon": 4, "num_candidates": 16, "num_elites": 4, "iterations": 2}
SEARCH = {"num_simulations": 20, "max_depth": 5}


@pytest.mark.parametrize("case", CONTINUOUS, ids=str)
def test_the_cross_entropy_method_plans_in_every_model_with_box_actions(case):
    check_planner(CrossEntropyPlanner(SHOOTING), case.model)


@pytest.mark.parametrize("case", DISCRETE, ids=str)
def test_tree_search_plans_in_every_model_with_discrete_actions(case):
    check_planner(TreeSearch(SEARCH), case.model)


def test_the_cross_entropy_method_swings_in_the_exact_model():
    """Pushed hard from the side a pendulum stays up longer than without torque."""
    model = SimulatorModel("Pendulum-v1")
    start = torch.tensor([[np.cos(0.6), np.sin(0.6), 0.0]], dtype=torch.float32)
    state = model.observe(None, None, start, None, rng=seeding.rng(0))
    planner = CrossEntropyPlanner({"horizon": 12, "num_candidates": 64, "iterations": 3})
    plan = planner.plan(model, state, rng=seeding.rng(0))
    idle = 0.0
    for _ in range(12):
        step = model.step(state, torch.zeros(1, 1), rng=seeding.rng(0))
        idle, state = idle + float(step.reward), step.state
    assert plan.value[0] > idle + 1.0
    assert plan.action[0, 0] < -1.0  # against the fall


def test_a_warm_start_begins_from_the_plan_before():
    model = CASES["kalman"].model
    state = model.initial_state(1, rng=seeding.rng(0))
    few = CrossEntropyPlanner({"horizon": 6, "num_candidates": 8, "num_elites": 2, "iterations": 1})
    plan = few.plan(model, state, rng=seeding.rng(0))
    warm = few.plan(model, state, rng=seeding.rng(1), previous=plan)
    cold = few.plan(model, state, rng=seeding.rng(1))
    assert not torch.equal(warm.sequence, cold.sequence)


def test_one_broken_candidate_does_not_spoil_a_plan():
    model = CASES["kalman"].model

    def break_first_row(step):
        reward = step.reward.clone()
        reward[0] = torch.nan
        return step._replace(reward=reward)

    state = model.initial_state(1, rng=seeding.rng(0))
    plan = CrossEntropyPlanner(SHOOTING).plan(Altered(model, break_first_row), state, rng=seeding.rng(0))
    assert plan.value.isfinite().all()


# -- tic-tac-toe -------------------------------------------------------------------------------------------------------


def boards(*rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = [Board(tuple({"x": 1, "o": -1, ".": 0}[sign] for sign in row)) for row in rows]
    return array


@pytest.mark.parametrize(
    ("board", "best", "value"),
    [
        ("xx.oo....", 2, 1.0),  # wins at once
        ("oo.x.....", 2, None),  # must block
        ("o...x...o", None, None),  # any side draws, a corner loses
    ],
)
def test_tree_search_finds_the_move(board, best, value):
    search = TreeSearch({"num_simulations": 600})
    plan = search.plan(TicTacToe(), boards(board), rng=seeding.rng(0))
    if best is None:
        assert int(plan.action) in (1, 3, 5, 7)
    else:
        assert int(plan.action) == best
    if value is not None:
        assert float(plan.value) == pytest.approx(value)


def test_rows_of_a_search_are_searched_as_they_would_be_alone():
    search, model = TreeSearch({"num_simulations": 100}), TicTacToe()
    state = boards("xx.oo....", ".........", "oo.x.....")
    together = search.plan(model, state, rng=seeding.rng(0))
    for i in range(3):
        alone = search.plan(model, index(state, [i]), rng=seeding.rng(0))
        assert torch.equal(alone.weights[0], together.weights[i])


def test_a_network_at_the_leaves_guides_the_search():
    def evaluate(state, *, rng):
        """Takes a stone of the player to move in the middle for a win."""
        middle = torch.tensor([float(board.fields[4]) for board in state])
        return Evaluation(value=middle)

    plan = TreeSearch({"num_simulations": 60}, evaluate=evaluate).plan(
        TicTacToe(), boards("........."), rng=seeding.rng(0)
    )
    assert int(plan.action) == 4


def test_open_loop_search_averages_chance():
    """In a corridor that is slippery the value of walking right is what exact dynamic programming says."""
    model = CASES["lookup-table"].model
    state = model.observe(None, None, torch.tensor([8]), None, rng=seeding.rng(0))
    plan = TreeSearch({"num_simulations": 1_000, "max_depth": 8, "exploration": 0.5}).plan(
        model, state, rng=seeding.rng(0)
    )
    assert int(plan.action) == 1
    assert float(plan.value) == pytest.approx(best_value(model, 8, 8), abs=0.1)


def best_value(model, place, horizon):
    """Returns the best undiscounted return of `horizon` steps, by dynamic programming in the table."""
    tries = model.tries.sum(-1, keepdim=True).clamp_min(1)
    odds = model.tries / tries
    seen = model.tries.clamp_min(1)
    value = torch.zeros(model.tries.shape[0])
    for _ in range(horizon):
        gain = model.reward / seen + (1 - model.ended / seen) * value
        value = (odds * gain).sum(-1).amax(1)
    return float(value[place])


# -- the check of planners notices -------------------------------------------------------------------------------------


class Careless(Planner):
    """Plans nothing; subclasses break one rule each."""

    def plan(self, model, state, *, rng, previous=None):
        num = len(state)
        return self.answer(model, state, rng, num)

    def answer(self, model, state, rng, num):
        step = model.step(state, model.legal_actions(state).int().argmax(1), rng=rng)
        if step.reward.isnan().all():
            raise NonFiniteError("nothing but NaN")
        return Plan(model.legal_actions(state).int().argmax(1), torch.zeros(num))


class Illegal(Careless):
    def answer(self, model, state, rng, num):
        return Plan(model.legal_actions(state).int().argmin(1), torch.zeros(num))


class Floats(Careless):
    def answer(self, model, state, rng, num):
        return super().answer(model, state, rng, num)._replace(action=torch.zeros(num))


class Remembers(Careless):
    calls = 0

    def answer(self, model, state, rng, num):
        self.calls += 1
        return super().answer(model, state, rng, num)._replace(value=torch.full((num,), float(self.calls)))


class Swallows(Careless):
    def answer(self, model, state, rng, num):
        return Plan(model.legal_actions(state).int().argmax(1), torch.zeros(num))


class Picky(Careless):
    def check(self, model):
        raise ValueError("no game is good enough")


@pytest.mark.parametrize(
    ("planner_class", "message"),
    [
        (Illegal, "the action is legal"),
        (Floats, r"the action is torch.int64 \[3\]; seen: torch.float32 \[3\]"),
        (Remembers, "the same rng gives the same plan"),
        (Picky, "`check` passes a model in which `plan` finds a plan; seen: ValueError: no game is good enough"),
        (Swallows, "if all returns are NaN, plan raises NonFiniteError"),
    ],
)
def test_the_check_notices(planner_class, message):
    class Started(TicTacToe):
        """Boards with a stone, so that there is something illegal."""

        def initial_state(self, num, *, rng):
            return boards(*["x........"] * num)

    with pytest.raises(AssertionError, match=message):
        check_planner(planner_class(), Started())


def test_the_check_accepts_a_careful_planner():
    check_planner(Careless(), TicTacToe())


# -- what the fakes learn ----------------------------------------------------------------------------------------------


def test_the_table_counts():
    env = Corridor("discrete")
    replay = Replay(env.observation_space, env.action_space)
    for place, action, reward, terminated, after in [
        (3, 1, 0.0, False, 4),
        (3, 1, 1.0, False, 4),
        (3, 1, 0.0, False, 3),
        (4, 1, 5.0, True, 5),
    ]:
        replay.cut()
        replay.add(
            np.array([place]),
            np.array([action]),
            np.array([reward]),
            np.array([terminated]),
            np.array([False]),
            np.array([after]),
        )
    model = LookupTable(env.observation_space, env.action_space)
    model.fit(replay, rng=None)
    many = model.observe(None, None, torch.full((3_000,), 3), None, rng=None)
    step = model.step(many, torch.ones(3_000, dtype=torch.int64), rng=seeding.rng(0), uncertainty=True)
    moved = step.state.place == 4
    assert float(moved.float().mean()) == pytest.approx(2 / 3, abs=0.04)
    assert step.reward[moved].unique().tolist() == [0.5]
    assert step.reward[~moved].unique().tolist() == [0.0]
    assert step.uncertainty["epistemic"][0] == 0.5  # three tries
    likeliest = model.step(many, torch.ones(3_000, dtype=torch.int64), rng=seeding.rng(0), temperature=0.0)
    assert (likeliest.state.place == 4).all()
    end = model.step(likeliest.state, torch.ones(3_000, dtype=torch.int64), rng=seeding.rng(0))
    assert end.reward.unique().tolist() == [5.0]
    assert end.continues.unique().tolist() == [0.0]


def linear_data(num=400, noise=0.05, seed=0):
    """Steps of x' = 0.9 x + 0.2 a + noise, rewarded by −x'² − 0.1 a²."""
    rng = np.random.default_rng(seed)
    env = spaces.Box(-10, 10, (1,)), spaces.Box(-1, 1, (1,))
    replay = Replay(*env)
    x = np.zeros((1, 1), np.float32)
    for t in range(num):
        a = rng.uniform(-1, 1, (1, 1)).astype(np.float32)
        after = (0.9 * x + 0.2 * a + noise * rng.standard_normal((1, 1))).astype(np.float32)
        reward = -(after[0] ** 2) - 0.1 * a[0] ** 2
        replay.add(x, a, reward, np.array([False]), np.array([t % 50 == 49]), after)
        x = after if t % 50 != 49 else np.zeros_like(x)
    return env, replay


def test_the_belief_recovers_a_linear_system():
    env, replay = linear_data()
    model = KalmanModel(*env)
    model.fit(replay, rng=None)
    assert model.dynamics[:, 0].tolist() == pytest.approx([0.9, 0.2, 0.0], abs=0.02)
    assert float(model.noise) == pytest.approx(0.05**2, rel=0.2)
    assert model.payoff.tolist() == pytest.approx([0, 0, -1, -0.1, 0], abs=0.01)


def test_the_belief_spreads_at_temperature_0_and_shrinks_when_it_sees():
    env, replay = linear_data()
    model = KalmanModel(*env)
    model.fit(replay, rng=None)
    state = Belief(torch.tensor([[0.5]]), torch.tensor([[[0.01]]]))
    step = model.step(state, torch.tensor([[1.0]]), rng=None, temperature=0.0)
    a, b, c = model.dynamics[:, 0].tolist()
    variance = a * a * 0.01 + float(model.noise)
    assert float(step.state.mean) == pytest.approx(a * 0.5 + b + c, abs=1e-5)
    assert float(step.state.covariance) == pytest.approx(variance, rel=1e-4)
    assert float(step.reward) == pytest.approx(-(float(step.state.mean) ** 2) - variance - 0.1, abs=0.02)
    seen = torch.tensor([[0.8]])
    after = model.observe(state, torch.tensor([[1.0]]), seen, torch.tensor([False]), rng=None)
    gain = variance / (variance + 1e-4)
    assert float(after.mean) == pytest.approx(float(step.state.mean) + gain * (0.8 - float(step.state.mean)), abs=1e-4)
    assert float(after.covariance) == pytest.approx((1 - gain) * variance, rel=1e-2)


def test_samples_of_the_belief_have_its_mean_and_variance():
    env, replay = linear_data()
    model = KalmanModel(*env)
    model.fit(replay, rng=None)
    state = Belief(torch.full((4_000, 1), 0.3), torch.full((4_000, 1, 1), 0.01))
    action = torch.zeros(4_000, 1)
    mean = model.step(state, action, rng=None, temperature=0.0).state
    for temperature in (0.25, 1.0):
        samples = model.step(state, action, rng=seeding.rng(0), temperature=temperature).state.mean
        assert float(samples.mean()) == pytest.approx(float(mean.mean[0]), abs=0.008)
        assert float(samples.var()) == pytest.approx(temperature * float(mean.covariance[0]), rel=0.1)


@pytest.mark.parametrize("name", ["rssm", "mdn-rnn"])
def test_temperature_scales_what_a_recurrent_model_draws(name):
    model = CASES[name].model
    state = model.initial_state(1, rng=seeding.rng(0))
    many = repeat(state, 2_000)
    action = torch.zeros(2_000, *model.action_space.shape, dtype=torch.int64 if name == "mdn-rnn" else torch.float32)
    spread = {}
    for temperature in (0.0, 0.25, 1.0):
        with torch.no_grad():
            step = model.step(many, action, rng=seeding.rng(0), temperature=temperature)
        drawn = step.state.latent if name == "rssm" else step.state.units
        spread[temperature] = float(drawn.var(0).mean())
    assert spread[0.0] == pytest.approx(0.0, abs=1e-10)
    assert 0.0 < spread[0.25] < spread[1.0]
    if name == "rssm":
        assert spread[0.25] / spread[1.0] == pytest.approx(0.25, rel=0.01)


@pytest.mark.parametrize("name", ["rssm", "mdn-rnn", "value-equivalent", "dict", "rssm-pixels"])
def test_training_lowers_the_loss(name):
    case, losses = CASES[name], []
    model = case.new()
    model.fit(
        case.replay, rng=seeding.rng(0), max_updates=60, callback=lambda _, metrics: losses.append(metrics["loss"])
    )
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05
