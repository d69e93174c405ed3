"""What agents share that play board games."""

import numpy as np
import pytest
import torch
from gymnasium import make as make_env

from zoo_core.planner import Evaluation, Plan
from zoo_mcts.game_agent import GameAgent, choose_moves
from zoo_mcts.games.envs import SelfPlayEnv
from zoo_mcts.games.lookup import make_game


class Favourite(GameAgent):
    """Prefers the last moves; learns how many iterations it made."""

    __module__ = "favourite"  # a name that a file may hold
    iterations = 0

    def evaluate_planes(self, planes):
        return Evaluation(torch.zeros(len(planes)), torch.arange(self.game.num_actions).expand(len(planes), -1) * 1.0)

    def search(self, state, *, num_simulations=None, rng=None, deterministic=True):
        logits = self.evaluate(state, rng=rng).logits
        return Plan(logits.argmax(1), torch.zeros(len(logits)))

    def iterate(self):
        state = self.env.venv.state
        seen = {"observation": self.game.observe(state), "action_mask": self.game.legal(state)}
        self.env.step(self.predict(seen)[0])
        self.iterations += 1
        return {}

    def to_file(self):
        return {"iterations": self.iterations}, {}

    def load_file(self, data, tensors):
        self.iterations = data["iterations"]


def agent(env="connect_four_v3", **config):
    return Favourite(env, {"num_games": 4, **config}, seed=0, device="cpu")


@pytest.mark.parametrize(
    "env",
    [
        "tictactoe_v3",
        make_game("tictactoe_v3"),
        SelfPlayEnv("tictactoe_v3", opponent="random"),
    ],
    ids=["id", "game", "env"],
)
def test_the_game_is_taken_from_whatever_says_it(env):
    made = agent(env)
    assert made.game.id == made.config.game == made.env_id == made.world_model.game.id == "tictactoe_v3"
    assert made.env.num_envs == 4


def test_an_env_step_is_a_move_in_one_game():
    made = agent().learn(80)
    assert (made.num_timesteps, made.iterations) == (80, 20)
    assert len(made.env.episodes) > 0


def test_the_network_alone_plays_the_likeliest_legal_move():
    seen = {"observation": np.zeros((2, 6, 7, 2), np.int8), "action_mask": np.ones((2, 7), np.int8)}
    seen["action_mask"][1, 5:] = 0
    assert agent().predict(seen, deterministic=True)[0].tolist() == [6, 4]
    single = {name: value[1] for name, value in seen.items()}
    action, _ = agent().predict(single, deterministic=True)
    assert action == 4
    assert np.ndim(action) == 0


def test_samples_follow_the_softmax_of_the_legal_moves():
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(20_000, -1)
    legal = torch.tensor([True, False, True]).expand(20_000, -1)
    moves = choose_moves(logits, legal, torch.Generator().manual_seed(0))
    shares = np.bincount(moves, minlength=3) / len(moves)
    np.testing.assert_allclose(shares, [5 / 7, 0.0, 2 / 7], atol=0.01)


def test_a_game_with_no_legal_move_left_gives_any_move():
    assert choose_moves(torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool), None).shape == (1,)


def test_it_is_loaded_with_its_game_and_without_an_environment(tmp_path):
    agent().learn(8).save(tmp_path / "agent")
    loaded = Favourite.load(tmp_path / "agent")
    assert (loaded.game.id, loaded.iterations) == ("connect_four_v3", 2)
    plan = loaded.search(loaded.game.initial(2))
    assert plan.action.tolist() == [6, 6]


def test_it_learns_on_after_it_was_loaded(tmp_path):
    agent().learn(8).save(tmp_path / "agent")
    loaded = Favourite.load(tmp_path / "agent", env="connect_four_v3")
    assert loaded.learn(8, reset_num_timesteps=False).num_timesteps == 16


def test_an_environment_of_another_game_is_refused(tmp_path):
    agent().save(tmp_path / "agent")
    message = "the agent plays connect_four_v3, the environment is tictactoe_v3: make an agent of its own for it"
    with pytest.raises(ValueError, match=message):
        Favourite.load(tmp_path / "agent", env="tictactoe_v3")
    with pytest.raises(ValueError, match=message):
        agent().set_env("tictactoe_v3")


def test_an_environment_with_a_single_agent_is_refused():
    with pytest.raises(ValueError, match="CartPole-v1 has a single agent: a board game of two players is needed"):
        agent(make_env("CartPole-v1"))


@pytest.mark.parametrize("env", ["go_v5", SelfPlayEnv("go_v5")], ids=["id", "env"])
def test_options_of_the_game_count_beside_those_of_the_environment(env):
    made = agent(env, game_kwargs={"board_size": 5})
    assert made.config.game_kwargs["board_size"] == 5
    assert made.observation_space["observation"].shape[:2] == (5, 5)
