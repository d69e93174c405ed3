"""`zoo gap`: the same policy in reality and in the dreams of a world model, and how they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import options
from zoo_core.cli.output import AsJson, print_json
from zoo_core.cli.reality import Reality, check_spaces, check_video, find_reality
from zoo_core.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from zoo_core.reality_gap import GapReport
    from zoo_core.world_model import WorldModel

_RANDOM = "random"
_EPISODES, _TEMPERATURE = 20, 1.0  # those of zoo_core.gap


def gap(
    source: Annotated[
        Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run of an agent with a world model, or a model's file.")
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="random|RUN",
            help="Who acts: by default the agent of the run; with a model's file, at random.",
        ),
    ] = None,
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="Real episodes, and as many dreams.")] = _EPISODES,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", min=1, help="Steps of an episode at most; default: the environment's limit."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the first episode; by default that of zoo eval.")
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic/--stochastic", help="Take the best action, or a sample.")
    ] = True,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="Of the dreams.")] = _TEMPERATURE,
    env: Annotated[str | None, typer.Option("--env", help="Another environment than that of the run.")] = None,
    env_kwargs: options.EnvKwargs = None,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE.png", help="Draw the figures.")] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video", metavar="FILE.gif", help="Film the policy in a dream and in reality, with its best actions."
        ),
    ] = None,
    device: options.Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure how far dreams are from reality: k-step errors, calibration, returns, uncertainty.

    What a run's own agent meets in its own environment, measured with the default settings (or in more episodes), is
    also written to gap.json in the run directory, and its headline figures to the model card.

    Example: zoo gap runs/dream-sac-Pendulum-v1-0-1 --png gap.png --video gap.gif
    """
    from zoo_core.evaluation import EVALUATION_SEED
    from zoo_core.reality_gap import gap as measure
    from zoo_core.rundir import RunDirectory

    record = RunDirectory.open(source).record
    check_png(png)
    agent, model = open_source(source, record, options.check_device(device))
    player = agent if policy is None else open_policy(policy, device)
    reality = find_reality(record, model.env_id, env, env_kwargs)
    if reality is None:
        raise ConfigError(f"{source} names no environment: say which with --env ID")
    check_spaces(model, reality)
    check_video(video, reality)
    first = EVALUATION_SEED if seed is None else seed
    with options.user_input():
        report = measure(
            player,
            model,
            reality.env_id,
            episodes=episodes,
            horizon=horizon,
            seed=first,
            deterministic=deterministic,
            temperature=temperature,
            env_kwargs=reality.kwargs,
            env_state=reality.state,
        )
    own = source.is_dir() and policy is None and env is None and not env_kwargs
    usual = episodes >= _EPISODES and horizon is None and deterministic and temperature == _TEMPERATURE
    kept = keep(report, source) if own and usual else None
    if png is not None:
        report.plot(png)
    if video is not None:
        film(player, model, reality, report, video)
    if as_json:
        files = {"png": png and str(png), "video": video and str(video)}
        print_json({"source": str(source), **report.to_json(), **files})
        return
    typer.echo(str(report))
    for what, path in (("figures", png), ("film", video), ("report", kept)):
        if path is not None:
            typer.echo(f"{what} in {path}")


def check_png(png: Path | None) -> None:
    """Raises ConfigError where figures are to go into a file of another kind."""
    if png is not None and png.suffix != ".png":
        raise ConfigError(f"--png writes a PNG: name a file that ends in .png, got {str(png)!r}")


def open_source(source: Path, record: dict[str, Any], device: str) -> tuple[Any, WorldModel]:
    """Returns the agent in a run or file, None if it holds a model alone, and the model.

    Raises:
        ConfigError: It is of an agent that has no world model.
        CheckpointError: It was written by `zoo dream`, or is damaged.
    """
    from zoo_core.agent import load
    from zoo_core.archive import read_header
    from zoo_core.world_model import load_model

    if record.get("kind") == "dream":
        raise CheckpointError(
            f"{source} was written by `zoo dream` and holds no model: in Python, pass {record['algorithm']}.load(...) "
            f"of SB3 and the model in {record['model']['path']} to zoo_core.gap"
        )
    with options.user_input():
        if read_header(source).get("kind") != "agent":
            return None, load_model(source, device=device)
        agent = load(source, device=device)
    if agent.world_model is None:
        raise ConfigError(
            f"{source} holds {type(agent).__name__}, which has no world model: zoo gap takes a run of an agent that "
            "learns one, such as dream-ppo, or the file of a model"
        )
    return agent, agent.world_model


def open_policy(name: str, device: str) -> Any:
    """Returns the agent of a run or file; None, who acts at random, for "random"."""
    from zoo_core.agent import load
    from zoo_core.rundir import RunDirectory

    if name == _RANDOM:
        return None
    RunDirectory.open(name)  # names the nearest where there is nothing
    with options.user_input():
        return load(name, device=device)


def keep(report: GapReport, run: Path) -> Path:
    """Writes the report into a run directory, brings its model card up to date, and returns the report's path."""
    from zoo_core.archive import write_json
    from zoo_core.model_card import GAP, write_card

    path = run / GAP
    write_json(path, report.to_json())
    write_card(run)
    return path


def film(player: Any, model: WorldModel, reality: Reality, report: GapReport, path: Path) -> None:
    """Films an episode from the first start of the report in the dream and in reality, side by side.

    Actions are the policy's best ones. So what a deterministic policy does in reality is the report's first episode;
    dreams that are drawn at random, and a random policy, are drawn anew.
    """
    from zoo_core.acting import RandomPolicy
    from zoo_core.video import dream_and_reality, side_by_side_gif

    if player is None:
        player = RandomPolicy(model.action_space, seed=report.seed)
    elif report.observation == "latent":
        player = player.latent_policy
    dreamt, happened = dream_and_reality(
        player,
        model,
        reality.env_id,
        steps=report.horizon,
        seed=report.seed,
        env_kwargs=reality.kwargs,
        env_state=reality.state,
        observation=report.observation,
        temperature=report.temperature,
    )
    labels = (f"dream {dreamt.episode_return:.1f}", f"reality {happened.episode_return:.1f}")
    side_by_side_gif(dreamt.frames, happened.frames, path, labels, fps=happened.fps)
