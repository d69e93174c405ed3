"""Games as Gymnasium environments by their ids."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from zoo_core import make_env
from zoo_core.testing import check_world_model
from zoo_core.testing.checks import plugin_checks
from zoo_mcts.games.catalogue import game_ids
from zoo_mcts.games.envs import SelfPlayEnv
from zoo_mcts.games.rules import RulesModel

TRIED = (
    "connect_four_v3",
    "chess_v6",
    "go_v5",
    "open_spiel/othello",
    "open_spiel/mancala",
    "open_spiel/gomoku",
)


@pytest.mark.parametrize("id", TRIED)
def test_a_game_is_an_environment_by_its_id(id):
    env = make_env(id)
    assert isinstance(env.unwrapped, SelfPlayEnv)
    assert env.unwrapped.game.id == id
    obs, _ = env.reset(seed=0)
    env.step(int(np.flatnonzero(obs["action_mask"])[0]))


def test_arguments_of_the_game_and_of_the_environment_go_together():
    env = make_env("go_v5", board_size=9, seat=0)
    assert env.observation_space["observation"].shape == (9, 9, 17)
    assert env.unwrapped.seat == 0


def test_all_games_are_registered_and_nothing_heavy_is_imported_for_it():
    code = (
        "import sys, gymnasium, zoo_mcts.games.registered, zoo_mcts.games.registered_open_spiel as r\n"
        "heavy = {'torch', 'pettingzoo', 'pyspiel', 'chess', 'numba', 'stable_baselines3'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(*[id for id, spec in gymnasium.registry.items() if 'zoo_mcts' in str(spec.entry_point)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == game_ids()


@pytest.mark.parametrize("name", ["zoo_mcts", "open_spiel"])
def test_the_package_of_environments_keeps_the_rules(name):
    checks = {check.name: check for check in plugin_checks(name)}
    own = [id for id in game_ids() if id.startswith("open_spiel/") == (name == "open_spiel")]
    assert [check[4:] for check in checks if check.startswith("env ")] == own
    for check in ("metadata", "imports nothing heavy", "registers environments", *(f"env {id}" for id in own[:4])):
        checks[check].run()


@pytest.mark.parametrize("id", ["open_spiel/othello", "open_spiel/mancala", "chess_v6", "go_v5"])
def test_rules_keep_the_contract_of_world_models(id):
    check_world_model(lambda: RulesModel(config={"game": id}), None)


def test_other_ids_are_as_they_were():
    assert gym.spec("CartPole-v1").id == "CartPole-v1"
    assert not isinstance(make_env("CartPole-v1").unwrapped, SelfPlayEnv)
