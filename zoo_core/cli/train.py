"""`zoo train`: an agent learns in an environment, and everything about the run is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from zoo_core.cli import options
from zoo_core.cli.learning import LOG_LINES, command_line, learn, run_name
from zoo_core.cli.output import AsJson, print_json
from zoo_core.cli.resuming import check_same_options, open_run
from zoo_core.config import config_from_json, config_to_json, parse_settings
from zoo_core.errors import ConfigError, ZooError

if TYPE_CHECKING:
    from zoo_core.agent import Agent
    from zoo_core.checkpoint import Checkpoints
    from zoo_core.replay import Replay
    from zoo_core.rundir import RunDirectory
    from zoo_core.trackers import Tracker

_AGENT = "agent.zip"


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
        typer.Option("--steps", "--timesteps", min=1, help="Env steps: default in `zoo info AGENT`; 0 after --data."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="minari:ID", help="Learn from a local Minari dataset first.")
    ] = None,
    seed: options.Seed = 0,
    out: options.Out = None,
    checkpoint_every: Annotated[
        int | None, typer.Option("--checkpoint-every", min=1, help="Env steps between checkpoints: some episodes.")
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

    A run with --checkpoint-every N that was stopped or killed goes on with zoo train --resume RUN, and ends with the
    same result as one that was not. It needs no other options, and takes none that differ.
    """
    from zoo_core.model_card import write_card
    from zoo_core.plugins import agent_spec
    from zoo_core.rundir import RunDirectory

    shown = Shown(bar=not (quiet or as_json), log=verbose and not as_json)
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
            "steps": steps or (0 if data else agent_spec(agent).train_steps),
            "data": data,
            "checkpoint_every": checkpoint_every,
            "eval_episodes": eval_episodes,
            "track": track,
            "device": options.check_device(device),
        }
        options.check_tracker(track)
        learner, replay = _prepare(record, shown)
        run = RunDirectory.create(run_name(agent, env, seed), _complete(record, learner), out=out)
    with run.locked():
        if resume is not None:
            learner, replay = _prepare(run.record, shown, _checkpoints(run, resume=True))
            _reopen(run, command_line(context))
        seconds = _learn(learner, run, replay, shown, resume=resume is not None)
        result = _finish(learner, run, shown)
        write_card(run.path)
    if as_json:
        print_json({"run": str(run.path), **run.record})
        return
    _print(learner, run, seconds, result)


class Shown(NamedTuple):
    """What the user wants to see while the agent learns: progress bars and what goes with them, the log."""

    bar: bool
    log: bool


def _prepare(
    record: dict[str, Any], shown: Shown, checkpoints: Checkpoints | None = None
) -> tuple[Agent, Replay | None]:
    """Makes the agent of a record, and reads the dataset to learn from first if there is one and no checkpoint has it.

    What the replay takes is said before it is made.
    """
    from zoo_core.acting import as_vec_env
    from zoo_core.agent import Agent
    from zoo_core.plugins import agent_spec, check_spaces, load_object, make_config
    from zoo_core.replay.minari_datasets import load

    spec, env, config = agent_spec(record["agent"]), record["env"], record["config"]
    with options.user_input():
        if "versions" not in record:  # nothing is written yet: settings, to be completed
            config = make_config(spec, config, record["preset"])
        elif spec.config is not None:
            config = config_from_json(load_object(spec.config), config)
        vec_env = as_vec_env(env["id"], seed=record["seed"], env_kwargs=env["kwargs"], num_envs=env["num_envs"])
        spaces = vec_env.observation_space, vec_env.action_space
        check_spaces(spec, *spaces)
        known = checkpoints is not None and checkpoints.find()
        agent_class = load_object(spec.entry_point)
        replay = None
        if record["data"] is not None and not known:
            if agent_class.learn_offline is Agent.learn_offline:
                raise ConfigError(f"--data: agent {spec.id!r} learns in its environment only; dream-sac, say, can")
            replay = load(record["data"], *spaces)
        steps = record["steps"] + (0 if replay is None else len(replay))
        size = agent_class.replay_bytes(*spaces, config, num_envs=env["num_envs"], total_timesteps=steps)
        if size >= 2**20 and shown.bar:
            typer.echo(f"the replay takes about {size / 2**20:,.1f} MiB")
        arguments = {"seed": record["seed"], "device": record["device"], "verbose": int(shown.log)}
        return agent_class(vec_env, config or None, **arguments), replay


def _complete(record: dict[str, Any], learner: Agent) -> dict[str, Any]:
    """Returns the record with what is known once the agent is made."""
    from zoo_core.plugins import agent_spec, spec_of
    from zoo_core.rundir import versions

    model = learner.world_model
    specs = agent_spec(record["agent"]), None if model is None else spec_of(type(model), "model")
    return {
        **record,
        "config": config_to_json(learner.config or {}),
        "device": str(learner.device),
        "versions": versions(*specs),
    }


def _reopen(run: RunDirectory, command: str) -> None:
    """Notes that a run goes on."""
    run.record.pop("error", None)
    run.update(status="running", resumed=[*run.record.get("resumed", []), command])


def _checkpoints(run: RunDirectory, *, resume: bool) -> Checkpoints | None:
    """Returns the checkpoints of a run, if it is to have any."""
    from zoo_core.checkpoint import Checkpoints

    every = run.record["checkpoint_every"]
    if every is None:
        return None
    checkpoints = Checkpoints(run.path / "checkpoints", every=every, resume=resume, portable=run.path / _AGENT)
    if resume:
        checkpoints.reopen()  # a run that was stopped after its last step is not finished
    return checkpoints


def _learn(learner: Agent, run: RunDirectory, replay: Replay | None, shown: Shown, *, resume: bool) -> float:
    """Lets the agent learn, with checkpoints where the run has any; returns the seconds."""
    learner.progress_bar = shown.bar
    return learn(
        learner,
        run.record["steps"],
        run,
        lambda: _save(learner, run),
        log_interval=max(1, run.record["steps"] // LOG_LINES),
        to_screen=shown.log,
        progress_bar=shown.bar,
        trackers=_track(run),
        offline=None if replay is None else lambda: learner.learn_offline(replay),
        announce=resume and shown.bar,
        checkpoints=_checkpoints(run, resume=resume),
    )


def _save(learner: Agent, run: RunDirectory) -> None:
    """Saves the agent; a replay that is too large for the memory is left to the checkpoints, and that is said."""
    from zoo_core.replay.storage import MEMORY_LIMIT

    size = learner.replay_bytes(
        learner.observation_space,
        learner.action_space,
        learner.config,
        num_envs=learner.env.num_envs,
        total_timesteps=learner.num_timesteps,
    )
    large = [name for name in learner.recordings if size > MEMORY_LIMIT and name not in learner.left_out]
    if large:
        where = "only the checkpoints have it" if run.record["checkpoint_every"] else "save it with --checkpoint-every"
        typer.echo(f"warning: the {', '.join(large)} of {size / 2**30:.1f} GiB is not in {_AGENT}: {where}", err=True)
    learner.save(run.path / _AGENT, exclude=large)


def _track(run: RunDirectory) -> list[Tracker]:
    """Returns the tracker that the record names, which goes on with its run if it has one."""
    record = run.record
    if record["track"] is None:
        return []
    from zoo_core.trackers import make_tracker

    config = {name: record[name] for name in ("agent", "env", "preset", "config", "seed", "steps", "versions")}
    try:
        tracker = make_tracker(
            record["track"],
            directory=run.path,
            run_name=run.path.name,
            config=config,
            resume_id=record.get("tracked_run"),
        )
    except ZooError:
        if "tracked_run" not in record:
            run.discard()  # it has not begun
        raise
    run.update(tracked_run=tracker.run_id)
    return [tracker]


def _finish(learner: Agent, run: RunDirectory, shown: Shown) -> Any:
    """Evaluates the agent, if asked for, and completes the record."""
    from zoo_core.env_state import read_first

    env, episodes, result = run.record["env"], run.record["eval_episodes"], None
    if (state := read_first(learner.get_env())) is not None:
        env["state"] = state  # what outlives an episode is the same where the agent is judged
    if episodes:
        from zoo_core.evaluation import evaluate

        if shown.bar:
            typer.echo(f"evaluating over {episodes} episodes")
        arguments = {"env_kwargs": env["kwargs"], "env_state": state}
        try:
            result = evaluate(learner, env["id"], episodes=episodes, **arguments)
        except Exception as error:  # the agent is saved by now
            run.update(status="failed", error=f"the evaluation: {type(error).__name__}: {error}")
            raise
    learner.get_env().close()
    run.update(status="finished", result=result and result.to_json())
    return result


def _print(learner: Agent, run: RunDirectory, seconds: float, result: Any) -> None:
    record = run.record
    where = f"{record['agent']} on {record['env']['id']}, seed {record['seed']}"
    after = f" after the data in {record['data']}" if record["data"] else ""
    typer.echo(f"{where}: {learner.num_timesteps:,} steps{after} in {seconds:.1f} s")
    if result is not None:
        typer.echo(str(result))
    typer.echo(f"saved in {run.path}")
