"""A folder on `sys.path` into which the plugins of `zoo new` are installed, whole or with a fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import pytest

from tests.fake_distribution import site_packages, write
from zoo_core.cli.new import render
from zoo_core.plugins import env_failures, load_plugins

METADATA = """Summary: A plugin of these tests
License-Expression: MIT
Requires-Python: >=3.11
Requires-Dist: zoo-core>=0.1,<0.2

A README.
"""


@dataclass
class Site:
    path: Path

    def install(self, name: str, kind: str = "agent", faults: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Installs what `zoo new` writes; `faults` are replacements by file, METADATA among them."""
        faults = faults or {}
        package = f"zoo_{name}"
        group = "zoo_core.envs" if kind == "env" else "zoo_core.plugins"
        module = package if kind == "env" else f"{package}.plugin"
        files = {path: text for path, text in render(name, kind) if path.startswith(f"{package}/")}
        metadata = _with_faults("METADATA", METADATA, faults)
        files = {path: _with_faults(Path(path).name, text, faults) for path, text in files.items()}
        entry_point = (group, package if kind == "env" else name, module)
        write(self.path, f"zoo-{name} 0.1.0", entry_point, files, metadata)
        load_plugins(reload=True)


def _with_faults(file: str, text: str, faults: Mapping[str, Mapping[str, str]]) -> str:
    for said, instead in faults.get(file, {}).items():
        assert said in text, f"{file} has no {said!r}"
        text = text.replace(said, instead)
    return text


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    env_failures()  # registers those of installed packages, which importing them again would not
    environments = set(gym.registry)
    with site_packages(tmp_path_factory.mktemp("site"), monkeypatch) as path:
        yield Site(path)
    for env_id in set(gym.registry) - environments:
        del gym.registry[env_id]
