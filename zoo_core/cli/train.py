"""`zoo train`: an agent learns in an environment, and everything about the run is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import options
from zoo_core.cli.learning import LOG_LINES, command_line, learn, run_name
from zoo_core.cli.output import AsJson, print_json
from zoo_core.cli.resuming import check_same_options, open_run
from zoo_core.config import config_from_json, config_to_json, parse_settings
from zoo_core.errors import ConfigError

if TYPE_CHECKING:
    from zoo_core.agent import Agent
    from zoo_core.replay import Replay
    from zoo_core.rundir import RunDirectory
    from zoo_core.trackers import Tracker

DEFAULT_STEPS = 10_000


def train(
    context: typer.Context,
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help="As `zoo list agents` prints it.")] = None,
    env: Annotated[
        str | None, typer.Option("--env", help="Id of the environment, as `zoo list envs` prints it.")
    ] = None,
    env_kwargs: options.EnvKwargs = None,
    num_envs: Annotated[int, typer.Option("--n-envs", min=1, help="Copies of the environment.")] = 1,
    preset: Annotated[str | None, typer.Option("--preset", help="A named config: see `zoo info AGENT`.")] = None,
    settings: options.Settings = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", "--timesteps", min=1, help="Env steps to learn for: 10,000, or none after --data."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="minari:ID", help="Learn from a local Minari dataset first.")
    ] = None,
    seed: options.Seed = 0,
    out: options.Out = None,
    checkpoint_every: Annotated[
        int | None, typer.Option("--checkpoint-every", min=1, help="Env steps between checkpoints; default: none.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run from its newest checkpoint.")
    ] = None,
    track: Annotated[str | None, typer.Option("--track", help="wandb or mlflow, beside TensorBoard and CSV.")] = None,
    device: options.Device = "auto",
    eval_episodes: options.EvalEpisodes = 10,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train an agent in an environment.

    The run directory gets run.json (config, seed, versions, result), progress.csv, TensorBoard events and agent.zip.

    Example: zoo train dream-ppo --env CartPole-v1 --set model=ensemble --seed 0

    A run with --checkpoint-every N that was stopped, or killed, goes on with zoo train --resume RUN, and ends as if it
    never had been: it needs no other options, and takes none that differ.
    """
    from zoo_core.model_card import write_card
    from zoo_core.rundir import RunDirectory

    if resume is not None:
        run = open_run(resume)
        check_same_options(context, run.record)
    else:
        if agent is None or env is None:
            raise ConfigError("say what to train and where: zoo train AGENT --env ID, or --resume RUN")
        record = {
            "kind": "train",
            "command": command_line(context),
            "agent": agent,
            "env": {"id": env, "kwargs": options.parse_env_kwargs(env_kwargs), "num_envs": num_envs},
            "preset": preset,
            "config": parse_settings(settings or ()),
            "seed": seed,
            "steps": steps or (0 if data else DEFAULT_STEPS),
            "data": data,
            "checkpoint_every": checkpoint_every,
            "eval_episodes": eval_episodes,
            "track": track,
            "device": options.check_device(device),
        }
        options.check_tracker(track)
        learner = _make_agent(record, verbose=verbose and not as_json)
        replay = _read_data(record, learner)
        run = RunDirectory.create(run_name(agent, env, seed), _complete(record, learner), out=out)
    with run.locked():
        if resume is not None:
            learner = _make_agent(run.record, verbose=verbose and not as_json)
            replay = _read_data(run.record, learner)
            run.update(status="running", resumed=[*run.record.get("resumed", []), command_line(context)])
        if not (quiet or as_json):
            _say_memory(learner, run.record)
        seconds = _learn(
            learner,
            run,
            replay,
            to_screen=verbose and not as_json,
            progress_bar=not (quiet or as_json),
            resume=resume is not None,
        )
        result = _finish(learner, run)
        write_card(run.path)
    if as_json:
        print_json({"run": str(run.path), **run.record})
        return
    _print(learner, run, seconds, result)


def _make_agent(record: dict[str, Any], *, verbose: bool) -> Agent:
    """Makes the agent of a record, whose config may be settings, or complete."""
    from zoo_core.acting import as_vec_env
    from zoo_core.plugins import agent_spec, load_object, make_agent

    env, config = record["env"], record["config"]
    spec = agent_spec(record["agent"])
    complete = "versions" in record  # run.json has been written
    if complete and spec.config is not None:
        config = config_from_json(load_object(spec.config), config)
    with options.user_input():
        return make_agent(
            record["agent"],
            as_vec_env(env["id"], seed=record["seed"], env_kwargs=env["kwargs"], num_envs=env["num_envs"]),
            config,
            preset=None if complete else record["preset"],
            seed=record["seed"],
            device=record["device"],
            verbose=int(verbose),
        )


def _complete(record: dict[str, Any], learner: Agent) -> dict[str, Any]:
    """Returns the record with what is known once the agent is made."""
    from zoo_core.plugins import agent_spec
    from zoo_core.rundir import versions

    return {
        **record,
        "config": config_to_json(learner.config or {}),
        "device": str(learner.device),
        "versions": versions(agent_spec(record["agent"])),
    }


def _read_data(record: dict[str, Any], learner: Agent) -> Replay | None:
    """Returns the dataset to learn from first, if the record names one."""
    if record["data"] is None:
        return None
    from zoo_core.replay.minari_datasets import load

    return load(record["data"], learner.observation_space, learner.action_space)


def _say_memory(learner: Agent, record: dict[str, Any]) -> None:
    """Says what the replay may take before any of it is used."""
    if size := learner.replay_bytes(record["steps"]):
        typer.echo(f"the replay takes up to {size / 2**20:,.1f} MiB of memory")


def _learn(
    learner: Agent, run: RunDirectory, replay: Replay | None, *, to_screen: bool, progress_bar: bool, resume: bool
) -> float:
    """Lets the agent learn, with checkpoints where the run has any; returns the seconds."""
    from zoo_core.checkpoint import Checkpoints

    record, file = run.record, run.path / "agent.zip"
    every, checkpoints = record["checkpoint_every"], None
    if every is not None:
        checkpoints = Checkpoints(run.path / "checkpoints", every=every, resume=resume, portable=file)
        if resume and checkpoints.find():
            replay = None  # it is in the checkpoint
    learner.progress_bar = progress_bar
    return learn(
        learner,
        record["steps"],
        run,
        lambda: learner.save(file),
        log_interval=max(1, record["steps"] // LOG_LINES),
        to_screen=to_screen,
        progress_bar=progress_bar,
        trackers=_track(run),
        offline=None if replay is None else lambda: learner.learn_offline(replay),
        checkpoints=checkpoints,
    )


def _track(run: RunDirectory) -> list[Tracker]:
    """Returns the tracker that the record names, which goes on with its run if it has one."""
    record = run.record
    if record["track"] is None:
        return []
    from zoo_core.trackers import make_tracker

    config = {name: record[name] for name in ("agent", "env", "preset", "config", "seed", "steps", "versions")}
    tracker = make_tracker(
        record["track"],
        directory=run.path,
        run_name=run.path.name,
        config=config,
        resume_id=record.get("tracked_run"),
    )
    run.update(tracked_run=tracker.run_id)
    return [tracker]


def _finish(learner: Agent, run: RunDirectory) -> Any:
    """Evaluates the agent, if asked for, and completes the record."""
    env, episodes, result = run.record["env"], run.record["eval_episodes"], None
    if episodes:
        from zoo_core.evaluation import evaluate

        result = evaluate(learner, env["id"], episodes=episodes, env_kwargs=env["kwargs"])
    learner.get_env().close()
    run.update(status="finished", result=result and result.to_json())
    return result


def _print(learner: Agent, run: RunDirectory, seconds: float, result: Any) -> None:
    record = run.record
    where = f"{record['agent']} on {record['env']['id']}, seed {record['seed']}"
    typer.echo(f"{where}: {learner.num_timesteps:,} steps in {seconds:.1f} s")
    if result is not None:
        typer.echo(str(result))
    typer.echo(f"saved in {run.path}")
