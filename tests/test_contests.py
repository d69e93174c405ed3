"""Learning cases in which agents compete: who learns how, what is written, and the figure that is drawn of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import zoo_core
from benchmarks.learn import alphazero, cases, contest, figures, muzero, pairs, planning, recipes, report
from benchmarks.learn.contest import START_SEED, Contender, Contest, CurveCallback
from benchmarks.results import Condition, Run, read_results
from zoo_core import SimulatorModel
from zoo_core.evaluation import evaluate
from zoo_core.testing.cases import register
from zoo_planners.policy import PlanningPolicy

ENV_ID = register("Pendulum-v1")
LENGTH = 15  # steps of an episode there
TINY = {
    "model": "mlp",
    "model.hidden": 8,
    "model.learning_rate": 0.01,
    "model.max_epochs": 20,
    "planner": "random-shooting",
    "planner.horizon": 3,
    "planner.num_candidates": 8,
    "initial_steps": LENGTH,
    "round_steps": LENGTH,
}
MPC = Contender("mpc", "mpc", config=TINY, note="as it is")
UNTRAINED = Contender("untrained model", "mpc", config=TINY, untrained=True)
EXACT = Contender("exact simulator", "mpc", config=TINY, exact=True)
SMALL = Contest(
    "pets-pendulum",  # one that has a figure
    ENV_ID,
    50,
    MPC,
    (UNTRAINED, EXACT),
    (Condition("score", ">=", -500.0), Condition("regret", "<=", 500.0)),
    episodes=2,
    optimum=lambda obs: obs[:, 0] - 1.0,
    optimum_note="invented",
    curve_episodes=1,
)
PLAIN = replace(SMALL, controls=(), bar=(), optimum=None)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Other processes take seconds to begin."""

    def one_by_one(function, work, jobs):
        return [function(*each) for each in work]

    monkeypatch.setattr(report, "in_processes", one_by_one)
    monkeypatch.setattr(pairs, "in_processes", one_by_one)


@pytest.fixture(scope="module")
def measured():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "in_processes", lambda function, work, jobs: [function(*each) for each in work])
        return contest.measure(SMALL, (0, 1), 3)


@pytest.fixture
def judged(monkeypatch):
    """Keeps the policies that are judged."""
    policies, judge = [], contest.judge
    monkeypatch.setattr(
        contest, "judge", lambda held, policy, *rest: policies.append(policy) or judge(held, policy, *rest)
    )
    return policies


# -- who learns, and how -----------------------------------------------------------------------------------------------


def test_all_are_there_with_a_run_of_every_seed(measured):
    names = [control.name for control in measured.controls]
    assert names == ["untrained model", "exact simulator", "random policy", "exact optimum"]
    for runs in (measured.runs, *(control.runs for control in measured.controls[:3])):
        assert [run.seed for run in runs] == [0, 1]
        assert len({run.score for run in runs}) == 2
    assert [run.env_steps for run in measured.runs] == [50, 50]
    assert {run.env_steps for control in measured.controls[1:3] for run in control.runs} == {0}
    assert measured.extra["task"] == f"mpc on {ENV_ID}"
    assert measured.extra["seeds_at_a_time"] == 3


def test_a_score_is_the_mean_of_episodes_from_fixed_starts_and_the_regret_what_it_lacks(measured):
    random = zoo_core.make_agent("random", ENV_ID, seed=1)
    result = evaluate(random, ENV_ID, episodes=2, seed=START_SEED)
    run = measured.controls[2].runs[1]
    assert (run.score, run.figures["return_std"]) == (result.mean, result.std)
    optimum = result.first_obs[:, 0] - 1.0
    assert run.figures["regret"] == pytest.approx((optimum - result.returns).mean())
    assert measured.controls[3].score == pytest.approx(optimum.mean())
    assert measured.controls[3].note == "invented"


def test_who_learns_learns_and_who_stays_untrained_has_its_first_weights(judged):
    for contender in (MPC, UNTRAINED):
        contest.learn(PLAIN, contender, None, 0)
    fresh = zoo_core.make_agent("mpc", ENV_ID, TINY, seed=0)
    first, trained, untrained = (
        torch.cat([weight.flatten() for weight in agent.model.parameters()]) for agent in (fresh, *judged)
    )
    assert torch.equal(untrained, first)
    assert not torch.equal(trained, first)
    assert [agent.round for agent in judged] == [4, 4]
    assert judged[1].model.replay_steps == 50


def test_who_is_exact_plans_in_equations_that_are_those_of_the_environment(judged):
    learned = contest.learn(PLAIN, EXACT, None, 7)
    (policy,) = judged
    assert isinstance(policy, PlanningPolicy)
    seen = zoo_core.Replay.collect(ENV_ID, 30, seed=1)
    assert contest.step_error(policy.model, SimulatorModel(ENV_ID), seen) < contest.EXACT
    assert (policy.planner.config.num_candidates, policy.planner.config.horizon) == (8, 3)
    assert (learned.run.seed, learned.run.env_steps, learned.points) == (7, 0, [])


def test_equations_that_are_not_those_of_the_environment_are_noticed(monkeypatch):
    monkeypatch.setattr(zoo_core, "SimulatorModel", lambda env_id: SimulatorModel("Pendulum-v1", g=9.0))
    with pytest.raises(RuntimeError, match=f"the equations of {ENV_ID} are off by 0.0"):
        contest.learn(PLAIN, EXACT, None, 0)


def test_a_run_has_what_every_control_came_to_with_the_same_seed(measured):
    names = ("untrained_model", "exact_simulator", "random_policy")
    for i, run in enumerate(measured.runs):
        expected = [control.runs[i].score for control in measured.controls[:3]]
        assert [run.figures[name] for name in names] == expected
    assert {"return_std", "regret", *names} == set(measured.runs[0].figures)


@pytest.mark.parametrize(("num", "required"), [(1, 1), (2, 2), (3, 2)])
def test_the_bar_asks_for_two_of_three_seeds(monkeypatch, num, required):
    bad, good = (Run(0, score, figures={"regret": 0.0}) for score in (-501.0, -499.0))
    monkeypatch.setattr(contest, "learn", lambda *args: contest.Learned(good, []))
    bar = contest.measure(replace(SMALL, optimum=None), range(num), 1).bar
    assert bar.met_by([good] * required + [bad] * (num - required))
    assert not bar.met_by([good] * (required - 1) + [bad] * (num - required + 1))


def test_without_conditions_there_is_no_bar(monkeypatch):
    monkeypatch.setattr(contest, "learn", lambda *args: contest.Learned(Run(0, 0.0), []))
    measured = contest.measure(PLAIN, (0,), 1)
    assert measured.bar is None
    assert [control.name for control in measured.controls] == ["random policy"]


@pytest.mark.parametrize(
    ("held", "contender"),
    [
        pytest.param(held, each, id=f"{held.case}-{each.name}")
        for held in (*planning.CONTESTS, *planning.LONG, *planning.HEADLINE, recipes.RECIPES)
        for each in (held.contender, *held.controls)
    ],
)
def test_every_contender_can_be_made(held, contender):
    agent = zoo_core.make_agent(
        contender.agent, held.env_id, contender.config, preset=contender.preset, seed=0, device="cpu"
    )
    assert agent.num_timesteps == 0
    assert not contender.untrained or agent.model is agent.world_model
    assert (
        not contender.exact or getattr(agent.planner.config, "num_particles", 1) == 1
    )  # what is exact has no chance in it


# -- curves ------------------------------------------------------------------------------------------------------------


def test_a_curve_is_of_the_episodes_of_learning(measured):
    curves = measured.extra["curves"]
    assert list(curves) == ["mpc", "untrained model"]  # who is exact learns nothing
    assert [curve["at"] for curve in curves.values()] == [[15, 30, 45]] * 2
    first = [contest.learn(PLAIN, MPC, None, seed).points[0][1] for seed in (0, 1)]
    assert curves["mpc"]["mean"][0] == pytest.approx(np.mean(first), rel=1e-3)


def test_or_of_evaluations_on_the_way(judged):
    """At the end of the iterations that pass 20 and 40 steps: 30 and 45."""
    points = contest.learn(replace(PLAIN, evaluate_every=20), MPC, None, 0).points
    assert [step for step, _ in points] == [30, 45]
    agent = zoo_core.make_agent("mpc", ENV_ID, TINY, seed=0).learn(45)
    assert points[-1][1] == evaluate(agent, ENV_ID, episodes=1, seed=START_SEED).mean


def test_a_curve_has_the_points_that_all_seeds_have():
    def learned(*points):
        return contest.Learned(Run(0, 0.0), list(points))

    curve = contest.joint_curve([learned((10, 1.0), (20, 3.0), (30, 9.0)), learned((12, 2.0), (21, 5.0))])
    assert (curve["at"], curve["mean"]) == ([11, 20], [1.5, 4.0])
    assert contest.joint_curve([learned((10, 1.0)), learned()]) is None


# -- long runs ---------------------------------------------------------------------------------------------------------


class Killed(Exception):
    """What ends a run in the middle."""


@pytest.mark.parametrize("evaluate_every", [None, 20])
def test_a_run_that_was_killed_goes_on_with_its_curve(monkeypatch, tmp_path, evaluate_every):
    held = replace(PLAIN, env_steps=60, evaluate_every=evaluate_every, checkpoint_every=LENGTH)
    whole = contest.learn(held, MPC, tmp_path / "whole", 0)

    def kill(callback):
        if callback.num_timesteps == 38:
            raise Killed
        return on_step(callback)

    on_step = CurveCallback._on_step
    with monkeypatch.context() as patch:
        patch.setattr(CurveCallback, "_on_step", kill)
        with pytest.raises(Killed):
            contest.learn(held, MPC, tmp_path / "killed", 0)
    checkpoints = tmp_path / "killed" / held.case / "mpc-0" / "checkpoints"
    assert len(list(checkpoints.glob("checkpoint-*.zip"))) == 2
    resumed = contest.learn(held, MPC, tmp_path / "killed", 0)
    assert resumed.points == whole.points
    assert [step for step, _ in whole.points] == ([15, 30, 45, 60] if evaluate_every is None else [30, 45, 60])
    assert (resumed.run.score, resumed.run.env_steps) == (whole.run.score, 60)


def test_who_has_learned_to_the_end_is_not_asked_again(judged, tmp_path):
    held = replace(PLAIN, checkpoint_every=LENGTH)
    first, again = (contest.learn(held, MPC, tmp_path, 0) for _ in range(2))
    assert len(judged) == 1
    assert again == first
    assert [step for step, _ in first.points] == [15, 30, 45]


def test_points_after_the_checkpoint_are_made_anew(tmp_path):
    path = tmp_path / "curve.jsonl"
    path.write_text("".join(f"{json.dumps(point)}\n" for point in [(15, -1.5), (30, -2.0), (45, -9.0)]))
    agent = zoo_core.make_agent("random", ENV_ID, seed=0)
    agent.num_timesteps = 30
    callback = CurveCallback(PLAIN, path)
    callback.init_callback(agent)
    callback.on_training_start({}, {})
    assert callback.points == [(15, -1.5), (30, -2.0)]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [[15, -1.5], [30, -2.0]]


# -- the lesson of the recipes -----------------------------------------------------------------------------------------


def test_every_recipe_is_compared_with_the_one_before_seed_by_seed(monkeypatch):
    scores = {"v1.5, mlp": (150.0, 140.0), "v1.0, mlp": (90.0, 130.5), "v0.5, mlp": (10.0, 30.0)}
    scores["v0.5, parametric"] = (200.0, 129.0)

    def learn(held, contender, directory, seed):
        return contest.Learned(Run(seed, scores[contender.name.removeprefix("mpc ")][seed]), [])

    monkeypatch.setattr(contest, "learn", learn)
    monkeypatch.setattr(contest, "_random", lambda held, seed: Run(seed, 0.0))
    measured = recipes.measure((0, 1), 1)
    assert [run.score for run in measured.runs] == [150.0, 140.0]
    adds = ("replanning_adds", "refitting_adds", "knowing_the_equations_adds")
    gains = [[run.figures[name] for name in adds] for run in measured.runs]
    assert gains == [[60.0, 80.0, 190.0], [9.5, 100.5, 99.0]]
    assert tuple(condition.metric for condition in measured.bar.conditions) == adds
    assert all(condition.op == ">=" and condition.value > 0.0 for condition in measured.bar.conditions)


@pytest.mark.parametrize(("num", "required"), [(1, 1), (2, 2), (3, 2)])
def test_the_lesson_holds_in_two_of_three_seeds(monkeypatch, num, required):
    monkeypatch.setattr(contest, "learn", lambda *args: contest.Learned(Run(args[-1], 1.0), []))
    monkeypatch.setattr(contest, "_random", lambda held, seed: Run(seed, 0.0))
    assert recipes.measure(range(num), 1).bar.runs_required == required


# -- all pairs ---------------------------------------------------------------------------------------------------------


class Pair:
    """Keeps the contract, or not."""

    def __init__(self, name, error=None):
        self.name, self.error = name, error

    def __str__(self):
        return self.name

    def check(self):
        if self.error is not None:
            raise self.error


def test_a_pair_that_breaks_the_contract_is_named_with_what_it_did(monkeypatch):
    found = [Pair("good"), Pair("bad", AssertionError("a rule")), Pair("fine"), Pair("worse", KeyError("x"))]
    monkeypatch.setattr(pairs, "all_pairs", lambda: found)
    measured = pairs.measure()
    assert measured.extra["pairs"] == {
        "good": "", "bad": "AssertionError: a rule", "fine": "", "worse": "KeyError: 'x'",
    }  # fmt: skip
    assert (measured.runs[0].score, measured.runs[0].figures) == (0.5, {"pairs": 4.0})
    assert not measured.bar.met_by(measured.runs)
    monkeypatch.setattr(pairs, "all_pairs", lambda: found[::2])
    measured = pairs.measure()
    assert measured.bar.met_by(measured.runs)


# -- files and figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["learn", "headline"])
def test_what_was_measured_is_written_and_drawn(measured, kind, tmp_path, capsys):
    report.report(SMALL.case, measured, write=True, kind=kind, directory=tmp_path)
    result = read_results(kind, tmp_path)[SMALL.case]
    assert [run.score for run in result.runs] == [run.score for run in measured.runs]
    assert result.extra["curves"] == measured.extra["curves"]
    picture = figures.draw(SMALL.case, results=tmp_path, out=tmp_path)
    assert picture.name == "pets-pendulum.png"
    assert picture.stat().st_size < 150_000
    shown = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    for color in (figures.BLUE, figures.ORANGE):  # of the two who learn
        assert (shown == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(1).sum() > 50
    assert f"{SMALL.case}, 2 runs" in capsys.readouterr().out


@pytest.mark.parametrize("case", [each.case for each in (*planning.CONTESTS, recipes.RECIPES)])
def test_a_contest_with_seeds_of_ones_own_is_neither_written_nor_drawn(monkeypatch, case):
    measured = report.Measured(None, [Run(7, 0.0)], [], {"task": ""})
    asked = []

    def measure(*args, **kwargs):
        asked.append(args[-2:])
        return measured

    monkeypatch.setattr(contest, "measure", measure)
    monkeypatch.setattr(recipes, "measure", measure)
    monkeypatch.setattr(report, "write_result", None)
    monkeypatch.setattr(figures, "draw", None)
    assert {**cases.CASES, **cases.LONG}[case](seeds=[7], jobs=1)
    assert asked == [([7], 1)]


def test_offline_everybody_learns_from_the_same_random_steps_alone(monkeypatch):
    offered = []
    monkeypatch.setattr(zoo_core.Agent, "learn", None)
    agent = Contender("mbpo", "mbpo", "cpu", {"offline_steps": 1, "model.max_epochs": 1, "model.hidden": 8})
    held = replace(PLAIN, env_steps=2 * LENGTH, contender=agent, offline=True)
    make = zoo_core.make_agent

    def watched(*args, **kwargs):
        made = make(*args, **kwargs)
        learn = made.learn_offline
        made.learn_offline = lambda data: offered.append(data) or learn(data)
        return made

    monkeypatch.setattr(zoo_core, "make_agent", watched)
    learned = contest.learn(held, agent, None, 3)
    random = zoo_core.Replay.collect(held.env_id, held.env_steps, seed=3)
    np.testing.assert_array_equal(offered[0].transitions().action, random.transitions().action)
    assert (learned.run.env_steps, learned.points) == (2 * LENGTH, [])


def test_long_cases_run_by_name_alone():
    assert not set(cases.LONG) & set(cases.expand([]))
    assert cases.expand(["mbpo-hopper"]) == ["mbpo-hopper"]
    by_name = [each for module in (planning, alphazero, muzero) for each in (*module.LONG, *module.HEADLINE)]
    assert set(cases.LONG) == {each.case for each in by_name}


def test_who_was_stopped_while_judged_is_judged_anew(tmp_path):
    held = replace(PLAIN, checkpoint_every=LENGTH)
    first = contest.learn(held, MPC, tmp_path, 0)
    (tmp_path / held.case / "mpc-0" / "learned.json").unlink()
    again = contest.learn(held, MPC, tmp_path, 0)
    assert (again.points, again.run.score) == (first.points, first.run.score)
