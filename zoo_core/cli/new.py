"""`zoo new`: a complete plugin, to begin one's own with."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

import zoo_core
from zoo_core.errors import UnknownNameError, ZooError, did_you_mean
from zoo_core.plugins import load_plugins
from zoo_core.plugins.diagnosis import installed_version
from zoo_core.plugins.environments import ENV_GROUP
from zoo_core.plugins.loading import PLUGIN_GROUP

MAX_NAME = 30  # characters; longer names would not fit the lines of the templates
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = ("core", "envs", "zoo")  # zoo-core and zoo-envs are the zoo's own
_SUFFIX = ".tmpl"


@dataclass(frozen=True)
class Kind:
    """What the four kinds of plugin differ in, beside their code.

    Attributes:
        summary: One line, without a full stop.
        commands: To look at it with, after it is installed.
        python: To use it with.
    """

    summary: str
    commands: str
    python: str


KINDS = {
    "agent": Kind(
        "An agent for the Agent Zoo: the cross-entropy method on the weights of a linear policy",
        "zoo train my-thing --env CartPole-v1 --steps 8000",
        'import zoo_core\n\nagent = zoo_core.make_agent("my-thing", "CartPole-v1", seed=0).learn(8_000)',
    ),
    "model": Kind(
        "A world model for the Agent Zoo: least squares on observations, their squares and actions",
        "zoo info my-thing",
        "import zoo_core\n\n"
        'replay = zoo_core.Replay.collect("Pendulum-v1", steps=1_000, seed=0)\n'
        'model = zoo_core.make_model("my-thing", replay.observation_space, replay.action_space)\n'
        "model.fit(replay, rng=zoo_core.rng(0))\n"
        "dreams = zoo_core.DreamVecEnv(model, num_envs=64)",
    ),
    "planner": Kind(
        "A planner for the Agent Zoo: random shooting, the best of many random action sequences",
        "zoo info my-thing",
        "import zoo_core\n\n"
        'model = zoo_core.SimulatorModel("Pendulum-v1")\n'
        "state = model.initial_state(4, rng=zoo_core.rng(0))\n"
        'plan = zoo_core.make_planner("my-thing").plan(model, state, rng=zoo_core.rng(0))',
    ),
    "env": Kind(
        "An environment for Gymnasium and the Agent Zoo: a point in a square that must come to the middle",
        "zoo info zoo_my_thing/MyThing-v0",
        'import zoo_core\n\nenv = zoo_core.make_env("zoo_my_thing/MyThing-v0")',
    ),
}


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower case words joined by hyphens, such as fast-ppo.")],
    kind: Annotated[str, typer.Option("--kind", help="agent, model, planner or env.")] = "agent",
    out: Annotated[
        Path | None, typer.Option("--out", help="The directory to write, new or empty; without it zoo-NAME, here.")
    ] = None,
) -> None:
    """Write a complete plugin that runs: package, code that learns, tests, README and licence.

    The distribution is called zoo-NAME and imported as zoo_NAME.
    """
    if kind not in KINDS:
        raise UnknownNameError(f"there is no kind {kind!r} of plugin{did_you_mean(kind, KINDS)}")
    _check_name(name, kind)
    folder = Path(f"zoo-{name}") if out is None else out
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ZooError(f"{folder} exists and is not an empty directory: name another one with --out")
    texts = dict(render(name, kind))
    try:
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ZooError(f"cannot write the plugin to {folder}: {error}") from error
    typer.echo(f"{folder} is the distribution zoo-{name}, imported as {_package(name)}. Next:\n")
    commands = [f'pip install -e "{folder}[test]"', _fill(KINDS[kind].commands, name), f"pytest {folder}"]
    typer.echo("\n".join(f"  {command}" for command in commands))


def render(name: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yields the files of a plugin: the path inside its directory, and the text."""
    described = KINDS[kind]
    major, minor = zoo_core.__version__.split(".")[:2]
    core = f'"zoo-core>={major}.{minor},<{major}.{int(minor) + 1}"'
    env = kind == "env"
    parts = {
        "<summary>": described.summary,
        "<dependencies>": '"gymnasium>=1.2", "numpy"' if env else core,
        "<test-dependencies>": f'"pytest", {core}' if env else '"pytest"',
        "<group>": ENV_GROUP if env else PLUGIN_GROUP,
        "<entry-point>": 'zoo_my_thing = "zoo_my_thing"' if env else 'my-thing = "zoo_my_thing.plugin"',
        "<commands>": described.commands,
        "<python>": f"```python\n{described.python}\n```",
    }
    templates = files("zoo_core.cli") / "templates"
    for folder in (templates / "shared", templates / kind):
        for path, text in _read(folder):
            for placeholder, part in parts.items():
                text = text.replace(placeholder, part)
            yield _fill(path.replace("dot-", "."), name), _fill(text, name)


def _check_name(name: str, kind: str) -> None:
    """Checks that a name can be used, and is not in use.

    Raises:
        ZooError: It cannot; the message has one that can.
    """
    if wrong := _wrong_with(name):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
        better = re.sub(r"[^a-z0-9]+", "-", words).strip("-").removeprefix("zoo-")[:MAX_NAME].rstrip("-")
        if not better or _wrong_with(better):
            better = f"my-{better or kind}"
        raise ZooError(f"{wrong}, got {name!r}: try {better}")
    if user := _user_of(name):
        raise ZooError(f"{name!r} is taken by {user}: try my-{name}")


def _wrong_with(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "a name is lower case words joined by hyphens, the first of which begins with a letter"
    if len(name) > MAX_NAME:
        return f"a name has at most {MAX_NAME} characters"
    if name.startswith("zoo-"):
        return f"a name goes without zoo-, which the distribution zoo-{name} would have twice"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _TAKEN:
        return "a name is no word of Python's own, nor one of the zoo's"
    return None


def _user_of(name: str) -> str | None:
    """Returns who has a name already: a distribution, a plugin, or something that a plugin registers."""
    if installed := installed_version(f"zoo-{name}"):
        return f"the installed zoo-{name} {installed}"
    for group, names in ((PLUGIN_GROUP, {name}), (ENV_GROUP, {_package(name)})):
        for point in entry_points(group=group):
            if point.name in names:
                return f"the entry point {point.name} = {point.value}"
    registry = load_plugins(strict=False).registry
    return next((f"the {spec.kind} of {registry.owner_of(spec)}" for spec in registry if spec.id == name), None)


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")


def _fill(text: str, name: str) -> str:
    """Writes a name in place of my-thing, my_thing and MyThing, which the templates are written for."""
    title = "".join(word.capitalize() for word in name.split("-"))
    for mine, theirs in (("my-thing", name), ("my_thing", name.replace("-", "_")), ("MyThing", title)):
        text = text.replace(mine, theirs)
    return text


def _package(name: str) -> str:
    return f"zoo_{name.replace('-', '_')}"
