"""What holds for every environment of the package."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from zoo_envs.simulator_env import SimulatorEnv

CASES = [
    pytest.param("zoo_envs/CartPoleSwingUp-v0", {}, id="pets"),
    pytest.param("zoo_envs/CartPoleSwingUp-v0", {"preset": "pilco"}, id="pilco"),
    pytest.param("zoo_envs/LinearSystem-v0", {}, id="linear"),
    pytest.param("zoo_envs/LinearSystem-v0", {"noise_std": 0.1}, id="noisy-linear"),
]
every_env = pytest.mark.parametrize(("env_id", "kwargs"), CASES)

# Both checkers recommend finite observations and actions in ±1; velocities and forces have their own units.
BY_DESIGN = r"(?s).*(Box observation space m.*imum value is -?infinity|symmetric and normalized)"


def make(env_id: str, **kwargs: object) -> tuple[gym.Env, SimulatorEnv]:
    env = gym.make(env_id, **kwargs)
    assert isinstance(env.unwrapped, SimulatorEnv)
    return env, env.unwrapped


@every_env
def test_both_checkers_pass(env_id: str, kwargs: dict[str, object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", BY_DESIGN)
        check_env(gym.make(env_id, render_mode="rgb_array", **kwargs).unwrapped)
        sb3_check_env(gym.make(env_id, **kwargs))


@every_env
def test_one_seed_is_one_episode(env_id: str, kwargs: dict[str, object]) -> None:
    episodes = []
    for seed in (1, 1, 2):
        env, _ = make(env_id, **kwargs)
        env.action_space.seed(0)
        observations = [env.reset(seed=seed)[0]]
        observations += [env.step(env.action_space.sample())[0] for _ in range(50)]
        episodes.append(np.array(observations))
    np.testing.assert_array_equal(episodes[0], episodes[1])
    assert not np.array_equal(episodes[0], episodes[2])


@every_env
def test_a_state_that_is_set_goes_on_bit_for_bit(env_id: str, kwargs: dict[str, object]) -> None:
    env, simulator = make(env_id, **kwargs)
    _, other = make(env_id, **kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(20):
        env.step(env.action_space.sample())
    state, noise, action = (
        simulator.get_state(),
        simulator.np_random.bit_generator.state,
        env.action_space.sample(),
    )
    expected = env.step(action)
    other.set_state(state)
    other.np_random.bit_generator.state = noise
    got = other.step(action)
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[1:] == expected[1:]
    np.testing.assert_array_equal(other.get_state(), simulator.get_state())


@every_env
def test_the_state_that_is_handed_out_is_a_copy(env_id: str, kwargs: dict[str, object]) -> None:
    env, simulator = make(env_id, **kwargs)
    env.reset(seed=0)
    state = simulator.get_state()
    assert state.dtype == np.float64
    before = state.copy()
    state += 1.0
    np.testing.assert_array_equal(simulator.get_state(), before)
    simulator.set_state(state)
    state += 1.0
    np.testing.assert_array_equal(simulator.get_state(), before + 1.0)


@every_env
def test_an_observation_shows_the_state(env_id: str, kwargs: dict[str, object]) -> None:
    env, simulator = make(env_id, **kwargs)
    env.action_space.seed(0)
    observations, states = [env.reset(seed=0)[0]], [simulator.get_state()]
    for _ in range(30):
        observations.append(env.step(env.action_space.sample())[0])
        states.append(simulator.get_state())
    difference = simulator.state_from_observation(np.array(observations)) - states
    if len(simulator.state_names) == 4:
        difference[:, 2] = (difference[:, 2] + np.pi) % (2 * np.pi) - np.pi  # an angle, up to whole turns
    np.testing.assert_allclose(difference, 0.0, atol=1e-5)
    assert simulator.state_from_observation(observations[0]).shape == states[0].shape


@every_env
def test_an_action_beyond_the_space_is_clipped(env_id: str, kwargs: dict[str, object]) -> None:
    env, _ = make(env_id, **kwargs)
    high = env.action_space.high
    steps = []
    for action in (high, 10 * high):
        env.reset(seed=0)
        steps.append(env.step(action))
    np.testing.assert_array_equal(steps[0][0], steps[1][0])
    assert steps[0][1] == steps[1][1]


@every_env
@pytest.mark.parametrize("action", [[np.nan], [0.0, 0.0], 0.0])
def test_an_action_that_is_none_is_refused(env_id: str, kwargs: dict[str, object], action: object) -> None:
    _, simulator = make(env_id, **kwargs)
    simulator.reset(seed=0)
    with pytest.raises(ValueError, match=r"action must be an array of shape \(1,\) without NaN, got"):
        simulator.step(action)


@every_env
def test_an_episode_can_start_where_told_without_moving_later_starts(env_id: str, kwargs: dict[str, object]) -> None:
    env, simulator = make(env_id, **kwargs)
    told = np.linspace(0.1, 0.4, len(simulator.state_names))
    env.reset(seed=0, options={"state": told})
    np.testing.assert_array_equal(simulator.get_state(), told)
    after_told = env.reset()[0]
    env.reset(seed=0)
    np.testing.assert_array_equal(env.reset()[0], after_told)


@every_env
def test_a_state_that_is_none_is_refused(env_id: str, kwargs: dict[str, object]) -> None:
    _, simulator = make(env_id, **kwargs)
    for state in ([0.0], [np.nan] * len(simulator.state_names)):
        with pytest.raises(ValueError, match=rf"state must be {len(simulator.state_names)} finite numbers"):
            simulator.set_state(state)


@every_env
def test_a_step_before_the_first_reset_is_refused(env_id: str, kwargs: dict[str, object]) -> None:
    _, simulator = make(env_id, **kwargs)
    with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\) or set_state\(\) first"):
        simulator.step([0.0])


@every_env
def test_the_time_limit_truncates(env_id: str, kwargs: dict[str, object]) -> None:
    env, _ = make(env_id, **kwargs)
    assert env.spec is not None
    env.reset(seed=0)
    flags = [env.step(np.zeros(1, dtype=np.float32))[2:4] for _ in range(env.spec.max_episode_steps or 0)]
    assert flags[-1] == (False, True)
    assert set(flags[:-1]) == {(False, False)}


@every_env
def test_a_vector_env_steps_like_single_ones(env_id: str, kwargs: dict[str, object]) -> None:
    together = gym.make_vec(env_id, num_envs=3, **kwargs)
    together.action_space.seed(0)
    actions = together.action_space.sample()
    together.reset(seed=5)
    observations, rewards, *_ = together.step(actions)
    for row in range(3):
        env, _ = make(env_id, **kwargs)
        env.reset(seed=5 + row)
        obs, reward, *_ = env.step(actions[row])
        np.testing.assert_array_equal(observations[row], obs)
        assert rewards[row] == reward
    together.close()


@every_env
def test_a_picture_shows_motion(env_id: str, kwargs: dict[str, object]) -> None:
    env, _ = make(env_id, render_mode="rgb_array", **kwargs)
    env.reset(seed=0)
    first = env.render()
    for _ in range(10):
        env.step(env.action_space.high)
    second = env.render()
    env.close()
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    assert first.shape == second.shape == (400, 600, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 10
    assert (first != second).any(-1).mean() > 0.001


@every_env
def test_a_window_opens_and_closes(env_id: str, kwargs: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env, _ = make(env_id, render_mode="human", **kwargs)
    env.reset(seed=0)
    env.step(env.action_space.high)
    assert env.render() is None
    env.close()


@every_env
def test_rendering_without_a_mode_warns(env_id: str, kwargs: dict[str, object]) -> None:
    _, simulator = make(env_id, **kwargs)
    simulator.reset(seed=0)
    with pytest.warns(UserWarning, match='make the env with render_mode="rgb_array"'):
        assert simulator.render() is None
