"""MuZero's model: hidden states that predict rewards, values and policies, and never what is seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optree
import torch
from gymnasium import spaces as gym_spaces
from torch import Tensor

from zoo_core import spaces
from zoo_core.planner import Evaluation
from zoo_core.replay import Replay
from zoo_core.seeding import construction_rng
from zoo_core.world_model import MAX_STARTS, ModelStep, WorldModel
from zoo_mcts.dense import DenseModel
from zoo_muzero.config import MuZeroModelConfig
from zoo_muzero.losses import Batch, muzero_losses
from zoo_muzero.networks import Sizes, make_network
from zoo_muzero.support import expectation

VIEW, MASK = "observation", "action_mask"  # parts of what a player of a board game sees
BYTE = 255.0


class Belief(NamedTuple):
    """What is left of B pasts.

    Attributes:
        hidden: `[B, ...]` in [0, 1].
        frames: `[B, history - 1, ...]` newest observations; None without history.
        actions: int64 `[B, history - 1]` newest actions, -1 where there were none; None without history.
        legal: bool `[B, A]`, the mask that was seen; all true after an imagined step; None where there are no masks.
    """

    hidden: Tensor
    frames: Tensor | None = None
    actions: Tensor | None = None
    legal: Tensor | None = None


class MuZeroModel(WorldModel):
    """Representation h, dynamics g and prediction f (Schrittwieser et al. 2020, arXiv:1911.08265).

    It is value-equivalent: `decode` raises Undecodable, and `evaluate` says what a state is worth and what to do there.
    It knows no end (`continues` is 1): after the end of an episode it learned that nothing more is paid. It knows what
    is legal only where a mask was seen, at the root of a search.

    Args:
        observation_space: vectors, or images and boards `[H, W, C]`; or, as board games have it, a Dict of
            "observation" and "action_mask". Anything else is flattened.
        action_space: Discrete.
        config: see `MuZeroModelConfig`.
        seed: of the initial weights.

    Raises:
        UnsupportedSpaceError: actions are not Discrete.
        ValueError: convolutions are asked for on something without planes.
    """

    config_class = MuZeroModelConfig
    config: MuZeroModelConfig
    optimizer: torch.optim.Optimizer

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        spaces.check_space(action_space, (gym_spaces.Discrete,), what="action", who="muzero")
        options = self.config
        self.num_players = options.players  # type: ignore[misc]  # of this model, not of all
        self.num_actions = int(action_space.n)
        self.masked = is_masked(observation_space, self.num_actions)
        self._view = observation_space[VIEW] if self.masked else observation_space
        self.frame_shape, self.frame_dtype = frame_kind(self._view)
        sizes = Sizes(*(getattr(options, name) for name in Sizes._fields))
        bright = BYTE if self.frame_dtype == np.uint8 else 1.0
        with construction_rng(seed):
            self.network = make_network(self.frame_shape, self.num_actions, sizes, kind=options.network, bright=bright)
        self.optimizer = make_optimizer(self.network, options)
        self.updates: Tensor
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    def frames_of(self, obs: Any) -> Tensor:
        """Returns `[B, ...]`, of `frame_shape`: the part of observations that the network sees."""
        seen = obs[VIEW] if self.masked else obs
        if isinstance(self._view, gym_spaces.Box):
            frames: Tensor = seen.reshape(len(seen), *self.frame_shape)
            return frames
        return spaces.flatten(self._view, seen)

    def observe(
        self, state: Belief | None, action: Tensor | None, obs: Any, is_first: Tensor | None, *, rng: torch.Generator
    ) -> Belief:
        """Encodes what is seen, with the history where there is one; the hidden state of before is forgotten."""
        frame, legal = self.frames_of(obs), obs[MASK].bool() if self.masked else None
        length = self.config.history - 1
        if length == 0:
            return Belief(self.network.represent(frame[:, None], None), legal=legal)
        frames, actions = self._past(state, action, is_first, frame, length)
        seen = torch.cat([frames, frame[:, None]], 1)
        return Belief(self.network.represent(seen, actions), seen[:, 1:], actions, legal)

    def _past(
        self, state: Belief | None, action: Tensor | None, is_first: Tensor | None, frame: Tensor, length: int
    ) -> tuple[Tensor, Tensor]:
        """Returns the observations and actions before a frame; 0 and -1 where the episode begins."""
        blank = frame.new_zeros(len(frame), length, *frame.shape[1:])
        none = torch.full((len(frame), length), -1, device=frame.device)
        if state is None or action is None or is_first is None:
            return blank, none
        assert state.frames is not None
        assert state.actions is not None
        actions = torch.cat([state.actions[:, 1:], action[:, None]], 1)
        first = is_first.reshape(-1, *[1] * (blank.ndim - 1))
        return torch.where(first, blank, state.frames), torch.where(is_first[:, None], none, actions)

    def step(
        self,
        state: Belief,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Runs the dynamics; nothing is drawn."""
        hidden = self.network.dynamics(state.hidden, action)
        reward = expectation(self.network.reward(hidden), self.config.reward_support)
        legal = None if state.legal is None else torch.ones_like(state.legal)
        after = state._replace(hidden=hidden, legal=legal)
        return ModelStep(after, reward, torch.ones_like(reward), sign=self.sign)

    @property
    def sign(self) -> float:
        """-1 where two players alternate."""
        return -1.0 if self.num_players == 2 else 1.0

    def features(self, state: Belief) -> Tensor:
        """Returns the hidden state, flat."""
        return state.hidden.flatten(1)

    def legal_actions(self, state: Belief) -> Tensor | None:
        """Returns the mask that was seen; all actions, where the state was imagined."""
        return state.legal

    def evaluate(self, state: Belief, *, rng: torch.Generator | None = None) -> Evaluation:
        """Returns what f says: the value for the player to move, and logits that know nothing of what is legal."""
        value = expectation(self.network.value(state.hidden), self.config.value_support)
        return Evaluation(value, self.network.policy(state.hidden))

    def dense(self) -> DenseModel | None:
        """Returns the layers for the compiled search, where they are dense."""
        supports = {"value_support": self.config.value_support, "reward_support": self.config.reward_support}
        return self.network.dense(**supports, sign=self.sign)

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        replay: Replay,
        *,
        rng: torch.Generator,
        max_updates: int | None = None,
        callback: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, float]:
        """Learns from experience that no search was made for: its policy is that of who acted, and so is its value.

        Returns bootstrap with the network's own values, and actions are drawn alike.
        """
        from zoo_muzero.imitation import fit_to_replay

        self.remember(replay)
        num_updates = self.config.num_updates if max_updates is None else min(max_updates, self.config.num_updates)
        return fit_to_replay(self, replay, num_updates, rng=rng, callback=callback)

    def keep_starts(self, obs: Any, rows: Any) -> None:
        """Keeps the first 1,024 observations with which episodes began, for dreams to begin there.

        Args:
            obs: NumPy batch in the layout of the observation space.
            rows: which of them begin an episode, `[N]`.
        """
        space = self.observation_space
        kept = 0 if self.starts is None else len(optree.tree_leaves(self.starts)[0])
        rows = rows[: MAX_STARTS - kept]
        if len(rows):
            fresh = spaces.map_space(space, lambda _, leaf: np.array(leaf[rows]), obs)
            both = [fresh] if self.starts is None else [self.starts, fresh]
            self.starts = spaces.map_space(space, lambda _, *leaves: np.concatenate(leaves), *both)

    def update(self, batch: Batch, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Makes one gradient step."""
        options = self.config
        losses = muzero_losses(
            self.network, batch, value_support=options.value_support, reward_support=options.reward_support
        )
        rows = options.value_share * losses.value + losses.policy + losses.reward
        loss = (rows * batch.weight).mean()
        self._set_learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.max_grad_norm)
        self.optimizer.step()
        self.updates += 1
        parts = {"value_loss": losses.value, "policy_loss": losses.policy, "reward_loss": losses.reward}
        means = torch.stack([loss.detach(), norm, *(part.detach().mean() for part in parts.values())]).tolist()
        return dict(zip(("loss", "grad_norm", *parts), means, strict=True))

    def _set_learning_rate(self) -> None:
        options = self.config
        if options.learning_rate_decay != 1.0:
            past = float(self.updates) / options.decay_steps
            for group in self.optimizer.param_groups:
                group["lr"] = options.learning_rate * options.learning_rate_decay**past


def is_masked(observation_space: Any, num_actions: int) -> bool:
    """Says whether observations are those of a board game: what is seen, and which actions are legal."""
    if not isinstance(observation_space, gym_spaces.Dict) or set(observation_space.spaces) != {VIEW, MASK}:
        return False
    return observation_space[MASK].shape == (num_actions,)


def frame_kind(space: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Returns shape and dtype of what a network sees of one observation: images and Boxes as they are, else flat."""
    if not isinstance(space, gym_spaces.Box):
        return (spaces.flat_dim(space),), np.dtype(np.float32)
    if spaces.is_image(space) and len(space.shape) == 2:
        return (*space.shape, 1), space.dtype
    if len(space.shape) == 3:
        return space.shape, space.dtype
    return (math.prod(space.shape),), space.dtype


def make_optimizer(network: torch.nn.Module, config: MuZeroModelConfig) -> torch.optim.Optimizer:
    """Returns the optimiser that a config asks for."""
    common: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "adam":
        return torch.optim.AdamW(network.parameters(), **common)
    return torch.optim.SGD(network.parameters(), momentum=config.momentum, **common)
