"""The agent: its phases, what each learns from, and going on between any two of them."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_alphazero.alphago.agent import PHASES, AlphaGo
from zoo_alphazero.alphago.config import AlphaGoConfig
from zoo_alphazero.alphago.movers import Ended
from zoo_alphazero.alphago.networks import log_policy
from zoo_alphazero.alphago.records import RecordError, positions_at
from zoo_core import ConfigError
from zoo_core.checkpoint import Checkpoints
from zoo_core.errors import ZooError
from zoo_core.testing.checks.resume import saved

STEPS = 400


@pytest.fixture
def run(small):
    """Returns an agent that learned, and the phases that its iterations were in, with the steps before and after."""

    def learn(steps=STEPS, **changes):
        agent, seen = small(**changes), []
        iterate = agent.iterate

        def watched():
            phase, before = agent.phase, agent.num_timesteps
            metrics = iterate()
            seen.append((phase, before, agent.num_timesteps, metrics))
            return metrics

        agent.iterate = watched
        agent.learn(steps)
        del agent.iterate
        return agent, seen

    return learn


def chance(agent, name, game, moves, then):
    """Returns the probability of a move of a policy, after some moves."""
    state = game.initial(1)
    for move in moves:
        state = game.play(state, np.array([move])).state
    return float(
        log_policy(agent.learner.logits(name)(game.observe(state)), torch.from_numpy(game.legal(state)))[0, then].exp()
    )


# -- phases ------------------------------------------------------------------------------------------------------------


def test_the_phases_follow_each_other_and_only_games_make_steps(run):
    agent, seen = run()
    assert list(dict.fromkeys(phase for phase, *_ in seen)) == list(PHASES)
    assert all(before == after for phase, before, after, _ in seen if phase == "supervise")
    assert sum(after - before for _, before, after, _ in seen) == agent.num_timesteps == STEPS
    assert [phase for phase, *_ in seen].count("supervise") == 2  # epochs


def test_each_phase_says_how_well_it_goes(run):
    _, seen = run()
    metrics = {name for *_, each in seen for name in each}
    assert {
        "record/games",
        "supervise/sl_accuracy",
        "supervise/rollout_accuracy",
        "reinforce/score",
        "value/held_out_error",
    } <= metrics


def test_the_learning_policy_begins_as_the_supervised_one(small):
    agent = small(reinforce_updates=0).learn(STEPS)
    for first, second in zip(
        agent.learner.networks["sl"].parameters(), agent.learner.networks["rl"].parameters(), strict=True
    ):
        torch.testing.assert_close(first, second)


def test_reinforcement_leaves_the_supervised_policy_alone(small, until):
    agent = until(small(), "reinforce")
    before = [value.clone() for value in agent.learner.networks["sl"].state_dict().values()]
    agent.learn(STEPS)
    assert agent.phase == "value"
    assert all(
        torch.equal(a, b) for a, b in zip(before, agent.learner.networks["sl"].state_dict().values(), strict=True)
    )
    assert not torch.equal(agent.learner.networks["rl"].head.weight, agent.learner.networks["sl"].head.weight)


def test_the_pool_takes_up_the_learner_every_few_updates(small):
    assert len(small(reinforce_updates=5, pool_interval=2).learn(STEPS).learner.pool) == 1 + 5 // 2


def test_the_second_pass_begins_anew_from_the_supervised_policy_with_a_baseline(run):
    agent, seen = run(900, passes=2, value_games=8)
    assert [phase for i, (phase, *_) in enumerate(seen) if i == 0 or seen[i - 1][0] != phase] == [
        *PHASES,
        "reinforce",
        "value",
    ]
    assert agent.pass_index == 1


# -- reinforce ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seat", "lost"), [(0, False), (1, True)])
def test_a_step_of_reinforce_moves_the_learners_moves_alone_and_the_right_way(small, game, seat, lost):
    agent = small(reinforce_learning_rate=0.01)
    agent._enter("reinforce")
    moves = [0, 3, 1, 4, 2]  # who began wins
    before = [chance(agent, "rl", game, moves[:i], moves[i]) for i in range(5)]
    agent._update_policy([Ended(moves, 1.0, seat)])
    after = [chance(agent, "rl", game, moves[:i], moves[i]) for i in range(5)]
    mine = range(seat, 5, 2)
    assert all((after[i] < before[i]) == lost for i in mine)


def test_the_baseline_is_the_value_of_the_position(small, game, monkeypatch):
    agent = small(reinforce_learning_rate=0.01)
    agent._enter("reinforce")
    agent.pass_index = 1
    monkeypatch.setattr("zoo_alphazero.alphago.learner.value_of", lambda network, planes: torch.ones(len(planes)))
    before = [value.clone() for value in agent.learner.networks["rl"].parameters()]
    agent._update_policy([Ended([0, 3, 1, 4, 2], 1.0, 0)])  # z - v(s) is 0 everywhere
    assert all(torch.equal(a, b) for a, b in zip(before, agent.learner.networks["rl"].parameters(), strict=True))


# -- value -------------------------------------------------------------------------------------------------------------


def test_one_position_a_game_is_learned_from_that_after_the_random_move(small, game, monkeypatch):
    agent = small(value_samples=0.0)
    agent._enter("value")
    ended = [Ended([0, 3, 1, 4, 2], 1.0, 1), Ended([0, 3, 1, 4, 8, 5], -1.0, 4), Ended([0, 3, 1, 4, 2], 1.0, 5)]
    monkeypatch.setattr(agent, "_play", lambda num, make_mover: ended)
    agent.learn_value()
    assert agent.examples["outcome"].tolist() == [-1.0, -1.0]  # o is to move and loses, x is to move and loses
    stones = agent.examples["planes"].reshape(2, -1).sum(1)
    assert stones.tolist() == [1, 4]  # the third game was over with its fifth move: no position is left of it


def test_examples_are_positions_of_games_that_were_played(small, game, monkeypatch):
    agent, played = small(), []
    monkeypatch.setattr(
        "zoo_alphazero.alphago.agent.positions_at",
        lambda rules, records, plies: played.append((records, plies)) or positions_at(rules, records, plies),
    )
    agent.learn(STEPS)
    assert sum(len(records) for records, _ in played) == len(agent.examples["outcome"]) > 10
    assert all((plies >= 1).all() and (plies < records.lengths).all() for records, plies in played)


# -- the search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", [0.0, 0.25, 1.0])
def test_a_leaf_is_worth_the_mix_of_value_and_rollout(small, game, monkeypatch, mix):
    agent = small(value_mix=mix)
    monkeypatch.setattr("zoo_alphazero.alphago.agent.value_of", lambda network, planes: torch.full((len(planes),), 0.5))
    monkeypatch.setattr(
        "zoo_alphazero.alphago.agent.rollouts", lambda game, state, *_, rng: np.full(len(state.over), -1.0, np.float32)
    )
    value = agent.evaluate(game.initial(3), rng=zoo_core.rng(0)).value
    torch.testing.assert_close(value, torch.full((3,), (1 - mix) * 0.5 - mix))


def test_rollouts_of_a_leaf_are_averaged(small, game):
    state = game.initial(1)
    for move in (0, 1, 2, 5, 6, 8):  # x is to move: 3, 4 and 7 are left
        state = game.play(state, np.array([move])).state
    agent = small(num_rollouts=3_000)
    value = agent.evaluate(state, rng=zoo_core.rng(0), value_mix=1.0).value
    # 3 and 4 win at once; after 7 o takes one of them, and x wins with the other
    torch.testing.assert_close(value, torch.ones(1))


def test_the_prior_is_that_of_the_supervised_policy_over_the_temperature(small, game):
    agent = small(prior_temperature=0.5)
    agent._enter("reinforce")
    with torch.no_grad():
        agent.learner.networks["rl"].head.bias += torch.arange(9.0)
    agent.learner._frozen.clear()
    state = game.initial(2)
    logits = agent.evaluate(state, rng=zoo_core.rng(0)).logits
    torch.testing.assert_close(logits, 2.0 * agent.learner.logits("sl")(game.observe(state)))


@pytest.mark.parametrize("kind", ["search with value", "search with mix"])
def test_the_search_wins_where_it_can_whatever_was_learned(small, game, kind):
    state = game.initial(1)
    for move in (0, 3, 1, 4):
        state = game.play(state, np.array([move])).state
    choice = small().player(kind, num_simulations=100).choose(game, state, rng=np.random.default_rng(0))
    assert choice.action.tolist() == [2]
    assert choice.weights[0, [0, 1, 3, 4]].sum() == 0.0


def test_one_search_has_the_value_alone_and_the_other_the_mix_of_the_config(small, game, monkeypatch):
    agent, asked = small(value_mix=0.5), []
    original = agent.evaluate

    def evaluate(state, *, rng, value_mix=None):
        asked.append(agent.config.value_mix if value_mix is None else value_mix)
        return original(state, rng=rng, value_mix=value_mix)

    monkeypatch.setattr(agent, "evaluate", evaluate)
    for kind, mix in (("search with value", 0.0), ("search with mix", 0.5)):
        agent.player(kind).choose(game, game.initial(1), rng=np.random.default_rng(0))
        assert {*asked} == {mix}
        asked.clear()


def test_the_networks_alone_play_their_likeliest_legal_move(small, game):
    agent = small().learn(STEPS)
    state = game.play(game.initial(1), np.array([4])).state
    for kind in ("sl", "rl"):
        logits = agent.learner.logits(kind)(game.observe(state)).masked_fill(
            ~torch.from_numpy(game.legal(state)), -torch.inf
        )
        choice = agent.player(kind).choose(game, state, rng=np.random.default_rng(0))
        assert choice.action.tolist() == logits.argmax(1).tolist() != [4]


def test_an_unknown_player_is_answered_by_those_there_are(small):
    with pytest.raises(ValueError, match="kind has no choice 'rll': did you mean 'rl'"):
        small().player("rll")


def test_predict_is_the_reinforced_policy_once_there_is_one(small, game):
    agent = small().learn(STEPS)
    state = game.initial(1)
    seen = {"observation": game.observe(state), "action_mask": game.legal(state).astype(np.int8)}
    choice = agent.player("rl").choose(game, state, rng=np.random.default_rng(0))
    assert agent.predict(seen, deterministic=True)[0].tolist() == choice.action.tolist()


# -- records -----------------------------------------------------------------------------------------------------------


def test_games_of_a_file_take_the_place_of_the_bots(small, games, tmp_path):
    path = games[np.arange(3).repeat(4)].save(tmp_path / "games")
    agent = small(records=str(path)).learn(4)
    assert agent.records["lengths"].tolist() == [5] * 4 + [6] * 4 + [9] * 4
    assert agent.phase == "reinforce"


def test_what_bots_played_can_be_kept_and_learned_from_again(small, until, tmp_path):
    first = until(small(), "supervise")
    path = first.recorded_games().save(tmp_path / "games")
    second = until(small(records=str(path)), "reinforce")
    assert second.num_timesteps == 0
    np.testing.assert_array_equal(second.records["moves"], first.records["moves"])


def test_records_can_be_handed_over(small, games):
    agent = small()
    agent.take(games)
    assert (agent.phase, len(agent.records["results"])) == ("supervise", 3)


def test_records_of_another_game_are_refused(small, games):
    with pytest.raises(RecordError, match=r"records has games of tictactoe_v3 {}, expected connect_four_v3"):
        small("connect_four_v3").take(games)


def test_a_file_that_is_missing_is_named(small):
    with pytest.raises(RecordError, match="there are no records of games at nowhere"):
        small(records="nowhere.zip").learn(4)


def test_too_few_games_to_hold_some_out_are_named(small, games):
    agent = small()
    agent.take(games[np.array([0])])
    with pytest.raises(ZooError, match="1 recorded games are too few"):
        agent.supervise()


def test_an_agent_that_was_saved_without_its_records_says_so_where_it_needs_them(small, until, tmp_path):
    agent = until(small(), "supervise")
    path = agent.save(tmp_path / "agent", exclude=agent.recordings)
    with pytest.raises(ZooError, match="no records of games, or not any more"):
        AlphaGo.load(path, env="tictactoe_v3", device="cpu").learn(4)


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [12, 40, 100, 136, 300])
def test_a_run_that_is_stopped_between_phases_goes_on_byte_for_byte(small, tmp_path, every):
    whole, stopped, resumed = (small(passes=2, value_games=8) for _ in range(3))
    whole.learn(600, checkpoints=Checkpoints(tmp_path / "whole", every=every))
    stopped.learn(
        600,
        callback=lambda *_: stopped.num_timesteps < every + 30,
        checkpoints=Checkpoints(tmp_path / "stopped", every=every),
    )
    resumed.learn(600, checkpoints=Checkpoints(tmp_path / "stopped", every=every, resume=True))
    assert stopped.num_timesteps < whole.num_timesteps
    assert saved(resumed) == saved(whole)
    assert all(torch.equal(a, b) for a, b in zip(*(_streams(each) for each in (whole, resumed)), strict=True))


def _streams(agent):
    state = agent.to_checkpoint()
    return state["learning"], state["playing"]


@pytest.mark.parametrize("phase", PHASES)
def test_an_agent_is_saved_in_every_phase_and_comes_back_the_same(small, until, tmp_path, phase):
    agent = until(small(), phase)
    again = zoo_core.load(agent.save(tmp_path / "agent"), env="tictactoe_v3", device="cpu")
    assert (again.phase, again.num_timesteps) == (phase, agent.num_timesteps)
    assert saved(again) == saved(agent)


def test_the_same_seed_gives_the_same_agent_and_another_one_another(small):
    first, twin, other = (small(seed=seed).learn(STEPS) for seed in (0, 0, 1))
    assert saved(first) == saved(twin) != saved(other)


def test_learning_stops_when_a_callback_says_so(small):
    agent = small()
    agent.learn(STEPS, callback=lambda *_: agent.num_timesteps < 60)
    assert agent.num_timesteps == 60


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"value_mix": 1.5}, r"value_mix must be in \[0.0, 1.0\], got 1.5"),
        ({"holdout": 0.0}, r"holdout must be in \(0.0, 0.5\], got 0.0"),
        ({"prior_temperature": 0.0}, r"prior_temperature must be in \(0.0, inf\), got 0.0"),
        ({"batch_size": 1}, r"batch_size must be in \[2, inf\), got 1"),
        ({"record_players": ()}, "record_players names nobody"),
        ({"network": "cnn"}, "network has no choice 'cnn'"),
        ({"pool_interval": 0}, r"pool_interval must be in \[1, inf\), got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(small, setting, message):
    with pytest.raises(ConfigError, match=message):
        small(**setting)


def test_an_unknown_bot_is_named(small):
    with pytest.raises(ZooError, match="minmax"):
        small(record_players=("minmax:3",)).learn(8)


def test_a_tower_needs_a_board(twice):
    with pytest.raises(ValueError, match="set network=mlp"):
        AlphaGo(twice, {"num_blocks": 1, "channels": 4}, seed=0)


def test_every_preset_is_a_config():
    for preset in AlphaGoConfig.presets:
        assert zoo_core.config.build_config(AlphaGoConfig, preset=preset)
