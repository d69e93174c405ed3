"""Makes agents, world models and planners by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gymnasium import Space

from zoo_core.config import build_config
from zoo_core.errors import ConfigError, UnsupportedSpaceError
from zoo_core.plugins.environments import make_env
from zoo_core.plugins.loading import load_object
from zoo_core.plugins.lookup import agent_spec, model_spec, planner_spec, registry
from zoo_core.plugins.spec import ComponentSpec, takes

if TYPE_CHECKING:
    from zoo_core.agent import Agent
    from zoo_core.planner import Planner
    from zoo_core.world_model import WorldModel


def make_agent(id: str, env: Any, config: Any = None, *, preset: str | None = None, **kwargs: Any) -> Agent:
    """Makes a registered agent.

    Args:
        id: As `zoo list agents` prints it.
        env: An environment id, a Gymnasium environment, or an SB3 VecEnv.
        config: The agent's config, or a mapping of settings over its defaults (`{"model.hidden": 200}`).
        preset: A named config of the agent, below `config`.
        **kwargs: `seed`, `device`, `verbose`, `tensorboard_log`.

    Raises:
        UnknownNameError: No such agent or environment.
        PluginLoadError: The plugin of the agent is broken.
        ConfigError: A setting is unknown, of the wrong type or out of range.
        UnsupportedSpaceError: The agent does not take the spaces of the environment.
    """
    spec = agent_spec(id)
    built = make_config(spec, config, preset)
    if isinstance(env, str):
        env = make_env(env)
    check_spaces(spec, *(getattr(env, f"{what}_space", None) for what in ("observation", "action")))
    agent: Agent = load_object(spec.entry_point)(env, built, **kwargs)
    return agent


def make_model(
    id: str,
    observation_space: Space[Any],
    action_space: Space[Any],
    config: Any = None,
    *,
    preset: str | None = None,
    seed: int = 0,
    device: Any = "auto",
) -> WorldModel:
    """Makes a registered world model, untrained.

    Args:
        id: As `zoo list models` prints it.
        observation_space: Of the environment to model.
        action_space: Of the environment to model.
        config: The model's config, or a mapping of settings over its defaults.
        preset: A named config of the model, below `config`.
        seed: Of the initial weights.
        device: Where the weights go; "auto" takes a GPU if there is one.

    Raises:
        UnknownNameError, PluginLoadError, ConfigError, UnsupportedSpaceError: As `make_agent`.
        ValueError: A known reward or termination function returns something else than a number a row.
    """
    spec = model_spec(id)
    built = make_config(spec, config, preset)
    check_spaces(spec, observation_space, action_space)
    model: WorldModel = load_object(spec.entry_point)(observation_space, action_space, built, seed=seed)
    from zoo_core.known_functions import try_known_functions  # torch is imported by now, and not before
    from zoo_core.world_model import resolve_device

    model.to(resolve_device(device))
    try_known_functions(model)
    return model


def make_planner(id: str, config: Any = None, *, preset: str | None = None, **kwargs: Any) -> Planner:
    """Makes a registered planner.

    Args:
        id: As `zoo list planners` prints it.
        config: The planner's config, or a mapping of settings over its defaults.
        preset: A named config of the planner, below `config`.
        **kwargs: What its class takes, such as `evaluate`.

    Raises:
        UnknownNameError, PluginLoadError, ConfigError: As `make_agent`.
    """
    spec = planner_spec(id)
    planner: Planner = load_object(spec.entry_point)(make_config(spec, config, preset), **kwargs)
    return planner


def check_spaces(spec: ComponentSpec, observation_space: Any, action_space: Any) -> None:
    """Checks spaces against a spec; what is no Gymnasium space (a method of a PettingZoo game) passes.

    Raises:
        UnsupportedSpaceError: Says which spaces it takes, and who of its kind takes the ones at hand.
    """
    for what, space in (("observation", observation_space), ("action", action_space)):
        names = getattr(spec, f"{what}_spaces")
        if takes(names, space):
            continue
        others = [s.id for s in registry().all(type(spec)) if s.supports(observation_space, action_space)]
        hint = f"; {spec.kind}s that take it: {', '.join(others)}" if others else ""
        raise UnsupportedSpaceError(
            f"{spec.kind} {spec.id!r} takes {' or '.join(names)} {what} spaces, got {space}{hint}"
        )


def make_config(spec: ComponentSpec, config: Any = None, preset: str | None = None) -> Any:
    """Makes the config of a registered component; None if it has no options.

    Raises:
        ConfigError: A setting is unknown, of the wrong type or out of range, or there are no options.
    """
    owner = f"{spec.kind} {spec.id!r}"
    if spec.config is not None:
        return build_config(load_object(spec.config), config, preset=preset, owner=owner)
    if config or preset is not None:
        raise ConfigError(f"{owner} has no options, got config={config!r}, preset={preset!r}")
    return None
