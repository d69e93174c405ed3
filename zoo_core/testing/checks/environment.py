"""The rules of environments: those of Gymnasium and Stable-Baselines3, and that a state that is set is the state."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from zoo_core.plugins import make_env
from zoo_core.testing.checks.expect import difference, expect, same

_STEPS = 5  # that are compared
_CLOSE = 1e-3  # observations are rounded to float32, and a step may enlarge that
_ADVICE = (  # of both libraries on spaces that may well be meant: velocities have no bound, torques their own, boards
    # are no pictures
    ".*A Box observation space (minimum|maximum) value is -?infinity",
    ".*For Box action spaces, we recommend using a symmetric and normalized space",
    "We recommend you to use a symmetric and normalized Box action space",
    "It seems that your observation .* is an image but",
    "The minimal resolution for an image is 36x36",
    "Treating image space as channels-last",
)


def check_environment(env_id: str) -> None:
    """Checks an environment by `check_env` of Gymnasium and SB3, and `get_state`, `set_state` and
    `state_from_observation` if it has them.

    Args:
        env_id: as `zoo list envs` prints it.

    Raises:
        AssertionError: A rule is broken.
    """
    env: Any = make_env(env_id)
    with advice_ignored():
        gymnasium_check_env(env.unwrapped, skip_render_check=True)  # drawing may open a window
        sb3_check_env(env, skip_render_check=True)
    if all(hasattr(env.unwrapped, name) for name in ("get_state", "set_state")):
        _check_state(env)
        if hasattr(env.unwrapped, "state_from_observation"):
            _check_state_from_observation(env)
    env.close()


@contextmanager
def advice_ignored() -> Iterator[None]:
    """Leaves out warnings of `check_env` that say no more than which spaces are easy to learn in."""
    with warnings.catch_warnings():
        for message in _ADVICE:
            warnings.filterwarnings("ignore", message, UserWarning)
        yield


def _check_state(env: Any) -> None:
    """Goes on from one state three times: steps that write into what was handed out, or taken, show."""
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(_STEPS)]
    env.step(actions[0])
    state = env.unwrapped.get_state()
    walks = [_walk(env, actions)]
    for seed, mend in (
        (1, "let get_state return a copy of all that decides the next step but the random generator; restore it all"),
        (2, "let set_state copy what it takes: a step must not write into it"),
    ):
        env.reset(seed=seed)
        env.unwrapped.set_state(state)
        walks.append(_walk(env, actions))
        expect(
            same(walks[0], walks[-1]),
            "an environment goes on from a state that is set as it did from that state before, however often it is set",
            f"{difference(walks[0], walks[-1])} when it was set {'once' if seed == 1 else 'again'}",
            mend,
        )


def _check_state_from_observation(env: Any) -> None:
    """Compares one step from a state with one from the state that its observation shows."""
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for action in [env.action_space.sample() for _ in range(_STEPS)]:
        here = copy.deepcopy(obs)
        state = env.unwrapped.get_state()
        steps = []
        for start in (copy.deepcopy(state), env.unwrapped.state_from_observation(here)):
            env.reset(seed=1)
            env.unwrapped.set_state(start)
            steps.append(_walk(env, [action]))
        expect(
            same(*steps, tolerance=_CLOSE),
            "an observation shows the state: a step from state_from_observation(obs) is one from the state itself",
            f"{difference(*steps)} after {here}",
            "compute the state from the observation, or leave state_from_observation out",
        )
        env.reset(seed=1)
        env.unwrapped.set_state(state)
        obs, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break


def _walk(env: Any, actions: list[Any]) -> list[Any]:
    """Returns what steps show, from the present state and a random generator that is always the same."""
    env.unwrapped.np_random = np.random.default_rng(0)
    seen = []
    for action in actions:
        obs, reward, terminated, truncated, _ = env.step(action)
        seen.append((copy.deepcopy(obs), float(reward), bool(terminated)))
        if terminated or truncated:
            break
    return seen
