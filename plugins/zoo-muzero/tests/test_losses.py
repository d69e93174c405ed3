"""The loss over K steps: what flows where, and how much."""

import pytest
import torch

from zoo_muzero.losses import Batch, muzero_losses, position_scale, scale_gradient, unroll
from zoo_muzero.networks import Network, Sizes, make_network
from zoo_muzero.support import two_hot

SIZES = Sizes(1, 6, 8, 1, 4, 1, 5, 5)


class Chain(Network):
    """A dynamics that does nothing, so that only scales are left of a gradient."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.root = torch.nn.Parameter(torch.ones(1, 4))

    def represent(self, frames, actions):
        return self.root.expand(len(frames), -1)

    def dynamics(self, hidden, action):
        return hidden


def batch(network_actions=3, num=4, unroll_steps=3, **changes):
    rng = torch.Generator().manual_seed(0)
    policy = torch.rand(num, unroll_steps + 1, network_actions, generator=rng).softmax(-1)
    full = Batch(
        frames=torch.randn(num, 1, 5, generator=rng),
        past_actions=None,
        action=torch.randint(network_actions, (num, unroll_steps), generator=rng),
        reward=torch.randn(num, unroll_steps, generator=rng),
        value=torch.randn(num, unroll_steps + 1, generator=rng),
        policy=policy,
        known=torch.ones(num, unroll_steps + 1, dtype=torch.bool),
        weight=torch.ones(num),
    )
    return full._replace(**changes)


def losses(network, given):
    return muzero_losses(network, given, value_support=5, reward_support=5)


@pytest.fixture
def network():
    made, rng = make_network((5,), 3, SIZES, kind="mlp", bright=1.0), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():  # the last layers begin as zeros, and say the same of every position
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return made


@pytest.mark.parametrize("k", range(4))
def test_the_gradient_of_the_kth_position_reaches_the_first_halved_k_times(k):
    chain = Chain()
    unroll(chain, batch())[k].sum().backward()
    torch.testing.assert_close(chain.root.grad, torch.full((1, 4), 4 * 0.5**k))


def test_scaling_a_gradient_leaves_the_number():
    x = torch.tensor(3.0, requires_grad=True)
    y = scale_gradient(x, 0.25)
    y.backward()
    assert (y.item(), x.grad.item()) == (3.0, 0.25)


def test_imagined_positions_count_one_kth():
    torch.testing.assert_close(position_scale(4, torch.ones(1)), torch.tensor([1.0, 0.25, 0.25, 0.25, 0.25]))


def test_the_losses_equal_a_loop_over_positions(network):
    given = batch()
    found = losses(network, given)
    hidden, value, policy, reward = network.represent(given.frames, None), 0.0, 0.0, 0.0
    for k in range(4):
        if k:
            hidden = network.dynamics(hidden, given.action[:, k - 1])
        said, scale = network.predict(hidden), 1.0 if k == 0 else 1 / 3
        value = value - scale * (two_hot(given.value[:, k], 5) * said.value.log_softmax(-1)).sum(-1)
        policy = policy - scale * (given.policy[:, k] * said.policy.log_softmax(-1)).sum(-1)
        if k:
            reward = reward - scale * (two_hot(given.reward[:, k - 1], 5) * said.reward.log_softmax(-1)).sum(-1)
    for one, other in zip(found, (value, policy, reward), strict=True):
        torch.testing.assert_close(one, other)


def test_positions_that_are_not_known_make_no_difference(network):
    known = torch.tensor([[True, True, False, False]] * 4)
    first = batch(known=known)
    second = first._replace(
        value=torch.where(known, first.value, 9.0), reward=torch.where(known[:, 1:], first.reward, 9.0)
    )
    for one, other in zip(losses(network, first), losses(network, second), strict=True):
        torch.testing.assert_close(one, other)
    unknown = [each.sum() for each in losses(network, first._replace(known=torch.zeros_like(known)))]
    assert unknown == [0.0, 0.0, 0.0]


def test_rows_do_not_know_of_each_other(network):
    given = batch()
    alone = Batch(*(None if part is None else part[:1] for part in given))
    for whole, one in zip(losses(network, given), losses(network, alone), strict=True):
        torch.testing.assert_close(whole[:1], one)
