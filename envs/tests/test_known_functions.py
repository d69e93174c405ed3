"""Each known function equals the environment that it is named after, on steps of that environment."""

import subprocess
import sys
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_envs

Policy = Callable[[gym.Env, np.ndarray], object]
NUM_STEPS = 2_500


def random_policy(env: gym.Env, obs: np.ndarray) -> object:
    return env.action_space.sample()


def sometimes_pumping_policy(env: gym.Env, obs: np.ndarray) -> object:
    """Pushes along the velocity, beyond the bounds too, which takes the mountain car to its flag."""
    if env.np_random.random() < 0.1:
        return env.action_space.sample()
    return np.float32(1.3) * np.sign(obs[1:2])


class Steps:
    """Steps `[num_steps]` of an environment."""

    def __init__(
        self, env_id: str, policy: Policy = random_policy, num_steps: int = NUM_STEPS, **kwargs: object
    ) -> None:
        env = gym.make(env_id, **kwargs)
        self.env = env.unwrapped
        env.action_space.seed(0)
        obs, _ = env.reset(seed=0)
        columns: list[tuple[object, ...]] = []
        while len(columns) < num_steps:
            action = policy(env, obs)
            next_obs, reward, terminated, truncated, _ = env.step(action)
            columns.append((obs.copy(), action, next_obs.copy(), reward, terminated))
            obs = env.reset()[0] if terminated or truncated else next_obs
        self.obs, self.action, self.next_obs, self.reward, self.terminated = (
            np.array(column) for column in zip(*columns, strict=True)
        )

    @property
    def arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.obs, self.action, self.next_obs


@pytest.fixture(scope="module")
def mountain_car() -> Steps:
    return Steps("MountainCarContinuous-v0", sometimes_pumping_policy)


@pytest.mark.parametrize("preset", ["pets", "pilco"])
def test_swing_up_reward(preset: str) -> None:
    steps = Steps("zoo_envs/CartPoleSwingUp-v0", preset=preset)
    np.testing.assert_allclose(steps.env.reward(*steps.arguments), steps.reward, atol=1e-5)


def test_swing_up_rewards_defaults_are_the_pets_preset() -> None:
    steps = Steps("zoo_envs/CartPoleSwingUp-v0")
    np.testing.assert_allclose(zoo_envs.cart_pole_swing_up_reward(*steps.arguments), steps.reward, atol=1e-5)


def test_linear_quadratic_reward() -> None:
    steps = Steps("zoo_envs/LinearSystem-v0", noise_std=0.1)
    np.testing.assert_allclose(steps.env.reward(*steps.arguments), steps.reward, rtol=1e-5)


def test_pendulum_reward() -> None:
    steps = Steps("Pendulum-v1")
    np.testing.assert_allclose(zoo_envs.pendulum_reward(*steps.arguments), steps.reward, atol=1e-4)


def test_pendulum_reward_clips_torques_as_the_env_does() -> None:
    steps = Steps("Pendulum-v1", lambda env, obs: 3 * env.action_space.sample())
    assert np.abs(steps.action).max() > 5
    np.testing.assert_allclose(zoo_envs.pendulum_reward(*steps.arguments), steps.reward, atol=1e-4)


def test_cartpole_termination() -> None:
    steps = Steps("CartPole-v1")
    assert 50 < steps.terminated.sum() < 500
    np.testing.assert_array_equal(zoo_envs.cartpole_termination(*steps.arguments), steps.terminated)


def test_cartpole_terminates_at_the_sides_too() -> None:
    obs = np.array([[2.5, 0, 0, 0], [-2.5, 0, 0, 0], [2.3, 9, 0, 9]], dtype=np.float32)
    np.testing.assert_array_equal(zoo_envs.cartpole_termination(None, None, obs), [True, True, False])


def test_inverted_pendulum_termination() -> None:
    steps = Steps("InvertedPendulum-v5")
    assert 100 < steps.terminated.sum() < 1500
    np.testing.assert_array_equal(zoo_envs.inverted_pendulum_termination(*steps.arguments), steps.terminated)


def test_inverted_pendulum_terminates_where_a_value_is_not_finite() -> None:
    obs = np.array([[0, 0, np.nan, 0], [np.inf, 0, 0, 0], [5, 0.1, 9, 9]])
    np.testing.assert_array_equal(zoo_envs.inverted_pendulum_termination(None, None, obs), [True, True, False])


WALKERS = {  # by id: its termination, and how far its height and angle are from terminal ones
    "Hopper-v5": (zoo_envs.hopper_termination, 0.6),
    "Walker2d-v5": (zoo_envs.walker2d_termination, 1.2),
    "Ant-v5": (zoo_envs.ant_termination, 0.6),
    "Humanoid-v5": (zoo_envs.humanoid_termination, 0.6),
}


@pytest.mark.parametrize("env_id", WALKERS)
def test_the_termination_of_walkers(env_id: str) -> None:
    """On visited states, and on 10,000 that are moved up, down, and around from there, of which many are terminal."""
    termination, distance = WALKERS[env_id]
    steps = Steps(env_id, num_steps=1_000)
    np.testing.assert_array_equal(termination(*steps.arguments), steps.terminated)
    rng, data = np.random.default_rng(0), steps.env.data
    position, obs, expected = data.qpos.copy(), [], []
    for _ in range(10_000):
        data.qpos[:] = position
        data.qpos[1:3] += rng.normal(scale=distance, size=2)
        obs.append(steps.env._get_obs())
        expected.append(not steps.env.is_healthy)
    assert 1_000 < sum(expected) < 9_900
    np.testing.assert_array_equal(termination(None, None, np.array(obs)), expected)


def test_hoppers_and_ants_terminate_where_a_value_is_not_finite_or_far_away() -> None:
    hopper, ant = np.zeros((5, 11)), np.full((3, 27), 0.5)
    hopper[:, 0] = 1.0
    hopper[1, 0], hopper[2, 7], hopper[3, 3], hopper[4, 1] = np.inf, np.nan, 100.0, -0.2
    ant[1, 20], ant[2, 0] = np.inf, 1.01
    np.testing.assert_array_equal(zoo_envs.hopper_termination(None, None, hopper), [False, True, True, True, True])
    np.testing.assert_array_equal(zoo_envs.ant_termination(None, None, ant), [False, True, True])


@pytest.mark.parametrize(
    ("function", "num_obs", "message"),
    [
        (zoo_envs.hopper_termination, 4, "hopper_termination takes observations of Hopper-v5, of 11 numbers, got 4"),
        (zoo_envs.ant_termination, 29, "observations of Ant-v5, of 27 or 105 numbers, got 29"),  # x and y in front
        (zoo_envs.humanoid_termination, 350, "observations of Humanoid-v5, of 45 or .* or 348 numbers, got 350"),
        (zoo_envs.walker2d_termination, 11, "observations of Walker2d-v5, of 17 numbers, got 11"),
        (zoo_envs.inverted_pendulum_termination, 3, "observations of InvertedPendulum-v5, of 4 numbers, got 3"),
        (zoo_envs.cartpole_termination, 5, "observations of CartPole-v1, of 4 numbers, got 5"),
        (zoo_envs.cart_pole_swing_up_reward, 4, "of zoo_envs/CartPoleSwingUp-v0, of 5 numbers, got 4"),
        (zoo_envs.pendulum_reward, 4, "observations of Pendulum-v1, of 3 numbers, got 4"),
        (zoo_envs.mountain_car_continuous_termination, 3, "of MountainCarContinuous-v0, of 2 numbers, got 3"),
        (zoo_envs.mountain_car_continuous_reward, 3, "mountain_car_continuous_reward takes .* of 2 numbers, got 3"),
    ],
)
def test_observations_of_another_environment_are_refused(
    function: Callable[..., object], num_obs: int, message: str
) -> None:
    obs = np.zeros((6, num_obs))
    with pytest.raises(ValueError, match=message):
        function(obs, np.zeros((6, 1)), obs)


@pytest.mark.parametrize(
    "left_out", [{}, {"include_cinert_in_observation": False, "include_qfrc_actuator_in_observation": False}]
)
def test_humanoids_may_leave_parts_of_their_observations_out(left_out: dict[str, bool]) -> None:
    steps = Steps("Humanoid-v5", num_steps=100, **left_out)
    assert steps.terminated.any()
    np.testing.assert_array_equal(zoo_envs.humanoid_termination(*steps.arguments), steps.terminated)


def test_ants_may_leave_the_contact_forces_out() -> None:
    steps = Steps("Ant-v5", num_steps=100, include_cfrc_ext_in_observation=False)
    np.testing.assert_array_equal(zoo_envs.ant_termination(*steps.arguments), steps.terminated)


def test_mountain_car_termination(mountain_car: Steps) -> None:
    assert mountain_car.terminated.sum() > 5
    np.testing.assert_array_equal(
        zoo_envs.mountain_car_continuous_termination(*mountain_car.arguments), mountain_car.terminated
    )


def test_mountain_car_reward(mountain_car: Steps) -> None:
    np.testing.assert_allclose(
        zoo_envs.mountain_car_continuous_reward(*mountain_car.arguments), mountain_car.reward, atol=1e-5
    )


def test_mountain_car_random_steps() -> None:
    steps = Steps("MountainCarContinuous-v0")
    np.testing.assert_allclose(zoo_envs.mountain_car_continuous_reward(*steps.arguments), steps.reward, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "num_obs"),
    [
        (zoo_envs.cart_pole_swing_up_reward, 5),
        (zoo_envs.pendulum_reward, 3),
        (zoo_envs.cartpole_termination, 4),
        (zoo_envs.inverted_pendulum_termination, 4),
        (zoo_envs.hopper_termination, 11),
        (zoo_envs.walker2d_termination, 17),
        (zoo_envs.ant_termination, 27),
        (zoo_envs.humanoid_termination, 45),
        (zoo_envs.mountain_car_continuous_reward, 2),
        (zoo_envs.mountain_car_continuous_termination, 2),
        (zoo_envs.LinearSystemEnv().reward, 2),
    ],
)
def test_torch_gives_the_numbers_of_numpy_for_any_leading_dimensions(
    function: Callable[..., object], num_obs: int
) -> None:
    rng = np.random.default_rng(0)
    obs, next_obs = rng.normal(scale=0.5, size=(2, 4, 3, num_obs)).astype(np.float32)
    action = rng.normal(size=(4, 3, 1)).astype(np.float32)
    expected = function(obs, action, next_obs)
    got = function(*(torch.from_numpy(array) for array in (obs, action, next_obs)))
    assert isinstance(expected, np.ndarray)
    assert isinstance(got, torch.Tensor)
    assert expected.shape == got.shape == (4, 3)
    assert got.numpy().dtype == expected.dtype
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_gradients_flow_through_a_reward() -> None:
    action = torch.ones(2, 1, requires_grad=True)
    obs = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    zoo_envs.pendulum_reward(obs, action, obs).sum().backward()
    torch.testing.assert_close(action.grad, torch.full((2, 1), -0.002))


def test_a_list_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="expected a NumPy array or a torch tensor, got list"):
        zoo_envs.known_functions._library([0.0])


def test_importing_the_package_imports_neither_torch_nor_pygame_nor_the_zoo() -> None:
    code = "import sys, zoo_envs; print({'torch', 'pygame', 'stable_baselines3', 'zoo_core'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
