"""MPPI: its weights and deviations by hand, and what a policy and a terminal value do."""

import pytest
import torch
from gymnasium.spaces import Box

from zoo_core import seeding
from zoo_core.planner import Evaluation
from zoo_core.world_model import ModelStep, WorldModel
from zoo_planners.mppi import MPPI, softmax_weights

WEIGHTS = (0.546549, 0.331499, 0.121951)  # 1, e^-0.5, e^-1.5 over their sum 1.829661


class Line(WorldModel):
    """A place on a line, moved by up to 1 a step; at `goal` or beyond it pays 1, and `slope` times the move."""

    def __init__(self, goal=torch.inf, slope=0.0):
        super().__init__(Box(-100.0, 100.0, (1,)), Box(-1.0, 1.0, (1,)))
        self.goal, self.slope = goal, slope
        self.actions = []

    def observe(self, state, action, obs, is_first, *, rng):
        return obs

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        self.actions.append(action)
        after = state + action
        reward = (after >= self.goal).float() + self.slope * action
        return ModelStep(after, reward[:, 0], torch.ones(len(after)))


def follows(*actions):
    """A policy: the i-th candidate of a root takes `actions[i]`."""

    def evaluate(state, *, rng):
        return Evaluation(torch.zeros(len(state)), action=torch.tensor(actions)[:, None].repeat(len(state) // 3, 1))

    return evaluate


def test_weights_are_the_softmax_of_temperature_times_returns():
    returns = torch.tensor([[1.0, 0.0, -2.0], [101.0, 100.0, 98.0]])
    assert torch.allclose(softmax_weights(returns, 0.5), torch.tensor([WEIGHTS, WEIGHTS]), atol=1e-5)
    assert torch.allclose(
        softmax_weights(torch.tensor([[1.0, 0.0, -torch.inf]]), 0.5),
        torch.tensor([[0.622459, 0.377541, 0.0]]),
        atol=1e-5,
    )


def test_one_iteration_by_hand(rng):
    """Three candidates, all of the policy: actions 0.5, 0 and -1 return twice that much, 1, 0 and -2."""
    config = {"horizon": 1, "num_candidates": 3, "num_policy": 3, "num_elites": 3, "iterations": 1}
    plan = MPPI(config, evaluate=follows(0.5, 0.0, -1.0)).plan(Line(slope=2.0), torch.zeros(2, 1), rng=rng)
    assert plan.action.flatten().tolist() == pytest.approx([0.151323, 0.151323], abs=1e-5)  # .546549/2 - .121951
    assert plan.value.tolist() == pytest.approx([0.302647, 0.302647], abs=1e-5)
    two = MPPI({**config, "num_elites": 2}, evaluate=follows(0.5, 0.0, -1.0))
    assert two.plan(Line(slope=2.0), torch.zeros(2, 1), rng=rng).action[0, 0] == pytest.approx(0.311230, abs=1e-5)


def spread(config, rng):
    """Returns the deviation of the first action in every iteration."""
    model = Line(slope=1.0)
    MPPI({"horizon": 2, "num_candidates": 2000, "num_elites": 20, **config}).plan(model, torch.zeros(1, 1), rng=rng)
    return torch.tensor([action.std() for action in model.actions[::2]])


def test_the_deviation_stays_within_its_bounds(rng):
    stds = spread({"max_std": 0.2, "min_std": 0.1, "temperature": 50.0, "iterations": 3}, rng)
    assert stds[0] == pytest.approx(0.2, rel=0.1)  # where a search begins
    assert stds[1:].tolist() == pytest.approx([0.1] * 2, rel=0.1)
    assert (
        spread({"max_std": 0.2, "min_std": 0.0, "temperature": 50.0, "iterations": 2}, rng)[1] < 0.08
    )  # the elites' own


def test_elites_far_apart_widen_the_search_no_further_than_its_bound(rng):
    """Three of four candidates are at -1, 0 and 1; the fourth is drawn, for 2,000 roots."""
    config = {"horizon": 1, "num_candidates": 4, "num_policy": 3, "num_elites": 4, "iterations": 3, "max_std": 0.1}
    model = Line()
    MPPI(config, evaluate=follows(1.0, 0.0, -1.0)).plan(model, torch.zeros(2000, 1), rng=rng)
    assert model.actions[-1].view(2000, 4)[:, 3].std() == pytest.approx(0.1, rel=0.1)


def test_candidates_lie_around_the_rest_of_the_plan_before(rng):
    model = Line(slope=1.0)
    before = MPPI({"num_policy": 0, "max_std": 0.2}).plan(model, torch.zeros(1, 1), rng=rng)
    model.actions.clear()
    still = MPPI({"num_policy": 0, "max_std": 1e-4, "min_std": 0.0, "iterations": 1})
    still.plan(model, torch.zeros(1, 1), rng=rng, previous=before)
    rest = torch.cat([before.memory[0, 1:, 0], torch.zeros(1)])
    assert (torch.cat(model.actions, dim=1) - rest).abs().max() < 1e-3 < before.memory[0, :, 0].diff().abs().min()


def test_a_good_policy_takes_part(linear_model, positions, rng):
    """With few candidates at random the plan is the policy's; without the policy it is far from it."""
    state = positions([1.0, 1.0], [-0.5, 1.0])

    def optimal(state, *, rng):
        value = torch.as_tensor(linear_model.env.optimal_return(state.x.numpy(), discount=1.0)).float()
        action = torch.as_tensor(linear_model.env.optimal_action(state.x.numpy(), discount=1.0))
        return Evaluation(value, action=action)

    config = {"horizon": 5, "num_candidates": 40, "num_elites": 8, "iterations": 1, "temperature": 20.0}
    best = torch.as_tensor(linear_model.env.optimal_action(state.x.numpy(), discount=1.0))
    gap = {
        num: (MPPI({**config, "num_policy": num}, evaluate=optimal).plan(linear_model, state, rng=rng).action - best)
        .abs()
        .max()
        for num in (0, 1)
    }
    assert gap[1] < 0.01 < 0.5 < gap[0]


def test_the_policy_acts_on_the_states_that_it_leads_to(rng):
    """Every step the policy moves half of the way to 0.8, from wherever it is."""

    def halfway(state, *, rng):
        return Evaluation(torch.zeros(len(state)), action=(0.8 - state) / 2.0)

    config = {"horizon": 3, "num_candidates": 4, "num_policy": 4, "num_elites": 4, "iterations": 1}
    plan = MPPI(config, evaluate=halfway).plan(Line(), torch.tensor([[0.0], [4.0]]), rng=rng)
    assert plan.sequence[0].flatten().tolist() == pytest.approx([0.4, 0.2, 0.1])
    assert plan.sequence[1].flatten().tolist() == pytest.approx([-1.0, -1.0, -0.6])  # held to the bounds


def reached(evaluate):
    """Returns whether 12 steps of planning end at a goal 10 steps away, of which three steps show nothing."""
    model, state, plan, generator = Line(goal=10.0), torch.zeros(1, 1), None, seeding.rng(0, "plan")
    planner = MPPI({"num_candidates": 64, "num_elites": 8, "num_policy": 0, "temperature": 5.0}, evaluate=evaluate)
    for _ in range(12):
        plan = planner.plan(model, state, rng=generator, previous=plan)
        state = state + plan.action
    return bool(state >= 10.0)


def test_a_terminal_value_shows_what_lies_beyond_the_horizon():
    assert reached(lambda state, *, rng: Evaluation(state[:, 0]))
    assert not reached(None)


def test_an_elite_is_drawn_by_its_weight():
    config = {"horizon": 1, "num_candidates": 3, "num_policy": 3, "num_elites": 3, "iterations": 1}
    planner = MPPI({**config, "sample_action": True}, evaluate=follows(0.5, 0.0, -1.0))
    plan = planner.plan(Line(slope=2.0), torch.zeros(20_000, 1), rng=seeding.rng(0, "plan"))
    shares = [float((plan.action == action).float().mean()) for action in (0.5, 0.0, -1.0)]
    assert shares == pytest.approx(WEIGHTS, abs=0.02)
    assert torch.equal(plan.sequence[:, 0], plan.action)
    assert torch.allclose(plan.memory, torch.tensor(0.151323), atol=1e-5)  # the mean goes on


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_policy": -1}, r"num_policy must be in \[0, inf\), got -1"),
        ({"temperature": 0.0}, r"temperature must be in \(0.0, inf\), got 0.0"),
        ({"min_std": 3.0}, r"max_std must be in \[3.0, inf\), got 2.0"),
        ({"min_std": 0.0, "max_std": 0.0}, r"max_std must be in \(0.0, inf\), got 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MPPI(settings)


def test_only_where_there_is_a_policy_its_candidates_must_be_among_all(rng):
    few = {"num_candidates": 16, "num_elites": 4}
    assert MPPI(few).plan(Line(slope=1.0), torch.zeros(2, 1), rng=rng).action.shape == (2, 1)
    with pytest.raises(ValueError, match=r"num_policy must be in \[0, 16\], got 24"):
        MPPI(few, evaluate=follows(0.5, 0.0, -1.0))


@pytest.mark.parametrize(
    ("says", "error", "message"),
    [
        (lambda num: torch.zeros(num), TypeError, r"must return a zoo_core\.Evaluation\(value, .*got Tensor: tensor"),
        (
            lambda num: Evaluation(torch.zeros(num), action=torch.zeros(num)),
            ValueError,
            r"must return action \[8, 1\] for 8 states, got \[8\]",
        ),
    ],
)
def test_what_is_no_policy_is_refused_before_any_step(says, error, message, rng):
    model, config = Line(), {"num_candidates": 16, "num_policy": 4, "num_elites": 4}
    planner = MPPI(config, evaluate=lambda state, *, rng: says(len(state)))
    with pytest.raises(error, match=message):
        planner.plan(model, torch.zeros(2, 1), rng=rng)
    assert model.actions == []


def test_a_policy_that_stops_to_act_on_the_way_is_refused(rng):
    def starts(state, *, rng):
        return Evaluation(torch.zeros(len(state)), action=None if state.any() else torch.ones(len(state), 1))

    planner = MPPI({"num_candidates": 16, "num_policy": 4, "num_elites": 4}, evaluate=starts)
    with pytest.raises(ValueError, match="must return actions for all states or for none, got none after a step"):
        planner.plan(Line(), torch.zeros(2, 1), rng=rng)


def test_a_policy_may_act_in_float64(rng):
    def acts(state, *, rng):
        return Evaluation(torch.zeros(len(state)), action=torch.full((len(state), 1), 0.5, dtype=torch.float64))

    config = {"num_candidates": 4, "num_policy": 4, "num_elites": 4}
    plan = MPPI(config, evaluate=acts).plan(Line(), torch.zeros(2, 1), rng=rng)
    assert plan.action.dtype == torch.float32
    assert plan.action.flatten().tolist() == pytest.approx([0.5, 0.5])
