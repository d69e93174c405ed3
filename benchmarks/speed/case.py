"""What a speed case returns, and the list of cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.results import Bar, Control, Run

CASES = {  # name: module with `measure() -> Measured`
    "cem-batch": "benchmarks.speed.cem_batch",
    "checkpoint": "benchmarks.speed.checkpoint",
    "dream-overhead": "benchmarks.speed.dream_overhead",
    "dream-rate": "benchmarks.speed.dream_rate",
    "dyna-updates": "benchmarks.speed.dyna_updates",
    "ensemble-batch": "benchmarks.speed.ensemble_batch",
    "load": "benchmarks.speed.load",
    "mbpo-rollout": "benchmarks.speed.mbpo_rollout",
    "mcts": "benchmarks.speed.mcts_search",
    "mcts-tree": "benchmarks.speed.mcts_tree",
    "pets-plan": "benchmarks.speed.pets_plan",
    "replay": "benchmarks.speed.replay",
    "sb3-overhead": "benchmarks.speed.sb3_overhead",
    "selfplay": "benchmarks.speed.self_play",
    "startup": "benchmarks.speed.startup",
    "uct": "benchmarks.speed.uct",
    "uct-connect-four": "benchmarks.speed.uct_connect_four",
    "vi": "benchmarks.speed.value_iteration",
}


class Measured(NamedTuple):
    """The part of a result that a case measures, with one torch thread; see `benchmarks.results.write_result`."""

    bar: Bar | None
    runs: Sequence[Run]
    controls: Sequence[Control] = ()
