"""AlphaZero on board games: who learns, the controls beside it, and what each is measured by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from benchmarks.learn import connect_four, tic_tac_toe
from benchmarks.learn.contest import RUNS_REQUIRED, SEEDS, CurveCallback, Learned, beside, joint_curve
from benchmarks.learn.report import Measured, for_all_seeds
from benchmarks.results import Bar, Condition, Control, Run
from zoo_core.checkpoint import Checkpoints
from zoo_core.world_model import ModelStep, State
from zoo_mcts.games.rules import RulesModel

Figures = Callable[[Any, int], dict[str, float]]


@dataclass(frozen=True)
class Pupil:
    """An agent that learns the game.

    Attributes:
        name: in the result.
        agent: registered name.
        preset: of the agent.
        config: of the agent, over the preset.
        note: what is special about it.
        untrained: it keeps the weights that it began with.
        wrong_sign: its search takes what is good for the other player to be good for its own.
    """

    name: str
    agent: str = "alphazero"
    preset: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    untrained: bool = False
    wrong_sign: bool = False


@dataclass(frozen=True)
class Lesson:
    """A game, who is judged on it, and who is beside it.

    Attributes:
        case: name of the result.
        env_id: of the game.
        env_steps: moves of self-play that everybody makes.
        pupil: who is judged.
        controls: who is beside it.
        known: controls whose score is known.
        figures: measures an agent; the score is the figure "network" or "search".
        score: which of them.
        bar: what enough of the seeds must reach; "above_NAME" is how far the score is above a control's with that seed.
        watched: what the curve shows: `(agent) -> float`.
        curve_every: moves between two points of the curve.
        curve_label: of its axis.
        checkpoint_every: moves between two checkpoints of a long run, which goes on where it was stopped.
        seeds: of everybody who learns.
    """

    case: str
    env_id: str
    env_steps: int
    pupil: Pupil
    controls: Sequence[Pupil]
    figures: Figures
    score: str
    bar: Sequence[Condition]
    watched: Callable[[Any], float]
    curve_every: int
    curve_label: str
    known: Sequence[Control] = ()
    checkpoint_every: int | None = None
    seeds: Sequence[int] = SEEDS


class WrongSign(RulesModel):
    """The rules, with the sign that a bug would give them: as if the same player moved next."""

    def step(self, state: State, action: torch.Tensor, **kwargs: Any) -> ModelStep:
        """Makes one move in every position."""
        step = super().step(state, action, **kwargs)
        return step._replace(sign=-step.sign)


class GameCurve(CurveCallback):
    """Keeps what an agent comes to every so many moves of self-play."""

    def __init__(self, lesson: Lesson, path: Path | None = None) -> None:
        BaseCallback.__init__(self)
        self.lesson, self.path = lesson, path
        self.points: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        last = self.points[-1][0] if self.points else 0
        if self.num_timesteps // self.lesson.curve_every > last // self.lesson.curve_every:
            self._add(self.num_timesteps, self.lesson.watched(self.model))


def measure(lesson: Lesson, seeds: Sequence[int], jobs: int, *, directory: Path | None = None) -> Measured:
    """Lets everybody learn with all seeds, and judges them.

    Args:
        lesson: to hold.
        seeds: of everybody.
        jobs: processes, one torch thread each.
        directory: where runs with `checkpoint_every` keep their checkpoints, and go on from them.
    """
    pupils = [lesson.pupil, *lesson.controls]
    of_seeds = for_all_seeds(learn, [(lesson, pupil, directory) for pupil in pupils], seeds, jobs)
    controls = [
        Control(pupil.name, [learned.run for learned in done], note=pupil.note)
        for pupil, done in zip(lesson.controls, of_seeds[1:], strict=True)
    ]
    runs = [_compare(learned.run, index, controls) for index, learned in enumerate(of_seeds[0])]
    curves = {pupil.name: joint_curve(done) for pupil, done in zip(pupils, of_seeds, strict=True)}
    extra = {
        "task": f"{lesson.pupil.name} on {lesson.env_id}",
        "curves": {name: points for name, points in curves.items() if points},
        "curve_label": lesson.curve_label,
        "seeds_at_a_time": jobs,
    }
    return Measured(Bar(lesson.bar, min(RUNS_REQUIRED, len(seeds))), runs, [*controls, *lesson.known], extra)


def learn(lesson: Lesson, pupil: Pupil, directory: Path | None, seed: int) -> Learned:
    """Lets one learn, and judges it; what was stopped goes on."""
    begun = time.perf_counter()
    agent: Any = zoo_core.make_agent(pupil.agent, lesson.env_id, dict(pupil.config), preset=pupil.preset, seed=seed)
    if pupil.wrong_sign:
        agent.rules = agent.self_play.model = WrongSign.of(agent.game)
    home = None if lesson.checkpoint_every is None or directory is None else directory / lesson.case
    if home is None or pupil.untrained:
        callback = GameCurve(lesson)
        if not pupil.untrained:
            agent.learn(lesson.env_steps, callback=callback, log_interval=10**9)
        return Learned(judge(lesson, agent, seed, begun), callback.points)
    home = home / f"{pupil.name}-{seed}"
    if (done := home / "learned.json").exists():
        return Learned.read(done)
    home.mkdir(parents=True, exist_ok=True)
    callback = GameCurve(lesson, home / "curve.jsonl")
    assert lesson.checkpoint_every is not None
    checkpoints = Checkpoints(home / "checkpoints", every=lesson.checkpoint_every, resume=True)
    checkpoints.reopen()  # it may have been stopped while it was judged
    agent.learn(lesson.env_steps, callback=callback, log_interval=10**9, checkpoints=checkpoints)
    agent.save(home / "agent.zip", exclude=agent.recordings)
    learned = Learned(judge(lesson, agent, seed, begun), callback.points)
    learned.write(done)
    return learned


def judge(lesson: Lesson, agent: Any, seed: int, begun: float) -> Run:
    """Measures what an agent has come to."""
    wall_s = time.perf_counter() - begun
    figures = lesson.figures(agent, seed)
    score = figures.pop(lesson.score)
    run = Run(seed=seed, score=score, env_steps=agent.num_timesteps, wall_s=round(wall_s, 1), figures=figures)
    print(
        f"  {lesson.case}, seed {seed}: {score:.3f}, {figures} ({agent.num_timesteps} moves, {wall_s:.0f} s)",
        flush=True,
    )
    return run


def _compare(run: Run, index: int, controls: Sequence[Control]) -> Run:
    """Returns a run with how far it is above each control with the same seed among its figures."""
    scores = {name: score for name, score in beside(run, index, controls).figures.items() if name not in run.figures}
    above = {f"above_{name}": run.score - score for name, score in scores.items()}
    return replace(run, figures={**run.figures, **scores, **above})


UNTRAINED = Pupil("untrained network", untrained=True)
RANDOM_MOVES = 0.405  # of the right ones among the legal ones, mean over the decision states

TIC_TAC_TOE = Lesson(
    "alphazero-tic-tac-toe",
    "tictactoe_v3",
    100_000,
    Pupil("alphazero", preset="tic-tac-toe"),
    (
        replace(UNTRAINED, preset="tic-tac-toe"),
        Pupil("wrong sign", preset="tic-tac-toe", wrong_sign=True, note="returns do not change sign with the player"),
    ),
    tic_tac_toe.figures,
    "network",
    (
        Condition("score", ">=", 0.9),
        Condition("search", ">=", 0.97),
        Condition("losses_first", "<=", 0.0),
        Condition("losses_second", "<=", 0.0),
    ),
    tic_tac_toe.accuracy_alone,
    5_000,
    "decision states, network alone",
    known=(Control("random moves", score=RANDOM_MOVES, note="exact"),),
)
FEW = {"num_simulations": 4}
GUMBEL_TIC_TAC_TOE = Lesson(
    "alphazero-gumbel-tic-tac-toe",
    "tictactoe_v3",
    30_000,
    Pupil(
        "gumbel, 4 simulations",
        preset="tic-tac-toe",
        config={"planner": "gumbel-mcts", "planner_config": FEW, "temperature_moves": 0},
    ),
    (
        Pupil("puct, 4 simulations", preset="tic-tac-toe", config={"planner_config": {**FEW, "noise_alpha": 1.0}}),
        replace(UNTRAINED, preset="tic-tac-toe"),
    ),
    tic_tac_toe.figures,
    "network",
    (Condition("score", ">=", 0.85), Condition("above_puct_4_simulations", ">=", 0.1)),
    tic_tac_toe.accuracy_alone,
    1_000,
    "decision states, network alone",
    known=(Control("random moves", score=RANDOM_MOVES, note="exact"),),
)
LESSONS = (TIC_TAC_TOE, GUMBEL_TIC_TAC_TOE)

CONNECT_FOUR = Lesson(
    "alphazero-connect-four",
    "connect_four_v3",
    300_000,
    Pupil("alphazero", preset="connect-four"),
    (replace(UNTRAINED, preset="connect-four"),),
    connect_four.figures,
    "search",
    (
        Condition("score", ">=", 0.9),
        Condition("network", ">=", 0.4),
        Condition("opens_in_centre", ">=", 1.0),
        Condition("error_begin_hard", "<=", 0.2),
    ),
    connect_four.network_alone,
    20_000,
    "points against minimax:5, network alone",
    checkpoint_every=40_000,
)
LONG = (CONNECT_FOUR,)

ON_A_GPU = {
    "num_games": 1_024,
    "num_blocks": 5,
    "channels": 128,
    "planner_config": {"num_simulations": 100, "noise_alpha": 1.0},
    "steps_per_iteration": 32_768,
    "replay_size": 500_000,
    "batch_size": 1_024,
    "learning_rate_drops": ((8_000, 3e-4), (10_000, 1e-4)),
}
CONNECT_FOUR_GPU = replace(
    CONNECT_FOUR,
    case="alphazero-connect-four-gpu",
    env_steps=3_000_000,
    pupil=Pupil("alphazero", preset="connect-four", config=ON_A_GPU),
    bar=(*CONNECT_FOUR.bar, Condition("error_begin_medium", "<=", 0.07)),
    curve_every=100_000,
    checkpoint_every=250_000,
    seeds=(0,),
)
HEADLINE = (CONNECT_FOUR_GPU,)
