"""The rules of specs: they name classes that are there, and configs that can be written and read."""

from __future__ import annotations

import inspect
import json
from functools import partial
from typing import Any

import torch
import typer

from zoo_core import seeding
from zoo_core.agent import Agent
from zoo_core.config import build_config, config_from_json, config_to_json
from zoo_core.errors import Undecodable
from zoo_core.planner import Planner
from zoo_core.plugins import ComponentSpec, PluginInfo, WorldModelSpec, broken_references, load_object
from zoo_core.plugins.diagnosis import diagnose
from zoo_core.testing.checks.expect import BrokenRule, expect, same
from zoo_core.testing.checks.samples import sample_actions
from zoo_core.world_model import WorldModel

_ROWS = 32  # in which chance is looked for
MAX_SUMMARY = 120  # characters: `zoo list` prints it in a line
_MEND_CONFIG = "give every field a default and an annotation; use numbers, text, lists, mappings and functions"
_BASES: dict[str, type] = {"agent": Agent, "model": WorldModel, "planner": Planner}


def check_summaries(plugin: PluginInfo) -> None:
    """Checks that a plugin registers something, and says what it is in a line."""
    expect(plugin.specs, "a plugin registers something", "no spec", "call registry.register(...) in zoo_register")
    for spec in plugin.specs:
        expect(
            len(spec.summary) <= MAX_SUMMARY,
            f"a summary has at most {MAX_SUMMARY} characters",
            f"{len(spec.summary)} in that of {spec.kind} {spec.id}",
            "say what it is; the README may say more",
        )


def check_references(plugin: PluginInfo) -> None:
    """Checks that every spec names a class of its kind, which implements all that it must."""
    for failure in broken_references(plugin):
        raise BrokenRule("every spec names a class that can be imported", failure.cause, diagnose(failure).remedy)
    for spec in plugin.specs:
        found, base = load_object(spec.entry_point), _BASES.get(spec.kind)
        if base is None:
            expect(
                isinstance(found, typer.Typer) or callable(found),
                "a command is a typer app or a function",
                f"{spec.entry_point} is a {type(found).__name__}",
                "name the app or the function in the CommandSpec",
            )
            continue
        expect(
            isinstance(found, type) and issubclass(found, base),
            f"the class of a {spec.kind} derives from zoo_core.{base.__name__}",
            f"{spec.entry_point} is {found!r}",
            f"subclass zoo_core.{base.__name__}",
        )
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        expect(not inspect.isabstract(found), f"a {spec.kind} implements all methods", f"no {missing}", "write them")


def check_config(spec: ComponentSpec) -> None:
    """Checks the config of a spec: a frozen dataclass with defaults and valid presets, which JSON can hold."""
    declared = None if spec.config is None else load_object(spec.config)
    used = getattr(load_object(spec.entry_point), "config_class", None)
    expect(
        declared is used,
        "a spec names the config class that the class itself has",
        f"config={spec.config!r}, and config_class is {used!r}",
        "set both to the same dataclass, or neither",
    )
    if declared is None:
        expect(not spec.check_config, "what has no options has no check_config", spec.check_config, "leave it out")
        return
    parameters: Any = getattr(declared, "__dataclass_params__", None)
    expect(
        parameters is not None and parameters.frozen,
        "a config is a frozen dataclass",
        spec.config,
        "@dataclass(frozen=True)",
    )
    owner = f"{spec.kind} {spec.id!r}"
    configs = {"the defaults": partial(build_config, declared, owner=owner)}
    for preset in getattr(declared, "presets", {}):
        configs[f"preset {preset!r}"] = partial(build_config, declared, preset=preset, owner=owner)
    configs["check_config"] = partial(build_config, declared, spec.check_config, owner=owner)
    for what, build in configs.items():
        try:
            written = config_to_json(build())
            again = config_to_json(config_from_json(declared, json.loads(json.dumps(written))))
        except Exception as error:
            rule = f"a config can be built of {what}, written as JSON and read"
            raise BrokenRule(rule, f"{type(error).__name__}: {error}", _MEND_CONFIG) from error
        expect(again == written, f"a config of {what} reads as it was written", f"{again}, was {written}", _MEND_CONFIG)


def check_claims(spec: WorldModelSpec, model: WorldModel) -> None:
    """Checks that a fitted model can do what its spec says that it can, and no more."""
    found = {
        "decodes": _decodes(model),
        "stochastic": _is_stochastic(model),
        "epistemic": _step(model, seed=0, uncertainty=True).uncertainty is not None,
        "players": model.num_players,
    }
    for name, is_so in found.items():
        claimed = getattr(spec, name)
        expect(
            claimed == is_so,
            "a spec says what its model can do",
            f"{name}={claimed} in the spec of model {spec.id!r}, and the model itself has {name}={is_so}",
            f"{name}={is_so} in the WorldModelSpec",
        )


def _decodes(model: WorldModel) -> bool:
    try:
        model.decode(model.initial_state(1, rng=seeding.rng(0, "claims", device=model.device)))
    except Undecodable:
        return False
    return True


def _is_stochastic(model: WorldModel) -> bool:
    steps = [_step(model, seed=seed)[:3] for seed in range(3)]
    return not all(same(steps[0], step) for step in steps)


def _step(model: WorldModel, *, seed: int, **kwargs: Any) -> Any:
    """Steps from the same states, with the same actions, in chance that is the seed's."""
    state = model.initial_state(_ROWS, rng=seeding.rng(0, "claims", device=model.device))
    with torch.no_grad():
        return model.step(
            state, sample_actions(model, state), rng=seeding.rng(seed, "chance", device=model.device), **kwargs
        )
