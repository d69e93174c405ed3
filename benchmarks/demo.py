"""`make demo`: SB3 agents learn in their own dreams and win in the real world.

SAC on Pendulum-v1, then PPO on CartPole-v1: collect real steps, fit an ensemble, train in its dreams, collect again
with the policy; at the end a table, a learning curve and a film of dream and reality side by side.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.learn.dreams import (
    CARTPOLE,
    EVALUATION_EPISODES,
    PENDULUM,
    START_SEED,
    CurvePoint,
    DreamTask,
    judge,
    optimum_control,
    train_baseline,
    train_dream_agent,
)
from benchmarks.results import Control, Run, read_results
from zoo_core import make_agent
from zoo_core.errors import ZooError
from zoo_core.video import dream_and_reality, side_by_side_gif

matplotlib.use("Agg")

THREADS = (
    1  # as in `make learn`: the same seed then gives the committed result; networks this small gain little from more
)


def main() -> int:
    """Runs both tasks and prints their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    console = Console()
    reached = [run_demo(task, options.seed, options.out, console) for task in (PENDULUM, CARTPOLE)]
    console.print(f"\nPictures, films and agents are in [bold]{options.out}[/]; film more with")
    console.print(f"  .venv/bin/zoo eval {options.out / PENDULUM.case}.zip --video out.gif")
    return 0 if all(reached) else 1


def run_demo(task: DreamTask, seed: int, out: Path, console: Console) -> bool:
    """Trains one task, prints its table, writes its pictures; says whether the bar was reached."""
    console.rule(f"{task.agent} learns {task.env_id} in its dreams")

    def report(point: CurvePoint) -> None:
        console.print(
            f"after {point.env_steps:>5} real steps: return {point.dream_return:8.1f} in the dream, "
            f"{point.real_return:8.1f} in reality"
        )

    agent, result, run, curve = train_dream_agent(task, seed, report=report, progress_bar=True)
    controls = measure_controls(task, seed)
    console.print(make_table(task, run, controls))
    out.mkdir(parents=True, exist_ok=True)
    agent.save(out / task.case)
    draw_curve(task, curve, run, controls, out / f"{task.case}.png")
    hardest = START_SEED + int(result.returns.argmin())
    film(task, agent, hardest, out / f"{task.case}.gif")
    return task.bar is None or run.score >= task.bar


def measure_controls(task: DreamTask, seed: int) -> list[Control]:
    """Returns what the result is compared with; what takes as long as the demo comes from the committed results."""
    _, random = judge(task, make_agent("random", task.env_id, seed=seed), seed, 0.0, 0)
    controls = [
        Control(f"{task.baseline} alone", [train_baseline(task, task.baseline, seed)], note="same real steps"),
        Control("random policy", [random]),
    ]
    if optimum := optimum_control(task):
        controls.append(optimum)
    committed = read_results("learn").get(task.case)
    shuffled = [control for control in (committed.controls if committed else ()) if control.name == "shuffled model"]
    return controls + [Control(c.name, score=c.score, note=f"committed, {len(c.runs)} seeds") for c in shuffled]


def make_table(task: DreamTask, run: Run, controls: list[Control]) -> Table:
    """Returns the table at the end."""
    table = Table(title=f"{task.env_id}: mean return over {EVALUATION_EPISODES} real episodes")
    for name in ("who", "real steps", "in the dream", "in reality", "note"):
        table.add_column(name, justify="left" if name in ("who", "note") else "right")
    verdict = f"bar {task.bar:g}: {'reached' if run.score >= (task.bar or 0) else 'missed'}, {run.wall_s:.0f} s"
    dream, real = f"{run.figures['dream_return']:.1f}", f"[bold]{run.score:.1f}[/]"
    table.add_row(f"[bold]{task.agent}[/]", str(run.env_steps), dream, real, verdict)
    for control in controls:
        steps = str(control.runs[0].env_steps) if control.runs else "–"
        table.add_row(control.name, steps, "–", f"{control.score:.1f}", control.note)
    return table


def draw_curve(task: DreamTask, curve: list[CurvePoint], run: Run, controls: list[Control], path: Path) -> None:
    """Draws returns in dream and reality over real steps, with the controls as lines."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    steps = [point.env_steps for point in curve]
    axes.plot(steps, [point.real_return for point in curve], "o-", color="tab:blue", label=f"{task.agent}, reality")
    axes.plot(steps, [point.dream_return for point in curve], "s--", color="tab:purple", label=f"{task.agent}, dream")
    styles = zip(controls, ("tab:orange", "tab:gray", "tab:green", "tab:red"), strict=False)
    for control, color in styles:
        axes.axhline(control.score or 0.0, color=color, linestyle=":", label=control.name)
    if task.bar is not None:
        axes.axhline(task.bar, color="black", linewidth=0.8, label=f"bar {task.bar:g}")
    axes.set(title=f"{task.env_id}, seed {run.seed}", xlabel="real steps", ylabel="mean return of an episode")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def film(task: DreamTask, agent: Any, seed: int, path: Path) -> None:
    """Films the policy in its dream and in reality, from the first observation of the real episode of that seed."""
    try:
        dream, real = dream_and_reality(agent, agent.world_model, task.env_id, steps=200, seed=seed)
    except ZooError as error:
        warnings.warn(f"no film: {error}", stacklevel=2)
        return
    side_by_side_gif(dream.frames, real.frames, path, fps=real.fps)


if __name__ == "__main__":
    sys.exit(main())
