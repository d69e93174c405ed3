"""What a network promises: values in range, rows that do not know of each other, a fold that changes nothing."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from zoo_alphazero.networks import fold, make_network

BOARD, FLAT = Box(0, 1, (6, 7, 2), np.int8), Box(-1.0, 1.0, (5,), np.float32)


def make(view=BOARD, *, seed=0, **size):
    size = {"network": "residual", "num_blocks": 2, "channels": 8, **size}
    return make_network(view, 7, seed=seed, device=torch.device("cpu"), **size)


def some_planes(num=16):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 2, (num, *BOARD.shape), np.int8))


@pytest.fixture(params=["residual", "mlp"])
def network(request):
    network = make(network=request.param)
    for _ in range(20):  # until the norms know the planes
        network(some_planes())
    return network.eval()


def test_a_fold_changes_nothing(network):
    with torch.no_grad():
        for whole, folded in zip(network(some_planes()), fold(network)(some_planes()), strict=True):
            torch.testing.assert_close(whole, folded)


def test_a_fold_has_no_norm_and_leaves_the_network_alone(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_rows_do_not_know_of_each_other(network):
    planes, folded = some_planes(), fold(network)
    with torch.no_grad():
        whole = folded(planes)
        alone = [folded(planes[i : i + 1]) for i in range(len(planes))]
    torch.testing.assert_close(whole[0], torch.cat([value for value, _ in alone]))
    torch.testing.assert_close(whole[1], torch.cat([logits for _, logits in alone]))


def test_values_lie_within_what_a_game_can_pay(network):
    with torch.no_grad():
        value, logits = network(some_planes() * 100)
    assert value.shape == (16,)
    assert logits.shape == (16, 7)
    assert (value.abs() <= 1.0).all()


def test_weights_depend_on_the_seed_alone():
    first, same, other = make(seed=3).state_dict(), make(seed=3).state_dict(), make(seed=4).state_dict()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["body.stem.conv.weight"], other["body.stem.conv.weight"])


def test_the_tower_has_the_size_of_the_paper():
    network = make(Box(0, 1, (19, 19, 17), np.bool_), num_blocks=19, channels=256)
    convolutions = [module for module in network.body.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 39  # one, and two in each of 19 blocks
    assert network.policy_head.layers.in_features == 2 * 19 * 19
    assert network.value_head.layers[0].in_features == 19 * 19


def test_an_mlp_takes_a_flat_view():
    network = make_network(FLAT, 7, seed=0, device=torch.device("cpu"), network="mlp", num_blocks=2, channels=8)
    value, logits = network(torch.zeros(3, 5))
    assert (value.shape, logits.shape) == ((3,), (3, 7))


def test_a_tower_on_a_flat_view_is_refused():
    with pytest.raises(ValueError, match=r"needs planes \[H, W, C\], the view is \[5\]: set network=mlp"):
        make(FLAT)


def test_another_kind_of_network_is_refused():
    with pytest.raises(ValueError, match="network must be one of residual, mlp, got 'transformer'"):
        make(network="transformer")
