"""For authors of plugins: checks of the contracts, and small real models, planners and environments (`fakes`)."""

from zoo_core.testing.checks import (
    check_agent,
    check_dream_faces,
    check_environment,
    check_planner,
    check_plugin,
    check_resume,
    check_world_model,
)

__all__ = [
    "check_agent",
    "check_dream_faces",
    "check_environment",
    "check_planner",
    "check_plugin",
    "check_resume",
    "check_world_model",
]
