"""The learning case of AlphaGo: what is played, and what counts as better."""

import pytest

from benchmarks.learn import alphago, report

SMALL = {
    "num_games": 8,
    "num_blocks": 1,
    "channels": 4,
    "record_games": 8,
    "record_players": ("random",),
    "holdout": 0.5,
    "supervised_epochs": 1,
    "games_per_update": 4,
    "reinforce_updates": 1,
    "planner_config": {"num_simulations": 4},
    "num_rollouts": 1,
}


@pytest.fixture(scope="module")
def measured():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "in_processes", lambda function, work, jobs: [function(*each) for each in work])
        for name, value in {"CONFIG": SMALL, "GAMES": 4, "ENV_STEPS": 800}.items():
            patch.setattr(alphago, name, value)
        yield alphago.measure(seeds=(0,))


def test_the_score_is_the_least_of_three_duels_of_both_sides(measured):
    figures = measured.runs[0].figures
    duels = [figures[name] for name in ("rl_over_sl", "value_over_rl", "mix_over_value")]
    assert measured.runs[0].score == min(duels)
    assert figures["rl_over_sl"] == (figures["rl_over_sl_first"] + figures["rl_over_sl_second"]) / 2


def test_all_four_players_meet_minimax(measured):
    for run in (*measured.runs, *(run for control in measured.controls for run in control.runs)):
        assert {f"{name}_vs_minimax" for name in ("sl", "rl", "value", "mix")} <= run.figures.keys()


def test_untrained_policies_are_the_same_player(measured):
    untrained = next(control for control in measured.controls if control.name == alphago.UNTRAINED)
    assert untrained.runs[0].figures["rl_over_sl"] == 0.5


def test_every_condition_of_the_bar_is_measured(measured):
    assert all(0.0 <= measured.runs[0].measure(each.metric) <= 1.0 for each in measured.bar.conditions)
