"""Plugins: distributions that bring agents, world models, planners and commands by an entry point.

A plugin's `plugin.py` is all that is imported to list it:

```python
from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1


@hookimpl
def zoo_register(registry: Registry) -> None:
    registry.register(AgentSpec("random", "zoo_random.agent:RandomAgent", summary="acts uniformly at random"))
```
"""

from zoo_core.plugins.environments import env_failures, env_namespaces, import_env_namespace, make_env
from zoo_core.plugins.factories import check_spaces, make_agent, make_config, make_model, make_planner
from zoo_core.plugins.loading import (
    ZOO_API,
    LoadedPlugins,
    PluginFailure,
    PluginInfo,
    broken_references,
    hookimpl,
    load_object,
    load_plugins,
)
from zoo_core.plugins.lookup import (
    agent_spec,
    command_spec,
    find_class,
    model_spec,
    planner_spec,
    registry,
    spec_of,
    specs,
)
from zoo_core.plugins.spec import (
    AgentSpec,
    CommandSpec,
    ComponentSpec,
    PlannerSpec,
    Registry,
    Spec,
    WorldModelSpec,
)

__all__ = [
    "ZOO_API",
    "AgentSpec",
    "CommandSpec",
    "ComponentSpec",
    "LoadedPlugins",
    "PlannerSpec",
    "PluginFailure",
    "PluginInfo",
    "Registry",
    "Spec",
    "WorldModelSpec",
    "agent_spec",
    "broken_references",
    "check_spaces",
    "command_spec",
    "env_failures",
    "env_namespaces",
    "find_class",
    "hookimpl",
    "import_env_namespace",
    "load_object",
    "load_plugins",
    "make_agent",
    "make_config",
    "make_env",
    "make_model",
    "make_planner",
    "model_spec",
    "planner_spec",
    "registry",
    "spec_of",
    "specs",
]
