"""`zoo eval`: how good a saved agent is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import options
from zoo_core.cli.output import AsJson, print_json
from zoo_core.cli.reality import check_spaces, check_video, find_reality
from zoo_core.errors import CheckpointError, ConfigError


def evaluate(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run directory, the file of an agent, or hf://OWNER/NAME.")
    ],
    episodes: Annotated[int, typer.Option("--episodes", min=1, help="Episodes to run.")] = 20,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Of the first episode; by default the same for all runs, so that they compare."
        ),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic/--stochastic", help="Take the best action, or a sample.")
    ] = True,
    video: Annotated[Path | None, typer.Option("--video", metavar="FILE.gif", help="Film the first episode.")] = None,
    env: Annotated[str | None, typer.Option("--env", help="Another environment than that of the run.")] = None,
    env_kwargs: options.EnvKwargs = None,
    device: options.Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Evaluate a saved agent: mean, deviation and range of its returns, and a film if asked for.

    Example: zoo eval runs/dream-ppo-CartPole-v1-0-1 --episodes 20 --video out.gif
    """
    from zoo_core.agent import load
    from zoo_core.evaluation import EVALUATION_SEED, evaluate as run_episodes
    from zoo_core.rundir import RunDirectory

    record = RunDirectory.open(run).record
    if record.get("kind") == "dream":
        algorithm, policy = record["algorithm"], record["policy"]
        raise CheckpointError(f"{run} was written by `zoo dream`: load {policy} with {algorithm}.load(...) of SB3")
    with options.user_input():
        agent = load(run, device=options.check_device(device))
    reality = find_reality(record, agent.env_id, env, env_kwargs)
    if reality is None:
        raise ConfigError(f"{run} names no environment: say which with --env ID")
    check_spaces(agent, reality)
    check_video(video, reality)
    env_id, arguments, state = reality
    around = {"deterministic": deterministic, "env_kwargs": arguments, "env_state": state}
    first = EVALUATION_SEED if seed is None else seed
    if video is not None:
        from zoo_core.video import record_gif

        record_gif(agent, env_id, video, seed=first, **around)
    result = run_episodes(agent, env_id, episodes=episodes, seed=first, **around)
    if as_json:
        facts = {"run": run, "env": {"id": env_id, "kwargs": arguments}, "deterministic": deterministic}
        print_json({**facts, **result.to_json(), "video": video and str(video)})
        return
    typer.echo(f"{record.get('agent', type(agent).__name__)} on {env_id}: {result}")
    if video is not None:
        typer.echo(f"film in {video}")
