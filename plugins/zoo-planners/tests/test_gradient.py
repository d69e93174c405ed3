"""Planning by gradient: whose gradients it uses, whose it leaves alone, and what it refuses."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from zoo_core.errors import ZooError
from zoo_core.world_model import ModelStep, WorldModel
from zoo_planners.gradient import Gradient

SMALL = {"horizon": 6, "num_candidates": 4, "iterations": 20}


class Bowl(WorldModel):
    """Pays -(action - target)² where `target` `[B, A]` is the state; the bounds are no powers of two."""

    def __init__(self):
        super().__init__(Box(-9.0, 9.0, (2,)), Box(np.float32([[-0.1], [0.7]]), np.float32([[0.3], [1.9]])))

    def observe(self, state, action, obs, is_first, *, rng):
        return obs

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        return ModelStep(state, -(action[..., 0] - state).square().sum(-1), torch.ones(len(state)))


def test_it_finds_the_bottom_or_the_nearest_bound(rng):
    planner = Gradient({"horizon": 2, "num_candidates": 1, "iterations": 100, "learning_rate": 0.05})
    plan = planner.plan(Bowl(), torch.tensor([[0.2, 1.0], [5.0, -5.0]]), rng=rng)
    assert torch.allclose(plan.action[..., 0], torch.tensor([[0.2, 1.0], [0.3, 0.7]]), atol=2e-3)
    assert torch.equal(plan.action[1, :, 0], torch.tensor([0.3, 0.7]))
    assert plan.memory.abs().max() == 1.0


def test_it_comes_away_from_the_bounds(rng):
    planner = Gradient({"horizon": 2, "num_candidates": 1, "iterations": 100, "learning_rate": 0.05})
    at_bounds = planner.plan(Bowl(), torch.tensor([[5.0, 5.0], [-5.0, -5.0]]), rng=rng)
    inside = torch.tensor([[0.2, 1.0], [0.2, 1.0]])
    plan = planner.plan(Bowl(), inside, rng=rng, previous=at_bounds)
    assert torch.allclose(plan.action[..., 0], inside, atol=2e-3)


def test_it_begins_at_the_rest_of_the_plan_before(linear_model, positions, rng):
    before = Gradient({**SMALL, "iterations": 80}).plan(linear_model, positions([3.0, 1.5]), rng=rng)
    after = linear_model.step(positions([3.0, 1.5]), before.action, rng=rng).state
    one = Gradient({**SMALL, "num_candidates": 1, "iterations": 1})
    warm = one.plan(linear_model, after, rng=rng, previous=before)
    assert (warm.sequence[:, :-1] - before.sequence[:, 1:]).abs().max() < 0.61  # one step of Adam: 0.1 of 6
    cold = one.plan(linear_model, after, rng=rng)
    assert cold.sequence[0, :-1, 0].tolist() == pytest.approx([-0.6] * 5, abs=1e-3)  # the last action has no use
    assert warm.value > cold.value + 1.0


def test_the_plan_is_the_best_that_was_seen(linear_model, positions, rng, true_returns):
    """With steps too long to come to rest the last sequences are not the best ones."""
    state = positions([1.0, 0.5], [0.0, -1.0])
    values = []
    for iterations in range(1, 8):
        planner = Gradient({**SMALL, "num_candidates": 1, "iterations": iterations, "learning_rate": 1.0})
        plan = planner.plan(linear_model, state, rng=rng)
        assert torch.allclose(plan.value, true_returns(linear_model, state, plan.sequence), rtol=1e-5)
        values.append(plan.value)
    assert (torch.stack(values).diff(dim=0) >= 0).all()


@pytest.mark.parametrize("frozen", [False, True])
def test_parameters_of_the_model_are_left_alone(linear_model_class, positions, rng, frozen):
    model = linear_model_class().requires_grad_(not frozen)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model.A.grad = torch.full((2, 2), 7.0)
    with torch.no_grad():  # of the caller
        plan = Gradient(SMALL).plan(model, positions([1.0, 0.5]), rng=rng)
    assert all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    assert (model.A.grad == 7.0).all()
    assert all(parameter.grad is None for parameter in (model.B, model.Q, model.R))
    assert not any(part.requires_grad for part in (plan.action, plan.value, plan.sequence, plan.memory))


def test_it_plans_from_states_that_have_a_graph_of_their_own(linear_model, positions, rng):
    step = linear_model.step(positions([1.0, 0.5]), torch.zeros(1, 1), rng=rng)
    assert step.state.x.requires_grad
    plan = Gradient(SMALL).plan(linear_model, step.state, rng=rng.manual_seed(0))
    cut = Gradient(SMALL).plan(linear_model, type(step.state)(step.state.x.detach()), rng=rng.manual_seed(0))
    assert torch.equal(plan.sequence, cut.sequence)


def test_a_gradient_that_is_nan_concerns_its_own_root_alone(linear_model_class, positions, true_returns, rng):
    class Edge(linear_model_class):
        """Where an action is above `edge`, value and gradient are NaN in the rows that begin on the right."""

        edge = 4.0

        def step(self, state, action, **kwargs):
            step = super().step(state, action, **kwargs)
            room = torch.where(state.x[:, 0] > 0.0, self.edge - action[:, 0], 1.0)
            return step._replace(reward=step.reward + 0.1 * room.sqrt())

    sound = Edge()
    sound.edge = 100.0
    state = positions([0.9, 0.9], [-0.9, -0.9])
    planner = Gradient({**SMALL, "num_candidates": 16, "init_std": 0.7})
    plan, undisturbed = (planner.plan(model, state, rng=rng.manual_seed(0)) for model in (Edge(), sound))
    assert torch.equal(plan.sequence[1], undisturbed.sequence[1])
    idle = true_returns(Edge(), state, torch.zeros(2, SMALL["horizon"], 1))
    assert (plan.value > idle + 0.1).all()  # healthy candidates climb beside those that are NaN


def test_an_action_without_a_gradient_does_not_hold_up_the_others(rng):
    class Root(Bowl):
        """√(a²) has no derivative at 0, where the second action begins, and the best one is."""

        def __init__(self):
            super().__init__()
            self.action_space = Box(-1.0, 1.0, (2,))

        def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
            reward = -(action[:, 0] - state[:, 0]).square() - action[:, 1].square().sqrt()
            return ModelStep(state, reward, torch.ones(len(state)))

    planner = Gradient({"horizon": 2, "num_candidates": 1, "iterations": 100, "learning_rate": 0.05})
    plan = planner.plan(Root(), torch.tensor([[0.6, 0.0]]), rng=rng)
    assert torch.allclose(plan.action, torch.tensor([[0.6, 0.0]]), atol=2e-3)


@pytest.mark.parametrize("cut", ["no_grad", "detached action"])
def test_a_model_without_gradients_is_refused_by_name(linear_model_class, positions, rng, cut):
    class Opaque(linear_model_class):
        calls = 0

        def step(self, state, action, **kwargs):
            self.calls += 1
            if cut == "detached action":  # parameters have gradients, actions have none
                return super().step(state, action.detach(), **kwargs)
            with torch.no_grad():
                return super().step(state, action, **kwargs)

    model = Opaque()
    with pytest.raises(ZooError, match=r"gradient needs a model .* and Opaque has none; plan in it by cem"):
        Gradient(SMALL).plan(model, positions([1.0, 0.5]), rng=rng)
    assert model.calls == SMALL["horizon"]  # nothing was optimised


def test_particles_are_averaged(linear_model, positions, rng):
    state = positions([1.0, 0.5])
    one, two = (
        Gradient({**SMALL, "num_particles": num}).plan(linear_model, state, rng=rng.manual_seed(0)) for num in (1, 2)
    )
    assert torch.allclose(one.sequence, two.sequence, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate must be in \(0.0, inf\), got 0.0"),
        ({"iterations": 0}, r"iterations must be in \[1, inf\), got 0"),
        ({"init_std": -1.0}, r"init_std must be in \[0.0, inf\), got -1.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Gradient(settings)
