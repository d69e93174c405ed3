"""Games by an environment of which positions are replayed."""

import copy
import functools

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import aec_to_parallel, parallel_to_aec

from zoo_core.errors import ZooError
from zoo_core.world_model import index, load_model, put, repeat
from zoo_mcts.games.lookup import game_of, make_game
from zoo_mcts.games.replayed import ReplayedGame
from zoo_mcts.games.rules import RulesModel


@pytest.fixture
def counted(dots_and_boxes, monkeypatch):
    """Returns a game, and a list that gets an entry for every step that its environments make."""
    steps, step = [], dots_and_boxes.raw_env.step

    def count(env, action):
        steps.append(action)
        step(env, action)

    monkeypatch.setattr(dots_and_boxes.raw_env, "step", count)
    monkeypatch.setattr(copy, "deepcopy", None)
    game = game_of(dots_and_boxes.env)
    steps.clear()
    return game, steps


def test_who_closes_a_box_moves_again_and_keeps_the_sign(play_line):
    game = make_game("dots_and_boxes:env", size=1)
    three, four = play_line(game, 0, 1, 2), play_line(game, 0, 1, 2, 3)
    assert three.sign.tolist() == [-1.0]
    assert (four.reward.tolist(), four.over.tolist()) == ([1.0], [True])
    bigger = make_game("dots_and_boxes:env")
    closed = play_line(bigger, 0, 2, 6, 7)  # the lines of the first box
    assert (closed.reward.tolist(), closed.sign.tolist(), closed.over.tolist()) == ([1.0], [1.0], [False])
    assert bigger.player(closed.state).tolist() == [1]


def test_a_game_that_goes_on_costs_a_step_a_move(counted, random_moves):
    game, steps = counted
    rng, state, plies = np.random.default_rng(0), game.initial(8), 0
    while not game.over(state).all():
        plies += int((~game.over(state)).sum())
        state = game.play(state, random_moves(game.legal(state), rng)).state
    assert len(steps) == plies


def test_an_earlier_position_is_reached_by_the_moves_that_are_missing(counted, play_line):
    game, steps = counted
    first = play_line(game, 0, 1, 2).state
    game.play(first, np.array([3]))
    assert len(steps) == 4
    game.play(first, np.array([4]))  # the environment went on to the fourth move: three are replayed
    assert len(steps) == 8


def test_clones_do_not_meet(play_line):
    game = make_game("dots_and_boxes:env")
    here = play_line(game, 0, 2, 6).state
    children = game.play(repeat(here, 9), np.flatnonzero(game.legal(here)[0])).state
    assert game.observe(children)[:, :-1].sum(1).tolist() == [4] * 9
    assert game.observe(here)[0, :-1].sum() == 3
    mixed = put(children, np.array([0]), index(here, np.array([0])))
    assert game.observe(mixed)[:, :-1].sum(1).tolist() == [3] + [4] * 8


def test_no_more_environments_live_than_are_allowed(dots_and_boxes):
    made = []

    def make():
        made.append(dots_and_boxes.env())
        return made[-1]

    game = ReplayedGame(make, num_live=3)
    begun = len(made)
    state = game.initial(10)
    for move in range(4):
        state = game.play(state, np.full(10, move)).state
    assert game.observe(state)[:, :4].all()
    assert len(made) - begun <= 5


def test_an_illegal_move_loses_and_what_was_seen_remains(play_line):
    game = make_game("dots_and_boxes:env")
    played = play_line(game, 0, 0)
    assert (played.reward.tolist(), played.over.tolist()) == ([-1.0], [True])
    assert game.observe(played.state)[0, :-1].sum() == 1


def test_the_rules_are_a_world_model_whatever_the_name(dots_and_boxes):
    model = RulesModel.of(game_of(lambda: dots_and_boxes.env(size=1)))
    assert model.action_space == spaces.Discrete(4)
    assert (model.config.game, model.game.id) == ("dots_and_boxes_v0", "dots_and_boxes_v0")


def test_a_file_does_not_bring_in_an_environment(tmp_path, dots_and_boxes):
    RulesModel.of(game_of(dots_and_boxes)).save(tmp_path / "rules")
    with pytest.raises(ZooError, match=r"unknown game 'dots_and_boxes_v0'.*of your own is given.*module:function"):
        load_model(tmp_path / "rules")
    assert load_model(tmp_path / "rules", game="dots_and_boxes:env").action_space == spaces.Discrete(12)


# -- from what it is made ----------------------------------------------------------------------------------------------


def test_a_module_a_function_a_class_an_instance_and_a_name_are_the_same_game(dots_and_boxes):
    raw, env = dots_and_boxes.raw_env, dots_and_boxes.env
    for way in (
        dots_and_boxes,
        env,
        raw,
        raw(),
        env(),
        wrappers.TerminateIllegalWrapper(raw(), -1),
        f"{raw.__module__}:env",
    ):
        game = game_of(way)
        assert (type(game), game.id, game.num_actions) == (ReplayedGame, "dots_and_boxes_v0", 12)


def test_an_instance_tells_its_arguments(dots_and_boxes):
    for env in (dots_and_boxes.env(size=3), dots_and_boxes.raw_env(3)):
        assert game_of(env).num_actions == 24
    assert make_game("dots_and_boxes:env", size=3).num_actions == 24


def test_an_instance_that_keeps_no_arguments_is_refused_with_what_to_give(dots_and_boxes):
    class Own(dots_and_boxes.raw_env):
        def __init__(self, board):
            super().__init__(size=board // 2)

    with pytest.raises(ValueError, match=r"cannot be replayed: Own takes arguments.*lambda: Own\(\.\.\.\)"):
        game_of(Own(2))
    assert game_of(functools.partial(Own, 2)).num_actions == 4


def test_a_wrapper_that_may_change_the_rules_is_not_left_out(dots_and_boxes):
    class Other(wrappers.BaseWrapper):
        def step(self, action):
            super().step(self.num_lines - 1 - action)

        def observe(self, agent):
            seen = super().observe(agent)
            return {**seen, "action_mask": seen["action_mask"][::-1]}

    with pytest.raises(ValueError, match="Other may change the rules, and how it was made is not known"):
        game_of(Other(dots_and_boxes.env()))
    game = game_of(lambda: Other(dots_and_boxes.env()))
    after = game.play(game.initial(1), np.array([0])).state
    assert np.flatnonzero(game.observe(after)[0, :-1]).tolist() == [11]


def test_masks_may_be_in_the_info(dots_and_boxes):
    class InInfo(dots_and_boxes.raw_env):
        def observation_space(self, agent):
            return super().observation_space(agent)["observation"]

        def observe(self, agent):
            shown = super().observe(agent)
            self.infos = {each: {"action_mask": shown["action_mask"]} for each in self.agents}
            return shown["observation"]

        def reset(self, seed=None, options=None):
            super().reset(seed)
            self.observe(self.agents[0])

    assert game_of(InInfo).legal(game_of(InInfo).initial(1)).tolist() == [[True] * 12]


# -- what does not fit -------------------------------------------------------------------------------------------------


def broken(raw_env, **changes):
    """Returns a class of environments with some methods or attributes changed."""
    return type("Broken", (raw_env,), changes)


def test_chance_that_keeps_to_no_seed_is_found(dots_and_boxes):
    rng = np.random.default_rng(0)

    def observe(env, agent):
        shown = dots_and_boxes.raw_env.observe(env, agent)
        return {**shown, "observation": shown["observation"] * rng.integers(2, size=13, dtype=np.int8)}

    with pytest.raises(ValueError, match=r"did not lead to the same observations, so chance plays a part"):
        game_of(broken(dots_and_boxes.raw_env, observe=observe))


def test_a_game_in_which_both_win_is_refused(dots_and_boxes):
    def step(env, action):
        dots_and_boxes.raw_env.step(env, action)
        env.rewards = dict.fromkeys(env.agents, 1)

    with pytest.raises(ValueError, match=r"what one wins is not what the other loses, rewards were \(1.0, 1.0\)"):
        game_of(broken(dots_and_boxes.raw_env, step=step))


def test_an_environment_without_action_masks_is_refused(dots_and_boxes):
    view = spaces.Box(0, 1, (13,), np.int8)
    bare = broken(dots_and_boxes.raw_env, observation_space=lambda env, agent: view)
    with pytest.raises(ValueError, match=r"dots_and_boxes_v0 does not fit: it needs action masks: observations \{"):
        game_of(bare)


def test_actions_that_are_not_discrete_are_refused(dots_and_boxes):
    box = broken(dots_and_boxes.raw_env, action_space=lambda env, agent: spaces.Box(0, 1))
    with pytest.raises(ValueError, match="actions must be Discrete, from 0 on; those of left are Box"):
        game_of(box)


def test_three_players_are_refused(dots_and_boxes):
    def many():
        env = dots_and_boxes.raw_env()
        env.possible_agents = ["left", "right", "middle"]
        return env

    with pytest.raises(ValueError, match="two players are needed, it has 3: left, right, middle"):
        game_of(many)


def test_a_position_without_a_legal_move_is_refused(dots_and_boxes):
    def observe(env, agent):
        shown = dots_and_boxes.raw_env.observe(env, agent)
        return {**shown, "action_mask": shown["action_mask"] * (env.lines.sum() < 3)}

    with pytest.raises(ValueError, match="has no legal move, and the game is not over"):
        game_of(broken(dots_and_boxes.raw_env, observe=observe))


def test_simultaneous_moves_are_refused(dots_and_boxes):
    at_once = broken(dots_and_boxes.raw_env, metadata={"name": "at_once", "is_parallelizable": True})
    parallel = aec_to_parallel(at_once())
    for env in (at_once, at_once(), parallel, parallel_to_aec(parallel)):
        with pytest.raises(ValueError, match="at_once does not fit: moves are simultaneous"):
            game_of(env)
