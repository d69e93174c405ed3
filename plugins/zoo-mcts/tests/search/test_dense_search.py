"""A network of dense layers is searched in compiled code as it is by calls of torch."""

import pytest
import torch
from torch import nn

import zoo_core
from zoo_core.planner import Evaluation
from zoo_mcts import latent_search
from zoo_mcts.dense import pack
from zoo_mcts.latent_search import dense_of

MODELS = {
    "muzero": {"support": 10, "scaled": True},
    "numbers": {"support": 0, "scaled": False, "trunk_relu": True},
    "linear-heads": {"depth": 0, "scaled": True},
    "deep": {"depth": 3, "latent": 13, "num_actions": 9},
    "two-players": {"sign": -1.0},
}


@pytest.fixture
def never(monkeypatch):
    """Lets no model be searched but in compiled code."""

    def step(*args, **kwargs):
        raise AssertionError("the model was called")

    return lambda model: monkeypatch.setattr(type(model), "step", step)


@pytest.mark.parametrize("name", MODELS)
def test_the_tree_is_the_same(search, network, name):
    model = network(**MODELS[name])
    state, plans = model.initial_state(5, rng=zoo_core.rng(1)), []
    config = {"num_simulations": 60, "gamma": 0.97} | (
        {"value_scale": "min-max"} if "Gumbel" not in str(search) else {}
    )
    for compiled in (True, False):
        planner = search({**config, "compiled": compiled}, evaluate=model.evaluate)
        plans.append(planner.plan(model, state, rng=zoo_core.rng(0)))
    assert torch.equal(plans[0].action, plans[1].action)
    assert torch.allclose(plans[0].weights, plans[1].weights, atol=1e-4)
    assert torch.allclose(plans[0].value, plans[1].value, rtol=1e-4, atol=1e-4)


def test_the_model_is_not_called(search, network, never):
    model = network()
    state = model.initial_state(2, rng=zoo_core.rng(0))
    never(model)
    planner = search(evaluate=model.evaluate)
    with pytest.raises(AssertionError, match="the model was called"):
        search({"compiled": False}, evaluate=model.evaluate).plan(model, state, rng=zoo_core.rng(0))
    type(model).evaluate, type(model).dense  # all of one class
    assert planner.plan(model, state, rng=zoo_core.rng(0)).value.isfinite().all()


def test_only_the_models_own_evaluate_will_do(network):
    model, other = network(), network(seed=1)
    assert dense_of(model, model.evaluate, 1) is not None
    assert dense_of(model, other.evaluate, 1) is None
    assert dense_of(model, lambda state, *, rng: Evaluation(state.latent[:, 0]), 1) is None
    assert dense_of(model, None, 1) is None


def test_a_model_that_alters_its_steps_is_called(network):
    class Altered(network):
        def step(self, *args, **kwargs):
            return super().step(*args, **kwargs)

    model = Altered()
    assert dense_of(model, model.evaluate, 1) is None


def test_many_roots_are_searched_by_calls(network):
    model = network()
    weights = len(model.dense().weights)
    assert dense_of(model, model.evaluate, latent_search.MOST_WORK // weights) is not None
    assert dense_of(model, model.evaluate, latent_search.MOST_WORK // weights + 1) is None


def test_a_network_of_nan_is_an_error(search, network):
    model = network()
    model.policy[0].weight.data[:] = torch.nan
    state = model.initial_state(1, rng=zoo_core.rng(0))
    model.evaluate = None
    with pytest.raises(ValueError, match="greatest is a finite number"):
        search(evaluate=type(model)().evaluate.__func__.__get__(model)).plan(model, state, rng=zoo_core.rng(0))


@pytest.mark.parametrize(
    ("part", "layers", "message"),
    [
        ("trunk", [], "trunk needs at least one layer"),
        ("value", [nn.Linear(4, 1, bias=False)], "value needs at least one layer, and each a bias"),
        ("policy", [nn.Linear(4, 5), nn.Linear(4, 2)], "policy has a layer of 4 inputs after one of 5"),
        ("reward", [nn.Linear(4, 3)], "reward outputs must be 1 with a latent of 4 and 2 actions, got 3"),
        ("trunk", [nn.Linear(4, 4)], "trunk inputs must be 6 with a latent of 4 and 2 actions, got 4"),
    ],
)
def test_layers_that_do_not_fit_are_refused(part, layers, message):
    parts = {"trunk": [nn.Linear(6, 4)], "reward": [nn.Linear(4, 1)], "value": [nn.Linear(4, 1)]}
    parts |= {"policy": [nn.Linear(4, 2)], part: layers}
    with pytest.raises(ValueError, match=message):
        pack(**parts)
