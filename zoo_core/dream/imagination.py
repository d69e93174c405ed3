"""The engine of all dream environments: B dreams in a world model, one model call a step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import optree
import torch
from gymnasium import Space, spaces
from torch import Tensor

from zoo_core import seeding, spaces as space_tools, world_model as beliefs
from zoo_core.errors import NonFiniteError, did_you_mean
from zoo_core.world_model import State, WorldModel, load_model

Array = np.ndarray[Any, Any]
POOL_SIZE = 512  # starts drawn at a time


class Starts(Protocol):
    """Where dreams begin: `num` beliefs."""

    def __call__(self, num: int, *, rng: torch.Generator) -> State:
        """Returns the beliefs."""


# opponent(model, state, *, rng) -> actions [B], for the player who moves; of rows where the dreamer is to move, or
# where the game is over, any action will do
Opponent = Callable[..., Tensor]
_ACTION_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class DreamStep(NamedTuple):
    """What one step of B dreams shows; NumPy, owned by the caller.

    Attributes:
        obs: `[B, ...]` in the layout of the dream's observation space.
        reward: `[B]` float32, penalties subtracted.
        terminated: `[B]` bool, sampled from the model's termination.
        truncated: `[B]` bool, the horizon was reached or the model became too uncertain; never together with
            terminated.
        uncertain: `[B]` bool, those that ended because the model became too uncertain; None if that is not watched.
    """

    obs: Any
    reward: Array
    terminated: Array
    truncated: Array
    uncertain: Array | None


class Imagination:
    """B dreams that are stepped together; a dream that ended begins again when `restart` is called for its row.

    Rows are independent: what one does moves no other, but for the rounding of a model's matrix products. Randomness of
    a step depends on B alone, and starts are drawn in pools that are indexed by row and episode.

    Args:
        model: to dream in.
        num_dreams: B.
        horizon: steps after which a dream is truncated.
        observation: "decoded" shows what the environment would show, "latent" the model's `features`.
        starts: where dreams begin; None takes `model.initial_state`.
        temperature: of the model's randomness; 0 is the deterministic expectation.
        uncertainty_penalty: times the epistemic uncertainty, subtracted from the reward (MOPO, Yu et al. 2020,
            arXiv:2005.13239).
        max_uncertainty: epistemic uncertainty above which a dream ends; None never ends it for that.
        on_uncertain: "truncate" it, or "terminate" it with `uncertain_reward` (MOReL, Kidambi et al. 2020,
            arXiv:2005.05951).
        uncertain_reward: of the step that is terminated for uncertainty.
        opponent: chooses the other player's actions in a two-player model.
        seed: of all randomness; the same model, seed, B and device give the same dreams. None draws one (kept in
            `seed`).

    Raises:
        ValueError: an argument is out of range, or a two-player model has no opponent.
        Undecodable: decoded observations of a model that cannot decode.
        ZooError: the model has not been fitted.
    """

    def __init__(
        self,
        model: WorldModel,
        num_dreams: int,
        *,
        horizon: int = 200,
        observation: str = "decoded",
        starts: Starts | None = None,
        temperature: float = 1.0,
        uncertainty_penalty: float = 0.0,
        max_uncertainty: float | None = None,
        on_uncertain: str = "truncate",
        uncertain_reward: float = 0.0,
        opponent: Opponent | None = None,
        seed: int | None = None,
    ) -> None:
        space_tools.check_space(model.action_space, _ACTION_SPACES, what="action", who="a dream")
        _check_arguments(num_dreams, horizon, observation, temperature, max_uncertainty, on_uncertain)
        if model.num_players > 1 and opponent is None:
            raise ValueError(
                f"{type(model).__name__} has {model.num_players} players: pass opponent=, a function "
                "(model, state, *, rng) -> actions that moves for the other side"
            )
        self.model = model
        self.num_dreams = num_dreams
        self.horizon = horizon
        self.observation = observation
        self.temperature = temperature
        self.uncertainty_penalty = uncertainty_penalty
        self.max_uncertainty = max_uncertainty
        self.on_uncertain = on_uncertain
        self.uncertain_reward = uncertain_reward
        self.opponent = opponent
        self.starts: Starts = model.initial_state if starts is None else starts
        self.steps = 0  # dream steps made
        self.held = 0  # of these, how many the model held back to stay in the world
        self.state: State = None
        self._wants_uncertainty = uncertainty_penalty != 0.0 or max_uncertainty is not None
        self._pool_episodes = -(-POOL_SIZE // num_dreams)  # episodes a row that one pool lasts
        self.action_space: Space[Any] = copy.deepcopy(model.action_space)
        self._action_range = _range_of(self.action_space)
        self._begin(seeding.fresh_seed() if seed is None else seed)
        self.observation_space = self._make_observation_space()

    @property
    def held_fraction(self) -> float:
        """Fraction of dream steps whose prediction the model held back to stay in the world."""
        return self.held / max(1, self.steps)

    def action_masks(self) -> Array:
        """Returns the legal actions of every dream, bool `[B, A]`."""
        legal = self.model.legal_actions(self.state)
        if legal is None:
            return np.ones((self.num_dreams, space_tools.flat_dim(self.action_space)), dtype=bool)
        return _to_numpy(legal, np.bool_)

    def reset(self, seed: int | None = None) -> Any:
        """Begins all dreams anew and returns observations `[B, ...]`; a seed starts the same dreams again."""
        if seed is not None:
            self._begin(seed)
        if self.state is not None:
            return self.restart(np.arange(self.num_dreams))
        self.state = beliefs.index(self._pool(0), slice(0, self.num_dreams))
        return self._show(self.state)

    def reset_to(self, obs: Any) -> Any:
        """Begins all dreams at given observations `[B, ...]`, in the layout of the environment's space.

        Raises:
            ValueError: the observations are laid out in another way, or have another shape.
            NonFiniteError: an observation is NaN or infinite.
        """
        space = self.model.observation_space

        def check(leaf: Any, value: Any) -> Array:
            array = np.asarray(value)
            if array.shape != (self.num_dreams, *leaf.shape):
                raise ValueError(f"start must have shape {(self.num_dreams, *leaf.shape)}, got {array.shape}")
            if not np.isfinite(array).all():
                raise NonFiniteError("the start given to the dream is NaN or infinite")
            return array

        checked = space_tools.map_space(space, check, obs)
        obs = space_tools.to_tensor(space, checked, self.model.device)
        with torch.no_grad():
            self.state = self.model.observe(None, None, obs, None, rng=self._rng)
        self.age[:] = 0
        return self._show(self.state)

    def restart(self, rows: Array) -> Any:
        """Begins the next dream in each of `rows` (integers) and returns their observations `[len(rows), ...]`."""
        self.age[rows] = 0
        self._episode[rows] += 1
        generation, episode = np.divmod(self._episode[rows], self._pool_episodes)
        place = episode * self.num_dreams + rows
        groups = {int(each): np.flatnonzero(generation == each) for each in np.unique(generation)}
        fresh = beliefs.stack([beliefs.index(self._pool(each), place[group]) for each, group in groups.items()])
        if len(groups) > 1:
            fresh = beliefs.index(fresh, np.argsort(np.concatenate(list(groups.values()))))
        for old in [g for g in self._pools if g < self._episode.min() // self._pool_episodes]:
            del self._pools[old]
        self.state = fresh if len(rows) == self.num_dreams else beliefs.put(self.state, rows, fresh)
        return self._show(fresh)

    def step(self, actions: Any) -> DreamStep:
        """Makes one step in every dream.

        Args:
            actions: `[B, ...]` as the action space has them; Box actions are clipped to its bounds.

        Raises:
            ValueError: the actions have another shape, or are outside a discrete space.
            NonFiniteError: an action is NaN, or the model predicted NaN or infinity.
        """
        action = self._to_action(actions)
        with torch.no_grad():
            step = self.model.step(
                self.state,
                action,
                rng=self._rng,
                temperature=self.temperature,
                uncertainty=self._wants_uncertainty,
            )
            ended = self._sample_end(step, self._rng)
            if self.model.num_players > 1:
                step, ended = self._let_opponent_move(step, ended)
            self.state = step.state
        obs = self._show(step.state)
        reward, terminated = self._finite("a reward", step.reward), _to_numpy(ended, np.bool_)
        self.age += 1
        self.steps += self.num_dreams
        if step.held is not None:
            self.held += int(step.held.sum())
        uncertain = None
        if self._wants_uncertainty:
            reward, terminated, uncertain = self._weigh_uncertainty(step, reward, terminated)
        truncated = self.age >= self.horizon
        if uncertain is not None and self.on_uncertain == "truncate":
            truncated |= uncertain
        truncated &= ~terminated
        return DreamStep(obs, reward, terminated, truncated, uncertain)

    def _weigh_uncertainty(
        self, step: beliefs.ModelStep, reward: Array, terminated: Array
    ) -> tuple[Array, Array, Array | None]:
        if step.uncertainty is None:
            raise ValueError(
                f"{type(self.model).__name__} reports no epistemic uncertainty: leave uncertainty_penalty and "
                "max_uncertainty out, or take a model that does, such as an ensemble"
            )
        epistemic = self._finite("an epistemic uncertainty", step.uncertainty["epistemic"])
        reward = reward - np.float32(self.uncertainty_penalty) * epistemic
        if self.max_uncertainty is None:
            return reward, terminated, None
        uncertain = (epistemic > self.max_uncertainty) & ~terminated
        if self.on_uncertain == "terminate":
            reward = np.where(uncertain, np.float32(self.uncertain_reward), reward)
            terminated = terminated | uncertain
        return reward, terminated, uncertain

    def _let_opponent_move(self, step: beliefs.ModelStep, ended: Tensor) -> tuple[beliefs.ModelStep, Tensor]:
        """Plays the other side wherever it is to move, until it is the dreamer's turn again or the game is over."""
        assert self.opponent is not None
        state, reward = step.state, step.reward
        sign = torch.as_tensor(step.sign, dtype=reward.dtype, device=reward.device).expand_as(reward)
        # How many moves there are depends on all rows, so they draw from a stream that lasts for this step only.
        rng = torch.Generator(reward.device)
        rng.manual_seed(int(torch.randint(2**62, (), generator=self._rng, device=reward.device)))
        while bool((waiting := (sign < 0) & ~ended).any()):
            action = self.opponent(self.model, state, rng=rng)
            reply = self.model.step(state, action, rng=rng, temperature=self.temperature)
            state = beliefs.select(waiting, reply.state, state)
            reward = torch.where(waiting, reward - reply.reward, reward)
            ended = torch.where(waiting, self._sample_end(reply, rng), ended)
            sign = torch.where(waiting, sign * reply.sign, sign)
        return step._replace(state=state, reward=reward), ended

    def _sample_end(self, step: beliefs.ModelStep, rng: torch.Generator) -> Tensor:
        """Returns which dreams end `[B]`: sampled, or the likelier at temperature 0."""
        lowest, highest = map(float, step.continues.aminmax())
        if not (lowest >= 0 and highest <= 1):  # NaN is neither
            continues = step.continues.tolist()
            wrong = next(value for value in continues if not 0 <= value <= 1)
            name = type(self.model).__name__
            raise NonFiniteError(f"{name} predicted a probability to continue of {wrong}, expected [0, 1]")
        if self.temperature == 0:
            return step.continues < 0.5
        chance = torch.rand(self.num_dreams, generator=rng, device=step.continues.device)
        return chance >= step.continues

    def _finite(self, name: str, values: Tensor) -> Array:
        array = _to_numpy(values, np.float32)
        if not np.isfinite(array).all():
            raise NonFiniteError(f"{type(self.model).__name__} predicted {name} that is NaN or infinite")
        return array

    def _begin(self, seed: int) -> None:
        self.seed = seed
        self._rng = beliefs.stream(self.model, seed, "dream")
        self.age = np.zeros(self.num_dreams, dtype=np.int64)
        self._episode = np.zeros(self.num_dreams, dtype=np.int64)
        self._pools: dict[int, State] = {}
        self.state = None

    def _pool(self, generation: int) -> State:
        """Returns the starts of this generation of episodes, drawn from a stream of its own."""
        if generation not in self._pools:
            rng = beliefs.stream(self.model, self.seed, f"starts-{generation}")
            self._pools[generation] = self._draw_starts(self._pool_episodes * self.num_dreams, rng)
        return self._pools[generation]

    def _draw_starts(self, num: int, rng: torch.Generator) -> State:
        with torch.no_grad():
            states = self.starts(num, rng=rng)
        if beliefs.batch_size(states) != num:
            raise ValueError(
                f"starts must return {num} beliefs when called with num={num}, got {beliefs.batch_size(states)}"
            )
        return states

    def _make_observation_space(self) -> Space[Any]:
        """Returns the space of what is shown; one belief is shown to see whether the model can do that."""
        state = self._draw_starts(1, beliefs.stream(self.model, self.seed, "probe"))
        with torch.no_grad():
            if self.observation == "decoded":
                self.model.decode(state)
                return copy.deepcopy(self.model.observation_space)
            features = self.model.features(state)
        return spaces.Box(-np.inf, np.inf, (features.shape[-1],), np.float32)

    def _show(self, state: State) -> Any:
        with torch.no_grad():
            if self.observation == "decoded":
                shown = self.model.decode(state)
            else:
                shown = self.model.features(state)
        for leaf in optree.tree_leaves(shown):
            if leaf.is_floating_point() and not np.isfinite(leaf.cpu().numpy()).all():
                raise NonFiniteError(f"{type(self.model).__name__} predicted an observation that is NaN or infinite")
        if self.observation == "decoded":
            return space_tools.to_numpy(self.model.observation_space, shown)
        return np.array(shown.cpu().numpy(), dtype=np.float32)

    def _to_action(self, actions: Any) -> Tensor:
        space = self.action_space
        actions = np.asarray(actions)
        if actions.shape != (self.num_dreams, *(space.shape or ())):
            raise ValueError(f"actions must have shape {(self.num_dreams, *(space.shape or ()))}, got {actions.shape}")
        if isinstance(space, spaces.Box):
            actions = np.clip(actions, space.low, space.high)
            if not np.isfinite(actions).all():
                raise NonFiniteError("an action given to the dream is NaN or infinite")
            return torch.from_numpy(actions.astype(space.dtype, copy=False)).to(self.model.device)
        first, past_last = self._action_range
        if actions.dtype.kind not in "iub":
            raise ValueError(f"actions of {space} must be integers, got {actions.dtype}")
        if (actions < first).any() or (actions >= past_last).any():
            raise ValueError(f"actions must be in {space}, got {actions.min()} to {actions.max()}")
        return space_tools.to_tensor(space, actions, self.model.device)  # type: ignore[no-any-return]


def open_imagination(face: type, model: WorldModel | str | Path, num_dreams: int, **arguments: Any) -> Imagination:
    """Returns the engine of a face: loads the model where it is a path, and answers for misspelt arguments.

    Raises:
        TypeError: there is no such argument, or the model is neither a model nor a path.
    """
    known = [name for name in signature(Imagination).parameters if name not in ("model", "num_dreams")]
    for name in arguments:
        if name not in known:
            raise TypeError(f"{face.__name__} has no argument {name!r}{did_you_mean(name, known)}")
    if isinstance(model, str | Path):
        model = load_model(model)
    if not isinstance(model, WorldModel):
        raise TypeError(f"model must be a WorldModel or the path of a saved one, got {type(model).__name__}")
    starts = arguments.get("starts")
    if starts is not None and not callable(starts):
        raise TypeError(f"starts must be a function (num, *, rng) -> beliefs, got {type(starts).__name__}")
    return Imagination(model, num_dreams, **arguments)


def _to_numpy(tensor: Tensor, dtype: Any) -> Array:
    return np.array(tensor.detach().cpu().numpy(), dtype=dtype)


def _range_of(space: Space[Any]) -> tuple[Any, Any]:
    """Returns the first value of an integer space, and the one after its last."""
    if isinstance(space, spaces.Discrete):
        return int(space.start), int(space.start + space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec
    return 0, 2


def _check_arguments(
    num_dreams: int,
    horizon: int,
    observation: str,
    temperature: float,
    max_uncertainty: float | None,
    on_uncertain: str,
) -> None:
    if num_dreams < 1:
        raise ValueError(f"the number of dreams must be at least 1, got {num_dreams}")
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1, got {horizon}")
    if observation not in ("decoded", "latent"):
        raise ValueError(f'observation must be "decoded" or "latent", got {observation!r}')
    if not temperature >= 0:
        raise ValueError(f"temperature must be in [0, inf), got {temperature}")
    if max_uncertainty is not None and not max_uncertainty > 0:
        raise ValueError(f"max_uncertainty must be in (0, inf) or None, got {max_uncertainty}")
    if on_uncertain not in ("truncate", "terminate"):
        raise ValueError(f'on_uncertain must be "truncate" or "terminate", got {on_uncertain!r}')
