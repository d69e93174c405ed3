"""AlphaGo as an agent: records, two policies, a value, and a search that mixes it with rollouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_alphazero.alphago import learning
from zoo_alphazero.alphago.config import AlphaGoConfig
from zoo_alphazero.alphago.learner import RL, SL, VALUE, Learner, Logits
from zoo_alphazero.alphago.log import Log
from zoo_alphazero.alphago.movers import Ended, Mover, PoolPlay, Recorder, RunningGames, ValuePlay
from zoo_alphazero.alphago.networks import value_of
from zoo_alphazero.alphago.players import AlphaGoPlayer
from zoo_alphazero.alphago.reading import read_records
from zoo_alphazero.alphago.records import Records, Steps, check_same_game, positions_at, replay
from zoo_alphazero.alphago.rollouts import rollouts
from zoo_core import seeding
from zoo_core.errors import ZooError
from zoo_core.planner import Evaluation, Plan
from zoo_core.plugins import make_planner
from zoo_core.progress import Progress
from zoo_core.recording import Recording
from zoo_core.world_model import State, batch_size, repeat
from zoo_mcts.game_agent import GameAgent
from zoo_mcts.games.game import Array
from zoo_mcts.players import make_player

PHASES = ("record", "supervise", "reinforce", "value")
_COUNTERS: dict[str, type] = {"pass_index": int, "chunk": int, "updates": int, "due": float}  # as in files


class AlphaGo(GameAgent):
    """AlphaGo (Silver et al. 2016, doi:10.1038/nature16961). `iterate` goes on in the phase that the agent is in:

    | phase | in the paper | here |
    | --- | --- | --- |
    | "record" | games of strong players | those of `config.records`, or bots play them: `Recorder` |
    | "supervise" | p_σ and the rollout policy p_π from these | `supervised_loss`, an iteration a pass over them |
    | "reinforce" | p_ρ, from p_σ, against earlier selves | `PoolPlay`, `policy_gradient_loss` |
    | "value" | v_θ, from one position of each game of self-play | `ValuePlay`, `positions_at`, `value_loss` |
    | `search` | p_σ as prior, (1 - λ) v_θ + λ z as value of a leaf | the config's planner on `evaluate` |

    "value" goes on to the end of `learn`. An env step is a move in one game, whoever makes it: also the bots' moves are
    made in `env`, so they are counted, and callbacks see and stop them; games that are read from files make no steps.

    Differs from the paper: networks are residual, with Adam; they are shown positions in the game's symmetries. Games
    run on while p_ρ is updated, so a game may begin under weights that are a step old, and an opponent is drawn for the
    games that begin between two updates. U is drawn from 1 to the length of a recorded game. Leaves are evaluated at
    once: there are no virtual losses and no threshold of visits. p_π sees the whole board, and no patterns by hand.
    """

    config_class = AlphaGoConfig
    config: AlphaGoConfig

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self.rules = self.rules.cpu()  # positions are there; a network on a GPU gets what players see, and nothing else
        config, view = self.config, self.game.view
        self.learner = Learner(self.game, config, seed=self.seed, device=self.device)
        self.records = Log(moves=np.zeros(0, np.int32), lengths=np.zeros(0, np.int64), results=np.zeros(0, np.float32))
        self.examples = Log(planes=np.zeros((0, *view.shape), view.dtype), outcome=np.zeros(0, np.float32))
        self.phase, self.pass_index, self.chunk, self.updates, self.due = PHASES[0], 0, 0, 0, 0.0
        self._playing = seeding.rng(self.seed, "self-play")
        self._recording = seeding.numpy_rng(self.seed, "recording")
        self._running: RunningGames | None = None
        self._replayed: dict[tuple[int, int], tuple[Steps, Steps]] = {}
        make_planner(config.planner, config.planner_config, evaluate=self.evaluate).check(self.rules)

    def iterate(self) -> dict[str, float]:
        """Goes on in the phase that the agent is in."""
        phases: dict[str, Callable[[], dict[str, float]]] = {
            "record": self.record,
            "supervise": self.supervise,
            "reinforce": self.reinforce,
            "value": self.learn_value,
        }
        return phases[self.phase]()

    # -- record --------------------------------------------------------------------------------------------------------

    def record(self) -> dict[str, float]:
        """Reads games, or lets bots play some."""
        if self.config.records is not None:
            self.take(read_records(self.config.records, self.game), self.config.records)
            return {"record/games": float(len(self.records["lengths"]))}
        missing = self.config.record_games - len(self.records["lengths"])
        ended = self._play(min(missing, self.config.games_per_update), self._make_recorder)
        self._remember(self._records_of(ended))
        if len(self.records["lengths"]) >= self.config.record_games:
            self._enter("supervise")
        return {"record/games": float(len(self.records["lengths"]))}

    def take(self, records: Records, source: str = "records") -> None:
        """Takes games to learn from, in place of those that bots would play, and goes on to learn from them.

        Args:
            records: of the agent's game.
            source: of the records, to be named in errors.

        Raises:
            RecordError: they are of another game.
        """
        check_same_game(self.game, records, source)
        self.records.clear()
        self._remember(records)
        self._enter("supervise")

    def _remember(self, records: Records) -> None:
        self.records.add(moves=records.moves, lengths=records.lengths, results=records.results)

    def _make_recorder(self) -> Mover:
        config = self.config
        players = [make_player(spec, self.game, device=self.device.type) for spec in config.record_players]
        options: dict[str, Any] = {"opening": config.record_opening, "random_prob": config.record_random_prob}
        return Recorder(self.game, players, self.env.num_envs, rng=self._recording, **options)

    # -- supervise -----------------------------------------------------------------------------------------------------

    def supervise(self) -> dict[str, float]:
        """Learns p_σ and p_π from the positions of some of the recorded games, once each."""
        num_chunks = -(-len(self.recorded_games()) // self.config.chunk_games)
        total = num_chunks * self.config.supervised_epochs
        seen, held_out = self._replay_chunk(self.chunk % num_chunks, num_chunks)
        num = learning.num_batches(len(seen.action), self.config.batch_size)
        with Progress("supervised updates", num, show=self.progress_bar) as progress:
            losses = self.learner.supervise(seen, done=self.chunk / total, share=1 / total, on_update=progress.to)
        self.chunk += 1
        metrics = {f"supervise/{name}_loss": value for name, value in losses.items()}
        for name in losses:
            right = learning.accuracy(self.learner.freeze(name), held_out, self.device)
            metrics[f"supervise/{name}_accuracy"] = right
        if self.chunk >= total:
            self._enter("reinforce")
        return metrics

    def _replay_chunk(self, chunk: int, num_chunks: int) -> tuple[Steps, Steps]:
        """Returns the positions of a part of the records to learn from, and those that are held out."""
        key = chunk, num_chunks
        if key not in self._replayed:
            records = self.recorded_games()
            games = np.array_split(np.arange(len(records)), num_chunks)[chunk]
            held_out = self._held_out(games)
            if held_out.all() or not held_out.any():
                raise ZooError(f"{len(games)} recorded games are too few: some are learned from, some are held out")
            seen, unseen = (replay(self.game, records[part]) for part in (games[~held_out], games[held_out]))
            self._replayed = {key: (seen, unseen)}
        return self._replayed[key]

    def _held_out(self, indices: Array) -> Array:
        """Returns of which games, by their index, nothing is learned."""
        mask: Array = indices % round(1.0 / self.config.holdout) == 0
        return mask

    def recorded_games(self) -> Records:
        """Returns the games that the agent learns from; they can be saved, and read again by `config.records`.

        Raises:
            ZooError: there are none, or not any more.
        """
        log = self.records
        if len(log["lengths"]) == 0:
            raise ZooError(
                "the agent has no records of games, or not any more: go on from a checkpoint, or from a file that was "
                "saved with its recordings and is loaded with as many games"
            )
        kwargs = dict(self.game.kwargs)
        return Records(self.game.id, kwargs, log["moves"], log["lengths"], log["results"])

    # -- reinforce -----------------------------------------------------------------------------------------------------

    def reinforce(self) -> dict[str, float]:
        """Plays n games of p_ρ against earlier selves, and makes a step of REINFORCE on those that ended."""
        if self.updates >= self.config.reinforce_updates:
            self._enter("value")
            return {}
        number = self.learner.pool.draw(self._playing)
        opponent = number, self.learner.logits(f"pool-{number}")
        if self._running is not None and isinstance(self._running.mover, PoolPlay):
            self._running.mover.learner, self._running.mover.opponent = self.learner.logits(RL), opponent
        ended = self._play(self.config.games_per_update, lambda: self._make_pool_play(opponent))
        if not ended:
            return {}
        metrics = self._update_policy(ended)
        self.updates += 1
        if self.updates % self.config.pool_interval == 0:
            self.learner.enrol()
        num_selves = float(len(self.learner.pool))
        return {**metrics, "reinforce/updates": float(self.updates), "reinforce/pool": num_selves}

    def _make_pool_play(self, opponent: tuple[int, Logits]) -> Mover:
        mover = PoolPlay(self.game, self.learner.logits(RL), self.env.num_envs, rng=self._playing)
        mover.opponent = opponent
        return mover

    def _update_policy(self, ended: list[Ended]) -> dict[str, float]:
        steps = replay(self.game, self._records_of(ended))
        seats = np.array([game.tag for game in ended])
        entropy = self.learner.reinforce(steps, seats, baseline=self.pass_index > 0)
        scores = [game.result if game.tag == 0 else -game.result for game in ended]
        return {"reinforce/score": float(np.mean(scores) / 2 + 0.5), "reinforce/entropy": entropy}

    # -- value ---------------------------------------------------------------------------------------------------------

    def learn_value(self) -> dict[str, float]:
        """Plays games of both policies, takes one position of each, and learns v_θ from those so far."""
        ended = self._play(self.config.games_per_update, self._make_value_play)
        ended = [game for game in ended if game.tag < len(game.moves)]  # the others were over by the U-th move
        if ended:
            planes, outcome = positions_at(self.game, self._records_of(ended), np.array([game.tag for game in ended]))
            self.examples.add(planes=planes, outcome=outcome)
            self.due += len(ended) * self.config.value_samples / self.config.batch_size
        metrics = self._fit_value()
        num = len(self.examples["outcome"])
        if self.pass_index + 1 < self.config.passes and num >= self.config.value_games:
            self.pass_index += 1
            self._enter("reinforce")
        return {**metrics, "value/examples": float(num)}

    def _make_value_play(self) -> Mover:
        policies = self.learner.logits(SL), self.learner.logits(RL)
        lengths = self.recorded_games().lengths
        return ValuePlay(self.game, *policies, self.env.num_envs, lengths=lengths, rng=self._playing)

    def _fit_value(self) -> dict[str, float]:
        """Makes the updates that are due, once there is a batch to learn from."""
        planes, outcome = self.examples["planes"], self.examples["outcome"]
        held_out = self._held_out(np.arange(len(outcome)))
        num = int(self.due)
        if (~held_out).sum() < self.config.batch_size or num == 0:
            return {}
        with Progress("value updates", num, show=self.progress_bar) as progress:
            loss = self.learner.fit_value(planes[~held_out], outcome[~held_out], num, on_update=progress.to)
        self.due -= num
        network = self.learner.freeze(VALUE)
        error = learning.value_error(network, planes[held_out], outcome[held_out], self.device)
        return {"value/loss": loss, "value/held_out_error": error}

    # -- what the phases share -----------------------------------------------------------------------------------------

    def _play(self, num: int, make_mover: Callable[[], Mover]) -> list[Ended]:
        """Plays until `num` games or more have ended, or `learn` has come to its end."""
        ended: list[Ended] = []
        if self._running is None:
            self._running = RunningGames(self.env.num_envs, make_mover())
        while len(ended) < num and self.remaining_timesteps > 0 and not self.env.stop:
            ended += self._running.step(self.env, self.positions)
        return ended

    @property
    def positions(self) -> State:
        """The games that are being played."""
        env: Any = self.get_env()
        return env.state

    def begin_episodes(self) -> None:
        """Begins all games anew."""
        super().begin_episodes()
        self._running = None

    def _enter(self, phase: str) -> None:
        """Goes on to a phase; the games that run are dropped."""
        self.phase = phase
        self.begin_episodes()
        if phase == "reinforce":
            self.learner.begin_reinforcement()
            self.updates = 0
            self.examples.clear()
            self._replayed.clear()

    def _records_of(self, ended: list[Ended]) -> Records:
        return Records.of(self.game, [game.moves for game in ended], [game.result for game in ended])

    # -- what the networks say -----------------------------------------------------------------------------------------

    def evaluate_planes(self, planes: Tensor) -> Evaluation:
        """Returns v_θ, and the logits of p_ρ; of p_σ as long as that is learned."""
        policy = RL if self.phase in ("reinforce", "value") else SL
        return Evaluation(value_of(self.learner.freeze(VALUE), planes), self.learner.freeze(policy)(planes))

    def evaluate(self, state: State, *, rng: torch.Generator, value_mix: float | None = None) -> Evaluation:
        """Returns what the search asks: (1 - λ) v_θ + λ z, and the logits of p_σ over the temperature.

        Args:
            state: B positions.
            rng: source of the rollouts' randomness.
            value_mix: λ; None takes the config's.
        """
        mix = self.config.value_mix if value_mix is None else value_mix
        value = torch.zeros(batch_size(state), device=self.device)
        with torch.no_grad():
            planes = torch.from_numpy(self.game.observe(state)).to(self.device)
            logits = self.learner.freeze(SL)(planes) / self.config.prior_temperature
            if mix < 1.0:
                value += (1.0 - mix) * value_of(self.learner.freeze(VALUE), planes)
        if mix > 0.0:
            value += mix * self._roll_out(state, rng)
        return Evaluation(value, logits)

    def _roll_out(self, state: State, rng: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (1,), generator=rng, device=rng.device))
        copies, policy = repeat(state, self.config.num_rollouts), self.learner.rollout_policy.arrays()
        outcome = rollouts(self.game, copies, *policy, rng=np.random.default_rng(seed))
        return torch.from_numpy(outcome.reshape(-1, self.config.num_rollouts).mean(1)).to(self.device)

    def search(
        self,
        state: State,
        *,
        num_simulations: int | None = None,
        rng: torch.Generator | None = None,
        deterministic: bool = True,
        value_mix: float | None = None,
    ) -> Plan:
        """Searches from positions of the game (see `GameAgent.search`).

        Args:
            state: B positions.
            num_simulations: from each; None takes those of the config.
            rng: source of randomness; None draws from the stream of acting.
            deterministic: has no meaning here: there is no noise at the root, unless the planner's config asks for it.
            value_mix: λ; None takes the config's.
        """

        def evaluate(leaves: State, *, rng: torch.Generator) -> Evaluation:
            return self.evaluate(leaves, rng=rng, value_mix=value_mix)

        planner = make_planner(self.config.planner, self.config.planner_config, evaluate=evaluate)
        if num_simulations is not None:
            planner = type(planner)(
                dataclasses.replace(planner.config, num_simulations=num_simulations), evaluate=evaluate
            )
        return planner.plan(self.rules, state, rng=self._acting if rng is None else rng)

    def player(self, kind: str, *, num_simulations: int | None = None) -> AlphaGoPlayer:
        """Returns one of the players that the agent is: "sl", "rl", "search with value" or "search with mix".

        Args:
            kind: the networks p_σ or p_ρ alone, or the search with λ = 0 or with the config's.
            num_simulations: of a search; None takes those of the config.

        Raises:
            ValueError: there is no such player.
        """
        return AlphaGoPlayer(self, kind, num_simulations)

    # -- files ---------------------------------------------------------------------------------------------------------

    @property
    def recordings(self) -> dict[str, Recording]:
        """Recorded games, and positions with their values."""
        return {"records": self.records, "examples": self.examples}

    def to_file(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Returns networks, optimisers, the pool, and where in which phase the agent is."""
        data, tensors = self.learner.to_file()
        return {**data, **{name: getattr(self, name) for name in _COUNTERS}, "phase": self.phase}, tensors

    def load_file(self, data: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restores what `to_file` returned."""
        self.learner.load_file(data, tensors)
        self.phase = PHASES[PHASES.index(data["phase"])]
        for name, kind in _COUNTERS.items():
            setattr(self, name, kind(data[name]))
        self._replayed.clear()

    def to_checkpoint(self) -> dict[str, Any]:
        """Returns where the random streams stand."""
        playing, recording = self._playing.get_state(), self._recording.bit_generator.state
        return {"learning": self.learner.to_checkpoint(), "playing": playing, "recording": recording}

    def load_checkpoint(self, state: dict[str, Any]) -> None:
        """Sets the random streams to where they stood."""
        self.learner.load_checkpoint(state["learning"])
        self._playing.set_state(state["playing"])
        self._recording.bit_generator.state = state["recording"]
