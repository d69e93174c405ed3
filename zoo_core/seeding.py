"""One integer seed a run, and named random streams derived from it.

Library code never draws from a global generator: it takes a `torch.Generator`. Code that cannot be changed (SB3 draws
from `random`, `numpy.random` and torch's global generator) runs inside a `GlobalStreams` block.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import Space


def stream_seed(seed: int, name: str) -> int:
    """Returns the seed of the stream `name` of the run `seed`, in [0, 2**63).

    Streams are keyed by name, so adding one leaves all others as they were.
    """
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def fresh_seed() -> int:
    """Returns a seed from the operating system's entropy, for a run that was given none."""
    return int(np.random.SeedSequence().generate_state(1)[0] >> 1)


def rng(seed: int, name: str | None = None, *, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a torch generator on `device`, seeded by `seed` or by the stream `name` of the run `seed`."""
    generator = torch.Generator(device=device)
    generator.manual_seed(seed if name is None else stream_seed(seed, name))
    return generator


def numpy_rng(seed: int, name: str) -> np.random.Generator:
    """Returns a NumPy generator for the stream `name` of the run `seed`."""
    return np.random.default_rng(stream_seed(seed, name))


@contextmanager
def construction_rng(seed: int) -> Iterator[None]:
    """Makes network construction inside the block depend on `seed` alone, and leaves the global stream untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class GlobalStreams:
    """The global random streams of Python, NumPy and torch, as one run sees them.

    Third-party learners draw from the global generators. Inside `with streams:` the globals hold this object's states;
    outside they are whatever they were before, so two learners in one process do not disturb each other, and what goes
    on between two blocks (an evaluation, say) changes nothing inside them. Blocks of one object do not nest; those of
    different objects do.
    """

    def __init__(self, seed: int) -> None:
        self._states = _read_globals()
        self._outside: tuple[Any, ...] | None = None
        with self:
            random.seed(stream_seed(seed, "python"))
            np.random.seed(stream_seed(seed, "numpy") % 2**32)  # noqa: NPY002 - what SB3 draws from
            torch.default_generator.manual_seed(stream_seed(seed, "torch"))

    def to_checkpoint(self) -> dict[str, Any]:
        """Returns where the streams stand, JSON-able values and arrays in a dict."""
        (version, words, gauss), (_, keys, position, has_gauss, cached), cpu, cuda = self._states
        return {
            "python": [version, np.array(words, dtype=np.int64), gauss],
            "numpy": [keys, position, has_gauss, cached],
            "torch": cpu,
            "cuda": cuda,
        }

    def load_checkpoint(self, state: dict[str, Any]) -> None:
        """Sets the streams to where they stood."""
        version, words, gauss = state["python"]
        keys, position, has_gauss, cached = state["numpy"]
        python = version, tuple(int(word) for word in words), gauss
        numpy = "MT19937", np.asarray(keys), position, has_gauss, cached
        self._states = python, numpy, state["torch"], state["cuda"]

    def __enter__(self) -> GlobalStreams:
        assert self._outside is None, "GlobalStreams blocks of one object do not nest"
        self._outside = _read_globals()
        _write_globals(self._states)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._outside is not None
        self._states = _read_globals()
        _write_globals(self._outside)
        self._outside = None


def space_streams(space: Space[Any]) -> list[dict[str, Any]]:
    """Returns where the random streams of a space and of the spaces in it stand, JSON-able."""
    return [dict(each.np_random.bit_generator.state) for each in _with_parts(space)]


def set_space_streams(space: Space[Any], states: list[dict[str, Any]]) -> None:
    """Sets the random streams of a space, and of the spaces in it, to what `space_streams` returned."""
    for each, state in zip(_with_parts(space), states, strict=True):
        each.np_random.bit_generator.state = state


def _with_parts(space: Space[Any]) -> Iterator[Space[Any]]:
    yield space
    inner = getattr(space, "spaces", ())
    for part in inner.values() if isinstance(inner, Mapping) else inner:
        yield from _with_parts(part)


def _read_globals() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002


def _write_globals(states: tuple[Any, ...]) -> None:
    python, numpy, cpu, cuda = states
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)
