"""`zoo plugins`, `zoo list` and `zoo info`."""

from __future__ import annotations

import pytest


def test_plugins_names_versions_and_what_they_bring(zoo):
    shown = zoo("plugins")
    line = next(line for line in shown.out.splitlines() if line.startswith("lab"))
    assert "zoo-fake-lab 1.2" in line
    assert "agent lab, agent lost, model kalman" in line


def test_plugins_names_a_broken_one_and_its_cause(zoo, broken):
    expected = (
        "broken: plugin 'cracked' (zoo-fake-cracked 1.2) failed to load: "
        "ModuleNotFoundError: No module named 'nothing_like_that'"
    )
    assert expected in zoo("plugins").out.splitlines()


def test_plugins_as_json(zoo, broken, monkeypatch):
    found = zoo("plugins --json").json()
    plugin = next(entry for entry in found["plugins"] if entry["name"] == "lab")
    assert plugin["distribution"] == "zoo-fake-lab"
    assert plugin["version"] == "1.2"
    assert "model kalman" in plugin["provides"]
    assert [entry["name"] for entry in found["broken"]] == ["cracked"]
    assert found["disabled"] == []


def test_a_disabled_plugin_is_said_to_be(zoo, monkeypatch):
    from zoo_core.plugins import load_plugins

    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "lab")
    load_plugins(reload=True)
    assert "disabled by ZOO_DISABLE_PLUGINS: lab" in zoo("plugins").out.splitlines()
    assert "lab" in zoo("plugins --json").json()["disabled"]


def test_list_shows_all_kinds_but_environments(zoo):
    shown = zoo("list")
    for row in ("lab        Box", "kalman", "shooting"):
        assert row.split()[0] in [line.split()[0] for line in shown.out.splitlines() if line]
    assert "CartPole-v1" not in shown.out


def test_list_has_spaces_plugin_and_summary_in_a_line(zoo):
    line = next(line for line in zoo("list agents").out.splitlines() if line.startswith("lab"))
    assert line.split("  ")[-1].strip() == "acts at random"
    assert [cell.strip() for cell in line.split("  ") if cell.strip()][1:4] == ["Box", "Box", "zoo-fake-lab 1.2"]


def test_list_as_json(zoo):
    found = zoo("list --json").json()
    assert set(found) == {"agents", "models", "planners"}
    agent = next(entry for entry in found["agents"] if entry["id"] == "lab")
    assert agent["observation_spaces"] == ["Box"]
    assert agent["plugin"] == "zoo-fake-lab 1.2"
    model = next(entry for entry in found["models"] if entry["id"] == "lab")
    assert model["decodes"] is False


@pytest.mark.parametrize("kind", ["planners", "planner"])
def test_list_takes_a_kind_in_singular_or_plural(zoo, kind):
    assert set(zoo(f"list {kind} --json").json()) == {"planners"}


def test_list_envs_has_the_newest_version_of_each(zoo):
    found = {entry["id"]: entry for entry in zoo("list envs --json").json()["envs"]}
    assert found["CartPole-v1"]["max_episode_steps"] == 500
    assert "CartPole-v0" not in found
    assert "zoo_envs/CartPoleSwingUp-v0" in found


def test_list_envs_for_people(zoo):
    rows = [line.split() for line in zoo("list envs").out.splitlines()]
    assert ["CartPole-v1", "500", "gymnasium.envs.classic_control.cartpole"] in rows


def test_info_shows_paper_settings_and_presets(zoo):
    shown = zoo("info shooting").out
    assert shown.startswith("planner shooting: searches\n")
    shown = zoo("info lost --json")
    assert shown.code == 0  # the class is not imported for it
    shown = zoo("info lab").out
    assert "paper               in no paper" in shown
    assert "  gain: float = 1.0\n      of the action, in (0, 2]\n" in shown
    assert "  big: hidden=[256, 256], gain=2.0\n" in shown


def test_info_reads_types_defaults_and_comments_from_the_source(zoo):
    settings = {entry["name"]: entry for entry in zoo("info lab --json").json()["agent"]["settings"]}
    assert settings["gain"] == {
        "name": "gain",
        "type": settings["gain"]["type"],
        "default": 1.0,
        "required": False,
        "comment": "of the action, in (0, 2]",
    }
    assert settings["gain"]["type"] == "float"
    assert settings["hidden"]["default"] == [32, 32]
    assert settings["hidden"]["comment"] == "sizes of the layers, from the first"
    assert settings["fate"]["comment"] == 'how learning ends: "well", "value error", "bug" or "interrupt"'
    assert settings["model"]["comment"] == "a world model"
    assert settings["model_config"]["comment"] == ""
    assert settings["extra"]["default"] == {"a": 1.0}


def test_info_shows_all_that_has_a_name(zoo):
    found = zoo("info lab --json").json()
    assert set(found) == {"agent", "model"}
    assert found["agent"]["presets"] == {"big": {"hidden": [256, 256], "gain": 2.0}}


def test_info_of_an_environment_has_spaces_and_who_takes_them(zoo):
    found = zoo("info Pendulum-v1 --json").json()["env"]
    assert found["action_space"] == "Box(-2.0, 2.0, (1,), float32)"
    assert "lab" in found["agents"]
    assert "rgb_array" in found["render_modes"]
    assert "lab" not in zoo("info CartPole-v1 --json").json()["env"]["agents"]
    assert "action space" in zoo("info Pendulum-v1").out


def test_info_imports_the_package_of_an_environment(zoo):
    assert "environment zoo_envs/LinearSystem-v0" in zoo("info zoo_envs/LinearSystem-v0").out


def test_info_of_a_broken_plugins_agent_gives_the_cause(zoo, broken):
    shown = zoo("info cracked-agent")
    assert shown.code == 2
    expected = (
        "error: 'cracked-agent' is not available: plugin 'cracked' (zoo-fake-cracked 1.2) failed to load: "
        "ModuleNotFoundError: No module named 'nothing_like_that'\n"
    )
    assert shown.err == expected


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("info klaman", "error: nothing is called 'klaman': did you mean 'kalman'?\n"),
        ("info CartPoel-v1", "error: nothing is called 'CartPoel-v1': did you mean 'CartPole-v1'?\n"),
        ("list agnets", "error: cannot list 'agnets': did you mean 'agents'?\n"),
    ],
)
def test_an_unknown_name_is_answered_by_the_nearest(zoo, command, message):
    shown = zoo(command)
    assert shown.code == 2
    assert shown.err == message
