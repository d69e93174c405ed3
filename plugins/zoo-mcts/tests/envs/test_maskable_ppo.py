"""SB3-contrib's MaskablePPO trains on a board game."""

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_util import make_vec_env

from zoo_mcts.games.envs import SelfPlayEnv


def make():
    return SelfPlayEnv("tictactoe_v3", opponent="random")


def mean_return(learner, episodes=150):
    env, returns = make(), []
    for seed in range(episodes):
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            action, _ = learner.predict(obs, action_masks=env.action_masks(), deterministic=True)
            obs, reward, over, _, _ = env.step(int(action))
        returns.append(reward)
    return np.mean(returns)


def test_it_learns_to_win_against_random_moves():
    """Random moves come to 0 on average, who never learned to about that; perfect play to 0.97."""
    vec_env = make_vec_env(make, n_envs=8, seed=0)
    learner = MaskablePPO(
        "MultiInputPolicy", vec_env, n_steps=64, batch_size=128, n_epochs=4, learning_rate=1e-3, seed=0
    )
    before = mean_return(learner)
    after = mean_return(learner.learn(8_000))
    assert before < 0.2
    assert after > 0.45
