"""SAC is SB3's own: without dreams, and given the same draws, it learns the same weights to the last bit."""

import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer

import zoo_core
from zoo_mbpo.buffer import MixedReplayBuffer

ARGUMENTS = {"learning_starts": 30, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}, "seed": 0, "device": "cpu"}


class SameDraws(ReplayBuffer):
    """SB3's own buffer, drawing rows where MixedReplayBuffer does."""

    def sample(self, batch_size, env=None):
        rows = torch.randint(self.size(), (batch_size,), generator=torch.default_generator)
        return self._get_samples(rows.numpy(), env=env)


@pytest.mark.parametrize("env", ["Pendulum-v1", "InvertedPendulum-v5"])
def test_without_dreams_it_learns_what_sac_learns(env):
    first, second = (
        SAC("MlpPolicy", env, replay_buffer_class=buffer, **ARGUMENTS).learn(80)
        for buffer in (SameDraws, MixedReplayBuffer)
    )
    before = SAC("MlpPolicy", env, **ARGUMENTS).policy.state_dict()
    learned = first.policy.state_dict(), second.policy.state_dict()
    assert all(torch.equal(learned[0][name], learned[1][name]) for name in before)
    assert not torch.equal(before["actor.mu.weight"], learned[0]["actor.mu.weight"])


def test_the_agents_sac_is_sb3s():
    sac = zoo_core.make_agent("mbpo", "Pendulum-v1", {"updates_per_step": 3}, seed=0).learner.algorithm
    assert type(sac) is SAC
    assert all(getattr(type(sac), name) is getattr(SAC, name) for name in ("train", "collect_rollouts", "learn"))
    assert (sac.gradient_steps, sac.learning_starts) == (3, 5_000)
