"""The house rules on imports, read from the source: who may know whom."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTSIDE = {"tests", "examples", "benchmarks"}  # what nothing that is installed may import
LIGHT = set(sys.stdlib_module_names) | {"zoo_core"}  # all that listing a plugin may import


@dataclass(frozen=True)
class Import:
    """One import of one name, by the module of one file."""

    path: Path
    line: int
    module: str  # "a.b", for both `import a.b` and `from a.b import c`
    name: str  # "c", or ""
    at_run_time: bool  # at the top level of the file, not under TYPE_CHECKING

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def parts(self) -> list[str]:
        return [*self.module.split("."), *([self.name] if self.name else [])]


def imports_of(path: Path, package_root: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_run_time = {id(node) for node in run_time_nodes(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, "", id(node) in at_run_time)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                here = path.relative_to(package_root.parent).with_suffix("").parts[: -node.level]
                module = ".".join([*here, *([module] if module else [])])
            for alias in node.names:
                yield Import(path, node.lineno, module, alias.name, id(node) in at_run_time)


def run_time_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        type_checking = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if not type_checking and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from ast.walk(node)


def broken_rules(root: Path) -> list[str]:
    """Returns one line for each import that must not be, such as `zoo_core/agent.py:3: ...`."""
    listed = {package.name: required_packages(package.parent) for package in packages(root)}
    found = []
    for package in packages(root):
        for path in sorted(package.rglob("*.py")):
            for imported in imports_of(path, package):
                if why := why_forbidden(imported, package, listed[package.name]):
                    where = f"{path.relative_to(root)}:{imported.line}"
                    found.append(f"{where}: imports {'.'.join(imported.parts)}: {why}")
    return found


def why_forbidden(imported: Import, package: Path, listed: set[str]) -> str | None:
    target, own = imported.package, package.name
    if target in OUTSIDE:
        return "nothing that is installed imports tests, examples or benchmarks"
    if own == "zoo_core" and target == "pettingzoo":
        return "zoo_core does not know PettingZoo"
    if target.startswith("zoo_") and target != own:
        if own in ("zoo_core", "zoo_envs"):
            return f"{own} knows no other package of the zoo"
        if target not in listed:
            return f"the pyproject.toml of {own} does not list it"
        if target != "zoo_core" and any(part.startswith("_") for part in imported.parts):
            return "it is private to another plugin"
    if own == "zoo_core" and imported.path.name == "world_model.py" and imported.parts[:2] == ["zoo_core", "planner"]:
        return "a world model does not know the planners"
    listing = imported.path in (package / "plugin.py", package / "__init__.py") and (package / "plugin.py").exists()
    if listing and imported.at_run_time and target not in LIGHT:
        return "plugin.py and __init__.py import nothing heavy, so that listing plugins stays fast"
    return None


def packages(root: Path) -> list[Path]:
    """Returns the import packages of the repository: zoo_core, zoo_envs, and those of the plugins."""
    candidates = [root / "zoo_core", root / "envs" / "zoo_envs", *sorted(root.glob("plugins/*/zoo_*"))]
    return [path for path in candidates if (path / "__init__.py").exists()]


def required_packages(folder: Path) -> set[str]:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in project.get("dependencies", [])]
    return {name.replace("-", "_") for name in names}


def test_the_packages_of_the_repository_are_found():
    names = [package.name for package in packages(ROOT)]
    assert names[0] == "zoo_core"
    assert "zoo_random" in names


def test_no_import_breaks_a_rule():
    assert broken_rules(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("zoo_core/a.py", "import zoo_one", "zoo_core knows no other package of the zoo"),
        ("zoo_core/sub/a.py", "def f():\n    from zoo_envs.x import y", "zoo_core knows no other package"),
        ("zoo_core/a.py", "from pettingzoo.utils import AECEnv", "does not know PettingZoo"),
        ("zoo_core/world_model.py", "from zoo_core.planner import Plan", "does not know the planners"),
        ("zoo_core/world_model.py", "from zoo_core import planner", "does not know the planners"),
        ("zoo_core/world_model.py", "from .planner import Plan", "does not know the planners"),
        ("envs/zoo_envs/a.py", "import zoo_core", "zoo_envs knows no other package"),
        ("envs/zoo_envs/a.py", "from zoo_one import x", "zoo_envs knows no other package"),
        ("plugins/zoo-one/zoo_one/a.py", "import zoo_three.parts", "of zoo_one does not list it"),
        ("plugins/zoo-one/zoo_one/a.py", "import zoo_envs", "of zoo_one does not list it"),
        ("plugins/zoo-one/zoo_one/a.py", "from zoo_two._inner import x", "private to another plugin"),
        ("plugins/zoo-one/zoo_one/a.py", "from zoo_two.parts import _x", "private to another plugin"),
        ("plugins/zoo-one/zoo_one/plugin.py", "import torch", "import nothing heavy"),
        ("plugins/zoo-one/zoo_one/plugin.py", "from zoo_one.agent import Agent", "import nothing heavy"),
        ("plugins/zoo-one/zoo_one/plugin.py", "from . import agent", "import nothing heavy"),
        (
            "plugins/zoo-one/zoo_one/plugin.py",
            "try:\n    import torch\nexcept ImportError:\n    pass",
            "nothing heavy",
        ),
        (
            "plugins/zoo-one/zoo_one/a.py",
            "from tests.helpers import x",
            "nothing that is installed imports tests",
        ),
        ("zoo_core/a.py", "import examples.first", "nothing that is installed imports tests, examples"),
    ],
)
def test_a_forbidden_import_is_reported_with_its_place(tmp_path, path, source, message):
    write_house(tmp_path)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(source)
    broken = broken_rules(tmp_path)
    assert len(broken) == 1
    assert broken[0].startswith(f"{path}:")
    assert message in broken[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("plugins/zoo-one/zoo_one/a.py", "import torch, zoo_core.errors\nfrom zoo_two.parts import Part"),
        (
            "plugins/zoo-one/zoo_one/plugin.py",
            "from __future__ import annotations\nfrom zoo_core.plugins import x",
        ),
        (
            "plugins/zoo-one/zoo_one/plugin.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
        ),
        ("zoo_core/planner.py", "from zoo_core.world_model import WorldModel"),
        ("envs/zoo_envs/a.py", "import gymnasium, zoo_envs.b"),
    ],
)
def test_an_import_that_is_meant_passes(tmp_path, path, source):
    write_house(tmp_path)
    (tmp_path / path).write_text(source)
    assert broken_rules(tmp_path) == []


def write_house(root: Path) -> None:
    """Writes a repository of zoo_core, zoo_envs and three plugins, of which zoo-one lists zoo-two."""
    needs = {
        "zoo-one": ["zoo-core>=0.1", "zoo-two>=0.1,<0.2"],
        "zoo-two": ["zoo-core"],
        "zoo-three": ["zoo-core"],
    }
    homes = {
        "": "zoo_core",
        "envs": "zoo_envs",
        **{f"plugins/{name}": name.replace("-", "_") for name in needs},
    }
    for folder, package in homes.items():
        (root / folder / package).mkdir(parents=True)
        (root / folder / package / "__init__.py").touch()
        if folder.startswith("plugins/"):
            (root / folder / package / "plugin.py").touch()
        dependencies = needs.get(package.replace("_", "-"), [])
        (root / folder / "pyproject.toml").write_text(f"[project]\ndependencies = {dependencies}\n")
