"""The world model interface: what a plugin implements so that its model is an environment, and can be searched.

A world model learns from a `Replay` (`fit`), filters what an environment shows it into a belief (`observe`), and
imagines what an action leads to (`step`). Everything works on a batch of B independent rows.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import optree
import torch
from gymnasium import Space
from torch import Tensor, nn

from zoo_core import archive, packing, seeding, spaces
from zoo_core.config import build_config, config_from_json, config_to_json
from zoo_core.errors import CheckpointError, Undecodable, ZooError
from zoo_core.model_card import make_card
from zoo_core.restoring import restoring

if TYPE_CHECKING:
    from zoo_core.replay import Replay

State = Any  # a pytree whose leaves have the leading dimension B: tensors, or NumPy arrays of game positions
MAX_STARTS = 1_024  # first observations kept by `fit`, so that a loaded model can begin a dream


class ModelStep(NamedTuple):
    """What an action led to, for each of B rows.

    Attributes:
        state: the next belief.
        reward: `[B]`, for the player who moved.
        continues: `[B]` probability in [0, 1] that the episode goes on; the agent's discount is not in it. A step from
            a state the model holds terminal (continues was exactly 0) gives reward 0, continues 0, the same state.
        sign: -1 where the opponent moves next, `[B]` or a number.
        uncertainty: "epistemic" and "aleatoric" `[B]`, only when asked for.
        held: `[B]` bool, rows whose predicted observation was held back to stay in the world; None if never.
    """

    state: State
    reward: Tensor
    continues: Tensor
    sign: Tensor | float = 1.0
    uncertainty: dict[str, Tensor] | None = None
    held: Tensor | None = None


class WorldModel(nn.Module, ABC):
    """A learned (or known) model of an environment.

    A subclass implements `observe` and `step`, and either `fit` or, if it is trained on batches, `update`. `decode`
    makes dreams look like the environment; without it they show `features`.

    Args:
        observation_space: of the environment to model.
        action_space: of the environment to model.
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        seed: of the initial weights.
    """

    config_class: ClassVar[type | None] = None
    num_players: ClassVar[int] = 1

    def __init__(
        self, observation_space: Space[Any], action_space: Space[Any], config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.observation_space = observation_space
        self.action_space = action_space
        self.config = build_config(self.config_class, config) if self.config_class else config
        self.seed = seed
        self.env_id: str | None = None  # where the data came from; the dream is drawn with its renderer
        self.replay_steps = 0  # steps that the last `fit` learned from
        self.starts: Any = None  # NumPy batch of stored first observations
        self.register_buffer("_anchor", torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """The device of weights and states."""
        anchor: Tensor = self._anchor  # type: ignore[assignment]
        return anchor.device

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        replay: Replay,
        *,
        rng: torch.Generator,
        max_updates: int | None = None,
        callback: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, float]:
        """Learns from all experience so far; fitting again to the same data changes little.

        The default samples batches and calls `update`, `config.num_updates` times. A model with another procedure
        (counts, least squares, early stopping) overrides it and calls `remember` first.

        Args:
            replay: all real experience.
            rng: source of every random choice.
            max_updates: upper limit on gradient steps.
            callback: called with the number of updates made and the latest metrics.

        Returns:
            Metrics of the fit, at least one.
        """
        self.remember(replay)
        num_updates = int(getattr(self.config, "num_updates", 1_000))
        if max_updates is not None:
            num_updates = min(num_updates, max_updates)
        metrics: dict[str, float] = {}
        for update_index in range(num_updates):
            metrics = self.update(self.sample_batch(replay, rng=rng), rng=rng)
            if callback is not None:
                callback(update_index + 1, metrics)
        return metrics

    def sample_batch(self, replay: Replay, *, rng: torch.Generator) -> Any:
        """Samples what one `update` needs; default: `config.batch_size` sequences of `config.sequence_length` steps."""
        config: Any = self.config
        return replay.sample_sequences(config.batch_size, config.sequence_length, rng=rng, device=self.device)

    def update(self, batch: Any, *, rng: torch.Generator) -> dict[str, float]:
        """Makes one gradient step on a batch; for models that use the default `fit`."""
        raise NotImplementedError(f"{type(self).__name__} implements neither fit nor update")

    def remember(self, replay: Replay) -> None:
        """Keeps up to 1,024 first observations, evenly spread over the replay, and the name of the environment."""
        starts = replay.first_observations()
        num = len(optree.tree_leaves(starts)[0])
        rows = np.linspace(0, num - 1, min(num, MAX_STARTS)).round().astype(int)
        self.starts = spaces.index(self.observation_space, starts, rows)
        self.env_id = replay.env_id
        self.replay_steps = len(replay)

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    @abstractmethod
    def observe(
        self,
        state: State | None,
        action: Tensor | None,
        obs: Any,
        is_first: Tensor | None,
        *,
        rng: torch.Generator,
    ) -> State:
        """Updates the belief: `action` was taken in `state`, then `obs` was seen.

        Args:
            state: belief before the action; None where all rows begin.
            action: `[B, ...]` chosen at the observation before; None where all rows begin.
            obs: `[B, ...]` what was seen, in the layout of the observation space; Discrete values count from 0 here, as
                `zoo_core.spaces.to_tensor` gives them, and so do actions.
            is_first: `[B]` bool; true rows begin anew and ignore `state` and `action`. None: all rows begin.
            rng: source of randomness.
        """

    @abstractmethod
    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Imagines one step for every row; differentiable where the model is.

        Args:
            state: belief of B rows.
            action: `[B, ...]` int64 from 0, or float32 in the environment's units.
            rng: source of randomness; what it draws depends on B alone, so rows never disturb each other.
            temperature: 1 samples the model's distribution, 0 takes its expectation; τ between divides logits and
                scales deviations by √τ.
            uncertainty: fill `ModelStep.uncertainty`.
        """

    def decode(self, state: State) -> Any:
        """Returns the observation `[B, ...]` that goes with a belief.

        Raises:
            Undecodable: the model has no notion of observations (a value-equivalent model).
        """
        raise Undecodable(
            f'{type(self).__name__} cannot decode observations; use observation="latent" for dreams and latent policies'
        )

    def features(self, state: State) -> Tensor:
        """Returns `[B, F]` float32 features of a belief: what heads and latent policies see."""
        return spaces.flatten(self.observation_space, self.decode(state))

    def initial_state(self, num: int, *, rng: torch.Generator) -> State:
        """Returns `num` beliefs where dreams begin; default: after first observations drawn from those that `fit` kept.

        Raises:
            ZooError: the model has not been fitted.
        """
        if self.starts is None:
            raise ZooError(
                f"{type(self).__name__} has not seen an episode begin: call fit(replay, rng=...) first, or give the "
                "dream starts="
            )
        pool = len(optree.tree_leaves(self.starts)[0])
        rows = torch.randint(pool, (num,), generator=rng, device=rng.device).cpu().numpy()
        obs = spaces.index(self.observation_space, self.starts, rows)
        return self.observe(None, None, spaces.to_tensor(self.observation_space, obs, self.device), None, rng=rng)

    def legal_actions(self, state: State) -> Tensor | None:
        """Returns a bool mask `[B, A]`, true where the action is allowed, or None if all always are."""
        return None

    def particles(self, state: State, num: int, *, rng: torch.Generator) -> State:
        """Returns `[B * num]` beliefs that spread each root's uncertainty; rows of one root are neighbours."""
        return repeat(state, num)

    # -- files ---------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Writes weights, config, spaces and first observations to `path` (".zip" is added if it has no suffix).

        Opening the file again runs no code from it: it holds JSON and safetensors.

        Returns:
            The path of the file.
        """
        description, tensors = self.to_file()
        header = {"kind": "world_model", "world_model": description}
        return archive.write_archive(path, header, tensors, readme=make_card(header))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "auto", **overrides: Any) -> Self:
        """Reads a model of this class.

        Args:
            path: as given to `save`.
            device: "auto" takes a GPU if there is one.
            **overrides: config fields to replace (a `reward_fn` that the file could not hold, say).

        Raises:
            CheckpointError: the file is damaged, is no world model, or was written by another class.
        """
        header, tensors = archive.read_archive(path, kind="world_model")
        device = resolve_device(device)
        with restoring(path, tensors):
            return cls.from_file(header["world_model"], tensors, device=device, **overrides)

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns a JSON-able description and the tensors that together restore the model, to dream and to learn on.

        Optimisers that are attributes of the model are among them.
        """
        optimizers, moments = packing.pack({name: each.state_dict() for name, each in self._optimizers().items()})
        description = {
            "class": f"{type(self).__module__}:{type(self).__qualname__}",
            "config": config_to_json(self.config) if self.config_class else None,
            "observation_space": spaces.space_to_json(self.observation_space),
            "action_space": spaces.space_to_json(self.action_space),
            "seed": self.seed,
            "env_id": self.env_id,
            "replay_steps": self.replay_steps,
            "optimizers": optimizers,
        }
        tensors = packing.add_prefix(dict(self.state_dict()), "weights/") | packing.add_prefix(moments, "optimizers")
        leaves = [] if self.starts is None else optree.tree_leaves(self.starts)
        tensors |= {f"starts/{i}": torch.from_numpy(np.ascontiguousarray(leaf)) for i, leaf in enumerate(leaves)}
        return description, tensors

    @classmethod
    def from_file(
        cls,
        description: dict[str, Any],
        tensors: dict[str, Tensor],
        *,
        device: str | torch.device = "auto",
        **overrides: Any,
    ) -> Self:
        """Builds the model from what `to_file` returned."""
        written_by = archive.class_of(description)
        if written_by != f"{cls.__module__}:{cls.__qualname__}":
            raise CheckpointError(f"the file holds a {written_by}, not a {cls.__module__}:{cls.__qualname__}")
        observation_space = spaces.space_from_json(description["observation_space"])
        action_space = spaces.space_from_json(description["action_space"])
        config: Any = None
        if cls.config_class:
            config = config_from_json(cls.config_class, description["config"], overrides=overrides)
        model = cls(observation_space, action_space, config, seed=operator.index(description["seed"]))
        model.to(resolve_device(device))
        model.load_file(description, tensors)
        return model

    def load_file(self, description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores weights, optimisers and first observations from what `to_file` returned."""
        packing.load_weights(self, packing.with_prefix(tensors, "weights/"))
        states = packing.unpack(description["optimizers"], packing.with_prefix(tensors, "optimizers"))
        for name, optimizer in self._optimizers().items():
            packing.load_optimizer(optimizer, states[name])
        self.env_id = archive.env_id_of(description)
        self.replay_steps = operator.index(description.get("replay_steps", 0))
        stored = packing.with_prefix(tensors, "starts/")
        if stored:
            leaves, structure = optree.tree_flatten(spaces.zeros(self.observation_space, 1))
            starts = [stored[str(i)].numpy() for i in range(len(leaves))]
            fits = (s.shape == (len(starts[0]), *leaf.shape[1:]) and s.dtype == leaf.dtype
                    for s, leaf in zip(starts, leaves, strict=True))  # fmt: skip
            if len(starts[0]) == 0 or not all(fits):
                raise CheckpointError(f"the first observations are not of the space {self.observation_space}")
            self.starts = optree.tree_unflatten(structure, starts)

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: value for name, value in vars(self).items() if isinstance(value, torch.optim.Optimizer)}


def load_model(path: str | Path, device: str | torch.device = "auto", **overrides: Any) -> WorldModel:
    """Reads a world model of any installed plugin; its class is looked up in the registry.

    Also takes the file of an agent that has a world model, a run directory, or `hf://owner/name` (see `zoo_core.hub`).

    Raises:
        CheckpointError: the file is damaged or holds no world model.
        UnknownNameError: no installed plugin provides the class.
    """
    from zoo_core.plugins import find_class

    header, tensors = archive.read_archive(path)
    description = header.get("world_model")
    if description is None:
        raise CheckpointError(f"{path} holds no world model (it is of kind {header.get('kind')!r:.40})")
    if header.get("kind") == "agent":
        tensors = packing.with_prefix(tensors, "world_model/")
    device = resolve_device(device)
    with restoring(path, tensors):
        model_class: type[WorldModel] = find_class("model", archive.class_of(description))
        return model_class.from_file(description, tensors, device=device, **overrides)


def resolve_device(device: str | torch.device) -> torch.device:
    """Returns the device that "auto" or a name stands for."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def stream(model: WorldModel, seed: int, name: str) -> torch.Generator:
    """Returns the random stream `name` of the run `seed`, on the model's device."""
    return seeding.rng(seed, name, device=model.device)


# -- beliefs are pytrees: the four things that others do with them -----------------------------------------------------


def batch_size(state: State) -> int:
    """Returns B."""
    return len(optree.tree_leaves(state)[0])


def index(state: State, rows: Any) -> State:
    """Returns the chosen rows: a slice, an integer array or tensor, or a bool mask."""
    return optree.tree_map(lambda leaf: leaf[_rows_for(leaf, rows)], state)


def repeat(state: State, num: int) -> State:
    """Repeats every row `num` times; the copies of one row are neighbours."""

    def repeat_leaf(leaf: Any) -> Any:
        return leaf.repeat_interleave(num, 0) if isinstance(leaf, Tensor) else np.repeat(leaf, num, 0)

    return optree.tree_map(repeat_leaf, state)


def put(state: State, rows: Any, new: State) -> State:
    """Returns a copy of `state` in which the chosen rows are those of `new`."""

    def put_leaf(leaf: Any, fresh: Any) -> Any:
        leaf = leaf.clone() if isinstance(leaf, Tensor) else leaf.copy()
        leaf[_rows_for(leaf, rows)] = fresh
        return leaf

    return optree.tree_map(put_leaf, state, new)


def stack(states: list[State]) -> State:
    """Concatenates the rows of several beliefs."""

    def join(*leaves: Any) -> Any:
        return torch.cat(leaves) if isinstance(leaves[0], Tensor) else np.concatenate(leaves)

    return optree.tree_map(join, *states)


def select(mask: Tensor, first: State, second: State) -> State:
    """Returns the rows of `first` where `mask` `[B]` is true, else those of `second`."""

    def choose(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor):
            return torch.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b)
        return np.where(mask.cpu().numpy().reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return optree.tree_map(choose, first, second)


def _rows_for(leaf: Any, rows: Any) -> Any:
    """Rows in the type that indexes `leaf`: tensors index tensors, arrays index arrays."""
    if isinstance(leaf, Tensor):
        return torch.as_tensor(rows, device=leaf.device) if isinstance(rows, np.ndarray | list) else rows
    return rows.cpu().numpy() if isinstance(rows, Tensor) else rows
