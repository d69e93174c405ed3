"""Every planner searches every world model that it fits by their specs: a few of the pairs, with all of them in."""

import pytest

import zoo_core
from zoo_core.plugins import PlannerSpec, WorldModelSpec, specs
from zoo_core.testing.pairs import all_pairs, few_pairs

FEW = few_pairs()
TINY = {"initial_steps": 30, "round_steps": 10}
SMALL = {"hidden": 16, "num_layers": 1, "max_epochs": 3}
QUICK = {"ensemble": SMALL, "mlp": SMALL}  # to fit


@pytest.mark.parametrize(
    ("planner", "model", "fits"),
    [
        ({}, {}, True),
        ({"action_spaces": ("Box",)}, {"action_spaces": ("Box", "Discrete")}, True),
        ({"action_spaces": ("Box",)}, {"action_spaces": ("Discrete",)}, False),
        ({"needs_gradients": True}, {"differentiable": True}, True),
        ({"needs_gradients": True}, {}, False),
        ({"players": 2}, {"players": 2}, True),
        ({"players": 2}, {}, True),
        ({}, {"players": 2}, False),
    ],
)
def test_a_planner_fits_models_that_have_what_it_needs(planner, model, fits):
    described = PlannerSpec("searches", "zoo_any.planner:Any", summary="searches", **planner)
    assert described.fits(WorldModelSpec("dreams", "zoo_any.model:Any", summary="dreams", **model)) == fits


def test_every_pair_that_fits_is_among_all():
    fitting = {(p.id, m.id) for p in specs("planner") for m in specs("model") if m.players == 1 and p.fits(m)}
    assert {(pair.planner.id, pair.model.id) for pair in all_pairs()} == fitting
    assert {("cem", "ensemble"), ("forward-search", "lookup"), ("gradient", "linear")} <= fitting
    assert ("gradient", "lookup") not in fitting  # has no Box actions
    assert ("icem", "lookup") not in fitting


def test_both_of_a_pair_take_its_environment():
    for pair in all_pairs():
        env = pair.case.make_env()
        for spec in (pair.planner, pair.model):
            assert spec.supports(env.observation_space, env.action_space), f"{spec.id} in {pair}"


def test_the_few_have_every_planner_and_every_model():
    assert {pair.planner.id for pair in FEW} == {spec.id for spec in specs("planner")}
    assert {pair.model.id for pair in FEW} == {spec.id for spec in specs("model") if spec.players == 1}
    assert len(FEW) < len(all_pairs()) / 3
    assert few_pairs() == FEW


@pytest.mark.parametrize("pair", FEW, ids=str)
def test_a_planner_keeps_the_contract_in_a_model(pair):
    pair.check()


@pytest.mark.parametrize("pair", FEW, ids=str)
def test_the_agent_acts_by_any_pair(pair):
    config = {
        "model": pair.model.id,
        "model_config": QUICK.get(pair.model.id, pair.model.check_config),
        "planner": pair.planner.id,
        "planner_config": pair.planner.check_config,
    }
    agent = zoo_core.make_agent("mpc", pair.case.make_env(), {**config, **TINY}, seed=0, device="cpu")
    agent.learn(50)
    assert (agent.num_timesteps, agent.round) == (50, 3)
    action, _ = agent.predict(agent.env.reset())
    assert agent.action_space.contains(action[0])
