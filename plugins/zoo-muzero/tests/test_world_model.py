"""The model: what goes in, what its hidden states say, and what the compiled search makes of it."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.planner import Evaluation
from zoo_core.testing import check_world_model
from zoo_core.world_model import repeat
from zoo_mcts.games.lookup import make_game
from zoo_mcts.policy_search import MCTS, GumbelMCTS
from zoo_muzero.world_model import MuZeroModel

SMALL = {"latent": 8, "hidden": 16, "channels": 4, "num_blocks": 1, "value_support": 5, "reward_support": 5}
VIEWS = {
    "vector": spaces.Box(-1, 1, (5,), np.float32),
    "place": spaces.Discrete(7),
    "image": spaces.Box(0, 255, (20, 24, 3), np.uint8),
    "grey image": spaces.Box(0, 255, (12, 12), np.uint8),
    "flags": spaces.Box(0, 1, (10, 10, 4), bool),
    "board": make_game("connect_four_v3").observation_space,
}


def make(view, **config):
    space = VIEWS[view]
    num_actions = space["action_mask"].shape[0] if view == "board" else 3
    model = MuZeroModel(space, spaces.Discrete(num_actions), {**SMALL, **config}, seed=0)
    wake(model)
    return model


def wake(model):
    """Gives the last layers weights: they begin as zeros."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.1)


def see(model, num=4, seed=0):
    space = model.observation_space
    space.seed(seed)
    rows = zoo_core.spaces.batch_of(space, [space.sample() for _ in range(num)])
    if model.masked:
        rows["action_mask"][:, 0] = 1
    return zoo_core.spaces.to_tensor(space, rows)


def begin(model, num=4):
    return model.observe(None, None, see(model, num), None, rng=zoo_core.rng(0))


class World(gym.Env):
    """Shows anything, and ends after some steps."""

    def __init__(self, space):
        self.observation_space, self.action_space, self.t = space, spaces.Discrete(3), 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.t += 1
        return self.observation_space.sample(), float(action), self.t == 5, False, {}


@pytest.mark.parametrize("history", [1, 3])
@pytest.mark.parametrize("view", [name for name in VIEWS if name != "board"])
def test_the_model_keeps_the_contract(view, history):
    env = World(VIEWS[view])
    env.observation_space.seed(0)
    replay = zoo_core.Replay.collect(env, 40, seed=0)
    config = {**SMALL, "history": history, "batch_size": 8, "unroll_steps": 2, "td_steps": 2}
    check_world_model(
        lambda: MuZeroModel(env.observation_space, env.action_space, config, seed=0), replay, max_updates=3
    )


def test_the_model_of_a_board_game_keeps_the_contract():
    game = make_game("connect_four_v3")
    model = MuZeroModel(game.observation_space, game.action_space, {**SMALL, "players": 2}, seed=0)
    model.starts = {
        "observation": game.observe(game.initial(2)),
        "action_mask": game.legal(game.initial(2)).astype(np.int8),
    }
    check_world_model(model)


@pytest.mark.parametrize("view", VIEWS)
def test_hidden_states_reach_from_0_to_1(view):
    model = make(view)
    state = begin(model)
    for _ in range(2):
        flat = state.hidden.flatten(1)
        torch.testing.assert_close(flat.amin(1), torch.zeros(4))
        torch.testing.assert_close(flat.amax(1), torch.ones(4))
        state = model.step(state, torch.tensor([0, 1, 2, 0]), rng=zoo_core.rng(0)).state


def test_players_alternate_in_a_game_of_two_and_nothing_ever_ends():
    step = make("board", players=2).step(begin(make("board")), torch.zeros(4).long(), rng=zoo_core.rng(0))
    assert step.sign == -1.0
    assert step.continues.tolist() == [1.0] * 4
    alone = make("vector")
    assert alone.step(begin(alone), torch.zeros(4).long(), rng=zoo_core.rng(0)).sign == 1.0


def test_the_mask_is_that_of_the_real_root_and_imagined_states_have_none():
    model = make("board", players=2)
    obs = see(model)
    root = model.observe(None, None, obs, None, rng=zoo_core.rng(0))
    assert torch.equal(model.legal_actions(root), obs["action_mask"].bool())
    assert model.legal_actions(model.step(root, torch.zeros(4).long(), rng=zoo_core.rng(0)).state).all()


def test_it_cannot_show_what_it_imagines():
    model = make("vector")
    with pytest.raises(zoo_core.Undecodable, match="MuZeroModel cannot decode observations"):
        model.decode(begin(model))


@pytest.mark.parametrize("view", ["vector", "flags"])
def test_the_past_counts_within_the_history_and_no_further(view):
    model, rng = make(view, history=3), zoo_core.rng(0)
    first = torch.tensor([False])

    def filtered(seeds, actions):
        state = None
        for t, seed in enumerate(seeds):
            action = None if t == 0 else torch.tensor([actions[t - 1]])
            state = model.observe(state, action, see(model, 1, seed), None if t == 0 else first, rng=rng)
        return state.hidden

    base = filtered([0, 1, 2, 3], [0, 1, 2])
    torch.testing.assert_close(filtered([9, 1, 2, 3], [2, 1, 2]), base)
    assert not torch.allclose(filtered([0, 9, 2, 3], [0, 1, 2]), base)
    assert not torch.allclose(filtered([0, 1, 2, 3], [0, 0, 2]), base)
    assert not torch.allclose(filtered([0, 1, 2, 3], [0, 1, 1]), base)


def test_where_an_episode_begins_the_past_is_forgotten():
    model, rng = make("vector", history=3), zoo_core.rng(0)
    past = model.observe(None, None, see(model, 2, 1), None, rng=rng)
    obs, is_first = see(model, 2, 2), torch.tensor([True, False])
    seen = model.observe(past, torch.tensor([1, 1]), obs, is_first, rng=rng)
    begun = model.observe(None, None, obs, None, rng=rng)
    torch.testing.assert_close(seen.hidden[0], begun.hidden[0])
    assert not torch.allclose(seen.hidden[1], begun.hidden[1])
    assert seen.actions.tolist() == [[-1, -1], [-1, 1]]


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize("planner", [MCTS, GumbelMCTS])
def test_the_compiled_search_finds_what_the_search_by_calls_finds(planner, players):
    model = make("vector", players=players, num_layers=2)
    root = begin(model, 8)
    config = {"num_simulations": 20, "gamma": 0.9}
    plans = [
        planner(planner.config_class(**config, compiled=compiled), evaluate=model.evaluate).plan(
            model, root, rng=zoo_core.rng(1)
        )
        for compiled in (True, False)
    ]
    assert torch.equal(plans[0].action, plans[1].action)
    torch.testing.assert_close(plans[0].weights, plans[1].weights)
    torch.testing.assert_close(plans[0].value, plans[1].value, rtol=1e-3, atol=1e-4)


def test_convolutions_have_no_dense_layers_to_search():
    assert make("flags").dense() is None
    assert make("vector").dense() is not None


def test_an_untrained_model_prefers_nothing_and_expects_nothing():
    model = MuZeroModel(VIEWS["vector"], spaces.Discrete(3), SMALL, seed=0)
    value, logits, _ = Evaluation(*model.evaluate(begin(model)))
    torch.testing.assert_close(value, torch.zeros(4))
    torch.testing.assert_close(logits, torch.zeros(4, 3))


def test_the_learning_rate_decays_by_updates():
    model = make("vector", learning_rate=0.1, learning_rate_decay=0.01, decay_steps=4)
    model.updates.fill_(2)
    model._set_learning_rate()
    assert model.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_the_discount_and_the_targets_are_those_of_the_kind():
    alone, both = make("vector").config, make("board", players=2).config
    assert (alone.discount, alone.value_steps, alone.value_share) == (0.997, 10, 0.25)
    assert (both.discount, both.value_steps, both.value_share) == (1.0, 0, 1.0)
    chosen = make("board", players=2, gamma=0.9, td_steps=3, value_weight=0.5).config
    assert (chosen.discount, chosen.value_steps, chosen.value_share) == (0.9, 3, 0.5)


def test_a_fit_learns_the_reward_of_an_action():
    """The reward is the number of the action, and is learned from experience of which nothing was searched."""
    env = World(VIEWS["vector"])
    env.observation_space.seed(0)
    replay = zoo_core.Replay.collect(env, 300, seed=0)
    config = {**SMALL, "hidden": 32, "batch_size": 64, "td_steps": 3, "learning_rate": 1e-2, "num_updates": 200}
    model = MuZeroModel(env.observation_space, env.action_space, config, seed=0)
    model.fit(replay, rng=zoo_core.rng(0))
    roots = repeat(begin(model, 64), 3)
    with torch.no_grad():
        reward = model.step(roots, torch.arange(3).repeat(64), rng=zoo_core.rng(0)).reward.reshape(64, 3)
    torch.testing.assert_close(reward.mean(0), torch.tensor([0.0, 1.0, 2.0]), atol=0.3, rtol=0.0)  # untrained all are 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network": "conv"}, r"convolutions need observations \[H, W, C\], got \[5\]: set network=mlp"),
        ({"network": "transformer"}, "network has no choice 'transformer'"),
        ({"players": 3}, r"players must be in \[1, 2\], got 3"),
        ({"gamma": 0.0}, r"gamma must be in \(0.0, 1.0\], got 0.0"),
        ({"unroll_steps": 0}, "unroll_steps must be in"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        make("vector", **config)


def test_actions_must_be_discrete():
    with pytest.raises(zoo_core.UnsupportedSpaceError, match="muzero takes Discrete action spaces"):
        MuZeroModel(VIEWS["vector"], spaces.Box(-1, 1, (1,)), SMALL)
