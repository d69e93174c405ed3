"""SB3-contrib's MaskablePPO learns Connect Four against an opponent, and is asked how it does against others."""

from __future__ import annotations

from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_util import make_vec_env

from zoo_mcts.arena import play_games
from zoo_mcts.games.envs import SelfPlayEnv
from zoo_mcts.games.lookup import make_game
from zoo_mcts.players import PolicyPlayer, make_player


def main(timesteps: int = 100_000, num_games: int = 200) -> float:
    env = make_vec_env(lambda: SelfPlayEnv("connect_four_v3", opponent="minimax:1"), n_envs=8, seed=0)
    learner = MaskablePPO("MultiInputPolicy", env, n_steps=256, batch_size=256, seed=0).learn(timesteps)
    game = make_game("connect_four_v3")
    for name in ("random", "minimax:1", "minimax:3"):
        games = play_games(game, PolicyPlayer(learner, "MaskablePPO"), make_player(name, game), num_games, seed=0)
        score = games.record(0).score
        print(f"MaskablePPO scores {score:.2f} against {name}")
    return score


if __name__ == "__main__":
    main()
