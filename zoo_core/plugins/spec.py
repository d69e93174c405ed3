"""What a plugin declares: one spec for each name, and the registry that collects them.

A spec names classes by `"module:Class"` strings, so that listing what is installed imports none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, TypeVar

from gymnasium import Space, spaces

from zoo_core.errors import DuplicateNameError

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_REFERENCE = re.compile(r"(?!\d)\w+(\.(?!\d)\w+)*:(?!\d)\w+")
BUILT_IN_COMMANDS = ("plugins", "list", "info", "train", "eval", "dream", "gap", "doctor", "new")  # of `zoo` itself
_STATUSES = ("stable", "experimental")


@dataclass(frozen=True)
class Spec:
    """A name and what stands behind it.

    Attributes:
        id: Lower case words with hyphens, such as "dream-sac".
        entry_point: "module:Class".
        summary: One line.
    """

    kind: ClassVar[str] = "spec"

    id: str
    entry_point: str
    _: KW_ONLY
    summary: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id must be lower case words joined by hyphens, such as 'dream-sac', got {self.id!r}")
        _check_reference("entry_point", self.entry_point, self.id)
        if not self.summary.strip() or "\n" in self.summary:
            raise ValueError(f"summary of {self.id!r} must be one line of text, got {self.summary!r}")

    @property
    def references(self) -> tuple[str, ...]:
        """What it names as "module:Class"."""
        return (self.entry_point,)


@dataclass(frozen=True, kw_only=True)
class ComponentSpec(Spec):
    """What agents, world models and planners have in common.

    Attributes:
        config: "module:Class" of its config dataclass, None if it has no options.
        paper: Where it comes from, such as "Chua et al. 2018, arXiv:1805.12114".
        observation_spaces: Names of the Gymnasium space classes that it takes; empty for any.
        action_spaces: The same for actions.
        status: "stable" or "experimental".
        check_config: Settings that make it small: with them `zoo_core.testing.check_plugin` tries it out for a few
            dozen steps. None if the defaults are quick.
    """

    config: str | None = None
    paper: str = ""
    observation_spaces: tuple[str, ...] = ()
    action_spaces: tuple[str, ...] = ()
    status: str = "stable"
    check_config: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.config is not None:
            _check_reference("config", self.config, self.id)
        if self.status not in _STATUSES:
            raise ValueError(f"status of {self.id!r} must be one of {_STATUSES}, got {self.status!r}")
        for what in ("observation_spaces", "action_spaces"):
            names = getattr(self, what)
            if not isinstance(names, tuple) or not all(name in spaces.__all__ for name in names):
                raise ValueError(
                    f"{what} of {self.id!r} must be a tuple of names of gymnasium.spaces, such as "
                    f"('Box', 'Discrete'), got {names!r}"
                )

    @property
    def references(self) -> tuple[str, ...]:
        """What it names as "module:Class"."""
        return (self.entry_point,) if self.config is None else (self.entry_point, self.config)

    def supports(self, observation_space: object, action_space: object) -> bool:
        """Says whether it takes these spaces; what is no Gymnasium space is not judged."""
        return takes(self.observation_spaces, observation_space) and takes(self.action_spaces, action_space)


@dataclass(frozen=True, kw_only=True)
class AgentSpec(ComponentSpec):
    """An agent: `Class(env, config=None, *, seed, device, verbose, tensorboard_log)`.

    Attributes:
        model_based: Whether it learns or uses a world model.
        players: 2 for board-game agents.
        train_steps: Env steps that `zoo train` learns for, unless told.
    """

    kind: ClassVar[str] = "agent"

    model_based: bool = False
    players: int = 1
    train_steps: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_steps < 1:
            raise ValueError(f"train_steps of {self.id!r} must be at least 1, got {self.train_steps}")


@dataclass(frozen=True, kw_only=True)
class WorldModelSpec(ComponentSpec):
    """A world model: `Class(observation_space, action_space, config=None, *, seed)`.

    Attributes:
        decodes: Whether it can show observations, or latent states only.
        stochastic: Whether equal states and actions can lead to different steps.
        epistemic: Whether it reports what it does not know.
        differentiable: Whether gradients of the next state and the reward reach Box actions through `step`.
        players: 2 for board games.
    """

    kind: ClassVar[str] = "model"

    decodes: bool = True
    stochastic: bool = False
    epistemic: bool = False
    differentiable: bool = False
    players: int = 1


@dataclass(frozen=True, kw_only=True)
class PlannerSpec(ComponentSpec):
    """A planner: `Class(config=None, *, evaluate=None)`.

    Attributes:
        needs_gradients: Whether it climbs the gradients of the model.
        players: 2 if it handles alternating moves.
    """

    kind: ClassVar[str] = "planner"

    needs_gradients: bool = False
    players: int = 1

    def fits(self, model: WorldModelSpec) -> bool:
        """Says whether it can search a model, in an environment that both take."""
        actions_in_common = (
            not self.action_spaces or not model.action_spaces or set(self.action_spaces) & set(model.action_spaces)
        )
        gradients = model.differentiable or not self.needs_gradients
        return bool(actions_in_common) and gradients and self.players >= model.players


@dataclass(frozen=True)
class CommandSpec(Spec):
    """A command that a plugin adds to `zoo`: the entry point is a typer app or a function."""

    kind: ClassVar[str] = "command"


AnySpec = TypeVar("AnySpec", bound=Spec)


class Registry:
    """Specs by kind and id, each with the plugin that it came from.

    Args:
        owner: The plugin that registers, such as "zoo-random 0.1.0".
    """

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self._entries: dict[tuple[type[Spec], str], tuple[Spec, str]] = {}

    def register(self, spec: Spec) -> None:
        """Adds a spec.

        Raises:
            DuplicateNameError: The id is taken among specs of this kind, or by a command of zoo-core.
            TypeError: `spec` is none of AgentSpec, WorldModelSpec, PlannerSpec, CommandSpec.
        """
        if not isinstance(spec, AgentSpec | WorldModelSpec | PlannerSpec | CommandSpec):
            raise TypeError(
                f"register takes an AgentSpec, WorldModelSpec, PlannerSpec or CommandSpec, got {type(spec).__name__}"
            )
        self._add(spec, self.owner)

    def merge(self, staged: Registry) -> None:
        """Adds all specs of another registry, or none of them.

        Raises:
            DuplicateNameError: An id of `staged` is taken; the message names both plugins.
        """
        before = dict(self._entries)
        try:
            for spec, owner in staged._entries.values():
                self._add(spec, owner)
        except DuplicateNameError:
            self._entries = before
            raise

    def get(self, spec_class: type[AnySpec], id: str) -> AnySpec | None:
        """Returns the spec of this kind and id, None if there is none."""
        spec, _ = self._entries.get((spec_class, id), (None, ""))
        return spec  # type: ignore[return-value]  # keyed by its class

    def owner_of(self, spec: Spec) -> str:
        """Returns the plugin that registered `spec`."""
        return self._entries[type(spec), spec.id][1]

    def all(self, spec_class: type[AnySpec]) -> tuple[AnySpec, ...]:
        """Returns the specs of one kind, sorted by id."""
        return tuple(sorted((spec for spec in self if isinstance(spec, spec_class)), key=lambda spec: spec.id))

    def __iter__(self) -> Iterator[Spec]:
        return (spec for spec, _ in self._entries.values())

    def _add(self, spec: Spec, owner: str) -> None:
        if isinstance(spec, CommandSpec) and spec.id in BUILT_IN_COMMANDS:
            raise DuplicateNameError(f"command {spec.id!r} of {owner} is already one of zoo-core: choose another id")
        if taken := self._entries.get((type(spec), spec.id)):
            raise DuplicateNameError(f"{spec.kind} {spec.id!r} of {owner} is already registered by {taken[1]}")
        self._entries[type(spec), spec.id] = (spec, owner)


def _check_reference(field: str, reference: str, id: str) -> None:
    if not _REFERENCE.fullmatch(reference):
        raise ValueError(f"{field} of {id!r} must be 'module:Class', got {reference!r}")


def takes(names: tuple[str, ...], space: object) -> bool:
    """Says whether a space is of one of these classes; no names take any, and what is no space passes."""
    if not names or not isinstance(space, Space):
        return True
    return any(base.__name__ in names for base in type(space).__mro__)
