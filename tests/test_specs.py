"""Specs and the registry: what a plugin may declare, and which names collide."""

import pytest
from gymnasium import spaces

from zoo_core.errors import DuplicateNameError, UnsupportedSpaceError, ZooError
from zoo_core.plugins import (
    AgentSpec,
    CommandSpec,
    PlannerSpec,
    Registry,
    WorldModelSpec,
    check_spaces,
    load_object,
    specs,
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"id": "Dream SAC"}, "id must be lower case words joined by hyphens"),
        ({"entry_point": "module.Class"}, "entry_point of 'x' must be 'module:Class'"),
        ({"entry_point": "a:b:c"}, "entry_point of 'x' must be 'module:Class'"),
        ({"config": "nothing"}, "config of 'x' must be 'module:Class'"),
        ({"summary": "two\nlines"}, "summary of 'x' must be one line"),
        ({"summary": " "}, "summary of 'x' must be one line"),
        ({"status": "great"}, "status of 'x' must be one of"),
        ({"action_spaces": ("box",)}, "action_spaces of 'x' must be a tuple of names of gymnasium.spaces"),
        ({"observation_spaces": "Box"}, "observation_spaces of 'x' must be a tuple"),
    ],
)
def test_a_spec_rejects_impossible_values(arguments, message):
    with pytest.raises(ValueError, match=message):
        AgentSpec(**{"id": "x", "entry_point": "a:B", "summary": "s", **arguments})


def test_kinds_have_names_of_their_own():
    registry = Registry("zoo-x 1")
    for spec_class in (AgentSpec, WorldModelSpec, PlannerSpec, CommandSpec):
        registry.register(spec_class("same", "a:B", summary="s"))
    assert len(list(registry)) == 4
    assert registry.get(PlannerSpec, "same").kind == "planner"


def test_a_merge_that_fails_leaves_nothing_behind():
    registry, staged = Registry("zoo-a 1"), Registry("zoo-b 1")
    registry.register(AgentSpec("taken", "a:B", summary="s"))
    staged.register(AgentSpec("new", "b:B", summary="s"))
    staged.register(AgentSpec("taken", "b:B", summary="s"))
    with pytest.raises(DuplicateNameError, match="zoo-b 1 is already registered by zoo-a 1"):
        registry.merge(staged)
    assert [spec.id for spec in registry] == ["taken"]


def test_a_space_is_taken_by_its_class_or_a_parent_of_it():
    class SmallBox(spaces.Box):
        pass

    spec = WorldModelSpec("m", "a:B", summary="s", observation_spaces=("Box",))
    assert spec.supports(SmallBox(0, 1), spaces.Discrete(2))
    assert not spec.supports(spaces.Discrete(2), spaces.Discrete(2))


def test_an_unsupported_space_says_what_is_taken_and_who_takes_it():
    spec = AgentSpec("narrow", "a:B", summary="s", action_spaces=("Box", "MultiBinary"))
    with pytest.raises(UnsupportedSpaceError) as caught:
        check_spaces(spec, spaces.Box(0, 1), spaces.Discrete(2))
    assert str(caught.value).startswith(
        "agent 'narrow' takes Box or MultiBinary action spaces, got Discrete(2); agents that take it: "
    )
    assert "random" in str(caught.value)


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown kind 'agents': did you mean 'agent'\?"):
        specs("agents")


def test_an_object_of_a_module_is_loaded():
    assert load_object("zoo_core.errors:ZooError") is ZooError


def test_a_spec_names_its_class_and_its_config():
    assert AgentSpec("a", "m:A", summary="s", config="m:C", check_config={"x": 1}).references == ("m:A", "m:C")
    assert CommandSpec("c", "m:f", summary="s").references == ("m:f",)


def test_specs_are_values_whatever_their_check_config():
    first, second = (AgentSpec("a", "m:A", summary="s", check_config={"x": 1}) for _ in range(2))
    assert first == second
    assert len({first, second}) == 1
