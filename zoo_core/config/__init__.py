"""Configs: frozen dataclasses, built from keywords, presets, the command line or a file, and checked.

Priority, lowest first: the defaults of the class, a preset, then what the user sets.
"""

from zoo_core.config.build import build_config, check_choice, check_range, preset_values
from zoo_core.config.files import config_from_json, config_to_json
from zoo_core.config.functions import resolve_function
from zoo_core.config.settings import differences, merge_settings, parse_settings, to_dotted

__all__ = [
    "build_config",
    "check_choice",
    "check_range",
    "config_from_json",
    "config_to_json",
    "differences",
    "merge_settings",
    "parse_settings",
    "preset_values",
    "resolve_function",
    "to_dotted",
]
