"""What `gap` is given, and whether it fits together."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from gymnasium import Space, spaces as gym_spaces
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, VecTransposeImage, unwrap_vec_normalize

from zoo_core import spaces
from zoo_core.acting import RandomPolicy, as_vec_env, env_id_of, env_kwargs_of
from zoo_core.dream.latent import LatentFilter, latent_space
from zoo_core.env_state import read_first, write_all
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.reality_gap.open_loop import decoded
from zoo_core.world_model import WorldModel, load_model


class Player(NamedTuple):
    """Who acts, from the same seeds in both worlds."""

    name: str
    begin: Callable[[int], Any]  # the policy, from the seed of a batch of episodes
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
    model: WorldModel, episodes: int, horizon: int | None, seed: int, observation: str | None, temperature: float
) -> None:
    """Raises ValueError where a number is out of range, or the model is not for one player."""
    for name, value, least in (("episodes", episodes, 1), ("horizon", horizon, 1), ("seed", seed, 0)):
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if observation not in (None, "decoded", "latent"):
        raise ValueError(f'observation must be "decoded", "latent" or None, got {observation!r}')
    if not temperature >= 0:
        raise ValueError(f"temperature must be in [0, inf), got {temperature}")
    if model.num_players > 1:
        raise ValueError(
            f"{type(model).__name__} has {model.num_players} players: the reality gap is measured for models of one"
        )


def find_player(policy: Any, model: WorldModel, observation: str | None) -> Player:
    """Returns who acts, and what that player sees.

    Raises:
        UnsupportedSpaceError: The policy sees or does something else.
    """
    if policy is None:
        blind = observation or ("decoded" if decodes(model) else "latent")
        return Player("random", lambda seed: RandomPolicy(model.action_space, seed=seed), blind)
    own = getattr(policy, "world_model", None) is model  # features of another model would mean nothing to it
    inner = getattr(policy, "latent_policy", None) if own else None
    if observation is None:
        observation = "decoded" if inner is None else "latent"
    acting = inner if observation == "latent" and inner is not None else policy
    shown = latent_space(model) if observation == "latent" else model.observation_space
    sees, does = (getattr(acting, name, None) for name in ("observation_space", "action_space"))
    if sees is not None and not _takes(sees, shown):
        raise UnsupportedSpaceError(
            f"{type(policy).__name__} acts on {sees}, but {observation} observations of {type(model).__name__} are "
            f"{shown}"
        )
    if does is not None and does != model.action_space:
        raise UnsupportedSpaceError(
            f"actions of {type(policy).__name__} are {does}, those of {type(model).__name__} are {model.action_space}"
        )
    return Player(type(policy).__name__, lambda _: acting, observation)


def _takes(sees: Space[Any], shown: Space[Any]) -> bool:
    """Says whether shapes agree; where SB3 trained behind VecTransposeImage, its `predict` transposes by itself."""
    if isinstance(sees, gym_spaces.Dict) and isinstance(shown, gym_spaces.Dict):
        return sees.keys() == shown.keys() and all(_takes(sees[key], shown[key]) for key in sees)
    if sees.shape == shown.shape:
        return True
    if not isinstance(shown, gym_spaces.Box) or not is_image_space(shown) or is_image_space_channels_first(shown):
        return False
    return sees.shape == VecTransposeImage.transpose_space(shown).shape


def decodes(model: WorldModel) -> bool:
    """Says whether beliefs of the model can be decoded into observations."""
    blank = LatentFilter(model).begin(spaces.zeros(model.observation_space, 1))
    with torch.no_grad():
        return decoded(model, blank) is not None


class Reality(NamedTuple):
    """The environment that is dreamt of."""

    vec_env: VecEnv
    normalize: VecNormalize | None  # around it
    name: str  # its id, else its class
    kwargs: dict[str, Any]  # that it was made with, as far as its spec tells

    def time_limit(self) -> int | None:
        """Returns the steps after which it says that it cuts an episode, if any; dreams must not go on longer."""
        try:
            return getattr(self.vec_env.get_attr("spec")[0], "max_episode_steps", None)
        except AttributeError:
            return None


@contextlib.contextmanager
def reality(
    env: Any,
    policy: Any,
    model: WorldModel,
    player: Player,
    env_kwargs: dict[str, Any] | None,
    env_state: Any,
    num_envs: int,
) -> Iterator[Reality]:
    """Gives the environment that is named or given, else one made like the policy's, else like the model's.

    The statistics of the policy's VecNormalize go around it, if it has none of its own. What was made here is closed.
    """
    kwargs = env_kwargs or {}
    if env is None:
        env = getattr(policy, "env_id", None) or model.env_id
        own = _call(policy, "get_env")
        if own is not None and env_id_of(own) == env:
            kwargs = {**env_kwargs_of(own), **kwargs}
            env_state = read_first(own) if env_state is None else env_state
    if env is None:
        raise ValueError(f"{type(model).__name__} names no environment: pass env=, an id or an environment")
    vec_env = as_vec_env(env, env_kwargs=kwargs, num_envs=num_envs)
    try:
        _check_spaces(vec_env, model)
        if env_state is not None:
            write_all(vec_env, env_state)
        name = env
        if not isinstance(env, str):
            name, kwargs = env_id_of(vec_env) or type(env).__name__, env_kwargs_of(vec_env)
        yield Reality(*_normalized(vec_env, policy, player), name, kwargs)
    finally:
        if isinstance(env, str):
            vec_env.close()


def _check_spaces(env: VecEnv, model: WorldModel) -> None:
    raw = env.venv if isinstance(env, VecNormalize) else env
    for name in ("observation_space", "action_space"):
        wanted, found = getattr(model, name), getattr(raw, name)
        if wanted != found:
            raise UnsupportedSpaceError(
                f"{name.replace('_', ' ')} of the environment is {found}, but {type(model).__name__} has {wanted}"
            )


def _normalized(env: VecEnv, policy: Any, player: Player) -> tuple[VecEnv, VecNormalize | None]:
    """Returns the environment as the policy sees it, and the VecNormalize around it, which learns nothing here."""
    given, own = unwrap_vec_normalize(env), _call(policy, "get_vec_normalize_env")
    if given is not None and given.training:
        raise ValueError("the VecNormalize around env is training, and would learn from this: set env.training = False")
    normalize = own if given is None else given
    if normalize is None or not normalize.norm_obs:
        return env, given
    if player.observation == "latent":
        raise ValueError("a latent policy needs raw observations: wrap env in VecNormalize(..., norm_obs=False)")
    if given is not None:
        return env, given
    twin = copy.copy(normalize)  # with its statistics, without its environment
    twin.training = False
    twin.set_venv(env)
    return twin, twin


def _call(policy: Any, method: str) -> Any:
    found = getattr(policy, method, None)
    return found() if callable(found) else None
