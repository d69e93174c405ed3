"""The distributions: what they declare, what is in their files, and that the checks of `make standalone` can fail."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.standalone.artifacts import ROOT, Distribution, built, distributions, metadata_problems, problems
from tests.standalone.probe import import_everything

HOMES = packages_distributions()
NOT_FOR_USERS = {"dev", "test"}  # extras


def brought(distribution: Distribution, known: dict[str, Distribution]) -> set[str]:
    """Returns the projects that installing a distribution promises: those it declares, and those that its zoo-… do."""
    names = {canonicalize_name(requirement.name) for requirement in distribution.requirements}
    return names.union(*(brought(known[name], known) for name in names & known.keys()))


def optional(distribution: Distribution) -> set[str]:
    extras = distribution.project.get("optional-dependencies", {})
    lines = [line for extra, needs in extras.items() if extra not in NOT_FOR_USERS for line in needs]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def undeclared_imports(root: Path) -> list[str]:
    """Returns a line for each import of a project that is not declared; extras count where importing goes without."""
    known = {distribution.name: distribution for distribution in distributions(root)}
    found = []
    for distribution in known.values():
        declared, later = brought(distribution, known), optional(distribution)
        for path in sorted(distribution.package.rglob("*.py")):
            for line, name, lazy in imports_of(path):
                homes = {canonicalize_name(home) for home in HOMES.get(name, [name])} | {name.replace("_", "-")}
                if homes.isdisjoint(declared | {distribution.name} | (later if lazy else set())):
                    found.append(f"{path.relative_to(root)}:{line}: {distribution.name} does not declare {name}")
    return found


def imports_of(path: Path) -> list[tuple[int, str, bool]]:
    """Returns the imports of other projects in a file: line, top-level name, whether it is made later or never."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {id(node) for block in ast.walk(tree) if not_at_import(block) for node in ast.walk(block)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, id(node) in later) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module, id(node) in later))
    named = [(line, name.partition(".")[0], lazy) for line, name, lazy in found]
    return [each for each in named if each[1] not in sys.stdlib_module_names]


def not_at_import(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_every_import_is_declared():
    assert undeclared_imports(ROOT) == []


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("import numpy, zoo_core", None),
        ("def f():\n    import wandb", None),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import wandb", None),
        ("import wandb", "2: zoo-one does not declare wandb"),
        ("from scipy.linalg import expm", "2: zoo-one does not declare scipy"),
        ("def f():\n    import PIL.Image", "3: zoo-one does not declare PIL"),
        ("import zoo_two", "2: zoo-one does not declare zoo_two"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest",
            "4: zoo-one does not declare pytest",
        ),
    ],
)
def test_an_import_that_is_not_declared_is_reported(source, missing, tmp_path):
    extras = 'optional-dependencies = {wandb = ["wandb"], dev = ["scipy"]}'
    projects = {
        ".": 'name = "zoo-core"\ndependencies = ["numpy>=1.26"]',
        "envs": 'name = "zoo-envs"',
        "plugins/one": f'name = "zoo-one"\ndependencies = ["zoo-core>=0.1,<0.2"]\n{extras}',
    }
    for folder, project in projects.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "pyproject.toml").write_text(f"[project]\n{project}\n")
    (tmp_path / "plugins/one/zoo_one").mkdir()
    (tmp_path / "plugins/one/zoo_one/__init__.py").write_text(f'"""Zoo one."""\n{source}\n')
    expected = [] if missing is None else [f"plugins/one/zoo_one/__init__.py:{missing}"]
    assert undeclared_imports(tmp_path) == expected


@pytest.mark.parametrize("distribution", distributions(), ids=lambda distribution: distribution.name)
def test_every_distribution_has_what_its_wheel_needs(distribution):
    assert (distribution.folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (distribution.package / "py.typed").is_file()
    project = distribution.project
    assert project["readme"] == "README.md"
    assert project["license-files"] == ["LICENSE"]
    assert project["authors"] == [{"name": "The Agent Zoo authors"}]
    build = tomllib.loads((distribution.folder / "pyproject.toml").read_text())["build-system"]
    assert build == {"requires": ["setuptools>=77"], "build-backend": "setuptools.build_meta"}


@pytest.fixture(scope="module")
def random_plugin(tmp_path_factory):
    """zoo-random, and a folder with what `make wheels` builds of it."""
    dist = tmp_path_factory.mktemp("dist")
    found = next(distribution for distribution in distributions() if distribution.name == "zoo-random")
    how = ["--quiet", "--no-isolation", "--outdir", str(dist), str(found.folder)]
    subprocess.run([sys.executable, "-m", "build", *how], check=True, capture_output=True, timeout=120)
    return found, dist


def test_what_is_built_of_a_plugin_is_complete(random_plugin):
    assert problems(*random_plugin) == []


def test_a_distribution_that_is_not_built_is_told(random_plugin, tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold one wheel and one sdist of zoo-random"):
        built(random_plugin[0], tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"zoo_random/py.typed": None}, "lacks zoo_random/py.typed"),
        ({"zoo_random/agent.py": None}, "lacks zoo_random/agent.py"),
        ({"zoo_random/agent.py": b"pass"}, "has another zoo_random/agent.py than the source"),
        ({"tests/test_it.py": b""}, "holds what is not in the source: tests/test_it.py"),
        ({"zoo_random-0.1.0.dist-info/licenses/LICENSE": b"mine"}, "lacks the licence"),
    ],
)
def test_a_wheel_that_is_not_complete_is_reported(changes, problem, random_plugin, tmp_path):
    wheel, sdist = built(*random_plugin)
    (tmp_path / sdist.name).write_bytes(sdist.read_bytes())
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(tmp_path / wheel.name, "w") as part:
        files = {name: whole.read(name) for name in whole.namelist()} | changes
        for name, data in files.items():
            if data is not None:
                part.writestr(name, data)
    assert any(problem in line for line in problems(random_plugin[0], tmp_path))


METADATA = """Metadata-Version: 2.4
Name: zoo-one
Version: 0.1.0
Summary: One
Author: The Agent Zoo authors
License-Expression: MIT
License-File: LICENSE
Keywords: world models
Classifier: Typing :: Typed
Requires-Python: >=3.11
Requires-Dist: zoo-core<0.2,>=0.1
Requires-Dist: numpy>=1.26
Description-Content-Type: text/markdown

# One
"""


@pytest.mark.parametrize(
    ("said", "instead", "problem"),
    [
        ("", "", None),
        ("Summary: One\n", "", "metadata: no summary"),
        ("Author: The Agent Zoo authors\n", "", "metadata: no author"),
        ("License-Expression: MIT", "License-Expression: My own", "'My own' is invalid for 'license-expression'"),
        ("Requires-Python: >=3.11", "Requires-Python: 3.11 up", "is invalid for 'requires-python'"),
        ("# One", "# Two", "metadata: the description is not README.md"),
        ("zoo-core<0.2,>=0.1", "zoo-core>=0.1", "zoo-core>=0.1 must have bounds on both sides"),
        ("numpy>=1.26", "numpy", "numpy must say from which version on"),
    ],
)
def test_metadata_that_is_not_complete_is_reported(said, instead, problem):
    found = metadata_problems(METADATA.replace(said, instead).encode(), "# One\n")
    assert found == [] if problem is None else len(found) == 1 and problem in found[0], found


def test_a_module_that_needs_what_is_not_there_is_told_with_it(tmp_path, monkeypatch):
    package = tmp_path / "zoo_needy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "fine.py").write_text("import json")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_everything("zoo_needy") == 2
    (package / "deep.py").write_text("import not_installed")
    with pytest.raises(ImportError, match=r"zoo_needy.deep imports what zoo_needy does not declare: .*'not_installed'"):
        import_everything("zoo_needy")
