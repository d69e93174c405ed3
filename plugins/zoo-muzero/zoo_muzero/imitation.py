"""Learning the model from stored experience, for which no search was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from zoo_core import spaces
from zoo_core.replay import Replay
from zoo_muzero.support import expectation
from zoo_muzero.targets import CUT, GOES_ON, TERMINATED
from zoo_muzero.trajectories import Rows, Trajectories

if TYPE_CHECKING:
    from zoo_muzero.world_model import MuZeroModel


def fit_to_replay(
    model: MuZeroModel,
    replay: Replay,
    num_updates: int,
    *,
    rng: torch.Generator,
    callback: Callable[[int, dict[str, float]], None] | None,
) -> dict[str, float]:
    """Makes updates on experience: policy and value are those of who acted.

    Returns bootstrap with the values that the network has at the time.
    """
    trajectories = from_replay(model, replay)
    metrics = {"positions": float(trajectories.num_ready)}
    for update_index in range(num_updates if trajectories.num_ready else 0):
        batch = trajectories.sample(
            model.config.batch_size, rng=rng, device=model.device, evaluate=lambda *seen: network_values(model, *seen)
        )
        metrics |= model.update(batch)
        if callback is not None:
            callback(update_index + 1, metrics)
    return metrics


@torch.no_grad()
def network_values(model: MuZeroModel, frames: Tensor, past_actions: Tensor | None) -> Tensor:
    """Returns what the network says that last observations are worth, `[N]`."""
    hidden = model.network.represent(frames, past_actions)
    return expectation(model.network.value(hidden), model.config.value_support)


def from_replay(model: MuZeroModel, replay: Replay) -> Trajectories:
    """Returns the episodes of a replay as trajectories of one environment; players alternate, if there are two.

    The final observation of an episode that did not terminate is a row of its own, from which returns bootstrap.
    """
    options = model.config
    found = Trajectories(
        model.frame_shape,
        model.frame_dtype,
        model.num_actions,
        num_envs=1,
        capacity=2 * len(replay) + replay.num_envs,
        gamma=options.discount,
        td_steps=options.value_steps,
        unroll_steps=options.unroll_steps,
        history=options.history,
        alpha=0.0,
    )
    if options.players > 1:
        raise ValueError("a replay does not say whose moves they are: a model of two players learns from self-play")
    for episode in replay.episodes():
        steps, terminated = len(episode.reward), bool(episode.terminated[-1])
        num = steps if terminated else steps + 1
        seen = spaces.index(model.observation_space, episode.obs, slice(0, num))
        frame = model.frames_of(spaces.to_tensor(model.observation_space, seen)).numpy()
        action = np.zeros(num, np.int64)
        action[:steps] = spaces.to_tensor(model.action_space, episode.action).numpy()
        reward, after = np.zeros(num, np.float32), np.full(num, GOES_ON, np.int8)
        reward[:steps], after[-1] = episode.reward, TERMINATED if terminated else CUT
        rows = Rows(
            frame=frame,
            action=action,
            reward=reward,
            policy=np.eye(model.num_actions, dtype=np.float32)[action],
            value=np.zeros(num, np.float32),
            player=np.zeros(num, np.int8),
            after=after,
            first=np.arange(num) == 0,
        )
        found.add(Rows(*(column[None] for column in rows)))
    found.settle()
    return found
