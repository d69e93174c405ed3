"""What a result depends on besides the code's text: commit, versions and machine. Names no host, user or folder."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ("torch", "numpy", "gymnasium", "stable-baselines3", "zoo-core")
UNCOMMITTED = "uncommitted"  # before the first commit


def commit() -> str:
    """Returns the commit of the working tree; "+dirty" follows where tracked code differs from it.

    What benchmarks write (results, and the tables made of them) does not count as a difference.
    """
    head = _git("rev-parse", "--verify", "--quiet", "HEAD")
    if not head:
        return UNCOMMITTED
    written = (":!benchmarks/results", ":!README.md", ":!plugins/*/README.md", ":!docs")
    return head + ("+dirty" if _git("status", "--porcelain", "--", ".", *written) else "")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of what decides results."""
    return {"python": platform.python_version()} | {name: version(name) for name in DISTRIBUTIONS}


def describe(threads: int | None = None) -> dict[str, Any]:
    """Returns the CPU's model, the cores that this process may use, and the torch threads of a run.

    Args:
        threads: of each run, where runs have processes of their own; None takes those of this process.
    """
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads() if threads is None else threads,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
