"""The three faces of a dream, for every kind of model, decoded and latent."""

import pytest
from gymnasium.vector import AutoresetMode

from zoo_core.errors import Undecodable
from zoo_core.testing.checks import (
    check_autoreset,
    check_dream_env,
    check_faces_agree,
    check_ownership,
    check_rows_apart,
    check_sb3_learns,
    check_seeds,
)

HORIZON = 12


@pytest.fixture(params=["decoded", "latent"])
def dream(request, case):
    """What to dream in, and how; a model that cannot decode dreams latents in both."""
    observation = request.param
    if observation == "decoded":
        try:
            case.model.decode(case.model.initial_state(1, rng=_rng(case.model)))
        except Undecodable:
            observation = "latent"
    return case.model, {"observation": observation, "horizon": HORIZON, **case.imagination}


def _rng(model):
    from zoo_core.world_model import stream

    return stream(model, 0, "probe")


def test_both_libraries_accept_the_env(dream):
    model, imagination = dream
    check_dream_env(model, **imagination)


def test_the_faces_are_equal_step_for_step(dream):
    model, imagination = dream
    check_faces_agree(model, **imagination)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=lambda mode: mode.name)
def test_the_vector_face_resets_as_gymnasium_does(dream, mode):
    model, imagination = dream
    check_autoreset(model, mode, **imagination)


def test_a_seed_is_a_dream(dream):
    model, imagination = dream
    check_seeds(model, **imagination)


def test_rows_do_not_disturb_each_other(dream):
    model, imagination = dream
    check_rows_apart(model, **imagination)


def test_writing_into_an_observation_changes_nothing(dream):
    model, imagination = dream
    check_ownership(model, **imagination)


def test_sb3_learns_in_the_dream(dream):
    model, imagination = dream
    check_sb3_learns(model, **imagination)
