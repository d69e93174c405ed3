"""The rules of a plugin: its hook, its specs, its package, and the contracts of all that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zoo_core.errors import UnknownNameError, did_you_mean
from zoo_core.plugins import (
    AgentSpec,
    ComponentSpec,
    PlannerSpec,
    PluginInfo,
    Spec,
    WorldModelSpec,
    load_object,
    load_plugins,
)
from zoo_core.plugins.diagnosis import diagnose
from zoo_core.plugins.environments import ENV_GROUP, registered_by
from zoo_core.plugins.loading import distribution_of, import_guarded
from zoo_core.testing import cases
from zoo_core.testing.checks.agent import check_agent
from zoo_core.testing.checks.dream_faces import check_dream_faces
from zoo_core.testing.checks.environment import check_environment
from zoo_core.testing.checks.expect import BrokenRule, expect
from zoo_core.testing.checks.package import check_light, check_metadata
from zoo_core.testing.checks.planner import check_planner
from zoo_core.testing.checks.specs import check_claims, check_config, check_references, check_summaries
from zoo_core.testing.checks.world_model import check_world_model


@dataclass(frozen=True)
class Check:
    """One check: what it is called, and a function that raises if it fails."""

    name: str
    run: Callable[[], object]


def check_plugin(name: str) -> None:
    """Checks an installed plugin: its hook, specs, configs and package, and the contracts of all that it brings.

    Agents, world models and planners run with the `check_config` of their specs, in small environments that have the
    spaces that they declare.

    Args:
        name: of its entry point in the group `zoo_core.plugins` or `zoo_core.envs`, or of its distribution.

    Raises:
        AssertionError: Rules are broken; the message says for each which, what was seen and how to mend it.
        UnknownNameError: No such plugin is installed.
    """
    checks = plugin_checks(name)
    failed: list[tuple[Check, Exception]] = []
    for check in checks:
        try:
            check.run()
        except Exception as error:
            failed.append((check, error))
    if failed:
        lines = [f"- {check.name}: {describe_failure(error)}" for check, error in failed]
        head = f"{len(failed)} of {len(checks)} checks of plugin {name!r} failed:"
        raise AssertionError("\n".join([head, *lines])) from failed[0][1]


def plugin_checks(name: str) -> tuple[Check, ...]:
    """Returns the checks of `check_plugin`, to be run one by one.

    Raises:
        UnknownNameError: No such plugin is installed.
    """
    loaded = load_plugins(strict=False)
    checks: list[Check] = []
    for failure in loaded.failures:
        if name in (failure.name, failure.distribution):
            problem = diagnose(failure)
            broken = BrokenRule("a plugin loads", problem.cause, problem.remedy)
            checks.append(Check("loads", partial(_fail, broken)))
    for plugin in loaded.plugins:
        if name in (plugin.name, plugin.distribution):
            checks += _checks_of(plugin)
    points = entry_points(group=ENV_GROUP)
    for point in points:
        if name in (point.name, distribution_of(point)[0]):
            checks += _checks_of_envs(point)
    if not checks:
        known = [word for plugin in loaded.plugins for word in (plugin.name, plugin.distribution)]
        known += [point.name for point in points]
        raise UnknownNameError(f"no plugin {name!r} is installed{did_you_mean(name, known)}")
    return tuple(checks)


def describe_failure(error: BaseException) -> str:
    """Returns what a failed check says: a broken rule as it is, any other error with its type."""
    return str(error) if isinstance(error, BrokenRule) else f"{type(error).__name__}: {error}"


def _checks_of(plugin: PluginInfo) -> Iterator[Check]:
    yield Check("loads", partial(check_summaries, plugin))
    yield Check("metadata", partial(check_metadata, plugin.distribution, plugin.module, needs_core=True))
    yield Check("imports nothing heavy", partial(check_light, plugin.module))
    yield Check("references", partial(check_references, plugin))
    for spec in plugin.specs:
        if isinstance(spec, ComponentSpec):
            yield Check(f"config of {spec.kind} {spec.id}", partial(check_config, spec))
        try:
            yield from list(_checks_of_spec(spec))
        except AssertionError as error:  # nothing here has the spaces that it takes
            yield Check(f"{spec.kind} {spec.id}", partial(_fail, error))


def _checks_of_spec(spec: Spec) -> Iterator[Check]:
    """Yields the checks that run a component; board games are checked by the tests of those who bring them."""
    if isinstance(spec, AgentSpec | WorldModelSpec) and spec.players > 1:
        return
    if isinstance(spec, AgentSpec):
        for env_id in cases.env_ids_for(spec):
            yield Check(f"agent {spec.id} in {env_id}", partial(_check_agent, spec, env_id))
    elif isinstance(spec, WorldModelSpec):
        for case in cases.cases_of(spec):
            yield Check(f"model {case.name}", partial(_check_model, spec, case))
            yield Check(f"dreams in model {case.name}", partial(_check_dreams, spec, case))
    elif isinstance(spec, PlannerSpec):
        for case in cases.models_for(spec):
            yield Check(f"planner {spec.id} in model {case.name}", partial(_check_planner, spec, case))


def _checks_of_envs(point: EntryPoint) -> Iterator[Check]:
    yield Check("metadata", partial(check_metadata, distribution_of(point)[0], point.module, needs_core=False))
    yield Check("imports nothing heavy", partial(check_light, point.module))
    yield Check("registers environments", partial(_environments_of, point))
    try:
        env_ids = _environments_of(point)
    except Exception:  # the check before this line says so
        return
    for env_id in env_ids:
        yield Check(f"env {env_id}", partial(check_environment, env_id))


def _fail(error: AssertionError) -> None:
    raise error


# -- what it brings ----------------------------------------------------------------------------------------------------


def _check_agent(spec: AgentSpec, env_id: str) -> None:
    check_agent(partial(_on_cpu, load_object(spec.entry_point)), cases.register(env_id), spec.check_config)


def _on_cpu(agent_class: Any, *args: Any, **kwargs: Any) -> Any:
    return agent_class(*args, device="cpu", **kwargs)


def _check_model(spec: WorldModelSpec, case: cases.ModelCase) -> None:
    check_claims(spec, check_world_model(case.new, case.replay))


def _check_dreams(spec: WorldModelSpec, case: cases.ModelCase) -> None:
    shown = {} if spec.decodes else {"observation": "latent"}
    check_dream_faces(case.model, **shown, **case.imagination)


def _check_planner(spec: PlannerSpec, case: cases.ModelCase) -> None:
    planner = load_object(spec.entry_point)(spec.check_config)
    check_planner(planner, case.model, needs_gradients=spec.needs_gradients)


def _environments_of(point: EntryPoint) -> list[str]:
    import_guarded(point.module)
    found = registered_by(point)
    expect(
        found,
        f"importing {point.module} registers environments of the namespace {point.name}",
        "none",
        f'call gymnasium.register(id="{point.name}/Name-v0", ...) in it',
    )
    return found
