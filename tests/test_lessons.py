"""The learning cases of AlphaZero: what they measure, the controls beside it, and going on where a run was stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import zoo_core
from benchmarks.learn import alphazero, cases, connect_four, figures, report, tic_tac_toe
from benchmarks.learn.positions import Position
from benchmarks.results import read_results
from zoo_core.planner import Evaluation, Plan
from zoo_mcts.games import solved
from zoo_mcts.games.connect_four import ConnectFour
from zoo_mcts.games.rules import RulesModel
from zoo_mcts.games.tic_tac_toe import TicTacToe

TINY = {
    "num_blocks": 1,
    "channels": 8,
    "planner_config": {"num_simulations": 2},
    "steps_per_iteration": 64,
    "batch_size": 16,
}
SMALL = {**TINY, "num_games": 8}
LESSON = replace(
    alphazero.TIC_TAC_TOE,
    env_steps=256,
    curve_every=64,
    pupil=replace(alphazero.TIC_TAC_TOE.pupil, config=SMALL),
    controls=[replace(control, config=SMALL) for control in alphazero.TIC_TAC_TOE.controls],
)


class Solver:
    """Plays by the solution; the network alone takes the first legal move."""

    def __init__(self, game=None, right=True):
        self.game = game or TicTacToe()
        self.rules, self.right, self.device = RulesModel.of(self.game), right, torch.device("cpu")

    def predict(self, observation, deterministic):
        return np.asarray(observation["action_mask"]).argmax(1), None

    def search(self, state, *, num_simulations=None, rng=None, deterministic=True):
        good = solved.optimal_moves(state) if self.right else self.game.legal(state) & ~solved.optimal_moves(state)
        wanted = np.where(good.any(1, keepdims=True), good, self.game.legal(state))
        return Plan(
            torch.from_numpy(wanted.argmax(1)), torch.zeros(len(wanted)), weights=torch.from_numpy(wanted).float()
        )


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Other processes take seconds to begin."""
    monkeypatch.setattr(report, "in_processes", lambda function, work, jobs: [function(*each) for each in work])


# -- tic-tac-toe -------------------------------------------------------------------------------------------------------


def test_who_plays_by_the_solution_is_always_right_and_never_loses():
    found = tic_tac_toe.figures(Solver(), 0)
    assert (found["search"], found["losses_first"], found["losses_second"]) == (1.0, 0.0, 0.0)
    states = solved.decision_states()
    assert found["network"] == solved.accuracy(states, TicTacToe().legal(states).argmax(1)) < 0.5


def test_who_does_the_opposite_is_always_wrong_and_loses():
    found = tic_tac_toe.figures(Solver(right=False), 0)
    assert found["search"] == 0.0
    assert found["losses_second"] > 0.9


def test_random_moves_are_right_as_often_as_the_case_says():
    states = solved.decision_states()
    share = solved.optimal_moves(states).sum(1) / TicTacToe().legal(states).sum(1)
    assert share.mean() == pytest.approx(alphazero.RANDOM_MOVES, abs=5e-4)


# -- a lesson ----------------------------------------------------------------------------------------------------------


def test_everybody_learns_and_is_judged_beside_the_others(tmp_path):
    measured = alphazero.measure(LESSON, (0, 1), 1)
    by_name = {control.name: control for control in measured.controls}
    assert [run.env_steps for run in measured.runs] == [256, 256]
    assert [run.env_steps for run in by_name["untrained network"].runs] == [0, 0]
    run, beside = measured.runs[1], by_name["wrong sign"].runs[1]
    assert run.figures["above_wrong_sign"] == run.score - beside.score
    assert measured.extra["curves"]["alphazero"]["at"] == [64, 128, 192, 256]
    assert not measured.bar.met_by(measured.runs)
    report.report(LESSON.case, measured, write=True, directory=tmp_path)
    assert figures.draw(LESSON.case, results=tmp_path, out=tmp_path).exists()
    assert list(read_results("learn", tmp_path)) == [LESSON.case]


def test_the_wrong_sign_is_in_search_and_self_play(monkeypatch):
    made = []
    make_agent = zoo_core.make_agent
    monkeypatch.setattr(
        zoo_core, "make_agent", lambda *args, **kwargs: made.append(make_agent(*args, **kwargs)) or made[0]
    )
    alphazero.learn(replace(LESSON, env_steps=8), LESSON.controls[1], None, 0)
    [agent] = made
    state = agent.game.initial(1)
    step = agent.rules.step(state, torch.tensor([0]), rng=zoo_core.rng(0))
    assert agent.self_play.model is agent.rules
    assert step.sign.tolist() == [1.0]


def test_a_long_run_goes_on_from_its_checkpoint_and_is_judged_once(tmp_path, monkeypatch):
    lesson = replace(LESSON, checkpoint_every=64)
    whole = alphazero.learn(lesson, lesson.pupil, tmp_path / "whole", 0)

    def stop(agent, seed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alphazero.learn(replace(lesson, figures=stop), lesson.pupil, tmp_path / "stopped", 0)
    again = alphazero.learn(lesson, lesson.pupil, tmp_path / "stopped", 0)
    assert (again.run.score, again.run.figures, again.points) == (whole.run.score, whole.run.figures, whole.points)
    monkeypatch.setattr(zoo_core.Agent, "learn", stop)
    assert alphazero.learn(lesson, lesson.pupil, tmp_path / "stopped", 0) == again
    assert zoo_core.load(tmp_path / "stopped" / lesson.case / "alphazero-0" / "agent.zip").num_timesteps == 256


def test_the_cases_are_registered():
    assert {lesson.case for lesson in alphazero.LESSONS} < set(cases.CASES)
    assert {lesson.case for lesson in (*alphazero.LONG, *alphazero.HEADLINE)} < set(cases.LONG)


# -- Connect Four ------------------------------------------------------------------------------------------------------


class Centre(Solver):
    """Plays in the centre as long as there is room; as a network it wants to do so, too."""

    def __init__(self):
        super().__init__(ConnectFour())

    def search(self, state, *, num_simulations=None, rng=None, deterministic=True):
        legal = self.game.legal(state)
        move = np.where(legal[:, 3], 3, legal.argmax(1))
        return Plan(torch.from_numpy(move), torch.zeros(len(move)), weights=torch.from_numpy(legal).float())

    def network_alone(self, state):
        return Evaluation(torch.zeros(len(state.over)), torch.eye(7)[3].expand(len(state.over), 7))


def test_connect_four_is_measured_against_minimax_and_by_known_positions(monkeypatch):
    positions = [Position("3", (-4, -2, -2, -1, -2, -2, -4)), Position("33", (1, 1, 2, -1, 2, 1, 1))]
    monkeypatch.setattr(connect_four, "read_positions", lambda: {"begin-hard": positions})
    found = connect_four.figures(Centre(), 0)
    assert found["opens_in_centre"] == 1.0
    assert found["error_begin_hard"] == found["error_begin_hard_network"] == 0.5  # the second gives away a win
    assert found["search"] < 0.2
    assert found["network"] < 0.2
    assert connect_four.network_alone(Centre()) == found["network"]
