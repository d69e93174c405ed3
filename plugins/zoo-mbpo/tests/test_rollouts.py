"""Branched rollouts in a world whose every step is known."""

import pytest
import torch

import zoo_core
from zoo_core import NonFiniteError
from zoo_core.world_model import ModelStep
from zoo_mbpo.rollouts import branched_rollouts


def by_one(obs):
    """A policy that always adds 1."""
    return torch.ones(len(obs), 1)


def starts_at(*places):
    return torch.tensor([[float(place), 0.0] for place in places])


def rollouts(model, starts, length, **options):
    return branched_rollouts(model, starts, by_one, length, rng=zoo_core.rng(0), **options)


def places(steps):
    return steps.next_obs[:, 0].tolist()


def test_each_step_goes_on_where_the_one_before_led_to(line_model):
    steps = rollouts(line_model(), starts_at(0, 10), 3)
    assert places(steps) == [1, 11, 2, 12, 3, 13]
    assert steps.obs[:, 1].tolist() == [0, 0, 1, 1, 2, 2]
    assert steps.reward.tolist() == places(steps)
    torch.testing.assert_close(steps.obs[:, :1] + steps.action, steps.next_obs[:, :1])


def test_a_rollout_stops_where_its_episode_terminates(line_model):
    steps = rollouts(line_model(end=3), starts_at(0, 1, 2), 10)
    assert places(steps) == [1, 2, 3, 2, 3, 3]
    assert steps.terminated.tolist() == [False, False, True, False, True, True]
    assert not steps.truncated.any()


def test_no_step_is_imagined_when_all_have_ended(line_model):
    model = line_model(end=3)
    rollouts(model, starts_at(1, 2), 10)
    assert model.num_steps == 2


def test_the_last_step_is_truncated_and_does_not_terminate(line_model):
    steps = rollouts(line_model(end=3), starts_at(0, 1, 2), 2)
    assert places(steps) == [1, 2, 3, 2, 3]
    assert steps.terminated.tolist() == [False, False, True, False, True]
    assert steps.truncated.tolist() == [False, False, False, True, False]


def test_termination_is_sampled(line_model):
    model = line_model()
    model.fault = {"continues": torch.full((4_000,), 0.3)}
    steps = rollouts(model, torch.zeros(4_000, 2), 1)
    assert steps.terminated.float().mean() == pytest.approx(0.7, abs=0.03)


def test_the_penalty_is_lambda_times_the_epistemic_uncertainty(line_model):
    steps = rollouts(line_model(), starts_at(0, 10), 2, uncertainty_penalty=0.5)
    assert steps.reward.tolist() == [1 - 0.0, 11 - 5.0, 2 - 0.5, 12 - 5.5]


def test_nothing_is_asked_about_uncertainty_without_a_penalty(line_model):
    assert rollouts(line_model(epistemic=False), starts_at(0), 2).reward.tolist() == [1, 2]


def test_no_gradient_is_kept(line_model):
    steps = rollouts(line_model(), starts_at(0), 2)
    assert not any(column.requires_grad for column in steps)


def test_the_same_generator_gives_the_same_rollouts(pendulum_replay):
    config = {"hidden": 8, "max_epochs": 1}
    spaces = pendulum_replay.observation_space, pendulum_replay.action_space
    model = zoo_core.make_model("ensemble", *spaces, config, device="cpu")
    model.fit(pendulum_replay, rng=zoo_core.rng(0))
    obs = pendulum_replay.tensors().obs[:50]
    first, second = (rollouts(model, obs, 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert first.next_obs.shape == (150, 3)


def test_a_penalty_needs_a_model_that_knows_what_it_does_not_know(line_model):
    with pytest.raises(ValueError, match="LineModel reports no epistemic uncertainty: set uncertainty_penalty to 0"):
        rollouts(line_model(epistemic=False), starts_at(0), 1, uncertainty_penalty=1.0)


def test_a_rollout_of_no_steps_is_refused(line_model):
    with pytest.raises(ValueError, match="at least 1 step, got length=0"):
        rollouts(line_model(), starts_at(0), 0)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"reward": torch.tensor([1.0, torch.nan])}, "LineModel predicted an observation or reward that is NaN"),
        ({"continues": torch.tensor([1.0, torch.nan])}, "probabilities to continue from nan to nan"),
        ({"continues": torch.tensor([1.0, 1.5])}, r"from 1.0 to 1.5, expected \[0, 1\]"),
    ],
)
def test_what_is_no_number_is_told_and_not_learned_from(line_model, fault, message):
    model = line_model()
    assert set(fault) <= set(ModelStep._fields)
    model.fault = fault
    with pytest.raises(NonFiniteError, match=message):
        rollouts(model, starts_at(0, 1), 1)
