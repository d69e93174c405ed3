"""The mixed replay buffer: what is stored where, and what SB3 gets."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import VecNormalize

from zoo_core.acting import as_vec_env
from zoo_core.replay.experience import Transitions
from zoo_mbpo.buffer import MixedReplayBuffer

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTIONS = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([3.0, 1.0], np.float32))
DREAMED = -7.0  # reward of what is imagined


def make_buffer(**options):
    return MixedReplayBuffer(1_000, OBSERVATIONS, ACTIONS, "cpu", **options)


def add_real(buffer, num, *, action=(0.0, 0.0), done=False, info=None):
    for i in range(num):
        obs = np.full((1, 2), i, np.float32)
        scaled = np.array([action], np.float32)
        buffer.add(obs, obs + 1, scaled, np.array([1.0 + i]), np.array([done]), [info or {}])


def add_dreams(buffer, num, *, terminated=False):
    obs = torch.zeros(num, 2)
    flags = torch.full((num,), terminated), torch.zeros(num, dtype=torch.bool)
    buffer.dreams.resize(1_000)
    buffer.add_dreams(Transitions(obs, torch.tensor([[3.0, 0.5]] * num), torch.full((num,), DREAMED), obs + 9, *flags))


@pytest.mark.parametrize(("ratio", "num_real"), [(0.05, 13), (0.0, 0), (0.5, 128), (1.0, 256)])
def test_a_fixed_part_of_a_batch_is_real(ratio, num_real):
    buffer = make_buffer(real_ratio=ratio)
    add_real(buffer, 20)
    add_dreams(buffer, 30)
    rewards = buffer.sample(256).rewards
    assert rewards.shape == (256, 1)
    assert int((rewards != DREAMED).sum()) == num_real


def test_all_is_real_while_there_are_no_dreams():
    buffer = make_buffer()
    add_real(buffer, 20)
    assert bool((buffer.sample(64).rewards > 0).all())


def test_no_dream_gets_into_the_real_steps():
    buffer = make_buffer()
    add_real(buffer, 20)
    before = buffer.replay.to_file()[1]
    add_dreams(buffer, 500)
    buffer.sample(256)
    after = buffer.replay.to_file()[1]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (buffer.size(), len(buffer.dreams)) == (20, 500)


def test_real_actions_are_stored_in_the_units_of_the_environment_and_given_back_as_sb3_scales_them():
    buffer = make_buffer()
    add_real(buffer, 1, action=(0.5, -1.0))
    np.testing.assert_allclose(buffer.replay.transitions().action, [[2.0, 0.0]])
    torch.testing.assert_close(buffer.sample(1).actions, torch.tensor([[0.5, -1.0]]))


def test_imagined_actions_are_given_as_sb3_scales_them():
    buffer = make_buffer(real_ratio=0.0)
    add_dreams(buffer, 1)
    torch.testing.assert_close(buffer.sample(1).actions, torch.tensor([[1.0, 0.0]]))


def test_the_environment_did_what_is_stored():
    class Spy(as_vec_env("Pendulum-v1").envs[0].unwrapped.__class__):
        taken = []  # noqa: RUF012

        def step(self, action):
            self.taken.append(np.array(action))
            return super().step(action)

    sac = SAC("MlpPolicy", Spy(), replay_buffer_class=MixedReplayBuffer, learning_starts=5, gradient_steps=0, seed=0)
    sac.learn(30)
    np.testing.assert_array_equal(sac.replay_buffer.replay.transitions().action, np.array(Spy.taken))


def test_unscaling_undoes_scaling_and_keeps_the_shape_of_the_space():
    space = spaces.Box(np.array([[-2.0], [0.0]], np.float32), np.array([[2.0], [5.0]], np.float32))
    buffer = MixedReplayBuffer(10, OBSERVATIONS, space, "cpu")
    units = torch.tensor([[1.0, 0.0], [-2.0, 5.0]])
    torch.testing.assert_close(buffer.scale(units), torch.tensor([[0.5, -1.0], [-1.0, 1.0]]))
    torch.testing.assert_close(buffer.unscale(buffer.scale(units)), units[:, :, None])


@pytest.mark.parametrize(
    ("info", "terminated"), [({}, 1.0), ({"TimeLimit.truncated": False}, 1.0), ({"TimeLimit.truncated": True}, 0.0)]
)
def test_sb3_bootstraps_through_timeouts_and_not_through_terminations(info, terminated):
    buffer = make_buffer()
    add_real(buffer, 1, done=True, info=info)
    assert buffer.sample(1).dones.item() == terminated
    assert bool(buffer.replay.transitions().truncated[0]) == (not terminated)


def test_terminations_of_dreams_are_not_bootstrapped_through():
    buffer = make_buffer(real_ratio=0.0)
    add_dreams(buffer, 3, terminated=True)
    assert buffer.sample(8).dones.tolist() == [[1.0]] * 8


def test_observations_have_their_shape_and_all_is_float32():
    space = spaces.Box(-1, 1, (2, 3), np.float64)
    buffer = MixedReplayBuffer(10, space, ACTIONS, "cpu")
    obs = np.arange(6.0).reshape(1, 2, 3) / 6
    buffer.add(obs, obs / 2, np.zeros((1, 2)), np.ones(1), np.zeros(1, bool), [{}])
    batch = buffer.sample(4)
    torch.testing.assert_close(batch.observations, torch.from_numpy(np.repeat(obs, 4, 0)).float())
    torch.testing.assert_close(batch.next_observations, batch.observations / 2)
    assert batch.actions.dtype == batch.rewards.dtype == batch.dones.dtype == torch.float32


def test_the_same_global_stream_gives_the_same_batch():
    buffer = make_buffer()
    add_real(buffer, 20)
    add_dreams(buffer, 30)
    batches = []
    for _ in range(2):
        torch.manual_seed(0)
        batches.append(buffer.sample(100))
    assert all(torch.equal(a, b) for a, b in zip(*(batch[:5] for batch in batches), strict=True))


def test_reset_drops_everything():
    buffer = make_buffer()
    add_real(buffer, 20)
    add_dreams(buffer, 30)
    buffer.reset()
    assert (buffer.size(), len(buffer.dreams)) == (0, 0)


def test_the_oldest_real_steps_go_when_there_is_no_room_left():
    buffer = MixedReplayBuffer(10, OBSERVATIONS, ACTIONS, "cpu")
    add_real(buffer, 15)
    assert buffer.replay.transitions().reward.tolist() == list(range(6, 16))


def test_an_empty_replay_that_is_given_is_taken():
    own = make_buffer().replay
    assert make_buffer(replay=own).replay is own


@pytest.mark.parametrize(
    ("observations", "actions", "options", "message"),
    [
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), ACTIONS, {}, "takes observations of floating point type, got"),
        (spaces.Discrete(3), ACTIONS, {}, "takes Box observation spaces, got Discrete"),
        (OBSERVATIONS, spaces.Discrete(3), {}, "takes Box action spaces, got Discrete"),
        (OBSERVATIONS, spaces.Box(-np.inf, np.inf, (1,)), {}, "takes actions with finite bounds"),
        (OBSERVATIONS, ACTIONS, {"real_ratio": 1.5}, r"real_ratio must be in \[0.0, 1.0\], got 1.5"),
        (OBSERVATIONS, ACTIONS, {"optimize_memory_usage": True}, "optimize_memory_usage must be False"),
    ],
)
def test_what_it_cannot_store_is_refused(observations, actions, options, message):
    with pytest.raises(ValueError, match=message):
        MixedReplayBuffer(10, observations, actions, "cpu", **options)


@pytest.mark.parametrize("which", ["norm_obs", "norm_reward"])
def test_normalised_batches_are_refused(which):
    flags = {"norm_obs": False, "norm_reward": False}
    buffer = make_buffer()
    add_real(buffer, 2)
    env = as_vec_env("Pendulum-v1")
    buffer.sample(1, env=VecNormalize(env, **flags))
    with pytest.raises(ValueError, match="take it out of VecNormalize, or set norm_obs=False and norm_reward=False"):
        buffer.sample(1, env=VecNormalize(env, **{**flags, which: True}))
