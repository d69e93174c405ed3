"""What model-based agents share: collecting real steps, and fitting a model to them."""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from zoo_core.acting import RandomPolicy, as_vec_env
from zoo_core.model_based_agent import ModelBasedAgent
from zoo_core.replay import Replay
from zoo_core.testing.fakes import Corridor

LENGTH = 5  # of every episode


class Endless(Corridor):
    """A corridor without an end, of which every step costs as much."""

    def step(self, action):
        obs, *_ = super().step(action)
        self.position = min(self.position, 0.9)
        return obs, -0.5, False, False, {}


def corridors(*lengths, kind="discrete"):
    """Returns environments side by side whose episodes have these lengths."""
    return DummyVecEnv(
        [lambda length=length: as_vec_env(TimeLimit(Endless(kind), length)).envs[0] for length in lengths]
    )


@dataclass(frozen=True)
class Settings:
    """How much an iteration collects."""

    model: str = "lookup"
    model_config: dict | None = None
    steps: int = 12


class Collects(ModelBasedAgent):
    """Collects at random, and fits after every iteration; it keeps the metrics of both."""

    config_class = Settings

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.collected, self.fitted, self.seeds = [], [], []
        fit = self.model.fit
        self.model.fit = lambda replay, **kwargs: (
            self.seeds.append(kwargs["rng"].initial_seed()) or fit(replay, **kwargs)
        )

    def iterate(self):
        self.collected.append(self.collect_at_random(self.config.steps))
        self.fitted.append(self.fit())
        return {**self.collected[-1], **self.fitted[-1]}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return RandomPolicy(self.action_space).predict(observation, state, episode_start)


def make(env=None, *, seed=0, **settings):
    return Collects(corridors(LENGTH) if env is None else env, settings, seed=seed, device="cpu")


def ends(replay):
    return np.flatnonzero(replay.transitions().truncated).tolist()


# -- collecting --------------------------------------------------------------------------------------------------------


def test_an_iteration_collects_its_steps_and_the_last_one_what_is_left():
    agent = make().learn(30)
    assert [metrics["replay/steps"] for metrics in agent.collected] == [12, 24, 30]
    assert agent.num_timesteps == len(agent.replay) == 30
    assert ends(agent.replay) == [4, 9, 14, 19, 24, 29]  # episodes go on from one iteration to the next


def test_the_mean_return_is_of_the_episodes_that_ended():
    agent = make(steps=4).learn(12)
    returns = [metrics.get("real/ep_rew_mean") for metrics in agent.collected]
    assert returns == [None, pytest.approx(-2.5), pytest.approx(-2.5)]  # those of steps 5 and 10


def test_a_callback_stops_it_at_once():
    agent = make()
    agent.learn(100, callback=lambda *_: agent.num_timesteps < 17)
    assert (agent.num_timesteps, len(agent.replay)) == (17, 17)


def test_nothing_is_collected_beyond_the_steps_of_learn():
    agent = make().learn(12)
    assert agent.collect_at_random(50)["replay/steps"] == agent.num_timesteps == 12


def test_learning_begins_with_a_reset():
    agent = make().learn(12)
    agent.learn(5, reset_num_timesteps=False)
    assert ends(agent.replay) == [4, 9, 11, 16]  # the one that ran was cut


def test_any_policy_collects():
    class Right:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.ones(len(observation), np.int64), state

    agent = make()
    agent.total_timesteps = 10
    agent.collect(Right(), 10)
    assert agent.replay.tensors().action.tolist() == [1] * 10


def test_behind_a_normalisation_everything_is_raw():
    settings = {"model": "linear", "steps": 20}
    raw = make(corridors(LENGTH, kind="vector"), **settings).learn(40)
    agent = make(VecNormalize(corridors(LENGTH, kind="vector")), **settings).learn(40)
    for name in ("obs", "reward", "next_obs"):
        one, two = (getattr(each.replay.transitions(), name) for each in (raw, agent))
        np.testing.assert_allclose(one, two, atol=1e-6)
    assert agent.collected[-1]["real/ep_rew_mean"] == pytest.approx(-2.5)


# -- fitting -----------------------------------------------------------------------------------------------------------


def test_every_fit_is_a_round_with_random_numbers_of_its_own():
    agent = make().learn(36)
    assert agent.round == 3
    assert len(set(agent.seeds)) == 3
    assert make().learn(36).seeds == agent.seeds
    assert make(seed=1).learn(12).seeds[0] not in agent.seeds


def test_a_fit_learns_from_all_real_steps_and_says_so_under_the_models_name():
    agent = make().learn(24)
    assert agent.model.replay_steps == 24
    assert agent.fitted[-1]
    assert all(name.startswith("model/") for name in agent.fitted[-1])


def test_the_model_is_what_the_config_says_with_a_seed_of_its_own():
    first, second, other = (
        make(corridors(LENGTH, kind="vector"), seed=seed, model="mlp", model_config={"hidden": 4}) for seed in (0, 0, 1)
    )
    assert first.world_model.config.hidden == 4
    weights = [torch.cat([p.flatten() for p in each.model.parameters()]) for each in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


# -- experience that was there before ----------------------------------------------------------------------------------


def test_stored_experience_is_kept_and_grows():
    replay = make().learn(20).replay
    agent = make()
    agent.take_replay(replay)
    agent.learn(12)
    assert agent.replay is replay
    assert (len(replay), agent.model.replay_steps) == (32, 32)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            corridors(LENGTH, kind="vector"),
            r"observation_space of the replay is Box\(.*agent's environment is Discrete",
        ),
        (TimeLimit(Endless("discrete", continuous=True), 5), r"action_space of the replay is Box\(.* is Discrete\(2\)"),
        (corridors(LENGTH, LENGTH), "num_envs of the replay is 2, that of the agent's environment is 1"),
    ],
)
def test_experience_of_another_kind_is_refused(env, message):
    agent, replay = make(), Replay.collect(env, 10, seed=0)
    with pytest.raises(ValueError, match=message):
        agent.take_replay(replay)
    assert len(agent.replay) == 0


def test_another_environment_of_the_same_kind_adds_to_what_is_there():
    agent = make().learn(12)
    agent.set_env(corridors(3))
    agent.learn(12, reset_num_timesteps=False)
    assert ends(agent.replay) == [4, 9, 11, 14, 17, 20, 23]
    assert agent.round == 2


def test_another_number_of_environments_begins_a_new_replay_and_keeps_the_model():
    agent = make().learn(12)
    agent.set_env(corridors(3, 3))
    assert (len(agent.replay), agent.replay.num_envs, agent.model.replay_steps) == (0, 2, 12)
    agent.learn(12, reset_num_timesteps=False)
    assert len(agent.replay) == 12


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_loaded_agent_has_model_replay_and_round_and_goes_on(tmp_path):
    agent = make().learn(24)
    path = agent.save(tmp_path / "agent")
    loaded = Collects.load(path, env=corridors(LENGTH))
    assert (loaded.round, len(loaded.replay), loaded.model.replay_steps) == (2, 24, 24)
    before, after = (each.world_model.state_dict() for each in (agent, loaded))
    assert all(torch.equal(after[name], value) for name, value in before.items())
    loaded.learn(12, reset_num_timesteps=False)
    assert (loaded.round, len(loaded.replay)) == (3, 36)
    assert loaded.seeds[0] not in agent.seeds


def test_the_replay_may_be_left_out_of_a_file(tmp_path):
    loaded = Collects.load(make().learn(24).save(tmp_path / "agent", exclude=["replay"]))
    assert (loaded.round, len(loaded.replay), loaded.model.replay_steps) == (2, 0, 24)


def test_what_all_steps_take_is_known_before():
    env = gym.make("Pendulum-v1")
    few, many = (
        Collects.replay_bytes(env.observation_space, env.action_space, None, num_envs=1, total_timesteps=num)
        for num in (1_000, 100_000)
    )
    assert few >= 1_000 * 4 * (3 + 1 + 1)
    assert many > 50 * few
