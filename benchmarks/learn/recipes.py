"""The lesson of the recipes: what planning needs once a model is learned from random steps that saw little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.learn.contest import SEEDS, Contender, Contest, measure as hold
from benchmarks.learn.planning import KNOWN_REWARD, SWING_UP_ID
from benchmarks.learn.report import Measured
from benchmarks.results import Bar, Condition

PLANNER = {  # finds plans that are worth taking to their end
    "planner": "icem",
    "planner.horizon": 30,
    "planner.num_candidates": 300,
    "planner.num_elites": 20,
    "planner.iterations": 8,
}
LEARNED = {"model": "mlp", "model.hidden": 64, **KNOWN_REWARD, **PLANNER}
KNOWN = {"model": "parametric", **PLANNER}
NOTES = {
    "v0.5": "fitted once, to 200 random steps; whole plans",
    "v1.0": "fitted after every 200 steps; whole plans",
    "v1.5": "fitted after every 200 steps; a new plan at every step",
}


def mpc(recipe: str, model: str) -> Contender:
    """An agent that learns by one of the recipes."""
    config = {"recipe": recipe, **(LEARNED if model == "mlp" else KNOWN)}
    return Contender(f"mpc {recipe}, {model}", "mpc", config=config, note=NOTES[recipe])


RECIPES = Contest(
    "mpc-recipes-cart-pole-swing-up",
    SWING_UP_ID,
    2_000,
    mpc("v1.5", "mlp"),
    (mpc("v1.0", "mlp"), mpc("v0.5", "mlp"), mpc("v0.5", "parametric")),
    episodes=10,
)


def measure(seeds: Sequence[int] = SEEDS, jobs: int = 2) -> Measured:
    """The return after 2,000 real steps, and by how much each step of the recipe adds to it, seed by seed."""
    measured = hold(RECIPES, seeds, jobs)
    v1_0, v0_5, known = (control.runs for control in measured.controls[:3])
    runs = [
        replace(
            run,
            figures={
                **run.figures,
                "replanning_adds": run.score - replanned.score,
                "refitting_adds": replanned.score - once.score,
                "knowing_the_equations_adds": exact.score - once.score,
            },
        )
        for run, replanned, once, exact in zip(measured.runs, v1_0, v0_5, known, strict=True)
    ]
    conditions = (
        Condition("replanning_adds", ">=", 10.0),
        Condition("refitting_adds", ">=", 10.0),
        Condition("knowing_the_equations_adds", ">=", 80.0),
    )
    return measured._replace(bar=Bar(conditions, len(seeds) - len(seeds) // 3), runs=runs)
