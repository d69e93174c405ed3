"""Kills training runs at random moments, resumes them, and compares how they end with runs that were left alone.

`python -m benchmarks.soak [--kills N] [--seed S] [--case NAME] [--write]`. Each kill is a SIGKILL to a real process.
The moments follow from the printed seed, as far as the machine keeps time.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import Bar, Condition, Run, write_result

KIND, NAME = "soundness", "soak"
AIMED = 0.5  # of the kills wait, from their random moment on, for a file in the making
PATIENCE_S = 2.0


@dataclass(frozen=True)
class Case:
    """A run of a few seconds: which agent, where, how small, and how often it leaves a checkpoint."""

    agent: str
    env: str
    config: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 1_000
    every: int = 100


_SMALL = {"initial_steps": 100, "round_steps": 50, "dream_steps": 256, "num_dreams": 16, "horizon": 20}
_MODEL = {"model.num_members": 2, "model.num_elites": 2, "model.hidden": 16, "model.max_epochs": 2}
CASES = {
    "random": Case("random", "CartPole-v1", steps=20_000, every=1_000),
    "ppo": Case("ppo", "CartPole-v1", {"ppo.n_steps": 64, "ppo.n_epochs": 2}, steps=4_096, every=256),
    "sac": Case("sac", "Pendulum-v1", {"sac.learning_starts": 50, "sac.buffer_size": 300}, steps=600, every=60),
    "dqn": Case("dqn", "CartPole-v1", {"dqn.learning_starts": 100, "dqn.train_freq": 1}, steps=1_500, every=100),
    "dyna-q-plus": Case("dyna-q-plus", "zoo_envs/ShortcutMaze-v0", {}, steps=20_000, every=1_000),
    "mbpo": Case(
        "mbpo",
        "Pendulum-v1",
        {
            **_MODEL,
            "initial_steps": 60,
            "model_interval": 40,
            "epoch_steps": 80,
            "rollouts_per_step": 10,
            "updates_per_step": 1,
            "sac.batch_size": 32,
        },
        steps=500,
        every=60,
    ),
    "pets": Case(
        "pets",
        "Pendulum-v1",
        {
            **_MODEL,
            "initial_steps": 60,
            "trial_steps": 40,
            "planner_config": {"horizon": 5, "num_candidates": 32, "num_elites": 4, "iterations": 2},
        },
        steps=600,
        every=60,
    ),
    "dream-ppo": Case(
        "dream-ppo", "CartPole-v1", {**_SMALL, **_MODEL, "ppo.n_steps": 8, "ppo.batch_size": 128}, steps=1_000
    ),
    "dream-sac": Case(
        "dream-sac", "Pendulum-v1", {**_SMALL, **_MODEL, "sac.batch_size": 32, "sac.learning_starts": 32}, steps=800
    ),
}


@dataclass
class Tally:
    """What happened to a case: kills, how many hit a file in the making, and runs that ended with other bytes."""

    kills: int = 0
    during_writes: int = 0
    runs: int = 0
    different: int = 0


def train(case: Case, directory: Path) -> None:
    """Begins a run in a directory, or goes on with the one that is there, and saves what was learned."""
    import warnings

    import torch

    import zoo_core
    from zoo_core.checkpoint import Checkpoints

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="no episode ended")  # between checkpoints as close as these
    agent = zoo_core.make_agent(case.agent, case.env, case.config, seed=0, device="cpu")
    file = directory / "agent.zip"  # of the newest checkpoint, and at last of the end
    checkpoints = Checkpoints(directory / "checkpoints", every=case.every, resume=True, portable=file)
    checkpoints.reopen()  # where it was killed between its end and the file of the agent
    agent.learn(case.steps, checkpoints=checkpoints)
    agent.save(file)


def fingerprint(directory: Path) -> dict[str, str]:
    """Returns a hash of every file of a run."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_until_done(case: Case, directory: Path, seconds: float, rng: random.Random, tally: Tally, kills: int) -> None:
    """Trains in processes that are killed within `seconds` of their start, until one gets to the end.

    Args:
        case: to run.
        directory: of the run.
        seconds: that the whole run takes when it is left alone.
        rng: draws the moments.
        tally: is added to.
        kills: of the tally at most; from then on nothing is killed.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["zoo_core.agent", "zoo_core.testing"])  # imported once, and not in each process
    while True:
        process = processes.Process(target=train, args=(case, directory))
        process.start()
        process.join(rng.uniform(0.0, seconds) if tally.kills < kills else None)
        if rng.random() < AIMED:
            _await_write(process, directory / "checkpoints")
        if not process.is_alive():
            if process.exitcode != 0:
                raise RuntimeError(f"{case.agent} failed with exit code {process.exitcode} after {tally.kills} kills")
            return
        process.kill()
        process.join()
        tally.kills += 1
        tally.during_writes += any((directory / "checkpoints").glob(".*"))


def _await_write(process: Any, directory: Path) -> None:
    """Returns when a checkpoint is being written, or after a while."""
    until = time.perf_counter() + PATIENCE_S
    while process.is_alive() and time.perf_counter() < until and not any(directory.glob(".*")):
        time.sleep(0)


def soak(case: Case, kills: int, rng: random.Random) -> Tally:
    """Runs a case again and again until it was killed so often, and compares every run with one left alone."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        never = Tally()
        kill_until_done(case, whole, 0.0, rng, never, kills=0)
        shutil.rmtree(whole)
        begun = time.perf_counter()
        kill_until_done(case, whole, 0.0, rng, never, kills=0)  # timed now that all is imported
        seconds = time.perf_counter() - begun
        expected = fingerprint(whole)
        while tally.kills < kills:
            kill_until_done(case, broken, seconds, rng, tally, kills)
            tally.runs += 1
            tally.different += fingerprint(broken) != expected
            shutil.rmtree(broken)
    return tally


def main(arguments: list[str]) -> int:
    """Returns 0 if every run that was killed ended as the one that was not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="over all cases")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; drawn and printed by default")
    parser.add_argument("--case", choices=CASES, action="append", help="only these")
    parser.add_argument("--write", action="store_true", help="write the result file")
    options = parser.parse_args(arguments)
    # The locks of a killed process are found later, by a process that would complain about them.
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    names = options.case or list(CASES)
    print(f"seed {seed}")
    begun, tallies = time.perf_counter(), {}
    for index, name in enumerate(names):
        share = options.kills // len(names) + (index < options.kills % len(names))
        tallies[name] = tally = soak(CASES[name], share, random.Random(f"{seed} {name}"))
        print(
            f"{name}: {tally.kills} kills in {tally.runs} runs, {tally.during_writes} of them while a file was "
            f"written; {tally.different} runs ended with other bytes",
            flush=True,
        )
    total = {each: sum(getattr(tally, each) for tally in tallies.values()) for each in vars(Tally())}
    if options.write:
        figures = {f"{name}_kills": tally.kills for name, tally in tallies.items()}
        write_result(
            KIND,
            NAME,
            command=f"make soak SEED={seed}",
            bar=Bar((Condition("kills", ">=", 100), Condition("different", "<=", 0))),
            runs=[
                Run(
                    seed=seed,
                    score=total["different"],
                    wall_s=round(time.perf_counter() - begun, 1),
                    figures=total | figures,
                )
            ],
        )
    return 1 if total["different"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
