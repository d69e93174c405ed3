"""Agent Zoo: world models that are Gymnasium environments, for users of Gymnasium and Stable-Baselines3.

Names are imported when they are first used, so `import zoo_core` loads neither torch nor Stable-Baselines3.
Its one side effect is to register `Dream-v0` with Gymnasium, made as `gymnasium.make("zoo_core:Dream-v0",
model=...)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from zoo_core.agent import (
        Agent as Agent,
        load as load,
    )
    from zoo_core.checkpoint import Checkpoints as Checkpoints
    from zoo_core.dream import (
        DreamEnv as DreamEnv,
        DreamVecEnv as DreamVecEnv,
        DreamVectorEnv as DreamVectorEnv,
        Imagination as Imagination,
        LatentObservation as LatentObservation,
        LatentVecEnv as LatentVecEnv,
    )
    from zoo_core.errors import (
        CheckpointError as CheckpointError,
        ConfigError as ConfigError,
        DuplicateNameError as DuplicateNameError,
        NonFiniteError as NonFiniteError,
        PluginLoadError as PluginLoadError,
        Undecodable as Undecodable,
        UnknownNameError as UnknownNameError,
        UnsupportedSpaceError as UnsupportedSpaceError,
        ZooError as ZooError,
    )
    from zoo_core.planner import (
        Evaluation as Evaluation,
        Plan as Plan,
        Planner as Planner,
    )
    from zoo_core.plugins import (
        AgentSpec as AgentSpec,
        CommandSpec as CommandSpec,
        PlannerSpec as PlannerSpec,
        WorldModelSpec as WorldModelSpec,
        hookimpl as hookimpl,
        make_agent as make_agent,
        make_env as make_env,
        make_model as make_model,
        make_planner as make_planner,
        specs as specs,
    )
    from zoo_core.reality_gap import (
        GapReport as GapReport,
        gap as gap,
    )
    from zoo_core.replay import Replay as Replay
    from zoo_core.seeding import rng as rng
    from zoo_core.simulator import SimulatorModel as SimulatorModel
    from zoo_core.world_model import (
        ModelStep as ModelStep,
        WorldModel as WorldModel,
        load_model as load_model,
    )

__version__ = "0.1.0"

_HOMES = {
    "agent": "Agent load",
    "checkpoint": "Checkpoints",
    "dream": "DreamEnv DreamVecEnv DreamVectorEnv Imagination LatentObservation LatentVecEnv",
    "errors": "CheckpointError ConfigError DuplicateNameError NonFiniteError PluginLoadError Undecodable "
    "UnknownNameError UnsupportedSpaceError ZooError",
    "planner": "Evaluation Plan Planner",
    "plugins": "AgentSpec CommandSpec PlannerSpec WorldModelSpec hookimpl make_agent make_env make_model "
    "make_planner specs",
    "reality_gap": "GapReport gap",
    "replay": "Replay",
    "seeding": "rng",
    "simulator": "SimulatorModel",
    "world_model": "ModelStep WorldModel load_model",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})


if "Dream-v0" not in gymnasium.registry:
    # Gymnasium's passive checker would look at every step; the tests of the zoo have looked already.
    gymnasium.register(
        id="Dream-v0",
        entry_point="zoo_core.dream:make_dream_env",
        vector_entry_point="zoo_core.dream:make_dream_vector_env",
        disable_env_checker=True,
    )
