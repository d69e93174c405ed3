"""MuZero: an agent that learns a model to search it, and learns from what the search finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from zoo_core import spaces
from zoo_core.acting import SpacesOnly, as_vec_env
from zoo_core.agent import Agent
from zoo_core.config import build_config
from zoo_core.model_based_agent import build_model
from zoo_core.planner import Evaluation, Plan, Planner
from zoo_core.recording import Recording
from zoo_core.seeding import rng as make_rng
from zoo_core.world_model import State
from zoo_mcts.game_agent import choose_moves
from zoo_mcts.games.game import Game
from zoo_mcts.games.vec_env import GameVecEnv
from zoo_muzero.acting import Searches, choose, temperature_at
from zoo_muzero.config import MuZeroConfig
from zoo_muzero.games import find_game
from zoo_muzero.self_play import SelfPlay
from zoo_muzero.trajectories import Trajectories, bytes_needed
from zoo_muzero.world_model import Belief, MuZeroModel, frame_kind, is_masked


class MuZeroAgent(Agent):
    """MuZero (Schrittwieser et al. 2020, arXiv:1911.08265).

    | the paper's | is here |
    |---|---|
    | h, g, f | `model.network.represent`, `dynamics`, `predict` |
    | search policy π, search value ν | `Plan.weights`, `Plan.value` of `searches.learning` |
    | u, z, targets of K steps | `Trajectories.unroll` |
    | priority abs(ν - z) | `Trajectories.settle` |
    | the loss l, eq. 1 | `losses.muzero_losses` |

    In a board game it plays both sides of `config.num_games` games; in a VecEnv it acts in all environments at once.
    With the planner "gumbel-mcts" it is Gumbel MuZero (Danihelka et al. 2022, ICLR): it plays what sequential halving
    leaves, and learns the improved policy.

    Args:
        env: a board game, as of `zoo_mcts.game_agent.GameAgent`; or an id, an environment or a VecEnv with Discrete
            actions.
        config: an instance of `config_class`, a mapping of its fields, or None for the defaults.
        **kwargs: `seed`, `device`, `verbose`, `tensorboard_log`, as of every agent.

    Attributes:
        game: the rules of a board game, by which both sides are played in learning; None in an environment.
    """

    config_class = MuZeroConfig
    config: MuZeroConfig

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        config = build_config(MuZeroConfig, config)
        self.game: Game | None = find_game(env, config.game, config.game_kwargs)
        if self.game is not None:
            env = env if isinstance(env, SpacesOnly) else self.game
            config = replace(
                config,
                game=self.game.id,
                game_kwargs=dict(self.game.kwargs),
                model_config={**(config.model_config or {}), "players": 2},
            )
        super().__init__(env, config, **kwargs)
        model = build_model(self)
        if not isinstance(model, MuZeroModel):
            raise ValueError(f"model={self.config.model} is no MuZeroModel, which is what this agent learns")
        self.model = model
        model.env_id = getattr(self, "env_id", None)  # none without an environment
        self.searches = Searches(model, self.config.planner, self.config.planner_config)
        self._learning = make_rng(self.seed, "learning", device=self.device)
        self._acting = make_rng(self.seed, "acting", device=self.device)
        self._credit = 0.0  # updates that are due
        self._begin_replay()

    @classmethod
    def vec_env_of(cls, env: Any, config: Any, *, seed: int | None = None) -> VecEnv:
        """Returns `config.num_games` games of a board game; any other environment as it is.

        Raises:
            ValueError: it is another game than the config names.
        """
        if isinstance(env, SpacesOnly):
            return env
        game = find_game(env, config.game, config.game_kwargs)
        if game is not None:
            return GameVecEnv(game, config.num_games)
        return as_vec_env(env, seed=seed)

    @property
    def world_model(self) -> MuZeroModel:
        """The model."""
        return self.model

    @property
    def planner(self) -> Planner:
        """The search, as it is in learning."""
        return self.searches.learning

    @property
    def recordings(self) -> dict[str, Recording]:
        """All trajectories."""
        return {"replay": self.replay}

    # -- learning ------------------------------------------------------------------------------------------------------

    def iterate(self) -> dict[str, float]:
        """Takes one decision everywhere, and makes the updates that are due."""
        progress = self.num_timesteps / max(1, self.total_timesteps)
        self._self_play.step(temperature_at(progress, self.config.temperatures))
        metrics = {"replay/positions": float(len(self.replay))}
        if len(self.replay) < self.config.initial_steps or self.env.stop:
            return metrics
        self._credit += self.config.updates_per_step * self.env.num_envs
        if self._credit < 1.0:
            return metrics
        self.replay.settle()
        while self._credit >= 1.0 and self.replay.num_ready:
            self._credit -= 1.0
            metrics |= self.train()
        return metrics

    def train(self) -> dict[str, float]:
        """Makes one update on positions drawn from the trajectories."""
        self.model.replay_steps = len(self.replay)
        batch = self.replay.sample(self.model.config.batch_size, rng=self._learning, device=self.device)
        return self.model.update(batch)

    def begin_episodes(self) -> None:
        """Begins all episodes anew; those that run are stored as they are."""
        self.replay.cut()
        self._self_play.restart()

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; trajectories are kept if there are as many environments as before."""
        super().set_env(env)
        if self.env.num_envs != self.replay.num_envs:
            self._begin_replay()
        else:
            self._self_play = SelfPlay(self, self._learning)

    # -- acting --------------------------------------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Chooses actions by a search, or moves of a board game by the network alone; `search` searches there.

        Args:
            observation: of one environment or of a batch.
            state: what the call before returned: belief and last action.
            episode_start: `[B]` true where an episode begins.
            deterministic: take the most visited action, rather than one in proportion to the visits.
        """
        single = not spaces_batched(self.observation_space, observation)
        if single:
            observation = spaces.batch_of(self.observation_space, [observation])
        obs = spaces.to_tensor(self.observation_space, observation, self.device)
        with torch.no_grad():
            belief = self._observe(obs, state, episode_start)
            if self.game is not None:
                logits = self.model.evaluate(belief).logits
                assert logits is not None
                assert belief.legal is not None
                moves = choose_moves(logits.cpu(), belief.legal.cpu(), None if deterministic else self._host_acting())
                action = torch.from_numpy(moves).to(self.device)
            else:
                action = self._search_to_act(belief, deterministic)
        chosen = spaces.to_numpy(self.action_space, action)
        return (chosen[0] if single else chosen), (belief, action)

    def _observe(self, obs: Any, state: Any, episode_start: Any) -> Belief:
        past, action = (None, None) if state is None else state
        is_first = None
        if state is not None:
            is_first = torch.zeros(len(state[1]), dtype=torch.bool, device=self.device)
            if episode_start is not None:
                is_first |= torch.as_tensor(np.asarray(episode_start, bool), device=self.device)
        return self.model.observe(past, action, obs, is_first, rng=self._acting)

    def _search_to_act(self, belief: Belief, deterministic: bool) -> Tensor:
        planner = self.searches.playing()
        rng = make_rng(self.seed, "play", device=self.device) if deterministic else self._acting
        plan = planner.plan(self.model, belief._replace(frames=None, actions=None), rng=rng)
        if deterministic:  # the first among equals, whatever row of a batch it is
            return plan.action if self.searches.samples else plan.weights.argmax(1)  # type: ignore[union-attr]
        return choose(plan, 1.0, rng=self._acting)

    def _host_acting(self) -> torch.Generator:
        if self.device.type == "cpu":
            return self._acting
        seed = int(torch.randint(2**62, (), generator=self._acting, device=self.device))
        return make_rng(seed)

    # -- board games ---------------------------------------------------------------------------------------------------

    def network_alone(self, state: State) -> Evaluation:
        """Returns what the network says of positions of `game`, without a search."""
        with torch.no_grad():
            return self.model.evaluate(self._root(state))

    def search(
        self,
        state: State,
        *,
        num_simulations: int | None = None,
        rng: torch.Generator | None = None,
        deterministic: bool = True,
    ) -> Plan:
        """Searches from positions of `game` in the learned model, for play rather than for learning.

        Args:
            state: B positions; what came before them is not known.
            num_simulations: from each; None takes those of the config.
            rng: source of randomness; None draws from the stream of acting.
            deterministic: without noise at the root.
        """
        planner = self.searches.playing(num_simulations)
        if not deterministic:
            config: Any = planner.config
            planner = type(planner)(
                replace(self.searches.learning.config, num_simulations=config.num_simulations),
                evaluate=self.model.evaluate,
            )
        with torch.no_grad():
            return planner.plan(self.model, self._root(state), rng=self._acting if rng is None else rng)

    def _root(self, state: State) -> Belief:
        if self.game is None:
            raise ValueError("there are no positions in an environment: predict(observation) searches there")
        seen = {"observation": self.game.observe(state), "action_mask": self.game.legal(state).astype(np.int8)}
        obs = spaces.to_tensor(self.observation_space, seen, self.device)
        belief = self.model.observe(None, None, obs, None, rng=self._acting)
        return belief._replace(frames=None, actions=None)

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns the updates that are due; model and trajectories are written beside it."""
        return {"credit": self._credit}, {}

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self._credit = float(data["credit"])

    def to_checkpoint(self) -> Any:
        """Returns where the random stream of learning stands."""
        return {"learning": self._learning.get_state()}

    def load_checkpoint(self, state: Any) -> None:
        """Restores what `to_checkpoint` returned."""
        self._learning.set_state(state["learning"])

    @classmethod
    def replay_bytes(
        cls, observation_space: Any, action_space: Any, config: Any, *, num_envs: int, total_timesteps: int
    ) -> int:
        """Returns what the trajectories take."""
        num_actions = int(action_space.n)
        view = observation_space["observation"] if is_masked(observation_space, num_actions) else observation_space
        return bytes_needed(*frame_kind(view), num_actions, min(total_timesteps, config.replay_capacity))

    def _begin_replay(self) -> None:
        options = self.model.config
        self.replay = Trajectories(
            self.model.frame_shape,
            self.model.frame_dtype,
            self.model.num_actions,
            num_envs=self.env.num_envs,
            capacity=self.config.replay_capacity,
            gamma=options.discount,
            td_steps=options.value_steps,
            unroll_steps=options.unroll_steps,
            history=options.history,
            alpha=self.config.alpha,
            beta=self.config.beta,
        )
        self._self_play = SelfPlay(self, self._learning)


def spaces_batched(space: Any, observation: Any) -> bool:
    """Says whether an observation is a batch."""
    ranks: list[bool] = []
    spaces.map_space(space, lambda leaf, value: ranks.append(np.ndim(value) > len(leaf.shape or ())), observation)
    return all(ranks)
