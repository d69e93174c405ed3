"""Experiment trackers that follow a run through SB3's logger: Weights & Biases, and MLflow.

A tracker is one more output format of an SB3 `Logger`, beside CSV and TensorBoard. Its `run_id` names the tracked run:
made again with it, the tracker goes on with the same run. The libraries' own variables hold as ever, among them
`WANDB_MODE=offline`, `WANDB_PROJECT`, `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME`.
"""

from __future__ import annotations

import importlib
import os
import re
import time
from abc import ABC, abstractmethod
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

from stable_baselines3.common.logger import KVWriter

from zoo_core.config import to_dotted
from zoo_core.errors import UnknownNameError, ZooError, did_you_mean

PROJECT = "agent-zoo"  # of the runs at W&B, and their experiment in MLflow, where the environment names none
STEP = "global_step"  # the horizontal axis at W&B, under the name that it has in SB3's own integration
MAX_PARAMS = 100  # that MLflow takes at once


class Tracker(KVWriter, ABC):
    """An SB3 log format that hands every number to an experiment tracker.

    What a value's `exclude` keeps out of TensorBoard stays out of here too; text, figures and films stay there alone.

    Attributes:
        run_id: Names the tracked run, for `make_tracker(..., resume_id=run_id)`.
    """

    name: ClassVar[str]
    run_id: str
    _closed = False

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Logs the numbers among `key_values` at env step `step`."""
        formats = {"tensorboard", self.name}
        numbers = {
            key: float(value)
            for key, value in key_values.items()
            if isinstance(value, Real) and formats.isdisjoint(key_excluded.get(key) or ())
        }
        if numbers:
            self._log(numbers, step)

    def close(self, *, failed: bool = False) -> None:
        """Ends the tracked run; a second call does nothing.

        Args:
            failed: Mark the run as failed.
        """
        if not self._closed:
            self._closed = True
            self._end(failed)

    @abstractmethod
    def _log(self, numbers: dict[str, float], step: int) -> None:
        """Logs numbers at a step."""

    @abstractmethod
    def _end(self, failed: bool) -> None:
        """Ends the tracked run."""


class WandbTracker(Tracker):
    """A run of Weights & Biases; its files are in `directory/wandb`, where an offline run waits for `wandb sync`."""

    name = "wandb"

    def __init__(
        self, wandb: Any, directory: Path, run_name: str, config: dict[str, Any], resume_id: str | None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)  # or else W&B would write elsewhere
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run_name,
            dir=str(directory),
            config=config,
            id=resume_id,
            resume="allow" if resume_id else None,
            allow_val_change=True,  # a resumed run may have more steps to go
            reinit="create_new",  # whatever else this process tracks
            settings=wandb.Settings(console="off"),  # which would fight with progress bars for the screen
        )
        # An axis of our own, since W&B drops steps below its last: those from a checkpoint to where a run was killed.
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)
        self.run_id = str(self._run.id)

    def _log(self, numbers: dict[str, float], step: int) -> None:
        self._run.log({**numbers, STEP: step})

    def _end(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class MlflowTracker(Tracker):
    """A run of MLflow, in the store that MLflow is set to: `MLFLOW_TRACKING_URI`, or `mlflow.db` in this directory."""

    name = "mlflow"

    def __init__(
        self, mlflow: Any, directory: Path, run_name: str, config: dict[str, Any], resume_id: str | None
    ) -> None:
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient()
        if resume_id is not None:
            self._client.update_run(resume_id, status="RUNNING")
            self.run_id = resume_id
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self._client.get_experiment_by_name(name)
        run = self._client.create_run(
            experiment.experiment_id if experiment else self._client.create_experiment(name),
            run_name=run_name,
            tags={"zoo.directory": str(directory)},
        )
        self.run_id = str(run.info.run_id)
        settings = [(_mlflow_name(key), str(value)) for key, value in to_dotted(config).items()]
        for start in range(0, len(settings), MAX_PARAMS):
            batch = [self._entities.Param(*setting) for setting in settings[start : start + MAX_PARAMS]]
            self._client.log_batch(self.run_id, params=batch)

    def _log(self, numbers: dict[str, float], step: int) -> None:
        now = int(time.time() * 1_000)
        metrics = [self._entities.Metric(_mlflow_name(key), value, now, step) for key, value in numbers.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def _end(self, failed: bool) -> None:
        self._client.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")


_TRACKERS: dict[str, type[WandbTracker | MlflowTracker]] = {"mlflow": MlflowTracker, "wandb": WandbTracker}
_PACKAGES = {"mlflow": "mlflow-skinny alembic sqlalchemy", "wandb": "wandb"}  # of the extra of the same name
TRACKERS = tuple(_TRACKERS)


def make_tracker(
    name: str, *, directory: str | Path, run_name: str, config: dict[str, Any], resume_id: str | None = None
) -> Tracker:
    """Begins a tracked run, or goes on with one.

    Args:
        name: "wandb" or "mlflow".
        directory: Of the run.
        run_name: What the tracker shows.
        config: JSON-able settings of the run, to be searched by.
        resume_id: `run_id` of the run to go on with.

    Returns:
        A format to append to the `output_formats` of an SB3 `Logger`, which then writes to it and closes it.

    Raises:
        UnknownNameError: There is no such tracker.
        ZooError: Its library is not installed, or cannot begin or find the run.
    """
    if name not in _TRACKERS:
        raise UnknownNameError(f"unknown tracker {name!r}{did_you_mean(name, TRACKERS)}")
    try:
        library = importlib.import_module(name)
    except ImportError as error:
        needs = f"tracker {name!r} needs the extra [{name}] of zoo-core"
        raise ZooError(f"{needs} ({error}): pip install {_PACKAGES[name]}") from error
    try:
        return _TRACKERS[name](library, Path(directory), run_name, config, resume_id)
    except Exception as error:  # of the library, the network, the account
        cannot = f"go on with run {resume_id!r}" if resume_id else "begin a run"
        raise ZooError(f"tracker {name!r} cannot {cannot}: {error}") from error


def _mlflow_name(key: str) -> str:
    """Returns a name that MLflow takes, with `_` for what it refuses."""
    return re.sub(r"[^\w./: -]", "_", key)
