"""Errors: they are what callers catch, and an unknown name is answered with the nearest one."""

import pytest
from hypothesis import given, strategies as st

from zoo_core import errors
from zoo_core.errors import MAX_LISTED, UnknownNameError, ZooError, did_you_mean


@pytest.mark.parametrize(
    ("error_class", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.UnsupportedSpaceError, ValueError),
        (errors.UnknownNameError, LookupError),
        (errors.NonFiniteError, FloatingPointError),
    ],
)
def test_an_error_is_caught_as_a_zoo_error_and_as_its_builtin(error_class, builtin):
    with pytest.raises(ZooError):
        raise error_class("text")
    with pytest.raises(builtin):
        raise error_class("text")


def test_every_error_of_the_module_is_a_zoo_error():
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert len(classes) == 9
    assert all(issubclass(error_class, ZooError) for error_class in classes)


def test_an_unknown_name_reads_as_plain_text():
    assert str(UnknownNameError("unknown agent 'x'")) == "unknown agent 'x'"


def test_the_nearest_name_is_offered_whatever_its_case():
    assert did_you_mean("cartpole-V1", ["CartPole-v1", "Pendulum-v1"]) == ": did you mean 'CartPole-v1'?"


def test_all_choices_are_listed_when_none_is_near():
    assert did_you_mean("zzz", ["sac", "ppo"]) == "; choose one of 'ppo', 'sac'"


def test_a_long_list_is_cut_to_examples():
    choices = [f"model-{i:03}" for i in range(MAX_LISTED + 1)]
    assert did_you_mean("zzz", choices) == "; there are 21, such as 'model-000', 'model-001', 'model-002'"


def test_no_choices_at_all_is_said():
    assert did_you_mean("ppo", []) == "; there are none"


@given(st.text(), st.lists(st.text()))
def test_any_name_gets_an_answer_of_one_line_or_its_choices_quoted(name, choices):
    answer = did_you_mean(name, choices)
    assert answer.startswith((": did you mean ", "; choose one of ", "; there are "))
    assert "\n" not in answer
