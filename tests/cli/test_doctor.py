"""`zoo doctor`: what is broken, why, and what would mend it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tests.fake_distribution import install
from zoo_core.plugins import load_plugins

HOOK = """
from zoo_core.plugins import AgentSpec, PlannerSpec, hookimpl
ZOO_API = 1
@hookimpl
def zoo_register(registry):
    registry.register(PlannerSpec("{name}-plan", "zoo_fake_{name}.{module}:Part", summary="s"))
"""
GOOD = HOOK.replace("{module}", "parts")


@pytest.fixture
def plugin(lab):
    """Installs a plugin, or a package of environments."""

    def install_and_load(name: str, source: str, *, parts: str = "class Part: ...\n", **options: str) -> Path:
        package = install(lab, name, source.replace("{name}", name), parts=parts, **options)
        load_plugins(reload=True)
        return package

    return install_and_load


@pytest.fixture
def healthy(lab, monkeypatch):
    """Leaves out the plugin of these tests, two classes of which are not there."""
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "lab")
    load_plugins(reload=True)


def problems(shown) -> dict[str, tuple[str, str]]:
    return {problem["what"]: (problem["cause"], problem["remedy"]) for problem in shown.json()["problems"]}


# -- what is well ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("healthy")
def test_where_all_is_well_it_says_so_and_exits_with_0(zoo):
    shown = zoo("doctor")
    assert (shown.code, shown.err) == (0, "")
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["python", platform.python_version()] in rows
    assert ["numpy", np.__version__] in rows
    assert ["torch", version("torch")] in rows
    assert any(row[:4] == ["sb3", "zoo-sb3", version("zoo-sb3"), "ok"] for row in rows)
    assert any(row[:2] == ["zoo_envs", "zoo-envs"] for row in rows)
    assert "disabled by ZOO_DISABLE_PLUGINS: lab" in shown.out
    assert shown.out.endswith("\nno problem found\n")


@pytest.mark.parametrize("name", ["ensemble", "zoo-ensemble", "zoo_ensemble", "mlp"])
def test_one_plugin_is_named_by_itself_its_distribution_or_what_it_brings(zoo, name):
    shown = zoo("doctor", name)
    assert shown.code == 0
    assert "  model mlp\n" in shown.out
    assert f"  zoo-core<0.2,>=0.1: {version('zoo-core')}\n" in shown.out
    assert "zoo-sb3" not in shown.out


@pytest.mark.parametrize("name", ["zoo-core", "zoo_core"])
def test_zoo_core_is_examined_as_plugins_are(zoo, name):
    (core,) = zoo("doctor", name, "--json").json()["packages"]
    assert (core["name"], core["version"], core["broken"]) == ("zoo-core", version("zoo-core"), False)
    assert core["location"].endswith("zoo_core")
    assert core["requires"]["gymnasium>=1.2"] == version("gymnasium")
    assert f"extra hub: huggingface-hub {version('huggingface-hub')}" in core["provides"]


def test_an_extra_that_is_not_installed_is_said_not_to_be(zoo, monkeypatch):
    monkeypatch.setattr(
        "zoo_core.plugins.diagnosis.version", lambda name: "1.0" if name != "wandb" else version("nowhere")
    )
    assert "  extra wandb: wandb is not installed\n" in zoo("doctor zoo-core").out


@pytest.mark.parametrize("name", ["zoo_envs", "zoo-envs", "zoo_envs/CartPoleSwingUp-v0"])
def test_a_package_of_environments_is_examined(zoo, name):
    shown = zoo("doctor", name)
    assert shown.code == 0
    assert "  env zoo_envs/CartPoleSwingUp-v0\n" in shown.out


def test_the_machine_is_examined(zoo, lab, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    notes = zoo("doctor --json").json()["notes"]
    assert any(note.startswith(f"runs go to {Path.cwd() / 'runs'}: ") and note.endswith(" GB free") for note in notes)
    assert "no display: classic control is drawn into memory" in notes
    assert "to draw MuJoCo's environments without a display, set MUJOCO_GL=egl" in notes


def test_the_home_directory_is_left_out(zoo, plugin, lab, monkeypatch):
    plugin("good", GOOD)
    monkeypatch.setenv("HOME", str(lab))
    assert zoo("doctor good --json").json()["packages"][0]["location"] == "~/zoo_fake_good"


# -- what is broken ----------------------------------------------------------------------------------------------------

MISSING = "ModuleNotFoundError: No module named 'zoo_fake_other'"
BROKEN = {
    "missing": ("import zoo_fake_other", MISSING, '-m pip install "zoo-fake-other" (from its repository or a wheel'),
    "exits": ("import sys; sys.exit(3)", "calls sys.exit(3)", "a bug of zoo-fake-exits"),
    "newer": (GOOD.replace("ZOO_API = 1", "ZOO_API = 9"), "written for plugin API 9", "upgrade zoo-core"),
    "older": (GOOD.replace("ZOO_API = 1", "ZOO_API = 0"), "written for plugin API 0", "upgrade zoo-fake-older"),
    "misspelt": (GOOD.replace("zoo_register", "zoo_regsiter"), "unknown hook", "a bug of zoo-fake-misspelt"),
    "hookless": (GOOD.replace("@hookimpl", ""), "has no hook", "a bug of zoo-fake-hookless"),
    "halfway": (GOOD + "    raise OSError('disk is gone')", "OSError: disk is gone", "a bug of zoo-fake-halfway"),
    "twice": (
        GOOD.replace("PlannerSpec", "AgentSpec").replace("{name}-plan", "ppo"),
        "already registered by zoo-",
        "uninstall one of the two, or leave this one out: ZOO_DISABLE_PLUGINS=",
    ),
    "command": (
        GOOD.replace("PlannerSpec(", "CommandSpec(")
        .replace("{name}-plan", "train")
        .replace("AgentSpec", "CommandSpec"),
        "command 'train' of zoo-fake-command 1.2 is already one of zoo-core: choose another id",
        "a bug of zoo-fake-command",
    ),
    "selftwice": (GOOD + GOOD.splitlines()[-1], "is already registered by", "a bug of zoo-fake-selftwice"),
    "nowhere": (
        HOOK.replace("{module}", "gone"),
        "No module named 'zoo_fake_nowhere.gone'",
        "a bug of zoo-fake-nowhere",
    ),
}


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_with_its_cause_and_a_remedy(zoo, plugin, name):
    source, cause, remedy = BROKEN[name]
    plugin(name, source, metadata="Project-URL: Issues, https://example.org/issues")
    shown = zoo("doctor --json")
    assert shown.code == 1
    (what, found), *others = problems(shown).items()
    assert not others
    assert what.startswith("plugin ")
    assert cause in found[0]
    assert remedy in found[1]
    if "a bug of" in remedy:
        assert "report it to its author (https://example.org/issues)" in found[1]
    assert zoo("doctor", name).code == (1 if what == f"plugin '{name}' (zoo-fake-{name} 1.2)" else 0)


def test_one_cause_is_named_once_and_for_people_in_two_lines(zoo, plugin):
    two = HOOK.replace("{module}", "parts") + GOOD.splitlines()[-1].replace("{name}-plan", "second").replace(
        ":Part", ":B"
    )
    plugin("heavy", two, parts="import missing_thing", metadata="Requires-Dist: Missing-Thing>=2; python_version>'3'")
    shown = zoo("doctor heavy")
    assert shown.code == 1
    broken = shown.out[shown.out.index("broken: plugin") :].splitlines()
    assert len(broken) == 4
    assert broken[0].startswith("broken: plugin 'heavy' (zoo-fake-heavy 1.2): cannot load zoo_fake_heavy.parts:Part ")
    assert broken[0].endswith("ModuleNotFoundError: No module named 'missing_thing'")
    assert broken[1].endswith('-m pip install "Missing-Thing>=2"')
    assert broken[2] == "broken: zoo-fake-heavy 1.2: requires Missing-Thing>=2, which is not installed"


@pytest.mark.parametrize(
    ("requirement", "cause"),
    [
        ("zoo-core>=9", f"requires zoo-core>=9, installed is zoo-core {version('zoo-core')}"),
        ("not-there[extra]", "requires not-there[extra], which is not installed"),
        ("what is this", "its metadata cannot be read: "),
    ],
)
def test_requirements_that_are_not_met_are_named(zoo, plugin, requirement, cause):
    plugin("good", GOOD, metadata=f"Requires-Dist: {requirement}")
    shown = zoo("doctor good --json")
    assert shown.code == 1
    assert problems(shown)["zoo-fake-good 1.2"][0].startswith(cause)


@pytest.mark.parametrize("requirement", ["numpy", "torch>=2", 'nowhere; python_version<"3"', 'nowhere; extra == "x"'])
def test_requirements_that_are_met_or_not_meant_are_no_problem(zoo, plugin, requirement):
    plugin("good", GOOD, metadata=f"Requires-Dist: {requirement}")
    assert zoo("doctor good").code == 0


def test_a_broken_package_of_environments_is_named(zoo, plugin):
    plugin("badns", "import sys; sys.exit(1)", group="zoo_core.envs")
    found = problems(zoo("doctor badns --json"))
    assert "calls sys.exit(1)" in found["environment package 'badns' (zoo-fake-badns 1.2)"][0]


def test_a_place_where_no_run_can_be_written_is_named(zoo, lab):
    Path("runs").touch()
    assert f"no file can be written to {Path.cwd() / 'runs'}" in problems(zoo("doctor --json"))["runs"][0]


def test_a_name_to_disable_that_no_plugin_has_is_said(zoo, monkeypatch):
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "lab,ensembel")
    load_plugins(reload=True)
    said = "ZOO_DISABLE_PLUGINS disables no plugin 'ensembel': did you mean 'ensemble'?"
    assert said in zoo("doctor --json").json()["notes"]
    assert said in zoo("plugins").out.splitlines()


def test_strict_mode_does_not_keep_the_doctor_away(zoo, plugin, monkeypatch):
    plugin("exits", BROKEN["exits"][0])
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    monkeypatch.setattr("zoo_core.plugins.loading._loaded", None)
    assert zoo("doctor exits").code == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ensembel", "error: no plugin is called 'ensembel' or brings it: did you mean 'ensemble'?\n"),
        ("lab", "error: plugin 'lab' is left out: ZOO_DISABLE_PLUGINS=lab\n"),
        ("zoo_fake_lab", "error: plugin 'zoo_fake_lab' is left out: ZOO_DISABLE_PLUGINS=lab\n"),
    ],
)
@pytest.mark.usefixtures("healthy")
def test_an_unknown_name_is_a_mistake(zoo, name, message):
    shown = zoo("doctor", name)
    assert (shown.code, shown.err) == (2, message)
