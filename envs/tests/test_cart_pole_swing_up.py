import math

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import zoo_envs
from zoo_envs.cart_pole_parameters import PRESETS, CartPoleParameters, make_parameters

# The task of Chua et al. 2018 as a MuJoCo model: capsules of density 1000, a damped slider, a damped hinge.
MUJOCO_MODEL = """
<mujoco>
  <option gravity="0 0 -9.81" integrator="RK4" timestep="0.02"/>
  <worldbody>
    <body>
      <joint name="slider" type="slide" axis="1 0 0" damping="1"/>
      <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.1" contype="0"/>
      <body>
        <joint name="hinge" type="hinge" axis="0 1 0" damping="1"/>
        <geom type="capsule" fromto="0 0 0 0 0 0.6" size="0.049" contype="0"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="slider" gear="100"/></actuator>
</mujoco>
"""


def make(**kwargs: object) -> zoo_envs.CartPoleSwingUpEnv:
    env = gym.make("zoo_envs/CartPoleSwingUp-v0", **kwargs).unwrapped
    assert isinstance(env, zoo_envs.CartPoleSwingUpEnv)
    return env


def random_states(num: int) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=[0.5, 1.0, 3.0, 3.0], size=(num, 4))


def test_the_pets_preset_moves_like_the_papers_mujoco_model() -> None:
    model = mujoco.MjModel.from_xml_string(MUJOCO_MODEL)
    data = mujoco.MjData(model)
    state, rng = np.array([0.1, -0.2, 2.5, 0.3]), np.random.default_rng(0)
    data.qpos[:], data.qvel[:] = state[[0, 2]], state[[1, 3]]
    parameters = make_parameters("pets", track_limit=math.inf)
    for action in rng.uniform(-3, 3, 100):
        data.ctrl[:] = action
        mujoco.mj_step(model, data, nstep=2)
        state = zoo_envs.simulate_cart_pole(parameters, state, 100 * action)
        expected = [data.qpos[0], data.qvel[0], data.qpos[1], data.qvel[1]]
        np.testing.assert_allclose(state, expected, atol=1e-4)


def test_the_pilco_preset_has_the_accelerations_of_the_papers_equations() -> None:
    # Deisenroth 2010 (PhD thesis), appendix C; there the angle is 0 hanging and grows the other way round.
    g, length, m, M, b, step = 9.82, 0.5, 0.5, 0.5, 0.1, 1e-7
    state, force = random_states(200), np.random.default_rng(1).uniform(-10, 10, 200)
    parameters = make_parameters("pilco", dt=step, substeps=1, integrator="euler")
    moved = (zoo_envs.simulate_cart_pole(parameters, state, force) - state) / step
    v, angle, spin = state[:, 1], math.pi - state[:, 2], -state[:, 3]
    sin, cos, push = np.sin(angle), np.cos(angle), force - b * v
    acceleration = (2 * m * length * spin**2 * sin + 3 * m * g * sin * cos + 4 * push) / (4 * (M + m) - 3 * m * cos**2)
    spin_acceleration = (-3 * m * length * spin**2 * sin * cos - 6 * (M + m) * g * sin - 6 * push * cos) / (
        4 * length * (M + m) - 3 * m * length * cos**2
    )
    np.testing.assert_allclose(moved[:, 1], acceleration, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(moved[:, 3], -spin_acceleration, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("integrator", "conserves"), [("rk4", True), ("euler", False)])
def test_energy_is_conserved_without_friction_and_force(integrator: str, conserves: bool) -> None:
    parameters = make_parameters(
        "pilco", cart_friction=0.0, pole_friction=0.0, dt=0.01, substeps=4, integrator=integrator
    )
    state = random_states(8)
    before = zoo_envs.cart_pole_energy(parameters, state)
    for _ in range(500):
        state = zoo_envs.simulate_cart_pole(parameters, state, 0.0)
    drift = np.abs(zoo_envs.cart_pole_energy(parameters, state) - before).max()
    assert bool(drift < 1e-5) is conserves


def test_friction_and_force_change_the_energy_by_their_work() -> None:
    parameters = make_parameters("pets", dt=1e-5, substeps=1, track_limit=math.inf)
    state, force = random_states(50), 37.0
    moved = zoo_envs.simulate_cart_pole(parameters, state, force)
    gained = zoo_envs.cart_pole_energy(parameters, moved) - zoo_envs.cart_pole_energy(parameters, state)
    power = force * state[:, 1] - state[:, 1] ** 2 - state[:, 3] ** 2
    np.testing.assert_allclose(gained / 1e-5, power, atol=0.05)


@pytest.mark.parametrize("side", [-1, 1])
def test_an_end_of_the_track_stops_the_cart_and_leaves_the_poles_momentum(side: int) -> None:
    parameters = make_parameters("pets", dt=1e-9, substeps=1)
    state = side * np.array([parameters.track_limit - 1e-12, 2.0, 0.4, 1.5])
    after = zoo_envs.simulate_cart_pole(parameters, state, 0.0)
    assert after[0] == side * parameters.track_limit
    assert after[1] == 0.0
    momentum = [
        parameters.first_moment * math.cos(0.4) * speed + parameters.pivot_inertia * spin
        for _, speed, _, spin in (state, after)
    ]
    assert momentum[1] == pytest.approx(momentum[0], abs=1e-6)
    assert zoo_envs.cart_pole_energy(parameters, after) < zoo_envs.cart_pole_energy(parameters, state)


def test_a_cart_held_at_an_end_leaves_it_when_pulled_back() -> None:
    env = make()
    env.reset(options={"state": [2.5, 0.0, math.pi, 0.0]})
    for _ in range(20):
        obs, _, terminated, _, _ = env.step([3.0])
        assert obs[0] == 2.5
        assert not terminated
    assert env.step([-3.0])[0][0] < 2.5


def test_a_track_can_end_the_episode_or_have_no_end() -> None:
    start = {"state": [2.49, 5.0, math.pi, 0.0]}
    terminating, free = make(track_end="terminate"), make(track_limit=math.inf)
    for env in (terminating, free):
        env.reset(options=start)
    assert terminating.step([3.0])[2]
    obs, _, terminated, _, _ = free.step([3.0])
    assert not terminated
    assert obs[0] > 2.6
    assert not np.isfinite(free.observation_space.high[0])


def test_simulating_many_rows_equals_simulating_each() -> None:
    state, force = random_states(32), np.linspace(-300, 300, 32)
    together = zoo_envs.simulate_cart_pole(PRESETS["pets"], state, force)
    alone = [zoo_envs.simulate_cart_pole(PRESETS["pets"], *row) for row in zip(state, force, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("preset", "state", "action", "expected"),
    [
        ("pets", [0, 0, 0, 0], 0.0, 1.0),
        ("pets", [0, 0, 0, 0], 3.0, 1.0 - 0.09),
        ("pets", [0.6, 0, 0, 0], 0.0, math.exp(-1)),
        ("pets", [0, 0, math.pi, 0], 0.0, math.exp(-4)),
        ("pilco", [0.25, 0, 0, 0], 10.0, math.exp(-0.5)),  # 1 - (1 - exp(-d²/2s²)) at d = s
        ("pilco", [0, 0, math.pi, 0], 0.0, math.exp(-8)),
    ],
)
def test_reward_has_the_papers_values(preset: str, state: list[float], action: float, expected: float) -> None:
    x, x_dot, theta, theta_dot = state
    obs = np.array([[x, x_dot, math.cos(theta), math.sin(theta), theta_dot]])
    assert make(preset=preset).reward(obs, np.array([[action]]), obs) == pytest.approx([expected])


def test_the_pole_balances_upright_for_a_reward_of_one() -> None:
    env = make(init_std=0.0)
    env.reset(options={"state": [0.0, 0.0, 0.0, 0.0]})
    assert env.step([0.0])[1] == pytest.approx(1.0)


def test_it_starts_hanging_with_small_noise() -> None:
    env = make()
    states = []
    for seed in range(300):
        env.reset(seed=seed)
        states.append(env.get_state())
    np.testing.assert_allclose(np.mean(states, axis=0), [0, 0, math.pi, 0], atol=0.03)
    np.testing.assert_allclose(np.std(states, axis=0), 0.1, rtol=0.2)


def test_explicit_parameters_override_the_preset() -> None:
    env = make(preset="pilco", force_mag=20.0, gear=4.0)
    assert env.parameters.cart_mass == 0.5
    assert env.action_space.high == pytest.approx([5.0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"preset": "pilko"}, "unknown preset 'pilko': choose from pets, pilco"),
        ({"gravitiy": 9.8}, "unknown cart-pole parameter 'gravitiy': did you mean 'gravity'?"),
        ({"cart_mass": 0.0}, "cart_mass must be a number greater than 0, got 0.0"),
        ({"cart_mass": math.inf}, "cart_mass must be a number finite, got inf"),
        ({"gravity": -1}, "gravity must be a number finite and at least 0, got -1"),
        ({"dt": math.nan}, "dt must be a number greater than 0, got nan"),
        ({"pole_length": "long"}, "pole_length must be a number greater than 0, got 'long'"),
        ({"substeps": 0}, "substeps must be an integer of at least 1, got 0"),
        ({"integrator": "rk5"}, "unknown integrator 'rk5': choose from rk4, euler"),
        ({"track_end": "bounce"}, "unknown track_end 'bounce': choose from stop, terminate"),
        ({"render_mode": "ascii"}, "unknown render_mode 'ascii': choose from human, rgb_array or None"),
    ],
)
def test_bad_arguments_are_named_with_value_and_range(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("?", r"\?")):
        zoo_envs.CartPoleSwingUpEnv(**kwargs)  # type: ignore[arg-type]


def test_parameters_are_checked_when_made_directly_too() -> None:
    with pytest.raises(ValueError, match="reward_scale must be a number greater than 0"):
        CartPoleParameters(reward_scale=0.0)
