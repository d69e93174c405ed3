"""Lookup tables: models of Discrete worlds that count what followed each state and action."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from zoo_core.errors import CheckpointError, UnsupportedSpaceError
from zoo_core.packing import with_prefix
from zoo_core.plugins import make_env
from zoo_core.replay import Replay
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel
from zoo_tabular.config import LookupConfig, LookupDeterministicConfig
from zoo_tabular.expectation import Belief, Expectation
from zoo_tabular.outcomes import Outcomes, count_steps, keep_last, no_outcomes
from zoo_tabular.table import Table

Array = np.ndarray[Any, Any]

MAX_PAIRS = 2**22  # states times actions: 100 MB of one outcome each


class TableState(NamedTuple):
    """Where each row is.

    Attributes:
        index: `[B]` int64, the state, counted from 0.
        terminal: `[B]` bool, whether the episode is over there.
    """

    index: Tensor  # type: ignore[assignment]  # tuple.index is of no use here
    terminal: Tensor


class Lookup(WorldModel):
    """Counts the outcomes of every state and action; a dream draws from what was counted (Sutton & Barto 2018, chapter
    8: a sample model), or goes on with all of it (a distribution, or expectation, model).

    A pair that was never tried leads back to its state, with `unseen_reward`. Rewards are the mean of their outcome.
    Its epistemic uncertainty is 1/√(1 + number of tries), the aleatoric one the deviation of the next state, one-hot.
    """

    config_class: ClassVar[type] = LookupConfig
    next_state: Tensor
    count: Tensor
    reward: Tensor
    terminated: Tensor
    start_count: Tensor
    _add = staticmethod(count_steps)

    def __init__(
        self, observation_space: Space[Any], action_space: Space[Any], config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        self.num_states, self.num_actions = num_pairs(observation_space, action_space, who=type(self).__name__)
        self._expectation: Expectation | None = None
        self._views: Outcomes | None = None  # of the buffers, while they are on a CPU and none is replaced
        self.register_buffer("start_count", torch.zeros(self.num_states, dtype=torch.float64))  # [S] episodes begun
        for name, values in no_outcomes(self.num_states, self.num_actions)._asdict().items():  # [S, A, K] each
            self.register_buffer(name, torch.from_numpy(values))

    @classmethod
    def from_env(cls, env: str | gym.Env[Any, Any], config: Any = None, **env_kwargs: Any) -> Self:
        """Returns the exact model of an environment that has `P` and `initial_state_distrib`, as Gymnasium's toy text
        does: every outcome has its true probability for a count.

        Args:
            env: an id or an environment.
            config: of the model.
            **env_kwargs: arguments of the environment, where `env` is an id.

        Raises:
            TypeError: the environment has no exact table.
        """
        gym_env = make_env(env, **env_kwargs) if isinstance(env, str) else env
        model = cls(gym_env.observation_space, gym_env.action_space, config)
        model.know(Table.from_env(gym_env))
        model.env_id = gym_env.spec.id if gym_env.spec else None
        return model

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self, replay: Replay, *, rng: torch.Generator, max_updates: int | None = None, callback: Any = None
    ) -> dict[str, float]:
        """Counts all experience anew; nothing is drawn, and there are no updates to limit."""
        first, steps = np.asarray(replay.first_observations()) - self._start, replay.tensors()
        state, next_state = (self._checked(each).numpy() for each in (steps.obs, steps.next_obs))
        counted = state, steps.action.numpy(), steps.reward.double().numpy(), next_state, steps.terminated.numpy()
        outcomes, _ = self._add(no_outcomes(self.num_states, self.num_actions), *counted)
        self.remember(replay)
        self.outcomes = outcomes
        self.start_count.zero_()
        self.begin(first)
        tried = self.count.sum(-1) > 0
        return {"pairs_tried": float(tried.sum()), "states_seen": float(tried.any(-1).sum())}

    def record(self, state: Array, action: Array, reward: Array, next_state: Array, terminated: Array) -> bool:
        """Counts steps `[N]`, in their order, on top of what is known; for agents that learn as they go, on a CPU.

        Args:
            state: `[N]` int64 from 0.
            action: `[N]` int64 from 0.
            reward: `[N]` float64.
            next_state: `[N]` int64 from 0.
            terminated: `[N]` bool.

        Returns:
            Whether one of them led where its pair had not led before.

        Raises:
            ValueError: a state or action is outside the space, or the model is not on a CPU; nothing is counted.
            UnsupportedSpaceError: a pair has more outcomes than there may be room for.
        """
        if self.device.type != "cpu":
            raise ValueError(
                f'record counts in place, on a CPU, and the model is on {self.device}: call model.to("cpu")'
            )
        before = self.outcomes
        after, new = self._add(before, state, action, reward, next_state, terminated)
        if after is not before:  # a larger copy
            self.outcomes = after
        return new

    def begin(self, state: Array) -> None:
        """Counts states `[N]`, from 0, in which episodes began: dreams begin there as often.

        Raises:
            ValueError: a state is outside the space.
        """
        begun = self._checked(torch.as_tensor(state)).bincount(minlength=self.num_states)
        self.start_count += begun.to(self.device)

    def know(self, table: Table) -> None:
        """Takes the true probabilities of a table for its counts.

        Raises:
            ValueError: it is of another number of states or actions.
        """
        if (table.num_states, table.num_actions) != (self.num_states, self.num_actions):
            raise ValueError(
                f"the table has {table.num_states} states and {table.num_actions} actions, the spaces "
                f"{self.num_states} and {self.num_actions}"
            )
        table = table.compact()
        self.outcomes = Outcomes(table.next_state, table.probability, table.reward, table.terminated)
        self.start_count.copy_(torch.from_numpy(table.initial))

    @property
    def outcomes(self) -> Outcomes:
        """What was counted, as NumPy arrays that share the model's memory on a CPU: what is written there is known."""
        self._expectation = None  # whoever asks may write
        if self._views is not None:
            return self._views
        outcomes = Outcomes(*(getattr(self, name).cpu().numpy() for name in Outcomes._fields))
        if self.device.type == "cpu":
            self._views = outcomes
        return outcomes

    @outcomes.setter
    def outcomes(self, outcomes: Outcomes) -> None:
        self._expectation = self._views = None
        for name, values in outcomes._asdict().items():
            setattr(self, name, torch.from_numpy(np.ascontiguousarray(values)).to(self.device))

    def table(self) -> Table:
        """Returns a copy of what the model holds for true, on which exact dynamic programming applies.

        Its `initial` is 0 everywhere while no episode was seen to begin.
        """
        outcomes = self.outcomes
        tries = outcomes.count.sum(-1, keepdims=True)
        next_state, probability, reward, terminated = (np.array(values) for values in outcomes)
        unseen = tries[..., 0] == 0.0
        probability /= np.where(tries == 0.0, 1.0, tries)
        states = np.broadcast_to(np.arange(self.num_states)[:, None], unseen.shape)
        next_state[unseen, 0], probability[unseen, 0] = states[unseen], 1.0
        reward[unseen, 0], terminated[unseen] = self.config.unseen_reward, False
        starts = self.start_count.cpu().numpy()
        return Table(next_state, probability, reward, terminated, starts / (starts.sum() or 1.0))

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    def observe(
        self, state: State | None, action: Tensor | None, obs: Tensor, is_first: Tensor | None, *, rng: torch.Generator
    ) -> State:
        """Every row is where it is seen to be."""
        index = self._checked(obs).clone()
        if self._expects:
            return self._expected().certain(index)
        return TableState(index, torch.zeros_like(index, dtype=torch.bool))

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Draws one of the outcomes, temperature 0 takes the most frequent; or, if expected, goes on with all."""
        if isinstance(state, Belief):
            return self._expected().step(state, action, uncertainty=uncertainty)
        pair = state.index * self.num_actions + action
        count = self.count.flatten(0, 1)[pair]  # [B, K]
        outcome = pair * count.shape[-1] + self._draw(count, temperature, rng=rng)
        next_state, reward, terminated = (
            values.flatten()[outcome] for values in (self.next_state, self.reward, self.terminated)
        )
        tries = count.sum(-1)
        unseen, over = tries == 0.0, state.terminal
        after = TableState(torch.where(unseen | over, state.index, next_state), (terminated & ~unseen) | over)
        reward = torch.where(unseen, self.config.unseen_reward, reward).masked_fill(over, 0.0)
        return ModelStep(
            after,
            reward.to(torch.float32),
            (~after.terminal).to(torch.float32),
            uncertainty=_uncertainty(count, tries) if uncertainty else None,
        )

    def decode(self, state: State) -> Tensor:
        """Returns the state `[B]` int64; of a distribution, the most probable one."""
        return state.probability.argmax(-1) if isinstance(state, Belief) else state.index

    def features(self, state: State) -> Tensor:
        """Returns the state one-hot, `[B, S]`; of a distribution, its expectation: the distribution."""
        return state.probability.to(torch.float32) if isinstance(state, Belief) else super().features(state)

    def initial_state(self, num: int, *, rng: torch.Generator) -> State:
        """Returns `num` states in which episodes began, as often as they did."""
        if not bool(self.start_count.any()):
            return super().initial_state(num, rng=rng)  # says what is missing
        index = torch.multinomial(self.start_count, num, replacement=True, generator=rng)
        return self.observe(None, None, index, None, rng=rng)

    def _draw(self, count: Tensor, temperature: float, *, rng: torch.Generator) -> Tensor:
        """Draws an outcome `[B]` from counts `[B, K]`; any where nothing was counted."""
        if count.shape[-1] == 1:
            return torch.zeros(len(count), dtype=torch.int64, device=count.device)
        if temperature == 0:
            return count.argmax(-1)
        if temperature != 1:
            most = count.amax(-1, keepdim=True).clamp_min(torch.finfo(count.dtype).tiny)
            count = (count / most) ** (1.0 / temperature)
        below = count.cumsum(-1)
        chance = torch.rand(len(count), generator=rng, device=count.device, dtype=count.dtype)
        return (below <= (chance * below[:, -1])[:, None]).sum(-1).clamp_max(count.shape[-1] - 1)

    @property
    def _expects(self) -> bool:
        return getattr(self.config, "outcomes", "sampled") == "expected"

    def _expected(self) -> Expectation:
        if self._expectation is None or self._expectation.reward.device != self.device:
            self._expectation = Expectation(self.table(), self.count.sum(-1), self.device)
        return self._expectation

    @property
    def _start(self) -> int:
        space: Any = self.observation_space
        return int(space.start)

    def _checked(self, obs: Tensor) -> Tensor:
        """Returns states, from 0, all of which are in the space."""
        outside = (obs < 0) | (obs >= self.num_states)
        if bool(outside.any()):
            raise ValueError(
                f"observations must be in {self.observation_space}, got {int(obs[outside][0]) + self._start}"
            )
        return obs

    # -- moves and copies, after which views are of what was before ----------------------------------------------------

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        """Moves the buffers, as `to` and its like ask."""
        self._views = None
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]  # of torch
        return self

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Loads the buffers, or replaces them."""
        self._expectation = self._views = None
        return super().load_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Returns what a copy is made of, by `copy` or `pickle`: it has memory of its own."""
        return self.__dict__ | {"_views": None}

    # -- files ---------------------------------------------------------------------------------------------------------

    def load_file(self, description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Makes room for the outcomes in the file, and checks that they are states of this world."""
        shape = with_prefix(tensors, "weights/")["count"].shape
        if len(shape) != 3 or shape[:2] != (self.num_states, self.num_actions) or shape[2] == 0:
            raise CheckpointError(
                f"the counts are of shape {list(shape)}, the spaces have {self.num_states} states and "
                f"{self.num_actions} actions"
            )
        self.outcomes = no_outcomes(*shape)
        super().load_file(description, tensors)
        inside = (self.next_state >= 0) & (self.next_state < self.num_states)
        counts = torch.cat([self.count.flatten(), self.start_count])
        numbers = torch.cat([counts, self.reward.flatten()])
        if not (bool(inside.all()) and bool((counts >= 0.0).all()) and bool(numbers.isfinite().all())):
            raise CheckpointError(f"the counts and rewards are not of a table of {self.num_states} states")


class LookupDeterministic(Lookup):
    """Remembers the last outcome of every state and action: the model of Dyna-Q, which takes its world for
    deterministic.
    """

    config_class: ClassVar[type] = LookupDeterministicConfig

    _add = staticmethod(keep_last)

    def know(self, table: Table) -> None:
        """Takes over a table of one outcome a pair.

        Raises:
            ValueError: a pair has several outcomes, or the table is of another size.
        """
        if table.compact().next_state.shape[-1] > 1:
            raise ValueError("the table has pairs with several outcomes: take the model 'lookup'")
        super().know(table)


def num_pairs(observation_space: Space[Any], action_space: Space[Any], *, who: str) -> tuple[int, int]:
    """Returns the number of states and of actions of Discrete spaces.

    Raises:
        UnsupportedSpaceError: a space is not Discrete, or a table of them would be too large.
    """
    for space, what in ((observation_space, "observation"), (action_space, "action")):
        check_space(space, (spaces.Discrete,), what=what, who=who)
    num_states, num_actions = int(observation_space.n), int(action_space.n)  # type: ignore[attr-defined]
    if num_states * num_actions > MAX_PAIRS:
        raise UnsupportedSpaceError(
            f"{who} keeps a row for each state and action, at most {MAX_PAIRS:,} of them, got {num_states:,} states "
            f"and {num_actions:,} actions"
        )
    return num_states, num_actions


def _uncertainty(count: Tensor, tries: Tensor) -> dict[str, Tensor]:
    share = count / tries.clamp_min(torch.finfo(tries.dtype).tiny)[:, None]
    spread = (1.0 - share.square().sum(-1)).clamp_min(0.0).masked_fill(tries == 0.0, 0.0)
    return {"epistemic": (1.0 + tries).rsqrt().to(torch.float32), "aleatoric": spread.sqrt().to(torch.float32)}
