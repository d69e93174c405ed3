"""What environments remember from one episode to the next, for checkpoints.

`reset` begins an episode anew, and most environments remember nothing beyond it. One that does, such as a maze whose
wall moves at some step of its life, has `get_state()` and `set_state(state)`; the state is made of JSON-able values and
arrays. A wrapper may have them too: the outermost is asked, and answers for what it wraps. The statistics of SB3's
VecNormalize are kept as well.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize

from zoo_core.errors import CheckpointError

MAX_JSON = 2**16  # characters of a state that is written into a record
_FORGETFUL = (NormalizeObservation, NormalizeReward)


def read(env: VecEnv) -> dict[str, Any]:
    """Returns the state of every environment, JSON-able values and arrays in dicts and lists.

    Raises:
        CheckpointError: a wrapper remembers something that nobody can read.
    """
    for wrapper in _FORGETFUL:
        if any(env.env_is_wrapped(wrapper)):
            raise CheckpointError(
                f"gymnasium.wrappers.{wrapper.__name__} has running statistics that no checkpoint can hold: use "
                "stable_baselines3's VecNormalize in its place"
            )
    state: dict[str, Any] = {}
    if _has_state(env):
        state["envs"] = [_plain(each) for each in env.env_method("get_state")]
    normalize = unwrap_vec_normalize(env)
    if normalize is not None:
        state["normalize"] = {name: _read_statistics(rms) for name, rms in _statistics(normalize).items()}
    return state


def write(env: VecEnv, state: dict[str, Any]) -> None:
    """Puts the environments into the state that `read` returned; they are reset before."""
    if "envs" in state:
        env.reset()
        for index, each in enumerate(state["envs"]):
            env.env_method("set_state", each, indices=[index])
    normalize = unwrap_vec_normalize(env)
    if normalize is not None and "normalize" in state:
        for name, rms in _statistics(normalize).items():
            rms.mean, rms.var, rms.count = _read_back(state["normalize"][name])


def read_first(env: VecEnv) -> Any:
    """Returns the state of the first environment, as JSON has it.

    None if it has none that can be set, none yet, or one that JSON does not hold, or only in more than 64 KiB.
    """
    if not _has_state(env):
        return None
    try:
        state = _plain(env.env_method("get_state", indices=[0])[0], arrays=False)
    except ResetNeeded:
        return None
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return state if len(text) <= MAX_JSON and json.loads(text) == state else None


def write_all(env: VecEnv, state: Any) -> None:
    """Puts all environments into one state; what their next reset does not change of it, stays."""
    env.reset()
    env.env_method("set_state", state)


def _has_state(env: VecEnv) -> bool:
    try:
        return all(env.has_attr(name) for name in ("get_state", "set_state"))
    except (AttributeError, NotImplementedError):  # a VecEnv that holds no environments of its own
        return False


def _statistics(normalize: VecNormalize) -> dict[str, RunningMeanStd]:
    """Returns the running statistics by name: of the returns, and of observations, those of a Dict by their key."""
    found = {"returns": normalize.ret_rms}
    if normalize.norm_obs:
        by_key = normalize.obs_rms if isinstance(normalize.obs_rms, dict) else {"": normalize.obs_rms}
        found |= {f"observations {key}": rms for key, rms in by_key.items()}
    return found


def _read_statistics(rms: RunningMeanStd) -> dict[str, Any]:
    return {"mean": np.array(rms.mean), "var": np.array(rms.var), "count": float(rms.count)}


def _read_back(stored: dict[str, Any]) -> tuple[Any, Any, float]:
    return np.asarray(stored["mean"]), np.asarray(stored["var"]), stored["count"]


def _plain(value: Any, *, arrays: bool = True) -> Any:
    """Returns NumPy's numbers as Python's, and unless they may stay, its arrays as lists."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not arrays:
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(entry, arrays=arrays) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, arrays=arrays) for entry in value]
    return value
