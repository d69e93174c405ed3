"""Checks of the contracts: plain functions that raise AssertionError with the rule, what was seen, how to mend it."""

from zoo_core.testing.checks.agent import check_agent
from zoo_core.testing.checks.dream_faces import (
    check_autoreset,
    check_dream_env,
    check_dream_faces,
    check_faces_agree,
    check_ownership,
    check_rows_apart,
    check_seeds,
)
from zoo_core.testing.checks.environment import check_environment
from zoo_core.testing.checks.planner import check_planner
from zoo_core.testing.checks.plugin import check_plugin, plugin_checks
from zoo_core.testing.checks.resume import check_resume
from zoo_core.testing.checks.sb3_learns import check_sb3_learns
from zoo_core.testing.checks.world_model import check_world_model

__all__ = [
    "check_agent",
    "check_autoreset",
    "check_dream_env",
    "check_dream_faces",
    "check_environment",
    "check_faces_agree",
    "check_ownership",
    "check_planner",
    "check_plugin",
    "check_resume",
    "check_rows_apart",
    "check_sb3_learns",
    "check_seeds",
    "check_world_model",
    "plugin_checks",
]
