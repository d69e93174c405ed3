"""Checkpoints: all that a run needs to go on, byte for byte, as if it had never been stopped.

A checkpoint is taken between two iterations of an agent. Running episodes are cut there, and the environments are reset
with a seed of the checkpoint's own, in a run that goes on as in one that is resumed: so the two do not differ.
Checkpoints should be some episodes apart: where they are closer than an episode is long, none ever ends.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from zoo_core import archive, env_state, packing, rundir, seeding, spaces
from zoo_core.acting import env_kwargs_of
from zoo_core.config import check_range, config_to_json, differences
from zoo_core.errors import CheckpointError
from zoo_core.plugins import spec_of
from zoo_core.recording import Segment
from zoo_core.restoring import restoring

if TYPE_CHECKING:
    from zoo_core.agent import Agent

KEPT = 2  # newest checkpoints that stay: were the last one damaged, the one before would do
_FINISHED = "finished.json"


class Checkpoints:
    """The checkpoints of one run, in a directory that belongs to it; the two newest are kept.

    `agent.learn(steps, checkpoints=Checkpoints("runs/X/checkpoints", every=10_000, resume=True))` goes on from the
    newest one, if there is one, with the same agent and options; the outcome is the same as if it had never been
    stopped, byte for byte on a CPU. Callbacks begin anew. A finished run stays finished.

    Running episodes are cut at a checkpoint: stored as truncated, and left out of the statistics.

    Args:
        directory: made if it is missing.
        every: env steps between two checkpoints; they are taken when the iteration that reaches them is complete.
        resume: go on from the newest checkpoint. Otherwise a directory that holds some is refused.
        portable: file to save the agent to at every checkpoint, without its recordings: to be evaluated meanwhile.
    """

    def __init__(
        self, directory: str | Path, *, every: int, resume: bool = False, portable: str | Path | None = None
    ) -> None:
        check_range("every", every, 1)
        self.directory = Path(directory)
        self.every, self.resume = every, resume
        self.portable = None if portable is None else Path(portable)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._index = 0
        self._next_at = 0
        self._marks: dict[str, Any] = {}
        self._segments: dict[str, list[tuple[int, dict[str, Any]]]] = {}  # of each recording: index, description
        self._oldest: deque[int] = deque(maxlen=KEPT)  # index of the oldest segment that each kept checkpoint needs
        self._num_ended: int | None = 0  # episodes, at the last checkpoint; None once their lack was warned of

    # -- what the training loop calls ----------------------------------------------------------------------------------

    def begin(self, agent: Agent) -> None:
        """Prepares for a run that starts at the agent's present step.

        Raises:
            CheckpointError: the directory holds checkpoints of another run, or the state of the environments is of a
                kind that no checkpoint can hold.
        """
        self._refuse_finished()
        if found := self.find():
            raise CheckpointError(
                f"{self.directory} holds checkpoints already, the newest is {found[0].name}: go on from it with "
                "resume=True (zoo train --resume), or name another directory"
            )
        self._begin_anew()
        self._num_ended = agent.env.num_ended
        _pack(agent)
        self._schedule(agent.num_timesteps)

    def due(self, agent: Agent) -> bool:
        """Says whether the agent has reached the step of the next checkpoint."""
        return agent.num_timesteps >= self._next_at

    def take(self, agent: Agent, progress: dict[str, Any]) -> None:
        """Writes a checkpoint, then lets the agent begin new episodes.

        Args:
            agent: between two iterations.
            progress: JSON-able state of the training loop.
        """
        self._warn_of_no_episode(agent)
        for recording in agent.recordings.values():
            recording.cut()
        self._index += 1
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot make the directory {self.directory}: {error.strerror}") from error
        for name, recording in agent.recordings.items():
            description, tensors = recording.since(self._marks.get(name))
            header = {"kind": "segment", "segment": description}
            archive.write_archive(self._segment_path(name, self._index), header, tensors)
            kept = [entry for entry in self._segments.get(name, []) if recording.needs(entry[1])]
            self._segments[name] = [*kept, (self._index, description)]
            self._marks[name] = recording.mark()
        header, tensors = self._describe(agent, progress)
        archive.write_archive(self._path(self._index), header, tensors)
        self._remove_old()
        self._save_portable(agent)
        self._schedule(agent.num_timesteps)
        self._renew(agent)

    def complete(self, agent: Agent) -> None:
        """Notes that the run has come to its end."""
        self.directory.mkdir(parents=True, exist_ok=True)
        archive.write_json(self.directory / _FINISHED, {"num_timesteps": agent.num_timesteps})
        self._remove_halves()

    def reopen(self) -> None:
        """Lets a finished run repeat its way from the newest checkpoint to its end."""
        (self.directory / _FINISHED).unlink(missing_ok=True)

    def restore(self, agent: Agent, options: dict[str, Any], load_progress: Callable[[dict[str, Any]], object]) -> bool:
        """Puts the newest checkpoint that can be read into the agent.

        Args:
            agent: made as the run's was.
            options: of `learn`; they must be those of the run too.
            load_progress: restores the training loop from its `progress`.

        Returns:
            Whether there is a checkpoint.

        Raises:
            CheckpointError: the run is finished, all checkpoints are damaged, or an option differs: agent, config,
                seed, spaces, environments, steps.
        """
        self._refuse_finished()
        damaged: list[str] = []
        for path in self.find():
            try:
                header, tensors = archive.read_archive(path, kind="checkpoint")
                with restoring(path, tensors):
                    self._check_same_run(header["run"], self._describe_run(agent, options))
                    load_progress(header["progress"])
                    for name, recording in agent.recordings.items():
                        recording.restore(self._read_segments(name, header["recordings"][name]))
                    self._load(agent, header, tensors)
                self._save_portable(agent)
            except _OtherRun as error:
                raise CheckpointError(str(error)) from None
            except (CheckpointError, OSError) as error:
                damaged.append(str(error))
                continue
            if damaged:
                warnings.warn(f"going on from {path.name}, since {'; '.join(damaged)}", stacklevel=3)
            if changed := differences(_as_dict(header.get("versions")), _versions(agent)):
                warnings.warn(f"the last bits may come out otherwise: {'; '.join(changed)}", stacklevel=3)
            return True
        if damaged:
            raise CheckpointError(f"no checkpoint in {self.directory} can be read: {'; '.join(damaged)}")
        return False

    def find(self) -> list[Path]:
        """Returns the files of the checkpoints in the directory, the newest first."""
        found = [path for path in self.directory.glob("checkpoint-*.zip") if _is_numbered(path)]
        return sorted(found, key=_index_of, reverse=True)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _schedule(self, num_timesteps: int) -> None:
        self._next_at = (num_timesteps // self.every + 1) * self.every

    def _save_portable(self, agent: Agent) -> None:
        """Saves the agent beside the checkpoint that it stands at, and removes what a killed write has left."""
        if self.portable is not None:
            agent.save(self.portable, exclude=agent.recordings)
            for path in self.portable.parent.glob(f".{self.portable.name}.*"):
                path.unlink()

    def _renew(self, agent: Agent) -> None:
        """Begins new episodes, from a seed of this checkpoint's own."""
        agent.env.seed(seeding.stream_seed(agent.seed, f"checkpoint-{self._index}") % 2**31)
        agent.begin_episodes()

    def _describe(self, agent: Agent, progress: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        data, tensors = agent.to_file()
        rest, arrays = _pack(agent)
        header = {
            "kind": "checkpoint",
            "run": self._describe_run(agent, progress["options"]),
            "versions": _versions(agent),
            "progress": progress,
            "agent": data,
            "rest": rest,
            "index": self._index,
            "recordings": {
                name: {"mark": self._marks[name], "segments": [index for index, _ in self._segments[name]]}
                for name in agent.recordings
            },
        }
        tensors = packing.add_prefix(tensors, "agent/") | packing.add_prefix(arrays, "rest")
        if agent.world_model is not None:
            header["world_model"], weights = agent.world_model.to_file()
            tensors |= packing.add_prefix(weights, "world_model/")
        return header, tensors

    def _describe_run(self, agent: Agent, options: dict[str, Any]) -> dict[str, Any]:
        """Returns what must be the same when the run goes on, as JSON."""
        return {
            "agent": f"{type(agent).__module__}:{type(agent).__qualname__}",
            "config": config_to_json(agent.config) if agent.config_class else {},
            "seed": agent.seed,
            "env": agent.env_id,
            "env_kwargs": {name: repr(value) for name, value in env_kwargs_of(agent.env).items()},
            "num_envs": agent.env.num_envs,
            "observation_space": spaces.space_to_json(agent.observation_space),
            "action_space": spaces.space_to_json(agent.action_space),
            "device": agent.device.type,
            "checkpoint_every": self.every,
            **options,
        }

    def _load(self, agent: Agent, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._index, self._num_ended = int(header["index"]), agent.env.num_ended
        self._marks = {name: header["recordings"][name]["mark"] for name in agent.recordings}
        self._oldest.append(self._oldest_needed())
        if agent.world_model is not None:
            agent.world_model.load_file(header["world_model"], packing.with_prefix(tensors, "world_model/"))
        agent.load_file(header["agent"], packing.with_prefix(tensors, "agent/"))
        rest = packing.unpack(header["rest"], packing.with_prefix(tensors, "rest"))
        agent.load_checkpoint(rest["agent"])
        agent.num_timesteps = header["progress"]["num_timesteps"]
        env_state.write(agent.env, rest["env"])
        self._schedule(agent.num_timesteps)
        self._renew(agent)

    def _read_segments(self, name: str, entry: dict[str, Any]) -> Iterator[Segment]:
        """Yields the segments of a recording one by one: together they may be larger than the memory."""
        self._segments[name] = []
        for index in entry["segments"]:
            header, tensors = archive.read_archive(self._segment_path(name, int(index)), kind="segment")
            self._segments[name].append((index, header["segment"]))
            yield header["segment"], tensors

    def _refuse_finished(self) -> None:
        if (self.directory / _FINISHED).is_file():
            raise CheckpointError(
                f"the run in {self.directory} is finished: to learn on, load the agent that was saved at its end and "
                "name another directory"
            )

    def _warn_of_no_episode(self, agent: Agent) -> None:
        if self._num_ended == agent.env.num_ended:
            warnings.warn(
                f"no episode ended in the {self.every} env steps before this checkpoint, which cuts those that run: "
                "checkpoints should be some episodes apart",
                stacklevel=4,
            )
            self._num_ended = None
        elif self._num_ended is not None:
            self._num_ended = agent.env.num_ended

    def _check_same_run(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        if not isinstance(before, dict):
            raise CheckpointError("it does not say of which run it is")
        if changed := differences(before, now):
            raise _OtherRun(
                f"the run in {self.directory} cannot go on with other options: {'; '.join(changed)}; for more steps, "
                "let it end and go on from the agent that it saves"
            )

    def _oldest_needed(self) -> int:
        return min((entries[0][0] for entries in self._segments.values() if entries), default=self._index)

    def _remove_old(self) -> None:
        """Removes what no kept checkpoint needs, and what a killed write has left behind."""
        for path in self.find()[KEPT:]:
            path.unlink()
        self._oldest.append(self._oldest_needed())
        for path in self.directory.glob("segment-*.zip"):
            if _is_numbered(path) and _index_of(path) < min(self._oldest):
                path.unlink()
        self._remove_halves()

    def _remove_halves(self) -> None:
        """Removes files that a kill has left half written; the directory is the run's own."""
        for path in self.directory.glob(".*"):
            path.unlink()

    def _path(self, index: int) -> Path:
        return self.directory / f"checkpoint-{index:06d}.zip"

    def _segment_path(self, name: str, index: int) -> Path:
        return self.directory / f"segment-{name}-{index:06d}.zip"


class _OtherRun(CheckpointError):
    """The checkpoint is whole, but of a run with other options."""


def _pack(agent: Agent) -> tuple[Any, dict[str, Tensor]]:
    """Returns what no file of an agent holds: random streams, and what the environments remember."""
    try:
        return packing.pack({"agent": agent.to_checkpoint(), "env": env_state.read(agent.env)})
    except TypeError as error:
        where = f"{type(agent).__name__} in {agent.env_id or 'its environment'}"
        raise CheckpointError(f"no checkpoint can hold the state of {where}: {error}") from error


def _versions(agent: Agent) -> dict[str, str]:
    return rundir.versions(spec_of(type(agent), "agent"))


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_numbered(path: Path) -> bool:
    return path.stem.rpartition("-")[2].isdecimal()


def _index_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
