"""The random agent: uniform, reproducible, and an SB3 citizen."""

import numpy as np
import pytest
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import zoo_core


def make(env="CartPole-v1", **kwargs):
    return zoo_core.make_agent("random", env, **{"seed": 0, **kwargs})


def draws(agent, num=20):
    obs = agent.get_env().reset()
    return np.concatenate([agent.predict(obs)[0] for _ in range(num)])


def test_the_random_agent_is_found_by_name():
    assert zoo_core.plugins.agent_spec("random").entry_point == "zoo_random.agent:RandomAgent"


def test_actions_are_uniform_over_the_space():
    agent = make("Pendulum-v1")
    actions = np.concatenate([agent.predict(np.zeros((1000, 3), np.float32))[0] for _ in range(10)])
    assert actions.shape == (10_000, 1)
    counts, _ = np.histogram(actions, bins=10, range=(-2, 2))
    # 10,000 draws into 10 bins: 1,000 each, standard deviation 30; five of them is a chance of 1 in 200,000.
    assert np.abs(counts - 1_000).max() < 150


def test_one_observation_gets_one_action_and_a_batch_gets_a_batch():
    agent = make("Pendulum-v1")
    assert agent.predict(np.zeros(3, np.float32))[0].shape == (1,)
    assert agent.predict(np.zeros((5, 3), np.float32))[0].shape == (5, 1)


def test_the_seed_decides_the_actions():
    assert (draws(make(seed=1)) == draws(make(seed=1))).all()
    assert (draws(make(seed=1)) != draws(make(seed=2))).any()


@pytest.mark.parametrize("num_envs", [1, 3])
def test_learning_makes_the_steps_that_were_asked_for(num_envs):
    agent = make(make_vec_env("CartPole-v1", num_envs)).learn(250)
    assert agent.num_timesteps == -(-250 // num_envs) * num_envs


def test_evaluation_changes_nothing_in_learning():
    def learn_and_record(evaluate):
        agent, actions = make(), []
        for _ in range(3):
            if evaluate:
                evaluate_policy(agent, make_vec_env("CartPole-v1", seed=1), n_eval_episodes=2)
            agent.learn(20, callback=lambda seen, _: actions.append(seen["actions"]) is None)
        return np.array(actions)

    assert (learn_and_record(True) == learn_and_record(False)).all()


def test_a_callback_ends_learning_at_once():
    agent = make().learn(1_000, callback=lambda *_: False)
    assert agent.num_timesteps == 1


def test_a_saved_agent_goes_on_where_it_stood(tmp_path):
    agent = make()
    draws(agent)
    agent.save(tmp_path / "agent.zip")
    loaded = zoo_core.load(tmp_path / "agent.zip", env="CartPole-v1")
    assert (draws(loaded) == draws(agent)).all()


def test_checkpoint_callback_writes_files_that_load(tmp_path):
    make().learn(100, callback=CheckpointCallback(50, str(tmp_path)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rl_model_100_steps.zip",
        "rl_model_50_steps.zip",
    ]
    assert zoo_core.load(tmp_path / "rl_model_50_steps.zip").num_timesteps == 50


def test_unsupported_spaces_are_refused():
    from gymnasium import spaces

    from zoo_core.errors import UnsupportedSpaceError
    from zoo_core.plugins import agent_spec, check_spaces

    with pytest.raises(UnsupportedSpaceError, match="agent 'random' takes Box or Discrete"):
        check_spaces(agent_spec("random"), spaces.Box(0, 1), spaces.Text(3))
