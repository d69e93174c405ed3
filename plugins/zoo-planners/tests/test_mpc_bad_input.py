"""What `mpc` cannot do it says before it takes a step in the environment."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import zoo_core
import zoo_planners.planning_agent as planning_agent
from zoo_core.cli import main
from zoo_core.errors import ConfigError, UnknownNameError, UnsupportedSpaceError
from zoo_core.planner import Plan, Planner
from zoo_core.plugins import model_spec
from zoo_core.world_model import batch_size

MLP = {"hidden": 8, "num_layers": 1, "max_epochs": 1}


class Untouched(gym.Wrapper):
    """An environment that must not be stepped."""

    def step(self, action):
        pytest.fail("a step was taken")


class Unbounded(gym.ActionWrapper):
    """An environment whose actions have no bounds."""

    def __init__(self, env):
        super().__init__(env)
        self.action_space = gym.spaces.Box(-np.inf, np.inf, (1,))


def learn(env_id="Pendulum-v1", wrapper=Untouched, **config):
    """Makes the agent and lets it learn, in an environment of which it may take no step."""
    env = wrapper(Untouched(gym.make(env_id)))
    zoo_core.make_agent("mpc", env, {"model": "mlp", "model_config": MLP, **config}, seed=0, device="cpu").learn(10)


@pytest.mark.parametrize("planner", ["icem", "mppi", "gradient"])
def test_planners_of_box_actions_refuse_discrete_ones_and_name_those_that_take_them(planner):
    message = rf"planner '{planner}' takes Box action spaces, got Discrete\(2\); planners that take it: cem, .*rollout"
    with pytest.raises(UnsupportedSpaceError, match=message):
        learn("CartPole-v1", planner=planner)


@pytest.mark.parametrize("planner", ["forward-search", "rollout"])
def test_planners_of_discrete_actions_refuse_box_ones_and_name_those_that_take_them(planner):
    message = rf"planner '{planner}' takes Discrete action spaces, got Box.*; planners that take it: cem, .*icem"
    with pytest.raises(UnsupportedSpaceError, match=message):
        learn(planner=planner)


@pytest.mark.parametrize("planner", ["cem", "random-shooting", "icem"])
def test_actions_without_bounds_are_refused(planner):
    with pytest.raises(
        UnsupportedSpaceError, match=rf"{planner} searches between the bounds of its actions, .*got Box\(-inf, inf"
    ):
        learn(wrapper=Unbounded, planner=planner)


def test_a_tree_too_large_for_a_single_root_is_refused_by_the_command(capsys, tmp_path):
    settings = ["model=lookup", "planner=forward-search", "planner.depth=20"]
    arguments = ["train", "mpc", "--env", "FrozenLake-v1", "--quiet", "--out", str(tmp_path / "run")]
    assert main([*arguments, *(f"--set={setting}" for setting in settings)]) == 2
    error = capsys.readouterr().err
    assert "forward-search to depth=20 would look at (4 actions · 1 num_samples)^20 states" in " ".join(error.split())


class Unlimited(Planner):
    """Needs no bounds, and pushes by 0.5."""

    def plan(self, model, state, *, rng, previous=None):
        num = batch_size(state)
        return Plan(torch.full((num, 1), 0.5), torch.zeros(num))


def test_a_planner_that_needs_no_bounds_takes_actions_without(monkeypatch):
    monkeypatch.setattr(planning_agent, "make_planner", lambda name, config: Unlimited())
    env = Unbounded(gym.make("Pendulum-v1"))
    agent = zoo_core.make_agent("mpc", env, {"model": "mlp", "model_config": MLP}, seed=0, device="cpu")
    assert isinstance(agent.planner, Unlimited)


@pytest.mark.parametrize(
    ("planner", "config", "message"),
    [
        ("cem", {"horizon": 0}, r"planner 'cem': horizon must be in \[1, inf\), got 0"),
        ("random-shooting", {"num_candidates": 0}, r"num_candidates must be in \[1, inf\), got 0"),
        ("cem", {"num_candidates": 10, "num_elites": 11}, r"num_elites must be in \[1, 10\], got 11"),
        ("icem", {"num_candidates": 10, "num_elites": 11}, r"num_elites must be in \[1, 10\], got 11"),
        ("mppi", {"num_candidates": 50}, r"num_elites must be in \[1, 50\], got 64"),
        ("cem", {"num_elite": 5}, r"planner 'cem': unknown .*'num_elite'.*did you mean 'num_elites'"),
        ("cem", {"gamma": 1.5}, r"gamma must be in \[0.0, 1.0\], got 1.5"),
    ],
)
def test_impossible_sizes_are_refused_with_the_limits(planner, config, message):
    with pytest.raises(ConfigError, match=message):
        learn(planner=planner, planner_config=config)


def test_gradients_need_a_model_that_has_them(monkeypatch):
    blind = dataclasses.replace(model_spec("mlp"), differentiable=False)
    monkeypatch.setattr(planning_agent, "model_spec", lambda name: blind)
    message = r"planner 'gradient' needs a differentiable model, got model 'mlp'; it fits .*ensemble.*linear"
    with pytest.raises(ConfigError, match=message):
        learn(planner="gradient")


def test_unknown_names_are_answered_by_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown planner 'icme': did you mean 'icem'"):
        learn(planner="icme")
    with pytest.raises(UnknownNameError, match="unknown model 'ensembel': did you mean 'ensemble'"):
        learn(model="ensembel", model_config=None)


def test_an_unknown_recipe_is_answered_by_the_nearest():
    with pytest.raises(ConfigError, match=r"recipe has no choice 'v2\.0': did you mean 'v1\.0'"):
        learn(recipe="v2.0")


@pytest.mark.parametrize(("name", "least"), [("initial_steps", 2), ("round_steps", 1)])
def test_rounds_with_too_few_steps_are_refused(name, least):
    with pytest.raises(ConfigError, match=rf"{name} must be in \[{least}, inf\), got {least - 1}"):
        learn(**{name: least - 1})


def test_normalised_observations_are_refused():
    env = VecNormalize(DummyVecEnv([lambda: Untouched(gym.make("Pendulum-v1"))]))
    with pytest.raises(ValueError, match="norm_obs=False"):
        zoo_core.make_agent("mpc", env, {"model": "mlp", "model_config": MLP}, seed=0, device="cpu")


def test_a_model_of_a_board_game_is_refused_since_the_other_player_is_not_seen():
    with pytest.raises(ConfigError, match="does not see the other's moves: model 'rules' is of a board game"):
        zoo_core.make_agent("mpc", "tictactoe_v3", {"model": "rules", "planner": "rollout"}, seed=0)
