"""Measures the scores that the README quotes: `python envs/tests/scores.py > envs/scores.json` (minutes)."""

import json

import gymnasium as gym
import numpy as np
from test_masked import balanced_steps
from test_maze import make as make_maze, shortest_path
from test_swing_up_control import planned_return, random_return

import zoo_envs

NUM_RANDOM, NUM_PLANNED = 100, 10


def summary(returns: list[float]) -> dict[str, float]:
    """Returns mean, standard deviation over episodes, and number of episodes."""
    return {
        "mean": round(float(np.mean(returns)), 2),
        "std": round(float(np.std(returns)), 2),
        "episodes": len(returns),
    }


def swing_up_scores(preset: str, *, steps: int, horizon: int) -> dict[str, dict[str, float]]:
    """Returns the scores of random actions, of none, and of planning with the true dynamics."""
    planned = [
        planned_return(preset, seed, steps=steps, horizon=horizon, replan=1, iterations=5)
        for seed in range(NUM_PLANNED)
    ]
    return {
        "random": summary([random_return(preset, seed, steps=steps) for seed in range(NUM_RANDOM)]),
        "cem_true_dynamics": summary(planned),
    }


def linear_scores() -> dict[str, dict[str, float]]:
    """Returns the scores of random actions and of optimal control, from the same starts."""
    env = gym.make("zoo_envs/LinearSystem-v0")
    simulator = env.unwrapped
    assert isinstance(simulator, zoo_envs.LinearSystemEnv)
    random, optimal = [], []
    for seed in range(NUM_RANDOM):
        obs, _ = env.reset(seed=seed)
        env.action_space.seed(seed)
        optimal.append(float(simulator.optimal_return(obs, horizon=100, discount=1.0)))
        random.append(sum(float(env.step(env.action_space.sample())[1]) for _ in range(100)))
    return {"random": summary(random), "optimal": summary(optimal)}


def pendulum_scores() -> dict[str, dict[str, float]]:
    """Returns random scores, and the optimum over a regular grid of the starts that a reset can draw."""
    env, random = gym.make("Pendulum-v1"), []
    for seed in range(NUM_RANDOM):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        random.append(sum(float(env.step(env.action_space.sample())[1]) for _ in range(200)))
    angles = np.linspace(-np.pi, np.pi, 720, endpoint=False)[:, None]
    speeds = np.linspace(-1, 1, 80, endpoint=False)[None] + 1 / 80
    optimal = zoo_envs.pendulum_optimal_return(angles, speeds)
    return {"random": summary(random), "optimal": summary(optimal.ravel().tolist())}


def masked_cart_pole_scores() -> dict[str, dict[str, float]]:
    """Returns the scores of random pushes, of one observation, and of two, from the same starts."""
    policies = {
        "random": lambda obs, before: rng.random() < 0.5,
        "one_observation": lambda obs, before: obs[1] > 0,
        "two_observations": lambda obs, before: obs[1] + 10 * (obs - before)[1] + obs[0] / 20 + (obs - before)[0] > 0,
    }
    rng = np.random.default_rng(0)
    return {
        name: summary([balanced_steps(policy, seed) for seed in range(NUM_RANDOM)]) for name, policy in policies.items()
    }


def maze_steps(name: str, life_steps: int) -> dict[str, float]:
    """Returns the steps to the goal, expected of random actions and at best, as the wall stands after `life_steps`."""
    env = make_maze(name, life_steps)
    next_state, _, terminated = env.transition_arrays()
    goes_on = np.zeros((len(next_state), len(next_state)))
    states, actions = (~terminated).nonzero()
    np.add.at(goes_on, (states, next_state[states, actions]), 1 / next_state.shape[1])
    steps = np.linalg.solve(np.eye(len(next_state)) - goes_on, np.ones(len(next_state)))
    return {"random": round(float(env.initial_state_distrib @ steps), 2), "optimal": shortest_path(env.maze)}


if __name__ == "__main__":
    scores = {
        "zoo_envs/CartPoleSwingUp-v0 preset=pets, 200 steps": swing_up_scores("pets", steps=200, horizon=25),
        "zoo_envs/CartPoleSwingUp-v0 preset=pilco, 200 steps": swing_up_scores("pilco", steps=200, horizon=15),
        "zoo_envs/CartPoleSwingUp-v0 preset=pilco, 40 steps": swing_up_scores("pilco", steps=40, horizon=15),
        "zoo_envs/LinearSystem-v0, 100 steps": linear_scores(),
        "zoo_envs/MaskedCartPole-v0, 500 steps": masked_cart_pole_scores(),
        "Pendulum-v1, 200 steps": pendulum_scores(),
        "zoo_envs/DynaMaze-v0, steps to the goal": maze_steps("DynaMaze", 0),
        "zoo_envs/BlockingMaze-v0, steps to the goal at first": maze_steps("BlockingMaze", 0),
        "zoo_envs/BlockingMaze-v0, steps to the goal later": maze_steps("BlockingMaze", 1000),
        "zoo_envs/ShortcutMaze-v0, steps to the goal at first": maze_steps("ShortcutMaze", 0),
        "zoo_envs/ShortcutMaze-v0, steps to the goal later": maze_steps("ShortcutMaze", 3000),
    }
    print(json.dumps(scores, indent=2))
