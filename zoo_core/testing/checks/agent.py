"""The rules of `Agent`, as a check for plugin authors."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.evaluation import evaluate_policy

from zoo_core import archive, spaces
from zoo_core.acting import as_vec_env
from zoo_core.agent import Agent
from zoo_core.checkpoint import Checkpoints
from zoo_core.plugins import make_env
from zoo_core.testing.checks.expect import difference, expect, same


def check_agent(agent_class: Callable[..., Agent], env_id: str, config: Any = None, *, steps: int = 64) -> Agent:
    """Checks that an agent keeps the contract: counting, acting, determinism, evaluation in mid-training, files, and
    going on from a checkpoint.

    Args:
        agent_class: the class, or a function with its arguments `(env, config, *, seed)`.
        env_id: of the environment to learn in.
        config: small enough for `steps` to hold at least one iteration.
        steps: env steps of each learning.

    Returns:
        An agent that has learned.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    agent = agent_class(env_id, config, seed=0)
    calls = _Calls()
    expect(agent.learn(steps, callback=calls) is agent, "learn returns the agent", "something else", "return self")
    _check_counting(agent, calls, steps)
    obs = _observations(env_id)
    twin = agent_class(env_id, config, seed=0).learn(steps, callback=_Calls())
    expect(
        same(_actions(agent, obs), _actions(twin, obs)),
        "the same seed gives the same agent",
        difference(_actions(agent, obs), _actions(twin, obs)),
        "draw from streams of self.seed; run SB3 inside zoo_core.seeding.GlobalStreams",
    )
    _check_predict(agent, env_id)
    _check_evaluation(agent, twin, env_id, steps)
    _check_stop(agent_class, env_id, config, steps)
    _check_save(agent, obs)
    check_resume(agent_class, env_id, config, steps)
    return agent


def _check_counting(agent: Agent, calls: _Calls, steps: int) -> None:
    expect(
        steps <= agent.num_timesteps < steps + agent.env.num_envs,
        f"learn({steps}) makes {steps} env steps",
        f"{agent.num_timesteps} of {agent.env.num_envs} environments",
        "keep to self.remaining_timesteps in iterate",
    )
    expect(
        calls.num * agent.env.num_envs == agent.num_timesteps,
        "callbacks are called after every env step",
        f"{calls.num} calls in {agent.num_timesteps} steps",
        "step self.env, not an environment of your own",
    )


def _check_predict(agent: Agent, env_id: str) -> None:
    vec_env = as_vec_env(env_id, seed=3)
    space = agent.action_space
    obs = vec_env.reset()
    state, start = None, np.ones(vec_env.num_envs, dtype=bool)
    for _ in range(5):
        actions, state = agent.predict(obs, state=state, episode_start=start)
        row = spaces.index(space, actions, 0)
        expect(
            len(actions) == vec_env.num_envs and space.contains(np.asarray(row, dtype=space.dtype)),
            f"predict returns a batch of actions in {space}",
            actions,
            "one action for each observation, cast to the dtype of the space",
        )
        obs, _, start, _ = vec_env.step(actions)
    single = spaces.index(vec_env.observation_space, obs, 0)
    action, _ = agent.predict(single, deterministic=True)
    expect(
        np.shape(action) == space.shape,
        "for a single observation predict returns a single action",
        f"shape {np.shape(action)}, the space has {space.shape}",
        "look whether the observation has a batch dimension",
    )
    vec_env.close()


def _check_evaluation(agent: Agent, twin: Agent, env_id: str, steps: int) -> None:
    """Lets one of two equal agents be evaluated; both learn on and must stay equal."""
    env = make_env(env_id)
    evaluate_policy(twin, as_vec_env(env), n_eval_episodes=1, deterministic=False)
    env.close()
    for each in (agent, twin):
        each.learn(steps, callback=_Calls(), reset_num_timesteps=False)
    first, second = (_learned(each) for each in (agent, twin))
    expect(
        same(first, second),
        "an evaluation in mid-training changes nothing in what is learned",
        difference(first, second),
        "let predict draw from a stream of its own, and keep what acting remembers in its state",
    )


def _check_stop(agent_class: Callable[..., Agent], env_id: str, config: Any, steps: int) -> None:
    agent = agent_class(env_id, config, seed=0).learn(10 * steps, callback=lambda *_: False)
    expect(
        agent.num_timesteps < 10 * steps,
        "learning stops when a callback returns False",
        f"all {agent.num_timesteps} steps were made",
        "look at self.env.stop after each env step",
    )


def _check_save(agent: Agent, obs: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = agent.save(Path(folder) / "agent")
        loaded = type(agent).load(path, device=agent.device)
    expect(
        same(_actions(agent, obs), _actions(loaded, obs)) and loaded.num_timesteps == agent.num_timesteps,
        "a loaded agent acts as the saved one",
        difference(_actions(agent, obs), _actions(loaded, obs)),
        "write all that acts in to_file, and restore it in load_file",
    )


def check_resume(agent_class: Callable[..., Agent], env_id: str, config: Any, steps: int) -> None:
    """Checks that a run that is stopped, and goes on from its checkpoint, ends as one that never was, byte for byte.

    Args:
        agent_class: as of `check_agent`.
        env_id: of the environment to learn in.
        config: small enough for `steps` to hold at least one iteration.
        steps: env steps between checkpoints; each run makes three times as many.

    Raises:
        AssertionError: It ends otherwise; the message says in what.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no episode ended")  # in so few steps
        directories = Path(folder) / "whole", Path(folder) / "stopped"
        whole, stopped, resumed = (agent_class(env_id, config, seed=0) for _ in range(3))
        whole.learn(3 * steps, checkpoints=Checkpoints(directories[0], every=steps))
        stopped.learn(
            3 * steps,
            callback=lambda *_: stopped.num_timesteps < 5 * steps // 2,
            checkpoints=Checkpoints(directories[1], every=steps),
        )
        expect(
            Checkpoints(directories[1], every=steps).find(),
            f"an iteration of the checked agent fits into {steps} env steps, so that a checkpoint can follow",
            f"none in {stopped.num_timesteps} env steps",
            "check a smaller config, or more steps",
        )
        resumed.learn(3 * steps, checkpoints=Checkpoints(directories[1], every=steps, resume=True))
    first, second = (_everything(each) for each in (whole, resumed))
    expect(
        first == second,
        "a run that is stopped and resumed from its checkpoint ends as one that never was, byte for byte",
        ", ".join(name for name in first if first[name] != second.get(name)) + " differ",
        "return every random stream in to_checkpoint, replays in recordings, and let begin_episodes reset self.env and "
        "forget all about running episodes",
    )


def _everything(agent: Agent) -> dict[str, bytes]:
    """Returns all that a checkpoint holds, as bytes by name."""
    rest, arrays = archive.pack(agent.to_checkpoint())
    parts = {"to_checkpoint": (rest, arrays), "to_file": agent.to_file()}
    if agent.world_model is not None:
        parts["world_model"] = agent.world_model.to_file()
    parts |= {name: recording.since(None) for name, recording in agent.recordings.items()}
    return {
        f"{part}/{name}": value
        for part, (data, tensors) in parts.items()
        for name, value in {
            "": json.dumps(data).encode(),
            **{name: tensor.detach().cpu().numpy().tobytes() for name, tensor in tensors.items()},
        }.items()
    }


class _Calls:
    """A callback that counts."""

    def __init__(self) -> None:
        self.num = 0

    def __call__(self, *args: Any) -> bool:
        self.num += 1
        return True


def _observations(env_id: str) -> Any:
    vec_env = as_vec_env(env_id, seed=5)
    obs = vec_env.reset()
    vec_env.close()
    return obs


def _actions(agent: Agent, obs: Any) -> Any:
    return agent.predict(obs, deterministic=True)[0]


def _learned(agent: Agent) -> Any:
    """Returns the tensors of what was learned; what acting draws from is no part of it."""
    tensors = agent.to_file()[1]
    return tensors if agent.world_model is None else (tensors, agent.world_model.to_file()[1])
