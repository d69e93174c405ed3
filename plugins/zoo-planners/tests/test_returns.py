"""What candidates return in a world whose every reward is written down."""

from typing import NamedTuple

import pytest
import torch
from gymnasium.spaces import Box, Discrete

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Evaluation
from zoo_core.world_model import ModelStep, WorldModel
from zoo_planners.returns import follow, imagine, prefer, rank_nan_last, weighted

CONTINUES = torch.tensor([0.5, 0.8, 1.0])  # after each of three steps
NAN = float("nan")


class Place(NamedTuple):
    """Where a row is, `[B]` each."""

    root: torch.Tensor
    particle: torch.Tensor
    time: torch.Tensor


class Ledger(WorldModel):
    """Pays the action, and a particle of index p 6 p more; root 2 ends with the last step."""

    def __init__(self, action_space=None, legal=None):
        super().__init__(Box(-1.0, 1.0, (1,)), action_space or Box(-100.0, 100.0, (1,)))
        self.legal = legal

    def observe(self, state, action, obs, is_first, *, rng):
        return Place(*(torch.arange(len(obs)) * factor for factor in (1, 0, 0)))

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        reward = action.reshape(len(action), -1)[:, 0] + 6.0 * state.particle
        ends = (state.root == 2) & (state.time == 2)
        return ModelStep(state._replace(time=state.time + 1), reward, CONTINUES[state.time].masked_fill(ends, 0.0))

    def particles(self, state, num, *, rng):
        state = super().particles(state, num, rng=rng)
        return state._replace(particle=torch.arange(len(state.root)) % num)

    def legal_actions(self, state):
        return None if self.legal is None else self.legal[state.root]


@pytest.fixture
def ledger():
    return Ledger()


def roots(num):
    return Ledger().observe(None, None, torch.zeros(num, 1), None, rng=None)


def sequences(*rows):
    """Returns one candidate for each root: `[B, 1, H, 1]`."""
    return torch.tensor(rows)[:, None, :, None]


def worth(values):
    """Returns an `evaluate` that gives root i the i-th value."""
    return lambda state, *, rng: Evaluation(torch.tensor(values)[state.root])


def test_a_return_is_discounted_by_gamma_and_by_the_probability_of_going_on(ledger, rng):
    actions = sequences((1.0, 2.0, 4.0), (0.0, 0.0, 1.0))
    imagined = imagine(ledger, roots(2), follow(actions), 1, 3, rng=rng, gamma=0.9)
    by_hand = [1.0 + 0.9 * 0.5 * 2.0 + 0.81 * 0.5 * 0.8 * 4.0, 0.81 * 0.4]
    torch.testing.assert_close(imagined.returns[:, 0], torch.tensor(by_hand))
    assert torch.equal(imagined.actions, actions)


def test_the_value_of_the_last_state_counts_by_the_probability_of_getting_there(ledger, rng):
    imagined = imagine(
        ledger, roots(2), follow(torch.zeros(2, 1, 3, 1)), 1, 3, rng=rng, gamma=0.9, evaluate=worth([10.0, -5.0])
    )
    share = 0.9**3 * 0.5 * 0.8
    torch.testing.assert_close(imagined.returns[:, 0], torch.tensor([10.0 * share, -5.0 * share]))


def test_no_value_is_asked_for_after_an_end_not_even_one_that_is_no_number(ledger, rng):
    actions = torch.ones(3, 1, 3, 1)
    imagined = imagine(ledger, roots(3), follow(actions), 1, 3, rng=rng, evaluate=worth([0.0, NAN, NAN]))
    torch.testing.assert_close(imagined.returns[:, 0], torch.tensor([1.9, NAN, 1.9]), equal_nan=True)


def test_no_reward_counts_after_an_end_not_even_one_that_is_no_number(rng):
    """Root 2 ends with the third of four steps, root 1 goes on."""

    class Broken(Ledger):
        def step(self, state, action, **kwargs):
            step = super().step(state._replace(time=state.time.clamp_max(2)), action, **kwargs)
            late = state.time == 3
            return step._replace(reward=step.reward.masked_fill(late, NAN))

    actions = torch.ones(3, 1, 4, 1, requires_grad=True)
    returns = imagine(Broken(), roots(3), follow(actions), 1, 4, rng=rng).returns
    torch.testing.assert_close(returns[1:, 0], torch.tensor([NAN, 1.9]), equal_nan=True)
    (gradient,) = torch.autograd.grad(returns[2].sum(), actions)
    torch.testing.assert_close(gradient[2, 0, :, 0], torch.tensor([1.0, 0.5, 0.4, 0.0]))


def test_an_end_passes_no_gradient_of_what_is_no_number_on():
    weight = torch.tensor([0.5, 0.0], requires_grad=True)
    product = weighted(torch.tensor([2.0, NAN]), weight)
    assert product.tolist() == [1.0, 0.0]
    (gradient,) = torch.autograd.grad(product.sum(), weight)
    assert gradient.tolist() == [2.0, 0.0]


def test_games_of_two_are_refused(ledger, rng):
    ledger.num_players = 2
    with pytest.raises(ValueError, match="a sequence of actions is planned for one player, got Ledger, a game of 2"):
        imagine(ledger, roots(1), follow(torch.zeros(1, 1, 1, 1)), 1, 1, rng=rng)


def test_what_is_no_evaluation_is_refused(ledger, rng):
    with pytest.raises(TypeError, match=r"must return a zoo_core\.Evaluation\(value, .*, got tuple: \(1, 2\)"):
        imagine(ledger, roots(1), follow(torch.zeros(1, 1, 1, 1)), 1, 1, rng=rng, evaluate=lambda *_, rng: (1, 2))


def test_a_value_for_every_root_in_place_of_every_row_is_refused(ledger, rng):
    def per_root(state, *, rng):
        return Evaluation(torch.zeros(2))

    with pytest.raises(ValueError, match=r"must return value \[8\] for 8 states, got \[2\]"):
        imagine(ledger, roots(2), follow(torch.zeros(2, 4, 1, 1)), 4, 1, rng=rng, evaluate=per_root)


def test_a_return_is_the_mean_over_particles(ledger, rng):
    actions = sequences((1.0, 2.0, 4.0))
    imagined = imagine(ledger, roots(1), follow(actions, 3), 1, 3, rng=rng, num_particles=3)
    torch.testing.assert_close(imagined.returns, torch.tensor([[3.6 + 6.0 * 1.9]]))  # particles pay 0, 6 and 12 more


def test_rows_are_sorted_by_root_then_candidate_then_particle(ledger, rng):
    seen = []

    def choose(t, state):
        seen.append(state)
        return torch.arange(2 * 3 * 2.0)[:, None] + 100.0 * t

    imagined = imagine(ledger, roots(2), choose, 3, 2, rng=rng, num_particles=2)
    assert seen[0].root.tolist() == [0] * 6 + [1] * 6
    assert seen[0].particle.tolist() == [0, 1] * 6
    assert [state.time.unique().tolist() for state in seen] == [[0], [1]]
    first = torch.tensor([[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]])  # of each two rows; the mean is half a row further
    torch.testing.assert_close(imagined.returns, (first + 0.5 + 3.0) * 1.5 + 50.0)
    assert torch.equal(imagined.actions[..., 0], torch.stack([first, first + 100.0], dim=2))


def test_every_particle_follows_the_sequence_of_its_candidate():
    choose = follow(torch.arange(12.0).reshape(2, 2, 3, 1), 2)
    assert choose(0, None).flatten().tolist() == [0, 0, 3, 3, 6, 6, 9, 9]
    assert choose(2, None).flatten().tolist() == [2, 2, 5, 5, 8, 8, 11, 11]


def test_the_greatest_score_that_is_legal_is_taken():
    legal = torch.tensor([[True, True, True], [True, False, True], [False, False, False]])
    model = Ledger(Discrete(3), legal)
    scores = torch.tensor([[0.2, 0.9, 0.5], [0.9, 0.1, 0.5]]).expand(3, 1, 2, 3)  # of two steps
    assert prefer(scores, model)(0, roots(3)).tolist() == [1, 2, 1]  # a game that is over has no legal action
    assert prefer(scores, model)(1, roots(3)).tolist() == [0, 0, 0]


def test_every_particle_takes_the_preferred_action_of_its_candidate():
    model, scores = Ledger(Discrete(3)), torch.eye(3)[[2, 0, 1, 1]].reshape(2, 2, 1, 3)
    choose = prefer(scores, model, 2)
    assert choose(0, model.particles(roots(4), 2, rng=None)).tolist() == [2, 2, 0, 0, 1, 1, 1, 1]


def test_an_action_that_is_never_wanted_is_taken_rather_than_an_illegal_one():
    model = Ledger(Discrete(3), torch.tensor([[False, False, True], [True, True, True]]))
    scores = torch.tensor([0.0, -torch.inf, -torch.inf]).expand(2, 1, 1, 3)
    assert prefer(scores, model)(0, roots(2)).tolist() == [2, 0]
    assert prefer(torch.full((2, 1, 1, 3), -torch.inf), model)(0, roots(2)).tolist() == [2, 0]


def test_what_is_no_finite_number_ranks_last(ledger):
    returns = torch.tensor([[NAN, 1.0, torch.inf, -torch.inf], [-3.0, NAN, -4.0, NAN]])
    ranked = rank_nan_last(returns, ledger)
    assert ranked.tolist() == [[-torch.inf, 1.0, -torch.inf, -torch.inf], [-3.0, -torch.inf, -4.0, -torch.inf]]
    assert ranked.argmax(1).tolist() == [1, 0]


@pytest.mark.parametrize("hopeless", [NAN, torch.inf, -torch.inf])
def test_a_root_without_a_return_that_is_a_number_is_named(ledger, hopeless):
    returns = torch.tensor([[0.0, 1.0], [hopeless, NAN], [NAN, NAN]])
    with pytest.raises(NonFiniteError, match="Ledger predicted no return that is a number from root 1: look at"):
        rank_nan_last(returns, ledger)
