"""What `zoo train` and `zoo dream` share: learning that is logged, saved, and may be interrupted."""

from __future__ import annotations

import gc
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger

    from zoo_core.rundir import RunDirectory
    from zoo_core.trackers import Tracker

LOG_LINES = 100  # of an agent's progress.csv, about


def run_name(*parts: object) -> str:
    """Returns the name of a run's directory: its parts joined, an environment's id without its package."""
    return "-".join(re.sub(r"[^\w.-]", "-", str(part).rpartition("/")[2]) for part in parts)


def command_line(context: typer.Context) -> str:
    """Returns the command that is running, as a shell takes it."""
    return shlex.join(["zoo", *(context.obj or ())])


def learn(
    learner: Any,
    steps: int,
    run: RunDirectory,
    save: Callable[[], object],
    *,
    log_interval: int,
    to_screen: bool,
    progress_bar: bool,
    trackers: Sequence[Tracker] = (),
    offline: Callable[[], dict[str, float]] | None = None,
    announce: bool = False,
    **options: Any,
) -> float:
    """Lets an agent or an SB3 algorithm learn, logs to the run directory, and saves; returns the seconds it took.

    Whatever ends the learning early is noted in the record; on Ctrl-C what was learned is saved first.

    Args:
        learner: To learn.
        steps: Env steps.
        run: Gets progress.csv, TensorBoard events and the outcome.
        save: Writes the learner into the run directory.
        log_interval: As the learner's `learn` counts it.
        to_screen: Print the log too.
        progress_bar: Show one.
        trackers: Log to them too.
        offline: Learns from data, before the first env step.
        announce: Say at which step the learning begins.
        **options: Further arguments of the learner's `learn`.

    Raises:
        typer.Abort: Ctrl-C.
    """
    from stable_baselines3.common.logger import HumanOutputFormat, Logger

    from zoo_core.cli.logs import OpenLogs, SayWhere

    logger = Logger(str(run.path), [HumanOutputFormat(sys.stdout)] if to_screen else [])
    learner.set_logger(logger)
    logs = OpenLogs(logger, run.path, trackers)
    callbacks = [logs, *([SayWhere(typer.echo)] if announce else [])]
    begun, interrupted = time.perf_counter(), False
    try:
        if offline is not None:
            logs.open(0)
            _log(logger, offline(), step=0)
        if steps:
            learner.learn(steps, callback=callbacks, log_interval=log_interval, progress_bar=progress_bar, **options)
    except KeyboardInterrupt:
        interrupted = True
    except Exception as error:
        run.update(status="failed", error=f"{type(error).__name__}: {error}")
        for tracker in trackers:
            tracker.close(failed=True)
        raise
    finally:
        if logger.name_to_value:  # what SB3 recorded and had no occasion to write
            logger.record("time/total_timesteps", learner.num_timesteps, exclude="tensorboard")
            logger.dump(learner.num_timesteps)
        logger.close()
    seconds: float = run.record.get("seconds", 0.0) + time.perf_counter() - begun  # of a run that goes on, all together
    save()
    run.update(num_timesteps=learner.num_timesteps, seconds=round(seconds, 2))
    if interrupted:
        gc.collect()  # an interrupted progress bar hangs in SB3's callbacks, and ends when it is freed
        run.update(status="interrupted")
        made = f"{learner.num_timesteps:,} of {steps:,} steps"
        raise typer.Abort(f"interrupted after {made}; what was learned is in {run.path}")
    return seconds


def _log(logger: Logger, metrics: dict[str, float], *, step: int) -> None:
    for name, value in metrics.items():
        logger.record(name, value)
    logger.record("time/total_timesteps", step, exclude="tensorboard")
    logger.dump(step)
