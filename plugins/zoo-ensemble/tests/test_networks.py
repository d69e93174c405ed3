"""Members side by side: each row through its own, and nobody in anybody's seat."""

import pytest
import torch
from torch.nn.functional import silu

from zoo_ensemble.networks import ROWS_IN_CACHE, ROWS_WORTH_A_CHOICE, BatchedNetwork, Seating

NUM_MEMBERS = 5
SEATINGS = {
    "random": torch.randint(NUM_MEMBERS, (64,), generator=torch.Generator().manual_seed(0)),
    "unbalanced": torch.tensor([0] * 30 + [3] + [1] * 5 + [0] * 4),
    "all on one": torch.full((16,), 2),
    "one row": torch.tensor([4]),
    "one each": torch.arange(NUM_MEMBERS).flip(0),
    "many on few": torch.tensor([3, 1, 1] * 100),
}


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BatchedNetwork(NUM_MEMBERS, [3, 16, 16, 2])
        for layer in network.layers:
            torch.nn.init.normal_(layer.bias)
    return network


def forward_alone(network, row, member):
    """The output `[out]` of one member for one row, without batching."""
    for i, layer in enumerate(network.layers):
        row = row @ layer.weight[member] + layer.bias[member, 0]
        row = silu(row) if i < len(network.layers) - 1 else row
    return row


@pytest.mark.parametrize("member", SEATINGS.values(), ids=SEATINGS)
def test_each_row_goes_through_its_own_member(network, member):
    x = torch.randn(len(member), 3, generator=torch.Generator().manual_seed(1))
    seating = Seating.of(member, NUM_MEMBERS)
    together = seating.through(network, x)
    alone = torch.stack([forward_alone(network, row, int(e)) for row, e in zip(x, member, strict=True)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("member", SEATINGS.values(), ids=SEATINGS)
def test_a_row_that_is_seated_and_fetched_is_the_same_row(member):
    x = torch.randn(len(member), 3, generator=torch.Generator().manual_seed(1))
    seating = Seating.of(member, NUM_MEMBERS)
    assert torch.equal(seating.gather(seating.spread(x)), x)
    assert seating.length == int(member.bincount().max())  # no more seats than the busiest member needs


def seats_of_a_draw(num_rows, elites):
    """Returns the seating of an even draw among elites, and the member of each row."""
    places = -(-num_rows // len(elites)) * len(elites)
    drawn = torch.randperm(places, generator=torch.Generator().manual_seed(2))[:num_rows]
    return Seating.shared_out(drawn, elites, NUM_MEMBERS), elites[drawn % len(elites)]


@pytest.mark.parametrize("elites", [[4, 0, 3, 1, 2], [3, 1], [2]], ids=str)
@pytest.mark.parametrize("num_rows", [1, 7, 15, 2 * NUM_MEMBERS * ROWS_WORTH_A_CHOICE - 1])
def test_an_even_draw_is_seated_without_a_look_at_it(network, num_rows, elites):
    x = torch.randn(num_rows, 3, generator=torch.Generator().manual_seed(1))
    seating, member = seats_of_a_draw(num_rows, torch.tensor(elites))
    looked_up = Seating.of(member, NUM_MEMBERS)
    assert seating.length == looked_up.length
    assert torch.equal(seating.gather(seating.spread(x)), x)
    torch.testing.assert_close(seating.through(network, x), looked_up.through(network, x))


def test_members_that_are_no_elites_have_no_seats_in_a_large_draw():
    seating, _ = seats_of_a_draw(2 * ROWS_WORTH_A_CHOICE, torch.tensor([3, 1]))
    assert seating.members.tolist() == [3, 1]
    assert len(seating.occupant) == 2 * ROWS_WORTH_A_CHOICE


@pytest.mark.parametrize("num_rows", [1, 8, 2 * ROWS_IN_CACHE + 3])
def test_the_result_is_the_same_with_and_without_gradients(network, num_rows):
    """Without them, large batches are cut into pieces and activations overwrite what they came from."""
    x = torch.randn(NUM_MEMBERS, num_rows, 3, generator=torch.Generator().manual_seed(1))
    before = x.clone()
    with torch.no_grad():
        in_place = network(x)
    torch.testing.assert_close(in_place, network(x))
    assert torch.equal(x, before)


def test_initial_weights_are_truncated_normals_of_the_papers_width():
    weight, bias = (parameter.detach() for parameter in BatchedNetwork(8, [100, 200]).parameters())
    std = 1 / (2 * 100**0.5)
    assert weight.abs().max() <= 2 * std
    # A normal cut at two deviations has 0.8796 of its deviation; 160,000 draws give that within 1 %.
    assert float(weight.std()) == pytest.approx(0.8796 * std, rel=0.01)
    assert not bias.any()


def test_members_without_a_row_cost_nothing(network):
    """What they would say is not even computed."""
    member = SEATINGS["many on few"]
    seating = Seating.of(member, NUM_MEMBERS)
    assert seating.members.tolist() == [1, 3]
    assert seating.spread(torch.zeros(len(member), 3)).shape == (2, 200, 3)
