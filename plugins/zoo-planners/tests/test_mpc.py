"""The agent `mpc`: when each recipe collects, fits and plans, and what it keeps."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecNormalize

import zoo_core
from zoo_core.acting import RandomPolicy, as_vec_env

HORIZON = 4
TINY = {
    "model": "linear",
    "planner": "random-shooting",
    "planner_config": {"horizon": HORIZON, "num_candidates": 8},
    "initial_steps": 30,
    "round_steps": 20,
}
RECIPES = pytest.mark.parametrize("recipe", ["v0.5", "v1.0", "v1.5"])


def make(env="Pendulum-v1", *, seed=0, **config):
    return zoo_core.make_agent("mpc", env, {**TINY, **config}, seed=seed, device="cpu")


@pytest.fixture
def watched(monkeypatch):
    """Makes agents that keep their plans, each with the real steps before it and the fits."""

    def make_watched(**config):
        agent = make(**config)
        agent.plans, plan = [], agent.planner.plan

        def kept(model, state, **kwargs):
            agent.plans.append((len(agent.replay), agent.round, plan(model, state, **kwargs)))
            return agent.plans[-1][-1]

        monkeypatch.setattr(agent.planner, "plan", kept)
        return agent

    return make_watched


def actions(agent):
    return agent.replay.tensors().action


def observations(agent, num=6):
    return agent.replay.transitions().obs[:num]


# -- the recipes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recipe", "fitted_to"), [("v0.5", [30]), ("v1.0", [30, 50, 70]), ("v1.5", [30, 50, 70])])
def test_the_model_is_fitted_once_or_after_every_round(monkeypatch, recipe, fitted_to):
    agent, steps = make(recipe=recipe), []
    fit = agent.model.fit
    monkeypatch.setattr(agent.model, "fit", lambda replay, **kwargs: steps.append(len(replay)) or fit(replay, **kwargs))
    agent.learn(70)
    assert steps == fitted_to
    assert (agent.num_timesteps, len(agent.replay), agent.round) == (70, 70, len(fitted_to))


@RECIPES
def test_the_first_steps_are_random_and_no_others(recipe, watched):
    agent = watched(recipe=recipe).learn(70)
    random = RandomPolicy(agent.action_space, seed=0)
    first = np.concatenate([random.predict(None)[0] for _ in range(30)])
    np.testing.assert_array_equal(actions(agent)[:30], first)
    assert agent.plans[0][0] == 30


def test_by_the_last_recipe_every_step_is_planned(watched):
    agent = watched(recipe="v1.5").learn(70)
    assert [(step, fits) for step, fits, _ in agent.plans] == [(30 + i, 1 + i // 20) for i in range(40)]
    assert torch.equal(actions(agent)[30:], torch.cat([plan.action for *_, plan in agent.plans]))


@pytest.mark.parametrize("recipe", ["v0.5", "v1.0"])
def test_by_the_others_plans_are_taken_whole(recipe, watched):
    agent = watched(recipe=recipe).learn(70)
    assert [step for step, *_ in agent.plans] == list(range(30, 70, HORIZON))
    assert torch.equal(actions(agent)[30:], torch.cat([plan.sequence[0] for *_, plan in agent.plans]))


def test_the_first_recipe_acts_by_the_model_of_the_first_steps(watched):
    agent = watched(recipe="v0.5").learn(70)
    assert {fits for _, fits, _ in agent.plans} == {1}
    assert agent.model.replay_steps == 30


@RECIPES
def test_predict_takes_whole_plans_where_learning_does(recipe, watched):
    agent = watched(recipe=recipe).learn(30)
    state = None
    for obs in observations(agent):
        _, state = agent.predict(obs, state=state)
    assert len(agent.plans) == (6 if recipe == "v1.5" else 2)


@pytest.mark.parametrize(("stop", "fits"), [(10, 0), (40, 1)])
def test_told_to_stop_it_does_not_fit(stop, fits):
    agent = make()
    agent.learn(100, callback=lambda *_: agent.num_timesteps < stop)
    assert (agent.num_timesteps, agent.round) == (stop, fits)


def test_four_environments_share_a_round():
    agent = make(as_vec_env("Pendulum-v1", num_envs=4), initial_steps=32).learn(72)
    assert (agent.num_timesteps, agent.round) == (72, 3)
    assert agent.model.replay_steps == 72


# -- what it keeps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deterministic", [False, True])
def test_acting_changes_nothing_in_learning(deterministic):
    agent, undisturbed = make(), make().learn(70)
    agent.learn(70, callback=lambda *_: agent.round == 0 or agent.predict(np.zeros(3), deterministic=deterministic))
    assert torch.equal(actions(agent), actions(undisturbed))


def test_acting_and_collecting_draw_from_two_streams_of_the_seed():
    streams = [stream for seed in (0, 1) for stream in make(seed=seed).to_checkpoint()]
    assert len({tuple(stream.tolist()) for stream in streams}) == 4
    assert all(map(torch.equal, make(seed=1).to_checkpoint(), streams[2:]))


@RECIPES
def test_a_loaded_agent_acts_the_same_and_learns_on(recipe, tmp_path):
    agent = make(recipe=recipe).learn(50)
    path = agent.save(tmp_path / "agent")
    without, within = zoo_core.load(path), zoo_core.load(path, env="Pendulum-v1")
    for loaded in (without, within):
        state, other = None, None
        for obs in observations(agent):
            expected, state = agent.predict(obs, state=state, deterministic=True)
            action, other = loaded.predict(obs, state=other, deterministic=True)
            np.testing.assert_array_equal(action, expected)
    within.learn(20, reset_num_timesteps=False)
    assert (len(within.replay), within.num_timesteps) == (70, 70)
    assert within.round == (1 if recipe == "v0.5" else 3)


def test_another_environment_is_learned_in_with_what_was_learned_so_far():
    agent = make().learn(50)
    agent.set_env(gym.make("Pendulum-v1", g=2.0))
    agent.learn(20, reset_num_timesteps=False)
    assert (len(agent.replay), agent.round) == (70, 3)
    assert agent.get_env().get_attr("g") == [2.0]


def test_normalised_rewards_are_planned_by_as_they_were():
    env = VecNormalize(as_vec_env("Pendulum-v1"), norm_obs=False)
    agent = make(env).learn(50)
    plain = make().learn(50)
    assert torch.equal(actions(agent), actions(plain))


def test_an_environment_that_normalises_observations_is_refused_and_the_old_one_stays():
    agent = make().learn(30)
    before = agent.get_env()
    with pytest.raises(ValueError, match=r"MPCAgent plans in raw observations.*VecNormalize\(..., norm_obs=False\)"):
        agent.set_env(VecNormalize(as_vec_env("Pendulum-v1")))
    assert agent.get_env() is before
    agent.learn(20, reset_num_timesteps=False)
    assert len(agent.replay) == 50
