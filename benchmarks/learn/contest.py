"""Agents that learn one task with equal real steps: the one that is judged, and the controls beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from benchmarks.learn.report import Measured, curve, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run
from zoo_core.checkpoint import Checkpoints
from zoo_core.evaluation import evaluate
from zoo_core.replay import Replay
from zoo_core.seeding import stream_seed
from zoo_core.world_model import WorldModel
from zoo_planners.policy import PlanningPolicy

START_SEED = 10_000  # episode i of every evaluation begins with this seed + i, for paired comparison
SEEDS = (0, 1, 2)
RUNS_REQUIRED = 2  # of three seeds
IDENTIFIED_FROM = 400  # random steps
EXACT = 1e-3  # by which one step may differ from the environment's, in any number

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Contender:
    """An agent that learns the task.

    Attributes:
        name: in the result.
        agent: registered name.
        preset: of the agent.
        config: of the agent, over the preset.
        note: what is special about it.
        untrained: its model keeps the weights it began with.
        exact: no agent learns: its planner searches the environment's own equations.
    """

    name: str
    agent: str
    preset: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    untrained: bool = False
    exact: bool = False


@dataclass(frozen=True)
class Contest:
    """A task, who is judged on it, and who is beside it.

    Attributes:
        case: name of the result.
        env_id: the reality.
        env_steps: real steps of each contender.
        contender: who is judged.
        controls: who is beside it.
        bar: what at least two of three seeds must reach; the score of the control "sac alone" with the same seed is
            among the figures of a run, as "sac_alone".
        episodes: of an evaluation.
        optimum: exact return from first observations `[N, ...]`, where it is known: figures have the regret then.
        optimum_note: how it is known.
        evaluate_every: real steps between two points of a curve; None: a curve is made of the episodes of learning.
        curve_episodes: of an evaluation on the way.
        checkpoint_every: real steps between two checkpoints of a long run, which goes on where it was stopped.
        seeds: of each contender.
        offline: everybody learns from the same random real steps, and makes none.
    """

    case: str
    env_id: str
    env_steps: int
    contender: Contender
    controls: Sequence[Contender] = ()
    bar: Sequence[Condition] = ()
    episodes: int = 20
    optimum: Callable[[Array], Array] | None = None
    optimum_note: str = ""
    evaluate_every: int | None = None
    curve_episodes: int = 5
    checkpoint_every: int | None = None
    seeds: Sequence[int] = SEEDS
    offline: bool = False


class Learned(NamedTuple):
    """What one seed of a contender came to: the run, and the points of its curve."""

    run: Run
    points: list[tuple[int, float]]

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps({"run": asdict(self.run), "points": self.points}))

    @classmethod
    def read(cls, path: Path) -> Learned:
        """Reads what `write` wrote."""
        stored = json.loads(path.read_text())
        return cls(Run(**stored["run"]), [(step, score) for step, score in stored["points"]])


class CurveCallback(BaseCallback):
    """Keeps the returns of episodes, or of evaluations every so many steps; with a file, also across processes.

    Args:
        contest: says which.
        path: JSON lines, one a point; None keeps them in memory only.
    """

    def __init__(self, contest: Contest, path: Path | None = None) -> None:
        super().__init__()
        self.contest, self.path = contest, path
        self.points: list[tuple[int, float]] = []

    def _on_training_start(self) -> None:
        if self.path is not None and self.path.exists():
            points = [json.loads(line) for line in self.path.read_text().splitlines()]
            self.points = [(step, score) for step, score in points if step <= self.model.num_timesteps]
            self.path.write_text("".join(f"{json.dumps(point)}\n" for point in self.points))

    def _on_step(self) -> bool:
        if self.contest.evaluate_every is None:
            for info in self.locals["infos"]:
                if "episode" in info:
                    self._add(self.num_timesteps, float(info["episode"]["r"]))
        return True

    def _on_rollout_end(self) -> None:
        every = self.contest.evaluate_every
        last = self.points[-1][0] if self.points else 0
        if every is not None and self.num_timesteps // every > last // every:
            result = evaluate(self.model, self.contest.env_id, episodes=self.contest.curve_episodes, seed=START_SEED)
            self._add(self.num_timesteps, result.mean)

    def _add(self, step: int, score: float) -> None:
        self.points.append((step, score))
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(f"{json.dumps((step, score))}\n")


def measure(contest: Contest, seeds: Sequence[int], jobs: int, *, directory: Path | None = None) -> Measured:
    """Lets all contenders learn with all seeds, and judges them.

    Args:
        contest: to hold.
        seeds: of each contender.
        jobs: processes, one torch thread each.
        directory: where runs with `checkpoint_every` keep their checkpoints, and go on from them.
    """
    contenders = [contest.contender, *contest.controls]
    work = [(contest, contender, directory) for contender in contenders]
    of_seeds = for_all_seeds(learn, work, seeds, jobs)
    controls = [
        Control(contender.name, [learned.run for learned in done], note=contender.note)
        for contender, done in zip(contest.controls, of_seeds[1:], strict=True)
    ]
    controls.append(Control("random policy", [_random(contest, seed) for seed in seeds]))
    if contest.optimum is not None:
        controls.append(Control("exact optimum", score=_optimum(contest), note=contest.optimum_note))
    runs = [beside(learned.run, seed_index, controls) for seed_index, learned in enumerate(of_seeds[0])]
    bar = Bar(contest.bar, min(RUNS_REQUIRED, len(seeds))) if contest.bar else None
    curves = {each.name: joint_curve(done) for each, done in zip(contenders, of_seeds, strict=True)}
    extra = {
        "task": f"{contest.contender.name} on {contest.env_id}",
        "curves": {name: points for name, points in curves.items() if points},
        "seeds_at_a_time": jobs,
    }
    return Measured(bar, runs, controls, extra)


def beside(run: Run, index: int, controls: Sequence[Control]) -> Run:
    """Returns a run with what each control came to with the same seed among its figures."""
    scores = {control.name: control.runs[index].score for control in controls if control.runs}
    names = {name: name.replace(",", "").replace(" ", "_") for name in scores}
    return replace(run, figures={**run.figures, **{names[name]: score for name, score in scores.items()}})


def learn(contest: Contest, contender: Contender, directory: Path | None, seed: int) -> Learned:
    """Lets one contender learn, and judges it."""
    begun = time.perf_counter()
    if contender.exact:
        return Learned(judge(contest, _exact(contest, contender, seed), seed, begun, 0), [])
    agent: Any = zoo_core.make_agent(
        contender.agent, contest.env_id, dict(contender.config), preset=contender.preset, seed=seed
    )
    if contender.untrained:
        agent.model.fit = partial(agent.model.fit, max_updates=0)
    if contest.offline:
        data = Replay.collect(contest.env_id, contest.env_steps, seed=seed)
        agent.learn_offline(data)
        return Learned(judge(contest, agent, seed, begun, len(data)), [])
    if contest.checkpoint_every is None or directory is None:
        callback = CurveCallback(contest)
        agent.learn(contest.env_steps, callback=callback, log_interval=10**9)
        return Learned(judge(contest, agent, seed, begun, agent.num_timesteps), callback.points)
    home = directory / contest.case / f"{contender.name}-{seed}"
    if (done := home / "learned.json").exists():
        return Learned.read(done)
    home.mkdir(parents=True, exist_ok=True)
    callback = CurveCallback(contest, home / "curve.jsonl")
    checkpoints = Checkpoints(home / "checkpoints", every=contest.checkpoint_every, resume=True)
    checkpoints.reopen()  # it may have been stopped while it was judged
    agent.learn(contest.env_steps, callback=callback, log_interval=10**9, checkpoints=checkpoints)
    learned = Learned(judge(contest, agent, seed, begun, agent.num_timesteps), callback.points)
    learned.write(done)
    return learned


def judge(contest: Contest, policy: Any, seed: int, begun: float, env_steps: int) -> Run:
    """Evaluates a policy over real episodes; with a known optimum, its paired regret is among the figures."""
    wall_s = time.perf_counter() - begun
    result = evaluate(policy, contest.env_id, episodes=contest.episodes, seed=START_SEED)
    figures = {"return_std": result.std}
    if contest.optimum is not None:
        figures["regret"] = float((contest.optimum(result.first_obs) - result.returns).mean())
    run = Run(seed=seed, score=result.mean, env_steps=env_steps, wall_s=round(wall_s, 1), figures=figures)
    print(f"  {contest.case}, seed {seed}: {run.score:.4g} ({env_steps} real steps, {wall_s:.0f} s)", flush=True)
    return run


def _exact(contest: Contest, contender: Contender, seed: int) -> PlanningPolicy:
    """Returns what plans in the environment's own equations, as the contender does in its model.

    They are those of zoo-parametric, in one batch of tensors: the environment itself would take hours. Their constants
    are identified from random steps, and then they are compared with the environment.
    """
    agent: Any = zoo_core.make_agent(
        contender.agent, contest.env_id, dict(contender.config), preset=contender.preset, seed=seed, device="cpu"
    )
    model = zoo_core.make_model("parametric", agent.observation_space, agent.action_space, device="cpu")
    replay = zoo_core.Replay.collect(contest.env_id, IDENTIFIED_FROM, seed=seed)
    model.fit(replay, rng=zoo_core.rng(seed))
    error = step_error(model, zoo_core.SimulatorModel(contest.env_id), replay)
    if error > EXACT:
        raise RuntimeError(
            f"the equations of {contest.env_id} are off by {error:.2g} in one step, at most {EXACT} is exact"
        )
    return PlanningPolicy(model, agent.planner, seed=stream_seed(seed, "acting"))


def step_error(model: WorldModel, simulator: WorldModel, replay: Replay) -> float:
    """Returns the greatest difference in one step, over stored observations and random actions."""
    rng = zoo_core.rng(0)
    steps = replay.tensors()
    both = model, simulator
    seen = [each.step(each.observe(None, None, steps.obs, None, rng=rng), steps.action, rng=rng) for each in both]
    shown = [torch.cat([each.decode(step.state), step.reward[:, None]], 1)
             for each, step in zip(both, seen, strict=True)]  # fmt: skip
    return float((shown[0] - shown[1]).abs().max())


def _random(contest: Contest, seed: int) -> Run:
    return judge(contest, zoo_core.make_agent("random", contest.env_id, seed=seed), seed, time.perf_counter(), 0)


def _optimum(contest: Contest) -> float:
    assert contest.optimum is not None
    random = zoo_core.make_agent("random", contest.env_id, seed=0)
    result = evaluate(random, contest.env_id, episodes=contest.episodes, seed=START_SEED)
    return float(contest.optimum(result.first_obs).mean())


def joint_curve(done: Sequence[Learned]) -> dict[str, Any] | None:
    """Returns the curve of all seeds over real steps, cut to the points that all of them have; None without any."""
    num = min(len(learned.points) for learned in done)
    if num == 0:
        return None
    line = curve([[score for _, score in learned.points[:num]] for learned in done])
    return {**line, "at": np.mean([[step for step, _ in each.points[:num]] for each in done], axis=0).round().tolist()}
