"""`zoo new`: names that it takes, and files that keep the rules of the house."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import zoo_core
from zoo_core.cli.new import KINDS, MAX_NAME, render

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_complete_plugin_is_written(zoo, kind):
    shown = zoo("new", "fast-thing", "--kind", kind)
    assert (shown.code, shown.err) == (0, "")
    files = {str(path.relative_to("zoo-fast-thing")) for path in Path("zoo-fast-thing").rglob("*") if path.is_file()}
    code = {"agent": "agent.py", "model": "world_model.py", "planner": "planner.py", "env": "env.py"}[kind]
    common = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", "tests/test_fast_thing.py"}
    package = {"__init__.py", "py.typed", code} | ({"plugin.py", "config.py"} if kind != "env" else set())
    assert files == common | {f"zoo_fast_thing/{file}" for file in package}
    assert "zoo-fast-thing is the distribution zoo-fast-thing, imported as zoo_fast_thing" in shown.out
    assert '  pip install -e "zoo-fast-thing[test]"\n' in shown.out


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left(kind):
    for path, text in render("fast-ppo", kind):
        for left in ("my-thing", "my_thing", "MyThing", ".tmpl", "dot-"):
            assert left not in path + text, path
        assert "<" not in text or not path.endswith(".toml") or "<0" in text


def test_the_project_says_what_it_is(tmp_path):
    project = tomllib.loads(dict(render("fast-ppo", "agent"))["pyproject.toml"])["project"]
    assert project["name"] == "zoo-fast-ppo"
    assert project["entry-points"] == {"zoo_core.plugins": {"fast-ppo": "zoo_fast_ppo.plugin"}}
    (core,) = map(Requirement, project["dependencies"])
    assert core.name == "zoo-core"
    assert core.specifier.contains(zoo_core.__version__)
    assert not core.specifier.contains("99.0")
    assert "MIT License" in dict(render("fast-ppo", "agent"))["LICENSE"]


def test_an_environment_needs_no_zoo_core_and_registers_in_its_own_namespace():
    files = dict(render("maze", "env"))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"] == {"zoo_core.envs": {"zoo_maze": "zoo_maze"}}
    assert not any("zoo-core" in each for each in project["dependencies"])
    assert 'id="zoo_maze/Maze-v0"' in files["zoo_maze/__init__.py"]
    assert "zoo_core" not in files["zoo_maze/__init__.py"]


def test_the_files_keep_the_rules_of_the_house_whatever_the_name(tmp_path):
    for kind in KINDS:
        for name in ("a", "z" * MAX_NAME, "-".join(["ab"] * 10)):
            for path, text in render(name, kind):
                file = tmp_path / kind / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
    for command in (["check"], ["format", "--check", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


RULE = "a name is lower case words joined by hyphens, the first of which begins with a letter"
NAMES = {
    "My Agent": f"error: {RULE}, got 'My Agent': try my-agent\n",
    "FastPPO": f"error: {RULE}, got 'FastPPO': try fast-ppo\n",
    "fast_ppo": f"error: {RULE}, got 'fast_ppo': try fast-ppo\n",
    "3d": f"error: {RULE}, got '3d': try my-3d\n",
    "../up": f"error: {RULE}, got '../up': try up\n",
    "": f"error: {RULE}, got '': try my-agent\n",
    "é": f"error: {RULE}, got 'é': try my-agent\n",
    "zoo-maze": "error: a name goes without zoo-, which the distribution zoo-zoo-maze would have twice, "
    "got 'zoo-maze': try maze\n",
    "class": "error: a name is no word of Python's own, nor one of the zoo's, got 'class': try my-class\n",
    "core": "error: a name is no word of Python's own, nor one of the zoo's, got 'core': try my-core\n",
    "x" * 31: f"error: a name has at most 30 characters, got '{'x' * 31}': try {'x' * 30}\n",
    "sb3": f"error: 'sb3' is taken by the installed zoo-sb3 {zoo_core.__version__}: try my-sb3\n",
    "dream-ppo": f"error: 'dream-ppo' is taken by the agent of zoo-sb3 {zoo_core.__version__}: try my-dream-ppo\n",
    "lab": "error: 'lab' is taken by the entry point lab = zoo_fake_lab.plugin: try my-lab\n",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_used_is_answered_with_one_that_can(zoo, name):
    shown = zoo("new", name)
    assert (shown.code, shown.out, shown.err) == (2, "", NAMES[name])
    assert not list(Path().iterdir())


def test_an_unknown_kind_is_answered_with_the_nearest(zoo):
    assert zoo("new x --kind agnet").err == "error: there is no kind 'agnet' of plugin: did you mean 'agent'?\n"


def test_nothing_is_written_into_a_directory_that_is_in_use(zoo):
    Path("zoo-mine").mkdir()
    Path("zoo-mine", "kept").touch()
    assert zoo("new mine").err == "error: zoo-mine exists and is not an empty directory: name another one with --out\n"
    assert [path.name for path in Path("zoo-mine").iterdir()] == ["kept"]
    assert zoo("new mine --out there/mine").code == 0
    assert Path("there/mine/pyproject.toml").is_file()


def test_a_directory_that_cannot_be_written_is_a_mistake(zoo):
    Path("file").touch()
    shown = zoo("new mine --out file/mine")
    assert shown.code == 2
    assert shown.err.startswith("error: cannot write the plugin to file/mine: ")
