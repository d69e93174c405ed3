"""`zoo play`: a board game in the terminal."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from zoo_core.cli import options

Env = Annotated[str, typer.Option("--env", help="The game, such as connect_four_v3 or tictactoe_v3.")]


def play(
    env: Env,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="PLAYER",
            help="random, minimax:5, mcts:1000, perfect, or a RUN; RUN:network plays by the policy alone, RUN:50 with "
            "so many simulations.",
        ),
    ],
    first: Annotated[bool, typer.Option("--first/--second", help="Whether you begin.")] = True,
    show: Annotated[
        bool, typer.Option("--show", help="Tell with each of its moves what the opponent thought of it.")
    ] = False,
    env_kwargs: options.EnvKwargs = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the opponent; by default it varies.")] = None,
    device: options.Device = "auto",
) -> None:
    """Play a board game against a player, one move a line; "help" says what else can be typed.

    Example: zoo play --env connect_four_v3 --against minimax:5 --second
    """
    from zoo_core.seeding import fresh_seed, numpy_rng
    from zoo_mcts.dialogue import Dialogue
    from zoo_mcts.games.lookup import make_game
    from zoo_mcts.players import make_player

    arguments = options.parse_env_kwargs(env_kwargs)
    device = options.check_device(device)
    with options.user_input():
        game = make_game(env, **arguments)
        opponent = make_player(against, game, device=device)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is no text is no move
    rng = numpy_rng(fresh_seed() if seed is None else seed, "opponent")
    Dialogue(game, opponent, seat=0 if first else 1, show=show, rng=rng, read=_read, say=typer.echo).run()


def _read(prompt: str) -> str | None:
    """Returns a line that was typed, or None at the end of the input; a line from a pipe is shown as if typed."""
    typer.echo(prompt, nl=False)
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        typer.echo(line.rstrip("\n"))
    return line.strip() if line else None
