"""Environments that Gymnasium lacks, for judging world models; importing this registers `zoo_envs/...`."""

import gymnasium as gym

from zoo_envs.cart_pole_parameters import CartPoleParameters
from zoo_envs.cart_pole_physics import cart_pole_energy, simulate_cart_pole
from zoo_envs.cart_pole_swing_up import CartPoleSwingUpEnv
from zoo_envs.known_functions import (
    ant_termination,
    cart_pole_swing_up_reward,
    cartpole_termination,
    hopper_termination,
    humanoid_termination,
    inverted_pendulum_termination,
    linear_quadratic_reward,
    mountain_car_continuous_reward,
    mountain_car_continuous_termination,
    pendulum_reward,
    walker2d_termination,
)
from zoo_envs.linear_system import LinearSystemEnv
from zoo_envs.lqr import solve_finite_horizon_lqr, solve_lqr
from zoo_envs.masked import MaskedCartPoleEnv, MaskedPendulumEnv
from zoo_envs.maze import MazeEnv
from zoo_envs.maze_layout import MAZES, Maze
from zoo_envs.pendulum_optimum import pendulum_optimal_action, pendulum_optimal_return, pendulum_regret

__all__ = [
    "MAZES",
    "CartPoleParameters",
    "CartPoleSwingUpEnv",
    "LinearSystemEnv",
    "MaskedCartPoleEnv",
    "MaskedPendulumEnv",
    "Maze",
    "MazeEnv",
    "ant_termination",
    "cart_pole_energy",
    "cart_pole_swing_up_reward",
    "cartpole_termination",
    "hopper_termination",
    "humanoid_termination",
    "inverted_pendulum_termination",
    "linear_quadratic_reward",
    "mountain_car_continuous_reward",
    "mountain_car_continuous_termination",
    "pendulum_optimal_action",
    "pendulum_optimal_return",
    "pendulum_regret",
    "pendulum_reward",
    "simulate_cart_pole",
    "solve_finite_horizon_lqr",
    "solve_lqr",
    "walker2d_termination",
]

gym.register(
    id="zoo_envs/CartPoleSwingUp-v0",
    entry_point="zoo_envs.cart_pole_swing_up:CartPoleSwingUpEnv",
    max_episode_steps=200,
)
gym.register(
    id="zoo_envs/LinearSystem-v0",
    entry_point="zoo_envs.linear_system:LinearSystemEnv",
    max_episode_steps=100,
)
gym.register(
    id="zoo_envs/MaskedCartPole-v0",
    entry_point="zoo_envs.masked:MaskedCartPoleEnv",
    max_episode_steps=500,
    reward_threshold=475.0,  # CartPole-v1's
)
gym.register(
    id="zoo_envs/MaskedPendulum-v0",
    entry_point="zoo_envs.masked:MaskedPendulumEnv",
    max_episode_steps=200,
)
for _name, _arguments in MAZES.items():
    gym.register(
        id=f"zoo_envs/{_name}-v0",
        entry_point="zoo_envs.maze:MazeEnv",
        max_episode_steps=10_000,  # the book has none, but a policy that walks in circles must end
        kwargs=dict(_arguments),
    )
