"""From a file to the first action: `zoo_core.load` and `predict`, beside SB3's `SAC.load`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from stable_baselines3 import SAC

import zoo_core
from benchmarks.results import Control, Run
from benchmarks.speed.case import Measured
from benchmarks.speed.models import ENV
from benchmarks.speed.timing import fastest, torch_threads

ROUNDS = 10
OBS = np.array([1.0, 0.0, 0.0], dtype=np.float32)


def measure() -> Measured:
    with torch_threads(1), tempfile.TemporaryDirectory() as folder:
        paths = {
            name: zoo_core.make_agent(name, ENV, seed=0).save(Path(folder) / name) for name in ("sac", "dream-sac")
        }
        sb3 = Path(folder) / "sb3.zip"
        SAC("MlpPolicy", ENV, seed=0, device="cpu").save(sb3)
        seconds = fastest(
            {
                "sac": lambda: zoo_core.load(paths["sac"], device="cpu").predict(OBS),
                "dream_sac": lambda: zoo_core.load(paths["dream-sac"], device="cpu").predict(OBS),
                "sb3": lambda: SAC.load(sb3, device="cpu").predict(OBS),
            },
            rounds=ROUNDS,
        )
    figures = {f"{name}_ms": 1_000 * value for name, value in seconds.items() if name != "sb3"}
    figures["sac_over_sb3"] = seconds["sac"] / seconds["sb3"]
    return Measured(
        None,
        [Run(seed=0, score=figures["sac_ms"], figures=figures)],
        [Control("SAC.load of SB3", score=1_000 * seconds["sb3"], note="milliseconds")],
    )
