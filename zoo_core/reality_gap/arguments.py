"""What `gap` is given, and whether it fits together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize

from zoo_core import spaces
from zoo_core.acting import RandomPolicy
from zoo_core.dream.latent import LatentFilter, latent_space
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.reality_gap.open_loop import decoded
from zoo_core.world_model import WorldModel, load_model


class Player(NamedTuple):
    """Who acts, from the same seed in both worlds."""

    name: str
    make: Callable[[], Any]  # a policy; one that acts at random begins its stream anew
    observation: str  # what it sees, "decoded" or "latent"


def find_model(policy: Any, model: WorldModel | str | Path | None) -> WorldModel:
    """Returns the model that is given, else the policy's."""
    if policy is not None and not callable(getattr(policy, "predict", None)):
        raise TypeError(f"policy must have SB3's predict(observation, state, ...), got {type(policy).__name__}")
    if model is None:
        model = getattr(policy, "world_model", None)
    if model is None:
        who = "a random policy" if policy is None else type(policy).__name__
        raise ValueError(f"{who} has no world model: pass model=, or an agent that learns one")
    if isinstance(model, str | Path):
        return load_model(model)
    if not isinstance(model, WorldModel):
        raise TypeError(f"model must be a WorldModel or the path of a saved one, got {type(model).__name__}")
    return model


def check_arguments(
    model: WorldModel, episodes: int, horizon: int, seed: int, observation: str | None, temperature: float
) -> None:
    """Raises ValueError where a number is out of range, or the model is not for one player."""
    for name, value, least in (("episodes", episodes, 1), ("horizon", horizon, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if observation not in (None, "decoded", "latent"):
        raise ValueError(f'observation must be "decoded", "latent" or None, got {observation!r}')
    if not temperature >= 0:
        raise ValueError(f"temperature must be in [0, inf), got {temperature}")
    if model.num_players > 1:
        raise ValueError(
            f"{type(model).__name__} has {model.num_players} players: the reality gap is measured for models of one"
        )


def find_player(policy: Any, model: WorldModel, observation: str | None, seed: int) -> Player:
    """Returns who acts, and what that player sees.

    Raises:
        UnsupportedSpaceError: The policy sees or does something else.
    """
    if policy is None:
        blind = observation or ("decoded" if _decodes(model) else "latent")
        return Player("random", lambda: RandomPolicy(model.action_space, seed=seed), blind)
    own = getattr(policy, "world_model", None) is model  # features of another model would mean nothing to it
    inner = getattr(policy, "latent_policy", None) if own else None
    if observation is None:
        observation = "decoded" if inner is None else "latent"
    acting = inner if observation == "latent" and inner is not None else policy
    shown = latent_space(model) if observation == "latent" else model.observation_space
    sees, does = (getattr(acting, name, None) for name in ("observation_space", "action_space"))
    if sees is not None and sees.shape != shown.shape:
        raise UnsupportedSpaceError(
            f"{type(policy).__name__} acts on {sees}, but {observation} observations of {type(model).__name__} are "
            f"{shown}"
        )
    if does is not None and does != model.action_space:
        raise UnsupportedSpaceError(
            f"actions of {type(policy).__name__} are {does}, those of {type(model).__name__} are {model.action_space}"
        )
    return Player(type(policy).__name__, lambda: acting, observation)


def _decodes(model: WorldModel) -> bool:
    blank = LatentFilter(model).begin(spaces.zeros(model.observation_space, 1))
    with torch.no_grad():
        return decoded(model, blank) is not None


def find_env(env: Any, policy: Any, model: WorldModel) -> Any:
    """Returns the environment that is given, else the one that the policy names, else the model's."""
    if env is None:
        env = getattr(policy, "env_id", None) or model.env_id
    if env is None:
        raise ValueError(f"{type(model).__name__} names no environment: pass env=, an id or an environment")
    return env


def check_env(env: VecEnv, model: WorldModel, player: Player) -> VecNormalize | None:
    """Returns the VecNormalize around the environment, if there is one, once all fits."""
    normalize = unwrap_vec_normalize(env)
    if normalize is not None and normalize.training:
        raise ValueError("the VecNormalize around env is training, and would learn from this: set env.training = False")
    if normalize is not None and normalize.norm_obs and player.observation == "latent":
        raise ValueError("a latent policy needs raw observations: wrap env in VecNormalize(..., norm_obs=False)")
    raw = env.venv if isinstance(env, VecNormalize) else env
    for name in ("observation_space", "action_space"):
        wanted, found = getattr(model, name), getattr(raw, name)
        if wanted != found:
            raise UnsupportedSpaceError(
                f"{name.replace('_', ' ')} of the environment is {found}, but {type(model).__name__} has {wanted}"
            )
    return normalize


def time_limit(env: VecEnv) -> int:
    """Returns the steps after which the environment says that it cuts an episode; dreams must not go on longer."""
    try:
        limit = getattr(env.get_attr("spec")[0], "max_episode_steps", None)
    except AttributeError:
        limit = None
    return limit or sys.maxsize
