"""How MuZero acts, stores and learns, in environments and in board games."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

import zoo_core
from zoo_core.acting import as_vec_env
from zoo_core.config import build_config
from zoo_core.errors import ZooError
from zoo_core.planner import Plan
from zoo_core.testing import check_plugin, fakes
from zoo_core.testing.cases import register
from zoo_mcts.arena import play_games
from zoo_mcts.games import solved
from zoo_mcts.games.envs import SelfPlayEnv
from zoo_mcts.players import make_player
from zoo_muzero.acting import choose, temperature_at
from zoo_muzero.config import MuZeroConfig
from zoo_muzero.targets import CUT, GOES_ON, TERMINATED

GUMBEL = {"planner": "gumbel-mcts", "planner_config": {"num_simulations": 8}}  # nothing else makes it Gumbel MuZero


def stored(agent, name):
    """A column of the first stream, row by row."""
    replay = agent.replay
    return replay.read(name, replay._places(np.arange(replay.first, replay.end)))[0]


def test_the_plugin_keeps_the_rules():
    """Those of agents, models and checkpoints among them."""
    check_plugin("muzero")


@pytest.mark.parametrize("preset", MuZeroConfig.presets)
def test_every_preset_is_a_config(preset):
    assert build_config(MuZeroConfig, None, preset=preset).model == "muzero"


# -- environments ------------------------------------------------------------------------------------------------------


def test_every_step_is_stored_with_what_the_search_said(make, monkeypatch):
    agent, plans = make(), []
    plan = agent.searches.learning.plan

    def kept(*args, **kwargs):
        plans.append(plan(*args, **kwargs))
        return plans[-1]

    monkeypatch.setattr(agent.searches.learning, "plan", kept)
    agent.learn(30)
    np.testing.assert_array_equal(stored(agent, "value"), [float(each.value) for each in plans])
    np.testing.assert_array_equal(stored(agent, "policy"), np.stack([each.weights[0].numpy() for each in plans]))
    np.testing.assert_array_equal(stored(agent, "reward"), np.ones(30))


def test_an_episode_that_is_truncated_is_cut_and_one_that_ends_is_terminated(make):
    short = register("CartPole-v1")  # 15 steps
    agent = make(short).learn(100)
    after, first = stored(agent, "after"), stored(agent, "first")
    np.testing.assert_array_equal(first[1:], after[:-1] != GOES_ON)
    ends = np.flatnonzero(after != GOES_ON)
    lengths = np.diff(ends, prepend=-1)
    assert {CUT, TERMINATED} == set(after[ends])
    assert (lengths[after[ends] == CUT] == 15).all()


def test_the_first_updates_come_after_the_initial_steps(make):
    agent = make(config={"initial_steps": 40, "updates_per_step": 0.5, "model.td_steps": 1})
    agent.learn(39)
    assert agent.model.updates == 0
    agent.learn(21, reset_num_timesteps=False)
    assert agent.model.updates == 10


def test_several_environments_are_searched_at_once(make):
    agent = make(as_vec_env("CartPole-v1", num_envs=5, seed=0)).learn(60)
    assert (agent.replay.num_envs, len(agent.replay), agent.num_timesteps) == (5, 60, 60)


def test_an_image_is_learned_from(make):
    env = fakes.Corridor("image")
    agent = make(env, {"initial_steps": 8, "planner.num_simulations": 2, "model.history": 2}).learn(20)
    assert agent.model.updates > 0
    assert agent.model.dense() is None


def test_the_belief_of_acting_travels_in_the_state(make):
    agent = make(config={"model.history": 3}).learn(30)
    obs = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    _, state = agent.predict(obs[0], deterministic=True)
    _, state = agent.predict(obs[1], state, np.array([False, True]), deterministic=True)
    np.testing.assert_array_equal(state[0].frames[0], obs[:2, 0])
    np.testing.assert_array_equal(state[0].frames[1], [np.zeros(4), obs[1, 1]])


def test_an_environment_has_no_positions_to_search(make):
    with pytest.raises(ValueError, match="there are no positions in an environment"):
        make().search(None)


# -- temperature -------------------------------------------------------------------------------------------------------


def test_a_temperature_sharpens_the_visits():
    weights = torch.tensor([[0.2, 0.8, 0.0]]).repeat(20_000, 1)
    plan = Plan(weights.argmax(1), torch.zeros(20_000), weights=weights)
    for temperature in (1.0, 0.5):
        shares = choose(plan, temperature, rng=zoo_core.rng(0)).bincount(minlength=3) / 20_000
        expected = weights[0] ** (1 / temperature)
        torch.testing.assert_close(shares, expected / expected.sum(), atol=0.01, rtol=0.0)
    assert (choose(plan, 0.0, rng=zoo_core.rng(0)) == 1).all()


def test_temperatures_share_the_run():
    found = [temperature_at(progress, (1.0, 0.5, 0.25)) for progress in (0.0, 0.3, 0.34, 0.67, 1.0)]
    assert found == [1.0, 1.0, 0.5, 0.25, 0.25]


# -- board games -------------------------------------------------------------------------------------------------------


def test_both_sides_of_a_game_are_played_by_legal_moves(player):
    agent = player().learn(200)
    frames, action = stored(agent, "frame"), stored(agent, "action")
    taken = frames.reshape(len(frames), 9, 2).any(-1)
    assert not taken[np.arange(len(action)), action].any()
    assert (stored(agent, "policy")[taken] == 0.0).all()
    begins = np.flatnonzero(stored(agent, "first"))
    assert (stored(agent, "player")[begins] == 0).all()
    assert (np.diff(stored(agent, "player"))[begins[1:] - 2] != 0).all()


def test_the_value_of_a_game_is_its_result_for_whoever_moves(player):
    agent = player().learn(200)
    agent.replay.settle()
    after, target = stored(agent, "after"), stored(agent, "earned")
    ends = np.flatnonzero(after == TERMINATED)
    reward = stored(agent, "reward")[ends]
    assert reward.any()
    np.testing.assert_array_equal(target[ends], reward)
    long = ends > 0
    np.testing.assert_array_equal(target[ends[long] - 1], -reward[long])


def test_illegal_moves_are_never_chosen_at_the_root(player):
    agent, states = player(), solved.decision_states()
    plan = agent.search(states, num_simulations=4)
    legal = agent.game.legal(states)
    assert legal[np.arange(len(legal)), plan.action.numpy()].all()
    assert (plan.weights.numpy()[~legal] == 0.0).all()
    obs = {"observation": agent.game.observe(states), "action_mask": legal.astype(np.int8)}
    for deterministic in (True, False):
        moves, _ = agent.predict(obs, deterministic=deterministic)
        assert legal[np.arange(len(legal)), moves].all()


def test_a_random_opening_is_not_learned_from(player):
    agent = player(config={"random_opening": 4, "num_games": 1, "model.unroll_steps": 1})
    agent.learn(300)
    agent.replay.settle()
    first, after, weight = (stored(agent, name) for name in ("first", "after", "weight"))
    ply = np.arange(300) - np.maximum.accumulate(np.where(first, np.arange(300), 0))
    opening = (after == CUT) & (ply < 4)
    begins = {int(ply[i + 1]) for i in np.flatnonzero(opening[:-1] & ~opening[1:])}
    assert begins >= {1, 2, 3, 4}
    assert (weight[opening] == 0.0).all()


def test_the_best_moves_are_played_after_the_first_ones(player, monkeypatch):
    agent, heats = player(config={"temperature_moves": 2, "num_games": 1}), []

    def kept(plan, temperature, *, rng):
        heats.append(float(temperature))
        return choose(plan, temperature, rng=rng)

    monkeypatch.setattr("zoo_muzero.self_play.choose", kept)
    agent.learn(4)
    assert heats == [1.0, 1.0, 0.0, 0.0]


def test_gumbel_muzero_plays_the_survivor_and_learns_the_improved_policy(player, monkeypatch):
    agent, plans = player(config=GUMBEL), []
    plan = agent.searches.learning.plan

    def kept(*args, **kwargs):
        plans.append(plan(*args, **kwargs))
        return plans[-1]

    monkeypatch.setattr(agent.searches.learning, "plan", kept)
    agent.learn(40)
    np.testing.assert_array_equal(stored(agent, "action"), [int(each.action[0]) for each in plans])
    np.testing.assert_array_equal(stored(agent, "policy"), np.stack([each.weights[0].numpy() for each in plans]))
    assert agent.searches.learning.config.gumbel_scale == 1.0
    assert agent.searches.playing().config.gumbel_scale == 0.0


def test_play_has_no_noise_and_learning_has(player):
    agent = player()
    assert agent.searches.learning.config.noise_alpha == 1.0
    assert agent.searches.playing(5).config.noise_alpha is None
    assert agent.searches.playing(5).config.num_simulations == 5
    assert agent.searches.learning.config.gamma == 1.0


@pytest.mark.parametrize(
    "env", ["tictactoe_v3", SelfPlayEnv("tictactoe_v3"), DummyVecEnv([lambda: SelfPlayEnv("tictactoe_v3")])]
)
def test_every_face_of_a_game_is_that_game(player, env):
    agent = player(env)
    assert (agent.game.id, agent.env.num_envs, agent.model.num_players) == ("tictactoe_v3", 4, 2)


@pytest.mark.parametrize("config", [{}, GUMBEL])
def test_a_loaded_player_plays_the_same(player, config, tmp_path):
    agent, states = player(config=config).learn(120), solved.decision_states()
    loaded = zoo_core.load(agent.save(tmp_path / "agent"), device="cpu")
    plans = [each.search(states, rng=zoo_core.rng(0)) for each in (agent, loaded)]
    assert torch.equal(plans[0].action, plans[1].action)
    assert torch.equal(plans[0].value, plans[1].value)


def test_a_run_of_a_game_that_is_resumed_ends_as_one_that_never_stopped(player, tmp_path):
    whole, stopped, resumed = (player() for _ in range(3))

    def checkpoints(name, **kwargs):
        return zoo_core.Checkpoints(tmp_path / name, every=120, **kwargs)

    whole.learn(400, checkpoints=checkpoints("whole"))
    stopped.learn(400, callback=lambda *_: stopped.num_timesteps < 300, checkpoints=checkpoints("stopped"))
    resumed.learn(400, checkpoints=checkpoints("stopped", resume=True))
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])
    for first, second in zip(*(each.replay.since(None)[1].values() for each in (whole, resumed)), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize(("how", "visits"), [("", 8), (":3", 3), (":network", None)])
def test_a_saved_agent_plays_in_the_arena(player, how, visits, tmp_path):
    agent = player().learn(40)
    path = agent.save(tmp_path / "agent.zip")
    entrant = make_player(f"{path}{how}", agent.game)
    assert entrant.visits == visits
    played = play_games(agent.game, entrant, make_player("random", agent.game), 6, seed=0)
    assert 0.0 <= played.record(0).score <= 6.0


def test_another_game_is_refused(player):
    with pytest.raises(ValueError, match="the agent plays connect_four_v3, the environment is tictactoe_v3"):
        player("tictactoe_v3", {"game": "connect_four_v3"})


def test_an_environment_is_refused_where_a_game_is_named(make):
    with pytest.raises(ValueError, match="the agent plays connect_four_v3, the environment is no board game"):
        make(config={"game": "connect_four_v3"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"temperatures": ()}, "temperatures must have at least one number, got none"),
        ({"temperatures": (1.0, -1.0)}, r"a temperature must be in \[0.0, inf\), got -1.0"),
        ({"initial_steps": 0}, "initial_steps must be in"),
        ({"planner": "cem"}, "cem"),
        ({"model": "rssm"}, "rssm"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_step(make, config, message):
    with pytest.raises((ValueError, zoo_core.ZooError), match=message):
        make(config=config)


def test_dreams_begin_where_episodes_began(make, player):
    model = make().learn(60).world_model
    starts = model.starts
    assert 1 < len(starts) < 10
    assert (np.abs(starts) <= 0.05).all()  # where CartPole-v1 begins
    assert model.env_id == "CartPole-v1"
    assert 50 <= model.replay_steps <= 60  # at the last update
    quick = {"num_games": 600, "updates_per_step": 0.0, "planner.num_simulations": 1}
    boards = player(config=quick).learn(6_000).world_model.starts
    assert len(boards["observation"]) == 1_024
    assert not boards["observation"].any()
    assert boards["action_mask"].all()


def test_values_are_scaled_by_their_range_unless_the_settings_say_otherwise():
    config = {"planner_config": {"num_simulations": 3}}
    made = zoo_core.make_agent("muzero", "CartPole-v1", config, seed=0, device="cpu")
    assert made.searches.learning.config.value_scale == "min-max"
    config = {"planner_config": {"num_simulations": 3, "value_scale": "none"}}
    made = zoo_core.make_agent("muzero", "CartPole-v1", config, seed=0, device="cpu")
    assert made.searches.learning.config.value_scale == "none"


def test_a_game_in_which_one_may_move_twice_is_refused():
    config = {"num_games": 2, "initial_steps": 10_000, "planner_config": {"num_simulations": 2}}
    made = zoo_core.make_agent("muzero", "open_spiel/mancala", config, seed=0, device="cpu")
    with pytest.raises(ZooError, match="in open_spiel/mancala one may move twice, which its model cannot foresee"):
        made.learn(400)
