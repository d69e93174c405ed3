"""A planner with the true dynamics swings the pole up, so the task can be solved as it is posed."""

import gymnasium as gym
import numpy as np
import pytest

import zoo_envs
from zoo_envs import CartPoleSwingUpEnv


def plan(env: CartPoleSwingUpEnv, mean: np.ndarray, rng: np.random.Generator, iterations: int) -> np.ndarray:
    """Improves an action sequence `[H]` by the cross-entropy method, all candidates simulated at once."""
    high, spread = float(env.action_space.high[0]), np.full(len(mean), 0.5 * float(env.action_space.high[0]))
    for _ in range(iterations):
        candidates = np.clip(mean + spread * rng.standard_normal((100, len(mean))), -high, high)
        state, total = np.repeat(env.get_state()[None], 100, axis=0), np.zeros(100)
        for t in range(len(mean)):
            force = candidates[:, t] * env.parameters.gear
            state = zoo_envs.simulate_cart_pole(env.parameters, state, force)
            x, x_dot, theta, theta_dot = state.T
            obs = np.stack([x, x_dot, np.cos(theta), np.sin(theta), theta_dot], axis=-1)
            total += env.reward(None, candidates[:, t : t + 1], obs)
        elites = candidates[np.argsort(total)[-10:]]
        mean, spread = elites.mean(0), elites.std(0) + 0.02 * high
    return mean


def planned_return(preset: str, seed: int, *, steps: int, replan: int, iterations: int, horizon: int) -> float:
    """Returns the sum of rewards of an episode that is planned anew every `replan` steps."""
    env = gym.make("zoo_envs/CartPoleSwingUp-v0", preset=preset, max_episode_steps=steps)
    simulator = env.unwrapped
    assert isinstance(simulator, CartPoleSwingUpEnv)
    env.reset(seed=seed)
    rng, actions, total, truncated = np.random.default_rng(seed), np.zeros(horizon), 0.0, False
    while not truncated:
        actions = plan(simulator, actions, rng, iterations)
        for action in actions[:replan]:
            _, reward, _, truncated, _ = env.step(np.array([action], dtype=np.float32))
            total += float(reward)
            if truncated:
                break
        actions = np.concatenate([actions[replan:], np.zeros(replan)])
    return total


def random_return(preset: str, seed: int, *, steps: int) -> float:
    """Returns the sum of rewards of an episode of uniformly random actions."""
    env = gym.make("zoo_envs/CartPoleSwingUp-v0", preset=preset, max_episode_steps=steps)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return sum(float(env.step(env.action_space.sample())[1]) for _ in range(steps))


@pytest.mark.parametrize(("preset", "steps", "horizon", "bar"), [("pets", 200, 25, 150.0), ("pilco", 80, 15, 40.0)])
def test_a_planner_that_knows_the_dynamics_swings_up_and_balances(
    preset: str, steps: int, horizon: int, bar: float
) -> None:
    chance = np.mean([random_return(preset, seed, steps=steps) for seed in range(5)])
    assert chance < 5.0
    assert planned_return(preset, 0, steps=steps, horizon=horizon, replan=2, iterations=3) > bar
