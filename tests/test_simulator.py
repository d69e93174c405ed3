"""The environment itself as a world model is exact."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import zoo_core
from zoo_core import seeding
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.plugins import make_env
from zoo_core.replay import Replay
from zoo_core.simulator import SettableEnv, SimulatorModel
from zoo_core.testing import check_world_model
from zoo_core.testing.fakes import Corridor
from zoo_core.world_model import repeat

CLASSIC = ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"]
ALL = [*CLASSIC, "zoo_envs/CartPoleSwingUp-v0", "zoo_envs/LinearSystem-v0"]
RNG = seeding.rng(0)


@pytest.mark.parametrize("env_id", ALL)
def test_it_keeps_the_contract(env_id):
    check_world_model(SimulatorModel(env_id), Replay.collect(env_id, 30, seed=0))


@pytest.mark.parametrize("env_id", CLASSIC)
def test_it_steps_bit_for_bit_as_the_environment(env_id):
    env = gym.make(env_id)
    env.action_space.seed(0)
    obs, _ = env.reset(seed=4)
    model = SimulatorModel(env_id)
    state = model.initial_state(1, rng=RNG)
    state.simulator[0] = torch.as_tensor(np.array(env.unwrapped.state, dtype=np.float64))
    for _ in range(30):
        action = env.action_space.sample()
        obs, reward, terminated, truncated, _ = env.step(action)
        step = model.step(state, torch.as_tensor(np.asarray(action))[None], rng=RNG)
        state = step.state
        assert np.array_equal(model.decode(state)[0].numpy(), obs)
        assert float(step.reward) == np.float32(reward)
        assert bool(step.continues == 0) == terminated
        if terminated or truncated:
            break


@pytest.mark.parametrize("env_id", ALL)
def test_a_belief_that_begins_at_an_observation_shows_it_and_goes_on_from_it(env_id):
    replay = Replay.collect(env_id, 25, seed=1)
    steps = replay.tensors()
    model = SimulatorModel(env_id)
    state = model.observe(None, None, steps.obs, None, rng=RNG)
    assert torch.equal(model.decode(state), steps.obs)
    step = model.step(state, steps.action, rng=RNG)
    if env_id != "zoo_envs/LinearSystem-v0":  # whose noise is drawn anew
        assert torch.allclose(model.decode(step.state), steps.next_obs, atol=1e-5)
        assert torch.allclose(step.reward, steps.reward, atol=1e-4)
    assert torch.equal(step.continues == 0, steps.terminated)


def test_between_observations_the_exact_state_is_kept():
    model = SimulatorModel("Pendulum-v1")
    state = model.initial_state(1, rng=RNG)
    step = model.step(state, torch.ones(1, 1), rng=RNG)
    seen = model.observe(state, torch.ones(1, 1), model.decode(step.state), torch.tensor([False]), rng=RNG)
    assert torch.equal(seen.simulator, step.state.simulator)
    begun = model.observe(None, None, model.decode(step.state), None, rng=RNG)
    assert not torch.equal(begun.simulator, step.state.simulator)  # an angle rounded to float32


def test_after_the_end_nothing_happens():
    model = SimulatorModel("CartPole-v1")
    tilted = torch.tensor([[0.0, 0.0, 0.209, 2.0]])
    state = model.observe(None, None, tilted, None, rng=RNG)
    fallen = model.step(state, torch.tensor([0]), rng=RNG)
    assert (float(fallen.reward), float(fallen.continues)) == (1.0, 0.0)
    after = model.step(fallen.state, torch.tensor([0]), rng=RNG)
    assert (float(after.reward), float(after.continues)) == (0.0, 0.0)
    assert torch.equal(after.state.simulator, fallen.state.simulator)


def test_it_knows_what_it_does_not_know_nothing():
    model = SimulatorModel("Pendulum-v1")
    step = model.step(model.initial_state(3, rng=RNG), torch.zeros(3, 1), rng=RNG, uncertainty=True)
    assert {name: values.tolist() for name, values in step.uncertainty.items()} == {
        "epistemic": [0.0] * 3,
        "aleatoric": [0.0] * 3,
    }


def test_arguments_go_to_the_environment():
    heavy = SimulatorModel("Pendulum-v1", g=20.0)
    light = SimulatorModel(make_env("Pendulum-v1"))
    assert heavy._settable.env.g == 20.0
    assert light.env_id == heavy.env_id == "Pendulum-v1"


def test_an_environment_whose_state_cannot_be_set_is_refused():
    with pytest.raises(TypeError, match="the state of Corridor cannot be set: SimulatorModel takes"):
        SimulatorModel(Corridor("vector"))


def test_an_environment_that_shows_no_box_is_refused():
    with pytest.raises(UnsupportedSpaceError, match="SimulatorModel takes Box observation spaces, got Discrete"):
        SimulatorModel("FrozenLake-v1")


def test_there_is_nothing_to_save(tmp_path):
    with pytest.raises(TypeError, match=r"make it again with SimulatorModel\(env\)"):
        SimulatorModel("Pendulum-v1").save(tmp_path / "model")


class Counter(gym.Env):
    """An environment with methods of its own to set its state."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self):
        self.count = 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0.0
        return self._obs(), {}

    def step(self, action):
        self.count += 1 + int(action)
        return self._obs(), self.count, self.count >= 9, False, {}

    def get_state(self):
        return np.array([self.count])

    def set_state(self, state):
        self.count = float(state[0])

    def state_from_observation(self, obs):
        return np.asarray(obs)

    def _obs(self):
        return np.array([self.count], np.float32)


def test_an_environment_brings_its_own_way_to_set_the_state():
    settable = SettableEnv(Counter())
    settable.set_state(np.array([4.0]))
    assert settable.get_state().tolist() == [4.0]
    model = SimulatorModel(Counter())
    state = model.observe(None, None, torch.tensor([[3.0], [8.0]]), None, rng=RNG)
    step = model.step(state, torch.tensor([1, 0]), rng=RNG)
    assert step.reward.tolist() == [5.0, 9.0]
    assert step.continues.tolist() == [1.0, 0.0]


def test_a_simulator_with_noise_draws_it_from_the_rng_of_the_step():
    model = SimulatorModel("zoo_envs/LinearSystem-v0", noise_std=0.1)
    state = model.initial_state(3, rng=zoo_core.rng(0))
    action = torch.zeros(3, 1)
    first, again, other = (model.decode(model.step(state, action, rng=zoo_core.rng(s)).state) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_noise_of_a_row_does_not_depend_on_the_other_rows():
    model = SimulatorModel("zoo_envs/LinearSystem-v0", noise_std=0.1)
    state = model.initial_state(3, rng=zoo_core.rng(0))
    action = torch.zeros(3, 1)
    moved = torch.tensor([[0.0], [5.0], [5.0]])
    alone, beside = (model.decode(model.step(state, a, rng=zoo_core.rng(1)).state) for a in (action, moved))
    assert torch.equal(alone[0], beside[0])
    assert not torch.equal(alone[1:], beside[1:])


def test_the_noise_has_the_deviation_of_the_environment():
    model = SimulatorModel("zoo_envs/LinearSystem-v0", noise_std=0.1)
    state = repeat(model.initial_state(1, rng=zoo_core.rng(0)), 2_000)
    after = model.decode(model.step(state, torch.zeros(2_000, 1), rng=zoo_core.rng(1)).state)
    assert after.std(0).tolist() == pytest.approx([0.1, 0.1], rel=0.08)


def test_an_environment_that_hides_part_of_its_state_is_refused():
    with pytest.raises(TypeError, match="the state of MaskedPendulumEnv does not follow from its observations"):
        SimulatorModel("zoo_envs/MaskedPendulum-v0")
