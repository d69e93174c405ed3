"""`zoo dream`: an SB3 algorithm learns inside a saved world model, and is taken to reality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zoo_core.cli import options
from zoo_core.cli.learning import command_line, learn, run_name
from zoo_core.cli.output import AsJson, print_json
from zoo_core.cli.reality import Reality, check_spaces, check_video, find_reality
from zoo_core.config import parse_settings
from zoo_core.errors import CheckpointError, ZooError

if TYPE_CHECKING:
    from zoo_core.evaluation import EvaluationResult
    from zoo_core.rundir import RunDirectory
    from zoo_core.world_model import WorldModel


def dream(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="RUN_OR_MODEL", help="A run directory, the file of a model, or hf://OWNER/NAME.")
    ],
    algorithm: Annotated[str, typer.Option("--algo", help="PPO, A2C, DQN, SAC, TD3 or DDPG.")],
    steps: Annotated[int, typer.Option("--timesteps", "--steps", min=1, help="Dream steps to learn for.")] = 100_000,
    num_envs: Annotated[int, typer.Option("--num-envs", "--n-envs", min=1, help="Dreams at once.")] = 256,
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="Steps of a dream.")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="Of the model's randomness; 0 dreams the expectation.")
    ] = 1.0,
    observation: Annotated[
        Literal["decoded", "latent"], typer.Option("--observation", help="What the policy sees.")
    ] = "decoded",
    settings: options.Settings = None,
    seed: options.Seed = 0,
    out: options.Out = None,
    device: options.Device = "auto",
    eval_episodes: options.EvalEpisodes = 10,
    env: Annotated[str | None, typer.Option("--env", help="The reality, if not that of the model's data.")] = None,
    env_kwargs: options.EnvKwargs = None,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="FILE.gif", help="Film the policy in the dream and in reality.")
    ] = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train an SB3 algorithm inside a saved world model, then evaluate it in the dream and in reality.

    --set takes the arguments of the SB3 class. The run directory gets run.json, progress.csv, TensorBoard events and
    the policy as SB3 saves it (sb3_ppo.zip), for PPO.load.

    Example: zoo dream runs/dream-sac-Pendulum-v1-0-1 --algo PPO --timesteps 200000 --set gamma=0.95
    """
    from zoo_core.cli import learners
    from zoo_core.cli.dream_world import DreamWorld
    from zoo_core.plugins import spec_of
    from zoo_core.rundir import RunDirectory, versions

    sb3_class = learners.find_algorithm(algorithm)
    checked = learners.check_settings(sb3_class, parse_settings(settings or ()))
    opened = RunDirectory.open(source).record
    model = _load_model(source, opened, options.check_device(device))
    learners.check_action_space(sb3_class, model.action_space)
    world = DreamWorld(model, _find_reality(model, opened, env, env_kwargs), horizon, temperature, observation)
    check_video(video, world.reality)
    with options.user_input():
        dreams = world.dreams(num_envs, seed)
    learner, arguments = learners.make_learner(
        sb3_class, dreams, checked, timesteps=steps, seed=seed, device=device, verbose=int(verbose and not as_json)
    )
    name = sb3_class.__name__.lower()
    record = {
        "kind": "dream",
        "command": command_line(context),
        "algorithm": sb3_class.__name__,
        "policy": f"sb3_{name}.zip",
        "model": {"path": source, "class": type(model).__name__},
        "env": world.reality and world.reality.to_json(),
        "dream": {"num_envs": num_envs, **world.settings()},
        "config": learners.describe_arguments(arguments),
        "seed": seed,
        "steps": steps,
        "device": str(learner.device),
        "versions": versions(spec_of(type(model), "model")),
    }
    place = Path(source).resolve().name.removesuffix(".zip")
    run = RunDirectory.create(run_name(name, "in", place, seed), record, out=out)
    learn(
        learner,
        steps,
        run,
        lambda: learner.save(run.path / f"sb3_{name}.zip"),
        log_interval=learners.log_interval(learner),
        to_screen=verbose and not as_json,
        progress_bar=not (quiet or as_json),
    )
    results = world.evaluate(learner, eval_episodes) if eval_episodes else {}
    if video is not None:
        world.film(learner, video)
    outcome = {where: result.to_json() for where, result in results.items()}
    held_fraction = dreams.imagination.held_fraction
    run.update(status="finished", held_fraction=held_fraction, result=outcome, video=video and str(video))
    if as_json:
        print_json({"run": str(run.path), **run.record})
    else:
        _print(run, results)


def _load_model(source: str, record: dict[str, Any], device: str) -> WorldModel:
    from zoo_core.world_model import load_model

    if record.get("kind") == "dream":
        raise CheckpointError(
            f"{source} was written by `zoo dream` and holds no model: dream in {record['model']['path']}, as it did"
        )
    with options.user_input():
        return load_model(source, device=device)


def _find_reality(
    model: WorldModel, record: dict[str, Any], env: str | None, env_kwargs: list[str] | None
) -> Reality | None:
    """Returns the model's reality; None if the file does not name one that this machine has."""
    reality = find_reality(record, model.env_id, env, env_kwargs)
    if reality is None:
        return None
    try:
        check_spaces(model, reality)
    except ZooError as error:
        if env is not None:
            raise
        typer.echo(f"warning: the policy will not be taken to reality: {error}", err=True)
        return None
    return reality


def _print(run: RunDirectory, results: dict[str, EvaluationResult]) -> None:
    record = run.record
    typer.echo(
        f"{record['algorithm']} in {record['model']['class']}, seed {record['seed']}: "
        f"{record['num_timesteps']:,} dream steps in {record['seconds']:.1f} s, "
        f"{record['held_fraction']:.2%} of them held back by the model to stay in the world"
    )
    for where, result in results.items():
        place = "in the dream" if where == "dream" else f"in {record['env']['id']}"
        typer.echo(f"{place}: {result}")
    if record["video"]:
        typer.echo(f"film in {record['video']}")
    typer.echo(
        f"saved in {run.path}; load the policy with {record['algorithm']}.load({str(run.path / record['policy'])!r})"
    )
