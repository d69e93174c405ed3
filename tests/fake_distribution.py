"""Distributions that are installed for a test: files in a folder on `sys.path`, as pip leaves them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from zoo_core.plugins import load_plugins


@contextmanager
def site_packages(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Puts a folder on `sys.path`, and afterwards leaves nothing of what was installed into it."""
    with monkeypatch.context() as patch:
        patch.syspath_prepend(path)
        yield path
    for name in [name for name, module in sys.modules.items() if str(path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]
    shutil.rmtree(path)
    load_plugins(reload=True)


def write(
    site: Path, distribution: str, entry_point: tuple[str, str, str], files: Mapping[str, str], metadata: str
) -> None:
    """Writes a distribution.

    Args:
        site: folder on `sys.path`.
        distribution: its name and version, such as "zoo-x 1.2".
        entry_point: group, name and module.
        files: by their path in `site`.
        metadata: what METADATA says after name and version.
    """
    (name, version), (group, entry, module) = distribution.split(), entry_point
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    files = {
        **files,
        f"{info}/METADATA": head + metadata + "\n",
        f"{info}/entry_points.txt": f"[{group}]\n{entry} = {module}\n",
    }
    for path, text in files.items():
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_text(text)


def install(
    site: Path, name: str, plugin: str, *, group: str = "zoo_core.plugins", metadata: str = "", **modules: str
) -> Path:
    """Writes `zoo-fake-name 1.2` with the sources of its plugin and of other modules, and returns its folder."""
    package = f"zoo_fake_{name}"
    sources = {"__init__": "", "plugin": plugin, **modules}
    files = {f"{package}/{module}.py": dedent(source) for module, source in sources.items()}
    write(site, f"zoo-fake-{name} 1.2", (group, name, f"{package}.plugin"), files, metadata)
    return site / package
