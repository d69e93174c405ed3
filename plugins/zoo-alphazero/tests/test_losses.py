"""The loss, and what is learned from a game: numbers computed by hand."""

import math

import numpy as np
import torch

from zoo_alphazero.config import AlphaZeroConfig
from zoo_alphazero.learner import Learner
from zoo_alphazero.losses import entropy, outcomes, policy_loss, value_loss
from zoo_alphazero.replay import Positions
from zoo_mcts.games.tic_tac_toe import TicTacToe

X, NOUGHT = 0, 1


def test_the_policy_loss_is_the_cross_entropy_among_legal_moves():
    logits = torch.tensor([[0.0, math.log(3.0), 100.0]])  # the likeliest move by far is illegal
    legal = torch.tensor([[True, True, False]])
    loss = policy_loss(logits, torch.tensor([[0.5, 0.5, 0.0]]), legal)
    torch.testing.assert_close(loss, torch.tensor([-0.5 * math.log(0.25) - 0.5 * math.log(0.75)]))


def test_logits_of_illegal_moves_get_no_gradient():
    logits = torch.tensor([[0.0, 1.0, 5.0]], requires_grad=True)
    policy_loss(logits, torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[True, True, False]])).sum().backward()
    p = 1.0 / (1.0 + math.exp(-1.0))
    torch.testing.assert_close(logits.grad, torch.tensor([[-p, p, 0.0]]))  # p - π


def test_a_certain_policy_of_a_single_legal_move_loses_nothing():
    loss = policy_loss(torch.tensor([[3.0, -4.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[False, True]]))
    assert loss.item() == 0.0


def test_the_value_loss_is_the_square_of_the_error():
    loss = value_loss(torch.tensor([0.5, -1.0]), torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(loss, torch.tensor([0.25, 4.0]))


def test_entropy_is_in_nats_and_takes_zeros():
    torch.testing.assert_close(
        entropy(torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])), torch.tensor([math.log(2.0), 0.0])
    )


def test_the_winner_of_a_game_has_won_and_the_loser_lost_in_each_of_their_positions():
    reward, player = np.array([0.0, 0.0, 0.0, 0.0, 1.0]), np.array([X, NOUGHT, X, NOUGHT, X])
    assert outcomes(reward, player).tolist() == [1.0, -1.0, 1.0, -1.0, 1.0]


def test_a_draw_is_worth_nothing_to_anybody():
    assert outcomes(np.zeros(4), np.array([X, NOUGHT, X, NOUGHT])).tolist() == [0.0] * 4


def test_who_moves_twice_keeps_the_sign():
    reward, player = np.array([0.0, 0.0, 0.0, 1.0]), np.array([X, NOUGHT, NOUGHT, X])
    assert outcomes(reward, player).tolist() == [1.0, -1.0, -1.0, 1.0]


def test_what_was_paid_before_is_no_part_of_what_comes():
    reward, player = np.array([2.0, 0.0, 3.0]), np.array([X, NOUGHT, NOUGHT])
    assert outcomes(reward, player).tolist() == [2.0 - 3.0, 3.0, 3.0]


def make_learner(**options):
    small = {"network": "mlp", "num_blocks": 1, "channels": 4, "batch_size": 2, "learning_rate_drops": (), **options}
    return Learner(TicTacToe(), AlphaZeroConfig(**small), seed=0, device=torch.device("cpu"))


def some_positions(num, seed=0):
    rng = np.random.default_rng(seed)
    policy = rng.dirichlet(np.ones(9), num).astype(np.float32)
    planes = rng.integers(0, 2, (num, 3, 3, 2), np.int8)
    return Positions(planes, np.ones((num, 9), np.bool_), policy, rng.choice([-1.0, 1.0], num).astype(np.float32))


def test_a_step_follows_the_gradient_of_the_whole_loss():
    learner = make_learner(optimizer="sgd", momentum=0.0, learning_rate=0.1, l2=0.05)
    positions = some_positions(16)
    before = [each.detach().clone().requires_grad_() for each in learner.network.parameters()]
    names = [name for name, _ in learner.network.named_parameters()]
    planes, _, policy, outcome = (torch.from_numpy(array) for array in positions)
    value, logits = torch.func.functional_call(learner.network, dict(zip(names, before, strict=True)), (planes,))
    loss = ((outcome - value) ** 2 - (policy * torch.log_softmax(logits, 1)).sum(1)).mean()
    loss = loss + 0.05 * sum((each**2).sum() for each in before)
    gradient = torch.autograd.grad(loss, before)
    learner.update(positions)
    for after, start, slope in zip(learner.network.parameters(), before, gradient, strict=True):
        torch.testing.assert_close(after, start - 0.1 * slope)


def test_the_learning_rate_drops_after_so_many_updates():
    learner = make_learner(learning_rate=0.2, learning_rate_drops=((2, 0.02), (3, 0.002)))
    rates = []
    for _ in range(4):
        rates.append(learner.learning_rate)
        learner.update(some_positions(2))
        assert learner.optimizer.param_groups[0]["lr"] == rates[-1]
    assert rates == [0.2, 0.2, 0.02, 0.002]


def test_updates_learn_policy_and_value():
    learner, positions = make_learner(optimizer="adam", learning_rate=0.02, channels=64), some_positions(16)
    first = learner.update(positions)
    for _ in range(150):
        last = learner.update(positions)
    least = float(entropy(torch.from_numpy(positions.policy)).mean())
    assert float(first["policy_loss"]) > least + 0.3
    assert float(last["policy_loss"]) < least + 0.05
    assert float(first["value_loss"]) > 0.8
    assert float(last["value_loss"]) < 0.05


def test_a_network_is_in_the_mode_of_evaluation_between_updates():
    learner = make_learner()
    learner.update(some_positions(2))
    assert not learner.network.training


def test_planes_may_be_of_any_type():
    learner = make_learner()
    seen = some_positions(2).planes
    with torch.no_grad():
        values = [
            learner.network(torch.from_numpy(seen.astype(dtype)))[0] for dtype in (np.bool_, np.uint8, np.float64)
        ]
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(values[0], values[2])
