"""The rules of `Agent`, as a check for plugin authors."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optree
from stable_baselines3.common.evaluation import evaluate_policy

from zoo_core import spaces
from zoo_core.acting import as_vec_env
from zoo_core.agent import Agent
from zoo_core.plugins import make_env
from zoo_core.testing.checks.expect import BrokenRule, difference, expect, same
from zoo_core.testing.checks.resume import check_resume, differing, saved
from zoo_core.testing.checks.samples import SameSeed, walk_observations

_NUM_ENVS = 4
_NUM_OBSERVATIONS = 64  # on which the actions of two agents are compared
_STOP_AFTER = 3  # calls of a callback that then stops
_CLOSE = 1e-4  # batches of different sizes sum in different orders


def check_agent(agent_class: Callable[..., Agent], env_id: str, config: Any = None, *, steps: int = 64) -> Agent:
    """Checks that an agent keeps the contract: counting, acting, determinism, evaluation in mid-training, several
    environments, seeds, files, and going on from a checkpoint.

    Args:
        agent_class: the class, or a function with its arguments `(env, config, *, seed)`.
        env_id: of the environment to learn in; one with short episodes shows more.
        config: small enough for `steps` to hold at least one iteration that learns.
        steps: env steps of each learning.

    Returns:
        An agent that has learned.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    agent = agent_class(env_id, config, seed=0)
    begun, calls = saved(agent), _Calls()
    expect(agent.learn(steps, callback=calls) is agent, "learn returns the agent", "something else", "return self")
    _check_counting(agent, calls, steps)
    _check_learned(agent, begun, steps)
    obs = walk_observations(env_id, _NUM_OBSERVATIONS)
    twin = agent_class(env_id, config, seed=0).learn(steps, callback=_Calls())
    _check_twin(agent, twin, obs)
    _check_predict(agent, env_id)
    _check_rows(agent, obs)
    _check_evaluation(agent, twin, env_id, steps)
    _check_stop(agent_class, env_id, config, steps)
    _check_save(agent, obs)
    _check_several(agent_class, env_id, config, steps, obs)
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


def _check_learned(agent: Agent, begun: dict[str, bytes], steps: int) -> None:
    """Sees to it that the checks after this one would notice what is forgotten."""
    tensors = [name for name in begun if name.startswith(("to_file/", "world_model/")) and not name.endswith("/")]
    learned = saved(agent)
    expect(
        not tensors or any(begun[name] != learned.get(name) for name in tensors),
        "an agent that has tensors learns some of them",
        f"nothing was learned in {steps} steps",
        "check a smaller config (check_config of the spec) or more steps",
    )


def _check_twin(agent: Agent, twin: Agent, obs: Any) -> None:
    first, second = saved(agent), saved(twin)
    actions = [_actions(each, obs) for each in (agent, twin)]
    expect(
        first == second and same(*actions),
        "the same seed gives the same agent",
        difference(*actions) if first == second else differing(first, second),
        "draw from streams of self.seed; run SB3 inside zoo_core.seeding.GlobalStreams",
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


def _check_rows(agent: Agent, obs: Any) -> None:
    """Compares rows of a batch with other batches, where nothing is drawn at random or the same for the same batch."""
    whole, again = _actions(agent, obs), _actions(agent, obs)
    if not same(whole, again):
        return
    space, num = agent.observation_space, len(optree.tree_leaves(obs)[0])
    alike = _actions(agent, spaces.index(space, obs, np.zeros(num, dtype=int)))
    if same(alike, spaces.index(agent.action_space, alike, np.zeros(num, dtype=int))):  # no row draws for itself
        rows = [_actions(agent, row) for row in spaces.unbatch(space, obs)]
        alone = spaces.batch_of(agent.action_space, rows)
        expect(
            same(whole, alone, tolerance=_CLOSE),
            "predict acts on each row of a batch as on the row alone",
            difference(whole, alone),
            "let no row look at another",
        )
    for i in range(num):
        others = spaces.index(space, obs, np.where(np.arange(num) == i, i, (i + 1) % num))
        mixed, kept = (spaces.index(agent.action_space, a, slice(i, i + 1)) for a in (_actions(agent, others), whole))
        expect(
            same(kept, mixed, tolerance=_CLOSE),
            "predict acts on each row of a batch, whatever the other rows are",
            difference(kept, mixed),
            "let no row look at another",
        )
    first = spaces.index(space, obs, slice(0, 1))
    single = spaces.batch_of(agent.action_space, [_actions(agent, spaces.unbatch(space, first)[0])])
    expect(
        same(_actions(agent, first), single, tolerance=_CLOSE),
        "predict acts on a single observation as on a batch of it alone",
        difference(_actions(agent, first), single),
        "give a single observation a batch dimension, and take it off the action",
    )


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
    calls = _Calls(_STOP_AFTER)
    agent = agent_class(env_id, config, seed=0).learn(steps, callback=calls)
    expect(
        calls.num == _STOP_AFTER,
        "learning stops when a callback returns False, also in the middle of an iteration",
        f"{agent.num_timesteps} of {steps} steps were made, told to stop after {_STOP_AFTER}",
        "look at self.env.stop after each env step",
    )


def _check_save(agent: Agent, obs: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = agent.save(Path(folder) / "agent")
        loaded = type(agent).load(path, device=agent.device)
    first, second = saved(agent), saved(loaded)
    expect(
        first == second and loaded.num_timesteps == agent.num_timesteps,
        "a loaded agent is the saved one, byte for byte",
        f"{differing(first, second)}, {loaded.num_timesteps} of {agent.num_timesteps} steps",
        "write in to_file all that acts and can go on learning, and restore all of it in load_file",
    )
    actions = [_actions(each, obs) for each in (agent, loaded)]
    expect(
        same(*actions),
        "a loaded agent acts as the saved one",
        difference(*actions),
        "write all that acts in to_file, and restore it in load_file",
    )


def _check_several(agent_class: Callable[..., Agent], env_id: str, config: Any, steps: int, obs: Any) -> None:
    """Learns with several environments and two seeds, unless the agent says that it takes one environment only."""
    agents = []
    for seed in (0, 1):
        try:
            agent = agent_class(SameSeed(as_vec_env(env_id, num_envs=_NUM_ENVS)), config, seed=seed)
        except ValueError as error:
            if not re.search(r"\b(one|single|1)\b.*\benv", str(error)):
                raise
            agent = agent_class(SameSeed(as_vec_env(env_id)), config, seed=seed)
        calls = _Calls()
        try:
            agent.learn(steps, callback=calls)
        except Exception as error:
            raise BrokenRule(
                "an agent learns in several environments at once",
                f"{type(error).__name__}: {error}, with {agent.env.num_envs} environments",
                "handle batches of observations, or raise ValueError in __init__: 'takes one environment'",
            ) from error
        _check_counting(agent, calls, steps)
        agents.append(agent)
    acting = [each.predict(obs)[0] for each in agents]
    expect(
        saved(agents[0]) != saved(agents[1]) or not same(*acting),
        "two seeds give two agents",
        "the same was learned, and the same actions are chosen, in environments that were seeded alike",
        "draw from streams of self.seed",
    )


class _Calls:
    """A callback that counts, and stops after `limit` calls."""

    def __init__(self, limit: int | None = None) -> None:
        self.num, self.limit = 0, limit

    def __call__(self, *args: Any) -> bool:
        self.num += 1
        return self.num != self.limit


def _actions(agent: Agent, obs: Any) -> Any:
    try:
        return agent.predict(obs, deterministic=True)[0]
    except Exception as error:
        raise BrokenRule(
            "predict takes one observation or a batch, of any number of rows",
            f"{type(error).__name__}: {error}",
            "take the number of rows from the observation",
        ) from error


def _learned(agent: Agent) -> Any:
    """Returns the tensors of what was learned; what acting draws from is no part of it."""
    tensors = agent.to_file()[1]
    return tensors if agent.world_model is None else (tensors, agent.world_model.to_file()[1])
