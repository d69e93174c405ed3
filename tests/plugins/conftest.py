"""A folder on `sys.path` into which the plugins of `zoo new` are installed, whole or with a fault."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import pytest

from zoo_core.cli.new import render
from zoo_core.plugins import load_plugins

METADATA = """Metadata-Version: 2.4
Name: zoo-{name}
Version: 0.1.0
Summary: A plugin of these tests
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
        info = f"{package}-0.1.0.dist-info"
        files[f"{info}/METADATA"] = METADATA.format(name=name)
        files[f"{info}/entry_points.txt"] = f"[{group}]\n{package if kind == 'env' else name} = {module}\n"
        for path, text in files.items():
            for said, instead in faults.get(Path(path).name, {}).items():
                assert said in text, f"{path} has no {said!r}"
                text = text.replace(said, instead)
            (self.path / path).parent.mkdir(exist_ok=True)
            (self.path / path).write_text(text)
        load_plugins(reload=True)


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("site")
    environments = set(gym.registry)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(path)
        yield Site(path)
    for module in [name for name, module in sys.modules.items() if str(path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[module]
    for env_id in set(gym.registry) - environments:
        del gym.registry[env_id]
    shutil.rmtree(path)
    load_plugins(reload=True)
