"""The rules of dream environments, checked on a model: those of Gymnasium, of Stable-Baselines3, and our own."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from zoo_core import seeding, spaces, world_model as beliefs
from zoo_core.dream import DreamEnv, DreamVecEnv, DreamVectorEnv
from zoo_core.testing.checks.environment import advice_ignored
from zoo_core.testing.checks.expect import difference, expect, same
from zoo_core.testing.checks.rollouts import RandomActions, rollout
from zoo_core.testing.checks.samples import sample_actions
from zoo_core.world_model import WorldModel

_SEED = 7
_CLOSE = 1e-4  # batches of different sizes sum in different orders
_LOOK = "look at gymnasium.vector.SyncVectorEnv.step"


def check_dream_faces(model: WorldModel, **imagination: Any) -> None:
    """Checks every face of the dreams in a fitted model.

    Args:
        model: to dream in.
        **imagination: as `DreamEnv` takes it, such as `observation="latent"` or `opponent=`.

    Raises:
        AssertionError: A rule is broken; the message says which, what was seen and how to mend it.
    """
    imagination = {"horizon": 12, **imagination}
    check_dream_env(model, **imagination)
    check_faces_agree(model, **imagination)
    check_autoreset(model, AutoresetMode.NEXT_STEP, **imagination)
    check_autoreset(model, AutoresetMode.SAME_STEP, **imagination)
    check_seeds(model, **imagination)
    check_rows_apart(model, **imagination)
    check_ownership(model, **imagination)


def check_dream_env(model: WorldModel, **imagination: Any) -> None:
    """Runs `check_env` of Gymnasium and of Stable-Baselines3 on a `DreamEnv`."""
    env = gym.make("zoo_core:Dream-v0", model=model, render_mode="rgb_array", **imagination)
    with advice_ignored():
        gymnasium_check_env(env.unwrapped)
        sb3_check_env(env.unwrapped)
    env.close()


def check_faces_agree(model: WorldModel, *, num: int = 6, steps: int = 300, **imagination: Any) -> None:
    """Checks that the SB3 face and the SAME_STEP vector face are bit-identical, and `DreamEnv` equals a face of one."""
    _check_sb3_face(model, num, steps, imagination)
    _check_single_face(model, steps, imagination)


def check_autoreset(
    model: WorldModel, mode: AutoresetMode, *, num: int = 3, steps: int = 60, **imagination: Any
) -> None:
    """Checks that the vector face is step for step what Gymnasium's `SyncVectorEnv` makes of as many `DreamEnv`s.

    At temperature 0, from one start and against an opponent without chance, both dream the same: observations, rewards,
    flags, and keys, masks and values of `info`.
    """
    imagination = {**imagination, "temperature": 0.0, "starts": _one_start(model)}
    if model.num_players > 1:
        imagination["opponent"] = _first_legal
    dreams: gym.vector.VectorEnv[Any, Any, Any] = DreamVectorEnv(model, num, autoreset_mode=mode, **imagination)
    sync = SyncVectorEnv([lambda: DreamEnv(model, **imagination)] * num, autoreset_mode=mode)
    first, second = dreams.reset(seed=_SEED), sync.reset(seed=_SEED)
    expect(same(first, second, tolerance=_CLOSE), "reset is as SyncVectorEnv's", difference(first, second), _LOOK)
    actions, ends = RandomActions(dreams, seed=_SEED), 0
    for t in range(steps):
        action = actions.draw()
        ours, theirs = (_plain(env.step(action)) for env in (dreams, sync))
        expect(
            same(ours, theirs, tolerance=_CLOSE),
            f"a {mode.name} vector face steps as SyncVectorEnv does",
            f"at step {t}: {difference(ours, theirs)}; info {ours[-1]} instead of {theirs[-1]}",
            _LOOK,
        )
        ended = ours[2] | ours[3]
        if ended.any() and not ends:  # a user may reset where a row has just ended
            dreams.reset(seed=_SEED)
            sync.reset(seed=_SEED)
        ends += int(ended.sum())
    expect(ends >= num, "the comparison sees every row end", f"{ends} ends", "take a shorter horizon")


def check_seeds(model: WorldModel, *, num: int = 4, steps: int = 40, **imagination: Any) -> None:
    """Checks that a seed gives one dream, and another seed another one."""
    env = DreamVecEnv(model, num, seed=_SEED, **imagination)
    fresh = DreamVecEnv(model, num, seed=_SEED + 1, **imagination)
    first, other = (rollout(each, steps) for each in (env, fresh))
    env.seed(_SEED)
    expect(same(first, rollout(env, steps)), "one seed gives one dream", "two dreams of one seed", "draw from rng only")
    if imagination.get("temperature", 1.0) > 0 and imagination.get("starts") is None:
        expect(
            not same(first, other) or _is_certain(model),
            "another seed gives another dream",
            "the same dream from two seeds",
            "draw starts and steps from rng",
        )


def check_rows_apart(model: WorldModel, *, num: int = 4, steps: int = 40, **imagination: Any) -> None:
    """Checks that another row's actions do not move this row's dream, episodes that end early included."""
    histories = []
    for odd in (0, 1):
        env = DreamVecEnv(model, num, seed=_SEED, **imagination)
        env.reset()
        sampler = RandomActions(env, seed=_SEED)
        others = RandomActions(env, seed=_SEED + odd)
        history = []
        for _ in range(steps):
            actions = np.where(_first_row(num, env.action_space), sampler.draw(), others.draw())
            obs, reward, done, _ = env.step(actions.astype(env.action_space.dtype))
            history.append((spaces.index(env.observation_space, obs, 0), reward[0], done[0]))
        histories.append(history)
    expect(
        same(*histories, tolerance=1e-4),
        "another row's actions do not move this row's dream",
        difference(*histories),
        "the number of random draws in step may depend on B alone",
    )


def check_ownership(model: WorldModel, **imagination: Any) -> None:
    """Checks that a user who writes into what was returned changes nothing."""
    dreams = []
    for spoils in (False, True):
        env = DreamVecEnv(model, 3, seed=_SEED, **imagination)
        dreams.append(rollout(env, 40, spoils=spoils))
    expect(
        same(*dreams),
        "a user who writes into a returned observation changes nothing",
        difference(*dreams),
        "copy what is handed out: decode must not return a view that a step reads again",
    )


def _check_sb3_face(model: WorldModel, num: int, steps: int, imagination: dict[str, Any]) -> None:
    sb3 = DreamVecEnv(model, num, seed=_SEED, **imagination)
    vector = DreamVectorEnv(model, num, seed=_SEED, autoreset_mode=AutoresetMode.SAME_STEP, **imagination)
    seen: list[Any] = [(sb3.reset(), vector.reset()[0])]
    actions, ends = RandomActions(sb3, seed=_SEED), 0
    for _ in range(steps):
        action = actions.draw()
        obs, reward, done, infos = sb3.step(action)
        their_obs, their_reward, terminated, truncated, info = vector.step(action)
        finals = [infos[i]["terminal_observation"] for i in np.flatnonzero(done)]
        their_finals = [info["final_obs"][i] for i in np.flatnonzero(terminated | truncated)]
        cut = [infos[i]["TimeLimit.truncated"] for i in np.flatnonzero(done)]
        theirs = (their_obs, their_reward.astype(np.float32), terminated | truncated, their_finals)
        seen.append(((obs, reward, done, finals), theirs))
        expect(
            cut == truncated[done].tolist(),
            "TimeLimit.truncated says that a dream was truncated, not terminated",
            f"{cut}, the vector face says {truncated[done].tolist()}",
            "never set truncated where terminated is",
        )
        ends += int(done.sum())
    ours, theirs_all = zip(*seen, strict=True)
    expect(
        same(list(ours), list(theirs_all)),
        "the SB3 face and the SAME_STEP vector face are bit-identical",
        difference(list(ours), list(theirs_all)),
        "do all in Imagination",
    )
    expect(ends >= num, "the comparison sees every row end", f"{ends} ends", "take a shorter horizon")


def _check_single_face(model: WorldModel, steps: int, imagination: dict[str, Any]) -> None:
    single = DreamEnv(model, seed=_SEED, **imagination)
    face = DreamVecEnv(model, 1, seed=_SEED, **imagination)
    seen: list[Any] = [((single.reset()[0],), (_row(face, face.reset()),))]
    actions = RandomActions(face, seed=_SEED)
    for _ in range(steps):
        action = actions.draw()
        obs, reward, terminated, truncated, _ = single.step(action[0])
        their_obs, their_reward, done, infos = face.step(action)
        last = infos[0]["terminal_observation"] if done[0] else _row(face, their_obs)
        seen.append(((obs, reward, terminated or truncated), (last, float(their_reward[0]), bool(done[0]))))
        if done[0]:
            seen.append(((single.reset()[0],), (_row(face, their_obs),)))
    ours, theirs = zip(*seen, strict=True)
    expect(
        same(list(ours), list(theirs)),
        "DreamEnv equals a face of one dream",
        difference(list(ours), list(theirs)),
        "do all in Imagination",
    )


def _one_start(model: WorldModel) -> Any:
    """Returns `starts` that are all the same belief, one step into a dream: all random choices of a row are made."""
    rng = seeding.rng(_SEED, device=model.device)
    state = model.initial_state(1, rng=rng)
    with torch.no_grad():
        stepped = model.step(state, sample_actions(model, state), rng=rng, temperature=0.0)
    state = stepped.state if model.num_players == 1 and bool(stepped.continues > 0) else state
    return lambda num, *, rng: beliefs.repeat(state, num)


def _first_legal(model: WorldModel, state: Any, *, rng: torch.Generator) -> torch.Tensor:
    legal = model.legal_actions(state)
    assert legal is not None
    return legal.float().argmax(-1)


def _plain(nest: Any) -> Any:
    """Returns what a vector environment's step returned, copied, with object arrays as lists that optree looks into."""
    if isinstance(nest, dict):
        return {key: _plain(value) for key, value in nest.items()}
    if isinstance(nest, tuple):
        return tuple(_plain(value) for value in nest)
    if isinstance(nest, np.ndarray) and nest.dtype == object:
        return [_plain(value) for value in nest]
    return copy.deepcopy(nest)


def _row(env: DreamVecEnv, obs: Any) -> Any:
    return spaces.index(env.observation_space, obs, 0)


def _first_row(num: int, action_space: Any) -> Any:
    first = np.arange(num) == 0
    return first.reshape(num, *[1] * len(action_space.shape or ()))


def _is_certain(model: WorldModel) -> bool:
    """Says whether nothing is random: one start, and steps that draw nothing (a board game)."""
    return model.num_players > 1
