"""`zoo train`: an agent learns in an environment, and everything about the run is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import options
from zoo_core.cli.learning import LOG_LINES, command_line, learn, run_name
from zoo_core.cli.output import AsJson, print_json
from zoo_core.config import config_to_json, parse_settings


def train(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="As `zoo list agents` prints it.")],
    env: Annotated[str, typer.Option("--env", help="Id of the environment, as `zoo list envs` prints it.")],
    env_kwargs: options.EnvKwargs = None,
    num_envs: Annotated[int, typer.Option("--n-envs", min=1, help="Copies of the environment.")] = 1,
    preset: Annotated[str | None, typer.Option("--preset", help="A named config: see `zoo info AGENT`.")] = None,
    settings: options.Settings = None,
    steps: Annotated[int, typer.Option("--steps", "--timesteps", min=1, help="Env steps to learn for.")] = 10_000,
    seed: options.Seed = 0,
    out: options.Out = None,
    device: options.Device = "auto",
    eval_episodes: options.EvalEpisodes = 10,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train an agent in an environment.

    The run directory gets run.json (config, seed, versions, result), progress.csv, TensorBoard events and agent.zip.

    Example: zoo train dream-ppo --env CartPole-v1 --set model=ensemble --seed 0
    """
    from zoo_core.acting import as_vec_env
    from zoo_core.plugins import agent_spec, make_agent
    from zoo_core.rundir import RunDirectory, versions

    spec = agent_spec(agent)
    arguments = options.parse_env_kwargs(env_kwargs)
    with options.user_input():
        learner = make_agent(
            agent,
            as_vec_env(env, seed=seed, env_kwargs=arguments, num_envs=num_envs),
            parse_settings(settings or ()),
            preset=preset,
            seed=seed,
            device=options.check_device(device),
            verbose=int(verbose and not as_json),
        )
    record = {
        "kind": "train",
        "command": command_line(context),
        "agent": agent,
        "env": {"id": env, "kwargs": arguments, "num_envs": num_envs},
        "preset": preset,
        "config": config_to_json(learner.config or {}),
        "seed": seed,
        "steps": steps,
        "device": str(learner.device),
        "versions": versions(spec),
    }
    run = RunDirectory.create(run_name(agent, env, seed), record, out=out)
    seconds = learn(
        learner,
        steps,
        run,
        lambda: learner.save(run.path / "agent.zip"),
        log_interval=max(1, steps // LOG_LINES),
        to_screen=verbose and not as_json,
        progress_bar=not (quiet or as_json),
    )
    result = None
    if eval_episodes:
        from zoo_core.evaluation import evaluate

        result = evaluate(learner, env, episodes=eval_episodes, env_kwargs=arguments)
    learner.get_env().close()
    run.update(status="finished", result=result and result.to_json())
    if as_json:
        print_json({"run": str(run.path), **run.record})
        return
    typer.echo(f"{agent} on {env}, seed {seed}: {learner.num_timesteps:,} steps in {seconds:.1f} s")
    if result is not None:
        typer.echo(str(result))
    typer.echo(f"saved in {run.path}")
