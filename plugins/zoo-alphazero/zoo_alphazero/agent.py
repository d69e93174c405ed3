"""AlphaZero as an agent: self-play by search, and a network that learns what the search found."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_alphazero.config import AlphaZeroConfig
from zoo_alphazero.learner import Learner
from zoo_alphazero.losses import entropy
from zoo_alphazero.networks import PolicyValueNetwork, fold
from zoo_alphazero.replay import PositionReplay
from zoo_alphazero.self_play import Moment, SelfPlay, positions_of
from zoo_core.planner import Evaluation, Plan, Planner
from zoo_core.plugins import make_planner
from zoo_core.progress import Progress
from zoo_core.recording import Recording
from zoo_core.world_model import State
from zoo_mcts.game_agent import GameAgent

_QUIET = {"noise_alpha": None, "gumbel_scale": 0.0}  # options of planners that put noise into the root, and none


class AlphaZero(GameAgent):
    """AlphaZero (Silver et al. 2018, doi:10.1126/science.aar6404, methods).

    | in the paper | here |
    | --- | --- |
    | (p, v) = f_θ(s) | `evaluate_planes` |
    | search of the rules, from the position of every game | the config's planner in `rules`, one call for all games |
    | self-play: moves a ~ π, Dirichlet noise at the root | `SelfPlay.move` |
    | z of every position | `positions_of` |
    | l = (z - v)² - π · log p + c ‖θ‖² | `Learner.update` |

    With `planner="gumbel-mcts"` the policy target is that search's improved policy, and its moves are samples already
    (Danihelka et al. 2022): set `temperature_moves=0`.

    Differs from the paper: self-play and updates take turns. Positions are shown in the game's symmetries, as in
    AlphaGo Zero. Games may begin with random moves (`random_openings`), so that the network knows positions off the
    best path. Games that run when a checkpoint is taken are dropped.
    """

    config_class = AlphaZeroConfig
    config: AlphaZeroConfig

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.rules = self.rules.cpu()  # positions are there; a network on a GPU gets what players see, and nothing else
        config = self.config
        self.learner = Learner(self.game, config, seed=self.seed, device=self.device)
        self.replay = PositionReplay(self.game.view, self.game.num_actions, config.replay_size)
        self.self_play = SelfPlay(
            self.game,
            self.rules,
            num_games=self.env.num_envs,
            temperature_moves=config.temperature_moves,
            random_openings=config.random_openings,
            seed=self.seed,
        )
        self.planner = make_planner(config.planner, config.planner_config, evaluate=self.evaluate)
        self.planner.check(self.rules)
        self._due = 0.0  # updates that new positions are worth, and that were not made yet
        self._folded: PolicyValueNetwork | None = None

    # -- learning ------------------------------------------------------------------------------------------------------

    def iterate(self) -> dict[str, float]:
        """Plays for `steps_per_iteration` moves, then learns."""
        return self.play() | self.improve()

    def play(self) -> dict[str, float]:
        """Plays against itself, and keeps what is learned from the games that end."""
        begun, games, goal = time.perf_counter(), [], self.num_timesteps + self.config.steps_per_iteration
        num_timesteps = self.num_timesteps
        while self.num_timesteps < goal and self.remaining_timesteps > 0 and not self.env.stop:
            games += self.self_play.move(self.env, self.positions, self.planner)
        games = [game for game in games if game]
        for game in games:
            self.replay.add(positions_of(game))
        num_positions = sum(len(game) for game in games)
        self._due += num_positions * self.config.samples_per_position / self.config.batch_size
        seconds = max(time.perf_counter() - begun, 1e-9)
        metrics = {
            "self_play/games": float(len(games)),
            "self_play/plies_per_second": (self.num_timesteps - num_timesteps) / seconds,
        }
        return metrics | _judge(games) if games else metrics

    @property
    def positions(self) -> State:
        """The games that are being played."""
        env: Any = self.get_env()
        return env.state

    def improve(self) -> dict[str, float]:
        """Makes the updates that are due, once there is a batch to learn from."""
        num = int(self._due) if len(self.replay) >= self.config.batch_size else 0
        losses: list[dict[str, Tensor]] = []
        with Progress("updates", num, show=self.progress_bar) as progress:
            for i in range(num):
                losses.append(self.learner.learn(self.replay))
                progress.to(i + 1)
        if num == 0:
            return {}
        self._due -= num
        self._folded = None
        means = {name: float(torch.stack([each[name] for each in losses]).mean()) for name in losses[0]}
        return means | {"updates": float(self.learner.updates), "learning_rate": self.learner.learning_rate}

    def begin_episodes(self) -> None:
        """Begins all games anew."""
        super().begin_episodes()
        self.self_play.begin()

    # -- acting --------------------------------------------------------------------------------------------------------

    @property
    def acting_network(self) -> PolicyValueNetwork:
        """The network that plays."""
        return self.learner.network

    def evaluate_planes(self, planes: Tensor) -> Evaluation:
        """Returns what the network says of what players see."""
        if self._folded is None:
            self._folded = self.fold(self.acting_network)
        return Evaluation(*self._folded(planes))

    def fold(self, network: PolicyValueNetwork) -> PolicyValueNetwork:
        """Returns a copy of a network that is faster to ask, and cannot learn."""
        return fold(network, getattr(torch, self.config.inference))

    def search(
        self,
        state: State,
        *,
        num_simulations: int | None = None,
        rng: torch.Generator | None = None,
        deterministic: bool = True,
    ) -> Plan:
        """Searches from positions of the game, as self-play does; without noise at the root if `deterministic`."""
        planner = self.make_search(num_simulations, quiet=deterministic)
        return planner.plan(self.rules, state, rng=self._acting if rng is None else rng)

    def make_search(self, num_simulations: int | None = None, *, quiet: bool = True, evaluate: Any = None) -> Planner:
        """Returns the planner of the config.

        Args:
            num_simulations: in place of those of the config.
            quiet: without noise at the root.
            evaluate: in place of what the agent's network says.
        """
        options = self.planner.config
        names = {option.name for option in dataclasses.fields(options)}
        changed: dict[str, Any] = {name: value for name, value in _QUIET.items() if quiet and name in names}
        if num_simulations is not None:
            changed["num_simulations"] = num_simulations
        return type(self.planner)(dataclasses.replace(options, **changed), evaluate=evaluate or self.evaluate)

    # -- files ---------------------------------------------------------------------------------------------------------

    @property
    def recordings(self) -> dict[str, Recording]:
        """Positions of self-play."""
        return {"replay": self.replay}

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns the network, its optimiser, and the updates that are due."""
        data, tensors = self.learner.to_file()
        return {**data, "due": self._due}, tensors

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.learner.load_file(data, tensors)
        self._due, self._folded = float(data["due"]), None

    def to_checkpoint(self) -> dict[str, Any]:
        """Returns where the random streams stand."""
        return {"self_play": self.self_play.to_checkpoint(), "learner": self.learner.to_checkpoint()}

    def load_checkpoint(self, state: dict[str, Any]) -> None:
        """Sets the random streams to where they stood."""
        self.self_play.load_checkpoint(state["self_play"])
        self.learner.load_checkpoint(state["learner"])

    @classmethod
    def replay_bytes(
        cls, observation_space: Any, action_space: Any, config: Any, *, num_envs: int, total_timesteps: int
    ) -> int:
        """Returns what the positions take that are kept."""
        row = PositionReplay.row_bytes(observation_space["observation"], int(action_space.n))
        return int(row * min(config.replay_size, total_timesteps))


def _judge(games: list[list[Moment]]) -> dict[str, float]:
    """Returns what games tell of the search: how sure of its moves it was, and how far off in its values."""
    policy = np.stack([moment.policy for game in games for moment in game])
    value = np.array([moment.value for game in games for moment in game])
    outcome = np.concatenate([positions_of(game).outcome for game in games])
    return {
        "self_play/policy_entropy": float(entropy(torch.from_numpy(policy)).mean()),
        "self_play/value_error": float(np.square(value - outcome).mean()),
    }
