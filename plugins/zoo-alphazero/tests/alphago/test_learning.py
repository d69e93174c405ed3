"""The losses, against numbers that a reader can check."""

import numpy as np
import pytest
import torch
from torch import nn

from zoo_alphazero.alphago import learning
from zoo_alphazero.alphago.networks import LinearPolicy, log_policy
from zoo_alphazero.alphago.records import Records, replay

LEGAL = torch.tensor([[True, True, False]])


def test_illegal_moves_are_masked_before_the_softmax():
    log_p = log_policy(torch.tensor([[1.0, 1.0, 50.0]]), LEGAL)
    torch.testing.assert_close(log_p.exp(), torch.tensor([[0.5, 0.5, 0.0]]))


def test_the_supervised_loss_is_the_cross_entropy_over_the_legal_moves():
    logits = torch.tensor([[np.log(3.0), 0.0, 9.0]])
    loss = learning.supervised_loss(logits, LEGAL, torch.tensor([0]))
    torch.testing.assert_close(loss.item(), -np.log(0.75))


@pytest.mark.parametrize(("z", "goes"), [(-1.0, "down"), (1.0, "up")])
def test_a_move_of_a_lost_game_gets_less_likely_and_one_of_a_won_game_more(z, goes):
    logits = torch.zeros(1, 3, requires_grad=True)
    learning.policy_gradient_loss(logits, LEGAL, torch.tensor([0]), torch.tensor([z]), 1).backward()
    stepped = log_policy(logits.detach() - 0.1 * logits.grad, LEGAL)[0, 0].exp()
    assert (stepped < 0.5) == (goes == "down")
    assert logits.grad[0, 2] == 0.0  # nothing pulls at an illegal move


def test_the_policy_gradient_is_the_sum_over_moves_and_the_mean_over_games():
    logits = torch.zeros(3, 2)
    legal = torch.ones(3, 2, dtype=torch.bool)
    loss = learning.policy_gradient_loss(logits, legal, torch.tensor([0, 1, 1]), torch.tensor([1.0, 1.0, -0.5]), 2)
    torch.testing.assert_close(loss.item(), 1.5 * np.log(2.0) / 2)


def test_the_value_loss_is_the_squared_error():
    assert learning.value_loss(torch.tensor([0.5, -1.0]), torch.tensor([1.0, 1.0])).item() == (0.25 + 4.0) / 2


def test_the_gradient_of_the_linear_policy_is_that_of_finite_differences(game, games):
    policy = LinearPolicy(game).double()
    nn.init.normal_(policy.linear.weight, generator=torch.Generator().manual_seed(0))
    steps = replay(game, games)
    planes = torch.from_numpy(steps.planes).double()
    legal, action = torch.from_numpy(steps.legal), torch.from_numpy(steps.action)

    def loss():
        logits = policy.linear(planes.flatten(1))
        return learning.supervised_loss(logits, legal, action)

    loss().backward()
    weight, eps = policy.linear.weight, 1e-6
    for place in [(0, 0), (4, 7), (8, 17)]:
        with torch.no_grad():
            weight[place] += eps
            above = loss().item()
            weight[place] -= 2 * eps
            below = loss().item()
            weight[place] += eps
        assert weight.grad[place].item() == pytest.approx((above - below) / (2 * eps), abs=1e-8)


def test_a_mirrored_position_has_its_move_mirrored():
    from zoo_mcts.games.lookup import make_game

    game = make_game("connect_four_v3")
    steps = replay(game, Records.of(game, [[0, 6, 1]], [1.0]))
    rng, seen = torch.Generator().manual_seed(0), set()
    for _ in range(8):
        planes, legal, action = learning.moves_seen_otherwise(game, steps, np.arange(3), rng, torch.device("cpu"))
        seen.add(tuple(action.tolist()))
        stone = int(planes[1, 5].sum(1).argmax())  # of the first move
        assert stone == action[0]
        assert legal.all()
    assert seen == {(0, 6, 1), (6, 0, 5)}


def test_batches_hold_every_index_once():
    parts = list(learning.batches(103, 10, torch.Generator().manual_seed(0)))
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert {len(part) for part in parts} == {10, 11}


def test_accuracy_counts_the_likeliest_legal_move(game, games):
    steps = replay(game, games)
    policy = LinearPolicy(game)
    with torch.no_grad():
        policy.linear.bias[0] = 1.0  # the likeliest where it is legal; else the first that is
    right = np.mean(np.where(steps.legal[:, 0], 0, steps.legal.argmax(1)) == steps.action)
    assert learning.accuracy(policy, steps, torch.device("cpu")) == pytest.approx(right)
