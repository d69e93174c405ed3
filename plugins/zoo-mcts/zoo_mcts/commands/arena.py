"""`zoo arena`: which players are the strongest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from zoo_core.cli import options
from zoo_core.cli.output import AsJson, print_json, print_table
from zoo_core.errors import ConfigError
from zoo_core.progress import Progress
from zoo_core.seeding import stream_seed

if TYPE_CHECKING:
    from zoo_mcts.arena import Games
    from zoo_mcts.elo import Ratings
    from zoo_mcts.games.game import Game
    from zoo_mcts.players import Player

    Pairs = dict[tuple[int, int], Games]  # by the places of two players among all

MAX_GAMES = 1_000_000
_RESULTS = ("wins", "draws", "losses")

Env = Annotated[str, typer.Option("--env", help="The game, such as connect_four_v3 or tictactoe_v3.")]


def arena(
    players: Annotated[
        list[str],
        typer.Argument(
            metavar="PLAYER...",
            help="random, minimax:5, mcts:1000, perfect, or a RUN; RUN:network plays by the policy alone, RUN:50 with "
            "so many simulations.",
        ),
    ],
    env: Env,
    games: Annotated[
        int, typer.Option("--games", min=2, max=MAX_GAMES, help="Of each pair of players; each begins half of them.")
    ] = 200,
    openings: Annotated[
        int | None,
        typer.Option(
            "--openings",
            min=0,
            help="Random moves that begin each game; by default 4 where neither player ever varies, else none.",
        ),
    ] = None,
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="PLAYER", help="Whose Elo is 0; by default the mean is.")
    ] = None,
    env_kwargs: options.EnvKwargs = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let players play a board game, each against each: results, Elo with 95 % intervals, and who beat whom.

    Example: zoo arena random minimax:3 mcts:200 --env connect_four_v3 --games 100
    """
    from zoo_mcts.elo import rate
    from zoo_mcts.games.lookup import make_game
    from zoo_mcts.players import make_player

    _check(players, games, anchor)
    arguments = options.parse_env_kwargs(env_kwargs)
    device = options.check_device(device)
    with options.user_input():
        game = make_game(env, **arguments)
        made = [make_player(name, game, device=device) for name in players]
        played = _play_all(game, made, games, seed=seed, opening_moves=openings, show=not quiet)
    points = np.zeros((len(made), len(made)))
    for (a, b), met in played.items():
        points[a, b], points[b, a] = met.record(0).score, met.record(1).score
    ratings = rate(points, anchor=None if anchor is None else players.index(anchor))
    table = _table(players, played, ratings)
    against = [_against(met) for met in played.values()]
    if as_json:
        facts = {"env": {"id": env, "kwargs": arguments}, "games": games, "seed": seed, "anchor": anchor}
        print_json({**facts, "players": table, "pairs": against, "rated_by_results_alone": ratings.finite})
    else:
        _print(table, against, ratings.finite)


def _check(players: Sequence[str], games: int, anchor: str | None) -> None:
    if len(players) < 2:
        raise ConfigError(f"an arena takes two players or more, got {', '.join(players)}")
    if len(set(players)) < len(players):
        twice = next(name for name in players if players.count(name) > 1)
        raise ConfigError(f"player {twice!r} is named twice: players are told apart by their names")
    if games % 2 == 1:
        raise ConfigError(f"--games must be even, so that each player begins half of them, got {games}")
    if anchor is not None and anchor not in players:
        raise ConfigError(f"--anchor must be one of the players {', '.join(players)}, got {anchor!r}")


def _play_all(
    game: Game, players: Sequence[Player], num_games: int, *, seed: int, opening_moves: int | None, show: bool
) -> Pairs:
    """Lets every two players meet; what comes of it depends on their names and the seed, not on who else is there."""
    from zoo_mcts.arena import play_games

    pairs = list(combinations(range(len(players)), 2))
    played: Pairs = {}
    with Progress("games", len(pairs) * num_games, show=show) as progress:
        for a, b in pairs:
            played[a, b] = play_games(
                game,
                players[a],
                players[b],
                num_games,
                seed=stream_seed(seed, f"{players[a].name} - {players[b].name}"),
                opening_moves=opening_moves,
                on_progress=lambda over: progress.to(len(played) * num_games + over),
            )
    return played


def _table(players: Sequence[str], played: Pairs, ratings: Ratings) -> list[dict[str, Any]]:
    """Returns what is said of each player, the strongest first."""
    rows = []
    for i, name in enumerate(players):
        mine = [(met, pair.index(i)) for pair, met in played.items() if i in pair]
        seats = [np.sum([met.record(me, seat) for met, me in mine], 0).tolist() for seat in (0, 1)]
        num = sum(map(sum, seats))
        row = {
            "player": name,
            "elo": float(ratings.elo[i]),
            "elo_low": float(ratings.elo[i] - ratings.margin[i]),
            "elo_high": float(ratings.elo[i] + ratings.margin[i]),
            "score": sum(wins + draws / 2 for wins, draws, _ in seats) / num,
            "games": num,
        }
        by_seat = [dict(zip(_RESULTS, seat, strict=True)) for seat in seats]
        rows.append({**row, "first": by_seat[0], "second": by_seat[1]})
    return sorted(rows, key=lambda row: -row["elo"])


def _against(met: Games) -> dict[str, Any]:
    """Returns what is said of two players who met."""
    from zoo_mcts.elo import sign_test

    record = met.record(0)
    return {
        "player": met.players[0],
        "against": met.players[1],
        **record._asdict(),
        "score": record.score / record.games,
        "p_value": sign_test(record.wins, record.losses),
        "mean_length": float(met.length.mean()),
        "opening_moves": met.opening_moves,
    }


def _print(table: Sequence[dict[str, Any]], against: Sequence[dict[str, Any]], finite: bool) -> None:
    rows = [("player", "Elo", "95 %", "score", "first W/D/L", "second W/D/L")]
    for row in table:
        margin = f"± {row['elo_high'] - row['elo']:.0f}"
        seats = ("/".join(map(str, row[seat].values())) for seat in ("first", "second"))
        rows.append((row["player"], f"{row['elo']:+.0f}", margin, f"{row['score']:.1%}", *seats))
    print_table(rows)
    typer.echo()
    rows = [("player", "against", "W/D/L", "score", "p", "moves a game")]
    for pair in against:
        won = "/".join(str(pair[word]) for word in _RESULTS)
        names = pair["player"], pair["against"]
        rows.append((*names, won, f"{pair['score']:.1%}", f"{pair['p_value']:.2g}", f"{pair['mean_length']:.1f}"))
    print_table(rows)
    if not finite:
        typer.echo(
            "\nSome players took no point from others, who would be rated infinitely higher: to each pair that met a "
            "drawn game was added for the rating."
        )
    drawn = [pair for pair in against if pair["opening_moves"]]
    if drawn:
        games = ", ".join(f"{pair['player']} - {pair['against']}" for pair in drawn)
        which = "All games" if len(drawn) == len(against) else f"Games of {games}"
        typer.echo(f"\n{which} began with {drawn[0]['opening_moves']} random moves, the same for both colours.")
