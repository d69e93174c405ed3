"""The commands in one place, and what becomes of an error: one line and an exit code."""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import zoo_core
from zoo_core.cli import catalogue, doctor, dream, evaluate, gap, new, train
from zoo_core.errors import PluginLoadError, UnknownNameError, ZooError, did_you_mean

FAILED, MISTAKE, INTERRUPTED = 1, 2, 130  # exit codes: a bug, a user's mistake, Ctrl-C

# Typer's own click, which some versions import and others bring along; both derive from it what a user got wrong.
_UsageError: Any = typer.BadParameter.__mro__[2]


class ZooGroup(TyperGroup):
    """The commands of zoo-core and those that plugins register."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; Ctrl-C becomes Abort, which every version of typer hands through."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort("interrupted") from error

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, those of plugins last."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in _plugin_commands() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command by name; one of a plugin with its summary only, since `--help` must load none."""
        if own := super().get_command(ctx, cmd_name):
            return own
        spec = _plugin_commands().get(cmd_name)
        return spec and TyperCommand(cmd_name, help=spec.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the command to run and its arguments, and loads it if it is a plugin's.

        Raises:
            UnknownNameError: There is no such command.
            PluginLoadError: Its plugin is broken.
        """
        name, *rest = args
        if own := super().get_command(ctx, name):
            return name, own, rest
        if name in _plugin_commands():
            return name, _load_command(name), rest
        raise UnknownNameError(f"unknown command {name!r}{did_you_mean(name, self.list_commands(ctx))}")


app = typer.Typer(cls=ZooGroup, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
app.command("plugins")(catalogue.plugins)
app.command("list")(catalogue.list_)
app.command("info")(catalogue.info)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("dream")(dream.dream)
app.command("gap")(gap.gap)
app.command("doctor")(doctor.doctor)
app.command("new")(new.new)


@app.callback(invoke_without_command=True)
def zoo(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; also after the command.")
    ] = False,
) -> None:
    """World models that are Gymnasium environments: train agents, look into them, and learn in their dreams."""
    if version:
        typer.echo(f"zoo-core {zoo_core.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `zoo`.

    Args:
        argv: What follows `zoo` on the command line; None takes it from there.

    Returns:
        The exit code: 0, 1 for a bug, 2 for a mistake of the user, 130 for Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            code = get_command(app).main(arguments, prog_name="zoo", standalone_mode=False, obj=arguments)
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc()
            code, message = _judge(error)
            print(message, file=sys.stderr)
    return code if isinstance(code, int) else 0


def _judge(error: BaseException) -> tuple[int, str]:
    """Returns the exit code of an error and the one line to print."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED, _one_line(error) or "interrupted"
    if isinstance(error, _UsageError):
        return MISTAKE, f"error: {_usage(error)}"
    if isinstance(error, ZooError):
        return MISTAKE, f"error: {_one_line(error)}"
    return (
        FAILED,
        f"error: {type(error).__name__}: {_one_line(error)} (a bug; run again with --debug to see where)",
    )


def _usage(error: Any) -> str:
    """Says what is wrong with the command line, with the nearest option where one is misspelt."""
    command = error.ctx.command_path if error.ctx else "zoo"
    if hasattr(error, "possibilities"):
        options = [name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts]
        known = [name for name in options if name.startswith("--")]
        return f"{command} has no option {error.option_name}{did_you_mean(error.option_name, known)}"
    text = " ".join(error.format_message().split()).rstrip(".")
    if hasattr(error.__cause__, "errors"):  # of pydantic, which checks values for typer
        text += f", got {error.__cause__.errors()[0]['input']!r}"
    return f"{text[:1].lower()}{text[1:]}; see {command} --help"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _show_warning(message: Any, category: Any, *where: Any, **more: Any) -> None:
    plain = re.sub(r"\x1b\[\d*m", "", _one_line(message)).removeprefix("WARN: ")
    print(f"warning: {plain}", file=sys.stderr)


def _plugin_commands() -> dict[str, Any]:
    from zoo_core.plugins import specs

    return {spec.id: spec for spec in specs("command")}


def _load_command(name: str) -> Any:
    from zoo_core.plugins import command_spec, load_object

    spec = command_spec(name)
    found = load_object(spec.entry_point)
    if not isinstance(found, typer.Typer):
        if not callable(found):
            raise PluginLoadError(f"{spec.entry_point} is neither a typer app nor a function")
        function, found = found, typer.Typer(add_completion=False)
        found.command(help=spec.summary)(function)
    command: Any = get_command(found)
    command.name = name
    return command
