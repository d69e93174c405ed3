"""SB3 agents that learn in dreams and are judged in reality: the demo's two cases, and how far their defaults carry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

import zoo_core
from benchmarks.learn.report import in_processes
from benchmarks.results import Bar, Condition, Control, Run, read_results, write_result
from zoo_core.evaluation import EvaluationResult, evaluate
from zoo_core.replay import Replay, Transitions
from zoo_envs.pendulum_optimum import pendulum_optimal_return
from zoo_tabular.table import Table

EVALUATION_EPISODES = 50
START_SEED = 10_000  # episode i of every evaluation begins with this seed + i, for paired comparison
MAX_WALL_S = 240.0  # on two cores
FROZEN_LAKE_ID, FROZEN_LAKE_STEPS = "FrozenLake-v1", 100  # it ends an episode after these


@dataclass(frozen=True)
class DreamTask:
    """An agent that learns `env_id` in dreams.

    Attributes:
        case: name of the result.
        agent: registered name.
        env_id: the reality.
        env_steps: real steps it may use.
        baseline: the model-free agent it is compared with, with the same real steps.
        bar: return over real episodes to reach; None reports only.
        seeds: to train.
        optimum: exact return from given first observations, where it is known.
        optimum_note: how it is known.
        config: of the agent, in place of its defaults.
        episodes: of an evaluation.
        shuffled: what the control that breaks the model is fitted to in random order.
    """

    case: str
    agent: str
    env_id: str
    env_steps: int
    baseline: str
    bar: float | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    optimum: Callable[[Any], np.ndarray[Any, Any]] | None = None
    optimum_note: str = "grid dynamic programming, from the same 50 starts"
    config: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = EVALUATION_EPISODES
    shuffled: tuple[str, ...] = ("next_obs",)

    @property
    def baseline_config(self) -> dict[str, Any]:
        """SB3's PPO rounds its steps up to whole rollouts; these fit, the rest is its default."""
        return {"ppo.n_steps": 500, "ppo.batch_size": 50} if self.baseline == "ppo" else {}


@dataclass(frozen=True)
class CurvePoint:
    """Where a run stood after a round: real steps used, return in the dream and in reality."""

    env_steps: int
    dream_return: float
    real_return: float


def pendulum_optimum(first_obs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Returns the best return from each first observation `[N, 3]` of Pendulum-v1."""
    return pendulum_optimal_return(np.arctan2(first_obs[:, 1], first_obs[:, 0]), first_obs[:, 2])


def frozen_lake_optimum(first_obs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Returns the best chance of reaching the goal of FrozenLake-v1 from each first observation `[N]`, in time."""
    table = Table.from_env(FROZEN_LAKE_ID)
    value = np.zeros(table.num_states)
    for _ in range(FROZEN_LAKE_STEPS):
        value = (table.expected_reward() + table.continuing_matrix() @ value).max(-1)
    return value[first_obs]


PENDULUM = DreamTask(
    "demo-pendulum", "dream-sac", "Pendulum-v1", 1_000, "sac", -180.0, (0, 1, 2, 3, 4), pendulum_optimum
)
CARTPOLE = DreamTask("dream-ppo-cartpole", "dream-ppo", "CartPole-v1", 3_000, "ppo", 475.0, (0, 1, 2, 3, 4))
GENERALITY = tuple(
    DreamTask(f"dream-{algorithm}-{name}", f"dream-{algorithm}", env_id, 1_000, algorithm)
    for name, env_id in (
        ("mountain-car", "MountainCarContinuous-v0"),
        ("cart-pole-swing-up", "zoo_envs/CartPoleSwingUp-v0"),
    )
    for algorithm in ("sac", "ppo")
)
FROZEN_LAKE = DreamTask(
    "dream-dqn-frozen-lake",
    "dream-dqn",
    FROZEN_LAKE_ID,
    5_000,
    "dqn",
    0.65,
    optimum=frozen_lake_optimum,
    optimum_note="dynamic programming on the environment's own table, as many steps as an episode may have",
    config={
        "model": "lookup",
        "initial_steps": 3_000,
        "round_steps": 1_000,
        "dream_steps": 60_000,
        "horizon": FROZEN_LAKE_STEPS,
        "dqn.learning_rate": 5e-4,
        "dqn.batch_size": 512,
        "dqn.gradient_steps": 4,
        "dqn.policy_kwargs.net_arch": [64],
    },
    episodes=500,  # a success rate is known to 0.02 then
    shuffled=("next_obs", "reward", "terminated"),  # where the holes are is all that one has to know
)
TASKS = (PENDULUM, CARTPOLE, *GENERALITY, FROZEN_LAKE)


class Curve(BaseCallback):
    """Evaluates a dream agent after every round; evaluation changes nothing in the training."""

    def __init__(self, task: DreamTask, report: Callable[[CurvePoint], None] | None = None) -> None:
        super().__init__()
        self.task = task
        self.report = report
        self.points: list[CurvePoint] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        agent: Any = self.model
        real = evaluate(agent, self.task.env_id, episodes=self.task.episodes, seed=START_SEED).mean
        point = CurvePoint(agent.num_timesteps, dream_return(agent, self.task.episodes), real)
        self.points.append(point)
        if self.report is not None:
            self.report(point)


def dream_return(agent: Any, episodes: int) -> float:
    """Returns the mean return of the agent in dreams that begin where real episodes began and last as long."""
    horizon = agent.get_env().get_attr("spec")[0].max_episode_steps
    dreams = agent.make_dreams(episodes, seed=START_SEED, starts=None, horizon=horizon)
    return evaluate(agent, dreams, episodes=episodes, seed=START_SEED).mean


def train_dream_agent(
    task: DreamTask,
    seed: int,
    *,
    shuffled: bool = False,
    report: Callable[[CurvePoint], None] | None = None,
    progress_bar: bool = False,
) -> tuple[Any, EvaluationResult, Run, list[CurvePoint]]:
    """Trains the agent of a task from nothing and judges it in reality.

    Args:
        task: what to train.
        seed: of the run.
        shuffled: the control that breaks the model: it is fitted to what followed in random order.
        report: called after each round.
        progress_bar: show what is going on.
    """
    begun = time.perf_counter()
    agent: Any = zoo_core.make_agent(task.agent, task.env_id, task.config, seed=seed)
    if shuffled:
        fit = agent.model.fit
        agent.model.fit = lambda replay, **kwargs: fit(ShuffledReplay(replay, seed, task.shuffled), **kwargs)
    curve = Curve(task, report)
    agent.learn(task.env_steps, callback=curve, progress_bar=progress_bar)
    wall_s = time.perf_counter() - begun
    result, run = judge(task, agent, seed, wall_s, agent.num_timesteps)
    run.figures["dream_return"] = dream_return(agent, task.episodes)
    return agent, result, run, curve.points


def judge(task: DreamTask, policy: Any, seed: int, wall_s: float, env_steps: int) -> tuple[EvaluationResult, Run]:
    """Evaluates a policy over real episodes; with a known optimum, its paired regret is among the figures."""
    result = evaluate(policy, task.env_id, episodes=task.episodes, seed=START_SEED)
    figures = {"return_std": result.std}
    if task.optimum is not None:
        figures["regret"] = float((task.optimum(result.first_obs) - result.returns).mean())
    return result, Run(seed=seed, score=result.mean, env_steps=env_steps, wall_s=round(wall_s, 1), figures=figures)


def train_baseline(task: DreamTask, agent_id: str, seed: int) -> Run:
    """Trains a model-free agent with the task's real steps and judges it."""
    begun = time.perf_counter()
    agent = zoo_core.make_agent(agent_id, task.env_id, task.baseline_config, seed=seed)
    agent.learn(task.env_steps)
    return judge(task, agent, seed, time.perf_counter() - begun, agent.num_timesteps)[1]


def optimum_control(task: DreamTask) -> Control | None:
    """Returns the exact optimum on the evaluation's own starts, where it is known."""
    if task.optimum is None:
        return None
    random = zoo_core.make_agent("random", task.env_id, seed=0)
    starts = evaluate(random, task.env_id, episodes=task.episodes, seed=START_SEED).first_obs
    return Control("exact optimum", score=float(task.optimum(starts).mean()), note=task.optimum_note)


class ShuffledReplay:
    """A replay in which some of what followed was shuffled: the data of a world without cause and effect."""

    def __init__(self, replay: Replay, seed: int, names: Sequence[str] = ("next_obs",)) -> None:
        self._replay, self._seed, self._names = replay, seed, names

    def tensors(self, device: Any = "cpu") -> Transitions:
        """Returns all steps, what the names say in random order, the same for all of them."""
        steps = self._replay.tensors(device)
        order = torch.randperm(len(steps.reward), generator=zoo_core.rng(self._seed, "shuffle")).to(device)
        return steps._replace(**{name: getattr(steps, name)[order] for name in self._names})

    def __len__(self) -> int:
        return len(self._replay)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replay, name)


def run_case(
    task: DreamTask, *, seeds: Sequence[int] | None = None, jobs: int = 2, keep_controls: bool = False
) -> bool:
    """Trains all seeds and controls of a task, prints them and, unless `seeds` is given, writes the result.

    Args:
        task: to run.
        seeds: in place of the task's own.
        jobs: processes, one torch thread each.
        keep_controls: train the agent alone and keep the controls of the committed result.

    Returns:
        Whether the bar was met; without one, true.
    """
    print(f"{task.case}: {task.agent} on {task.env_id}, {task.env_steps} real steps")
    chosen = tuple(task.seeds if seeds is None else seeds)
    work = [(task, "agent", seed) for seed in chosen]
    if not keep_controls:
        work += _control_work(task, chosen)
    done = in_processes(_work, work, jobs)
    runs_of = {kind: [run for (_, name, _), run in zip(work, done, strict=True) if name == kind] for _, kind, _ in work}
    controls = read_results("learn")[task.case].controls if keep_controls else _controls(task, runs_of)
    bar = _bar(task, len(chosen))
    if seeds is not None:
        return bar is None or bar.met_by(runs_of["agent"])
    result = write_result(
        "learn",
        task.case,
        command=f"make learn CASE={task.case}",
        bar=bar,
        runs=runs_of["agent"],
        controls=controls,
        threads=1,
        extra={"task": f"{task.agent} on {task.env_id}", "seeds_at_a_time": jobs},
    )
    return result.passed


def _control_work(task: DreamTask, seeds: tuple[int, ...]) -> list[tuple[DreamTask, str, int]]:
    shuffled = seeds[:3] if task.bar is not None else ()  # as long as the agent itself, and far below any bar
    names = ["shuffled"] * len(shuffled) + [task.baseline] * len(seeds) + ["random"] * len(seeds)
    return [(task, name, seed) for name, seed in zip(names, (*shuffled, *seeds, *seeds), strict=True)]


def _controls(task: DreamTask, runs_of: dict[str, list[Run]]) -> list[Control]:
    controls = [
        Control(f"{task.baseline} alone", runs_of[task.baseline], note="Stable-Baselines3, the same real steps"),
        Control("random policy", runs_of["random"]),
    ]
    if "shuffled" in runs_of:
        what = "next observations" if task.shuffled == ("next_obs",) else "outcomes"
        note = f"the same loop, the model fitted to shuffled {what}"
        controls.append(Control("shuffled model", runs_of["shuffled"], note=note))
    if optimum := optimum_control(task):
        controls.append(optimum)
    return controls


def _bar(task: DreamTask, num_seeds: int) -> Bar | None:
    if task.bar is None:
        return None
    conditions = [
        Condition("score", ">=", task.bar),
        Condition("env_steps", "<=", task.env_steps),
        Condition("wall_s", "<=", MAX_WALL_S),
    ]
    return Bar(conditions, runs_required=num_seeds)


def _work(task: DreamTask, kind: str, seed: int) -> Run:
    if kind in ("agent", "shuffled"):
        _, _, run, _ = train_dream_agent(task, seed, shuffled=kind == "shuffled")
    elif kind == "random":
        _, run = judge(task, zoo_core.make_agent(kind, task.env_id, seed=seed), seed, 0.0, 0)
    else:
        run = train_baseline(task, kind, seed)
    print(f"  {kind} seed {seed}: {run.score:.4g} ({run.env_steps} real steps, {run.wall_s:.0f} s)", flush=True)
    return run
