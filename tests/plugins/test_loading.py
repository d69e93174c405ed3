"""Plugins: found, loaded, named when broken; and what is made from them by name."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium import spaces

import zoo_core
from tests.fake_distribution import install, site_packages
from zoo_core.cli import main
from zoo_core.errors import (
    ConfigError,
    DuplicateNameError,
    PluginLoadError,
    UnknownNameError,
    UnsupportedSpaceError,
)
from zoo_core.plugins import (
    agent_spec,
    env_failures,
    env_namespaces,
    find_class,
    load_plugins,
    make_agent,
    make_env,
    make_planner,
    planner_spec,
    spec_of,
    specs,
)
from zoo_core.plugins.spec import BUILT_IN_COMMANDS

HEADER = """
from zoo_core.plugins import AgentSpec, CommandSpec, PlannerSpec, WorldModelSpec, hookimpl
ZOO_API = 1
"""
GOOD = (
    HEADER
    + """
@hookimpl
def zoo_register(registry):
    registry.register(PlannerSpec("{name}-plan", "zoo_fake_{name}.parts:Part", summary="s"))
"""
)
PARTS = """
class Part:
    def __init__(self, config=None):
        self.config = config
"""


@dataclass
class Site:
    """A folder on `sys.path` into which fake distributions are installed."""

    path: Path

    def install(self, name: str, plugin: str = GOOD, **options: str) -> None:
        options.setdefault("parts", PARTS)
        install(self.path, name, plugin.replace("{name}", name), **options)

    def load(self):
        return load_plugins(reload=True)


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    with site_packages(tmp_path_factory.mktemp("site"), monkeypatch) as path:
        yield Site(path)


BROKEN = {
    "import_error": (
        "import zoo_nowhere_at_all",
        "ModuleNotFoundError: No module named 'zoo_nowhere_at_all'",
    ),
    "exits_on_import": ("import sys; sys.exit(3)", r"importing zoo_fake_broken.plugin calls sys.exit\(3\)"),
    "no_api": (GOOD.replace("ZOO_API = 1", ""), "must say which plugin API it is written for: ZOO_API = 1"),
    "newer_api": (GOOD.replace("ZOO_API = 1", "ZOO_API = 2"), "for plugin API 2, .* has 1: upgrade zoo-core"),
    "older_api": (
        GOOD.replace("ZOO_API = 1", "ZOO_API = 0"),
        "for plugin API 0, .* has 1: upgrade zoo-fake-broken",
    ),
    "misspelt_hook": (
        GOOD.replace("zoo_register", "zoo_regsiter"),
        "unknown hook 'zoo_regsiter'.*zoo_register",
    ),
    "wrong_arguments": (
        GOOD.replace("(registry)", "(registry, extra)"),
        "the hook is zoo_register.registry.",
    ),
    "no_hook": (GOOD.replace("@hookimpl", ""), "zoo_fake_broken.plugin has no hook: decorate zoo_register"),
    "fails_half_way": (GOOD + "    raise OSError('disk is gone')", "OSError: disk is gone"),
    "exits_half_way": (GOOD + "    raise SystemExit(4)", r"zoo_register calls sys.exit\(4\)"),
    "no_spec": (GOOD + "    registry.register('x')", "TypeError: register takes an AgentSpec"),
    "bad_spec": (GOOD.replace("{name}-plan", "Not An Id"), "ValueError: id must be lower case words"),
    "duplicate_in_itself": (
        GOOD + GOOD.split("\n")[-2] + "\n",
        "failed to load: planner 'broken-plan' of zoo-fake-broken 1.2 is already registered by zoo-fake-broken",
    ),
    "asks_for_the_registry": ("import zoo_core; zoo_core.specs('agent')", "asks for the registry while"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_with_its_cause_and_the_rest_works(site, case):
    source, message = BROKEN[case]
    site.install("broken", source)
    site.install("zz")
    loaded = site.load()
    assert [(failure.name, failure.distribution, failure.version) for failure in loaded.failures] == [
        ("broken", "zoo-fake-broken", "1.2")
    ]
    assert re.search(message, str(loaded.failures[0]))
    assert "broken-plan" not in [spec.id for spec in specs("planner")]
    assert make_planner("zz-plan").config is None
    assert agent_spec("random")


def test_using_an_algorithm_of_a_broken_plugin_raises_from_the_cause(site):
    site.install("broken", BROKEN["fails_half_way"][0])
    site.load()
    with pytest.raises(
        PluginLoadError, match=r"planner 'broken-plan' is not available: plugin 'broken' \(zoo-fake"
    ) as caught:
        planner_spec("broken-plan")
    assert isinstance(caught.value.__cause__, OSError)


def test_an_unknown_name_lists_the_nearest_and_the_plugins_that_failed(site):
    site.install("broken", BROKEN["import_error"][0])
    site.load()
    with pytest.raises(UnknownNameError) as caught:
        agent_spec("randm")
    assert str(caught.value) == (
        "unknown agent 'randm': did you mean 'random'? "
        "[plugin 'broken' (zoo-fake-broken 1.2) failed to load: ModuleNotFoundError: "
        "No module named 'zoo_nowhere_at_all']"
    )


def test_a_name_registered_twice_names_both_plugins_and_keeps_the_first(site):
    same = GOOD.replace("{name}-plan", "shared")
    site.install("aa", same)
    site.install("bb", same + '    registry.register(PlannerSpec("other", "a:B", summary="s"))\n')
    loaded = site.load()
    assert [failure.name for failure in loaded.failures] == ["bb"]
    assert isinstance(loaded.failures[0].error, DuplicateNameError)
    assert "planner 'shared' of zoo-fake-bb 1.2 is already registered by zoo-fake-aa 1.2" in str(loaded.failures[0])
    assert planner_spec("shared").entry_point == "zoo_fake_aa.parts:Part"
    with pytest.raises(PluginLoadError, match="planner 'other' is not available: plugin 'bb'"):
        planner_spec("other")


@pytest.mark.parametrize(
    ("entry_point", "cause"),
    [
        ("zoo_fake_aa.nowhere:Part", "ModuleNotFoundError: No module named 'zoo_fake_aa.nowhere'"),
        ("zoo_fake_aa.parts:Prat", "AttributeError: module 'zoo_fake_aa.parts' has no attribute 'Prat'"),
        ("zoo_fake_aa.exits:Part", r"importing zoo_fake_aa.exits calls sys.exit\(1\)"),
    ],
)
def test_a_spec_that_points_nowhere_fails_when_used_and_names_its_plugin(site, entry_point, cause):
    site.install("aa", GOOD.replace("zoo_fake_{name}.parts:Part", entry_point), exits="import sys; sys.exit(1)")
    assert not site.load().failures
    with pytest.raises(PluginLoadError, match=rf"cannot load {entry_point} \(declared by zoo-fake-aa 1.2\): .*{cause}"):
        make_planner("aa-plan")


def test_a_plugin_that_works_is_described(site):
    site.install("aa")
    info = next(plugin for plugin in site.load().plugins if plugin.name == "aa")
    assert (info.distribution, info.version, info.module) == ("zoo-fake-aa", "1.2", "zoo_fake_aa.plugin")
    assert [spec.id for spec in info.specs] == ["aa-plan"]
    assert info.location == str(site.path / "zoo_fake_aa")


def test_plugins_are_loaded_once(site):
    site.load()
    site.install("aa", "raise AssertionError('loaded anew')")
    assert load_plugins() is load_plugins()


@pytest.mark.parametrize("names", ["aa", "zz, zoo-fake-aa", "AA", "zoo_fake_aa", "Zoo.Fake-AA,"])
def test_disabled_plugins_are_not_imported(site, monkeypatch, names):
    site.install("aa", "raise AssertionError('was imported')")
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", names)
    loaded = site.load()
    assert not loaded.failures
    assert loaded.disabled == ("aa",)
    with pytest.raises(UnknownNameError, match="ZOO_DISABLE_PLUGINS leaves out aa"):
        planner_spec("aa-plan")


@pytest.mark.parametrize(("names", "unmatched"), [("aa,Bb, nonesuch", ("Bb", "nonesuch")), ("all, aa", ()), ("", ())])
def test_names_to_disable_that_no_plugin_has_are_kept(site, monkeypatch, names, unmatched):
    site.install("aa")
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", names)
    assert site.load().unmatched == unmatched


def test_all_plugins_can_be_disabled(site, monkeypatch):
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "all")
    assert not site.load().plugins
    with pytest.raises(UnknownNameError, match="unknown agent 'random'; there are none"):
        agent_spec("random")


def test_strict_loading_raises_and_names_every_failure(site, monkeypatch):
    site.install("broken", BROKEN["import_error"][0])
    site.install("cracked", BROKEN["no_hook"][0])
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    for index in range(2):  # what failed once is not remembered as loaded
        with pytest.raises(PluginLoadError, match=r"plugin 'broken' .*; plugin 'cracked'") as caught:
            load_plugins(reload=index == 0)
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert len(load_plugins(strict=False).failures) == 2


def test_strict_loading_raises_after_loading_that_was_not(site, monkeypatch):
    site.install("broken", BROKEN["import_error"][0])
    assert site.load().failures
    with pytest.raises(PluginLoadError, match="plugin 'broken'"):
        load_plugins(strict=True)
    assert load_plugins().failures
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginLoadError, match="plugin 'broken'"):
        specs("agent")


@pytest.mark.parametrize("command", BUILT_IN_COMMANDS)
def test_a_command_that_zoo_core_has_is_refused(site, command):
    site.install("aa", GOOD + f'    registry.register(CommandSpec("{command}", "a:B", summary="s"))\n')
    (failure,) = site.load().failures
    assert isinstance(failure.error, DuplicateNameError)
    assert f"command '{command}' of zoo-fake-aa 1.2 is already one of zoo-core: choose another id" in str(failure)
    assert "aa-plan" not in [spec.id for spec in specs("planner")]


# -- the command, with plugins broken in eight ways --------------------------------------------------------------------

EIGHT = {
    "missing": BROKEN["import_error"],
    "exits": ("import sys; sys.exit(3)", r"importing zoo_fake_exits.plugin calls sys.exit\(3\)"),
    "newer": BROKEN["newer_api"],
    "misspelt": BROKEN["misspelt_hook"],
    "hookless": (GOOD.replace("@hookimpl", ""), "zoo_fake_hookless.plugin has no hook"),
    "halfway": BROKEN["fails_half_way"],
    "twice": (
        HEADER + GOOD.split("ZOO_API = 1")[1].replace('PlannerSpec("{name}-plan"', 'AgentSpec("ppo"'),
        r"agent 'ppo' of zoo-fake-twice 1\.2 is already registered by zoo-sb3",
    ),
    "nowhere": (
        GOOD.replace("parts:Part", "nowhere:Part"),
        "cannot load zoo_fake_nowhere.nowhere:Part .*ModuleNotFoundError: No module named 'zoo_fake_nowhere.nowhere'",
    ),
}


@pytest.fixture
def zoo(site, monkeypatch, capsys):
    """Runs a command as in a new process; returns exit code, output and errors."""

    def run(*words):
        monkeypatch.setattr("zoo_core.plugins.loading._loaded", None)
        code = main(words)
        return code, *capsys.readouterr()

    return run


def named(name, text):
    """Says whether a line names a broken plugin with distribution, version and cause."""
    return re.search(rf"plugin '{name}' \(zoo-fake-{name} 1\.2\).*{EIGHT[name][1]}", text)


def test_the_command_works_beside_plugins_broken_in_eight_ways(site):
    for name, (source, _) in EIGHT.items():
        site.install(name, source)
    site.install("zz")
    command = [sys.executable, "-c", "import sys; from zoo_core.cli import main; sys.exit(main())"]
    environment = {**os.environ, "PYTHONPATH": str(site.path)}
    listed = subprocess.run([*command, "list"], env=environment, capture_output=True, text=True, timeout=60, check=True)
    for id in ("random", "ppo", "ensemble", "zz-plan"):
        assert id in [line.split()[0] for line in listed.stdout.splitlines() if line]
    shown = subprocess.run(
        [*command, "plugins"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    broken = [line for line in shown.stdout.splitlines() if line.startswith("broken: ")]
    assert len(broken) == 7
    assert all(any(named(name, line) for line in broken) for name in EIGHT if name != "nowhere")


def test_a_broken_class_is_found_when_it_is_used_and_named(site, zoo):
    site.install("nowhere", EIGHT["nowhere"][0])
    assert zoo("list", "planners")[0] == 0
    with pytest.raises(PluginLoadError, match=EIGHT["nowhere"][1]):
        make_planner("nowhere-plan")


@pytest.mark.parametrize("name", EIGHT)
def test_strict_mode_exits_with_2_and_one_line(site, zoo, monkeypatch, name):
    site.install(name, EIGHT[name][0])
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    code, out, err = zoo("list")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named(name, err)


def test_strict_mode_names_all_that_is_broken(site, zoo, monkeypatch):
    for name, (source, _) in EIGHT.items():
        site.install(name, source)
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    code, _, err = zoo("list")
    assert (code, err.count("\n")) == (2, 1)
    assert all(named(name, err) for name in EIGHT)


def test_strict_mode_is_content_with_what_works(site, zoo, monkeypatch):
    site.install("zz")
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    assert zoo("list")[0] == 0


@pytest.mark.parametrize(("disabled", "left"), [("nowhere,zoo-fake-missing", 1), ("all", 0)])
def test_a_disabled_plugin_is_not_broken_in_strict_mode_either(site, zoo, monkeypatch, disabled, left):
    for name in ("nowhere", "missing"):
        site.install(name, EIGHT[name][0])
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", disabled)
    code, out, _ = zoo("list", "agents")
    assert code == 0
    assert ("random" in out) == bool(left)


def test_an_interrupt_is_not_taken_for_a_broken_plugin(site):
    site.install("aa", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.load()


# -- classes and names -------------------------------------------------------------------------------------


def test_a_registered_class_knows_its_spec_and_is_found_by_its_place(site):
    site.install("aa", GOOD.replace("parts:Part", "alias:Part"), alias="from zoo_fake_aa.parts import Part")
    site.load()
    part = find_class("planner", "zoo_fake_aa.parts:Part")
    assert part is find_class("planner", "zoo_fake_aa.alias:Part")
    assert spec_of(part, "planner").id == "aa-plan"
    assert spec_of(Site, "planner") is None


@pytest.mark.parametrize("reference", ["os:system", "zoo_fake_aa.plugin:AgentSpec", "zoo_fake_a.parts:Part"])
def test_a_class_that_is_not_registered_is_not_found(site, reference):
    site.install("aa")
    site.load()
    with pytest.raises(UnknownNameError, match=f"no plugin registers the planner class '{reference}'"):
        find_class("planner", reference)


# -- making ------------------------------------------------------------------------------------------------


def test_a_config_reaches_the_class_checked(site):
    config = """
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class PartConfig:
            presets = {"paper": {"horizon": 30}}
            horizon: int = 15
        """
    site.install(
        "aa",
        GOOD.replace('summary="s"', 'summary="s", config="zoo_fake_aa.config:PartConfig"'),
        config=config,
    )
    site.load()
    assert make_planner("aa-plan").config.horizon == 15
    assert make_planner("aa-plan", preset="paper").config.horizon == 30
    assert make_planner("aa-plan", {"horizon": 3}, preset="paper").config.horizon == 3
    with pytest.raises(ConfigError, match=r"planner 'aa-plan': unknown setting 'horizn': did you mean 'horizon'\?"):
        make_planner("aa-plan", {"horizn": 3})


def test_options_for_what_has_none_are_refused():
    with pytest.raises(ConfigError, match="agent 'random' has no options"):
        make_agent("random", "CartPole-v1", {"x": 1})


def test_an_unsupported_environment_is_refused_before_anything_is_made(site):
    site.install(
        "aa",
        HEADER
        + GOOD.split("ZOO_API = 1")[1]
        .replace('PlannerSpec("{name}-plan"', 'AgentSpec("{name}-agent"')
        .replace('"s"', '"s", action_spaces=("Box",)'),
    )
    site.load()
    for env in ("CartPole-v1", gym.make("CartPole-v1")):
        with pytest.raises(UnsupportedSpaceError, match="agent 'aa-agent' takes Box action spaces, got Discrete"):
            make_agent("aa-agent", env)


# -- environments ------------------------------------------------------------------------------------------


def test_an_environment_package_is_imported_when_one_of_its_ids_is_asked_for(site):
    register = """
        import gymnasium
        if "lazyns/Pole-v0" not in gymnasium.registry:
            gymnasium.register("lazyns/Pole-v0", "gymnasium.envs.classic_control:CartPoleEnv")
        """
    site.install("lazyns", register, group="zoo_core.envs")
    assert "lazyns" in env_namespaces()
    assert "zoo_fake_lazyns.plugin" not in sys.modules
    assert make_env("lazyns/Pole-v0").action_space == spaces.Discrete(2)
    with pytest.raises(UnknownNameError, match=r"unknown environment 'lazyns/Pol-v0': did you mean 'lazyns/Pole-v0'\?"):
        make_env("lazyns/Pol-v0")
    del gym.registry["lazyns/Pole-v0"]


def test_an_id_without_a_namespace_is_looked_for_in_all_environment_packages(site):
    register = """
        import gymnasium
        gymnasium.register("bare_pole_v3", "zoo_fake_barens.plugin:CartPoleEnv")
        from gymnasium.envs.classic_control import CartPoleEnv
        """
    site.install("barens", register, group="zoo_core.envs")
    site.install("badns", "import sys; sys.exit(1)", group="zoo_core.envs")
    assert make_env("bare_pole_v3").action_space == spaces.Discrete(2)
    with pytest.raises(UnknownNameError, match=r"unknown environment 'bare_pol_v3': did you mean 'bare_pole_v3'\?"):
        make_env("bare_pol_v3")
    del gym.registry["bare_pole_v3"]


def test_an_id_that_gymnasium_knows_imports_no_environment_package(site):
    site.install("sleeping", "raise AssertionError", group="zoo_core.envs")
    make_env("CartPole-v1")
    assert "zoo_fake_sleeping.plugin" not in sys.modules


def test_broken_environment_packages_are_named_all_at_once(site):
    site.install("badns", "import sys; sys.exit(1)", group="zoo_core.envs")
    site.install("lostns", "import zoo_nowhere_at_all", group="zoo_core.envs")
    assert [str(failure) for failure in env_failures()] == [
        "environment package 'badns' (zoo-fake-badns 1.2) failed to load: importing zoo_fake_badns.plugin calls "
        "sys.exit(1)",
        "environment package 'lostns' (zoo-fake-lostns 1.2) failed to load: ModuleNotFoundError: No module named "
        "'zoo_nowhere_at_all'",
    ]


def test_a_broken_environment_package_is_named(site):
    site.install("badns", "import sys; sys.exit(1)", group="zoo_core.envs")
    with pytest.raises(PluginLoadError, match=r"environment 'badns/X-v0': zoo-fake-badns 1.2 cannot be imported"):
        make_env("badns/X-v0")
    with pytest.raises(UnknownNameError, match=r"did you mean 'CartPole-v1'\?"):
        make_env("CartPoel-v1")


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Pendulm-v1", "unknown environment 'Pendulm-v1': did you mean 'Pendulum-v1'?"),
        ("zoo_core:Draem-v0", "unknown environment 'zoo_core:Draem-v0': did you mean 'Dream-v0'?"),
        ("Pendulum-v9", "unknown environment 'Pendulum-v9': did you mean 'Pendulum-v1'?"),
        ("not an id", "unknown environment 'not an id'"),
        ("nowhere/X-v0", "no installed package has the namespace 'nowhere'"),
    ],
)
def test_an_unknown_environment_is_answered_with_the_nearest(env_id, message):
    with pytest.raises(UnknownNameError) as caught:
        make_env(env_id)
    assert message in str(caught.value)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(PluginLoadError, match="module 'nowhere_at_all' cannot be imported"):
        make_env("nowhere_at_all:X-v0")


def test_an_argument_that_the_environment_does_not_take_is_a_config_error():
    with pytest.raises(ConfigError, match=r"environment 'Pendulum-v1': .* unexpected keyword argument 'gravty'"):
        make_env("Pendulum-v1", gravty=9.8)


def test_the_public_functions_are_those_of_this_module():
    assert zoo_core.make_agent is make_agent
    assert zoo_core.specs is specs


@pytest.mark.parametrize(("display", "driver"), [(None, "dummy"), (":0", None)])
def test_pictures_are_drawn_into_memory_where_there_is_no_display(monkeypatch, display, driver):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    make_env("CartPole-v1", render_mode="rgb_array").close()
    assert os.environ.get("SDL_VIDEODRIVER") == driver
