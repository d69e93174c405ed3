"""Searches with a policy in any world model with Discrete actions: AlphaZero's and MuZero's, and Gumbel MuZero's."""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Protocol

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Plan, Planner
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel, batch_size
from zoo_mcts import gumbel, noise, puct
from zoo_mcts.compiled import Array
from zoo_mcts.config import GumbelConfig, MCTSConfig
from zoo_mcts.dense import DenseModel
from zoo_mcts.latent_search import Room, dense_of, make_room, search_gumbel, search_puct
from zoo_mcts.leaves import check_policy, evaluate_all
from zoo_mcts.policy_tree import NO_LEAVES, NO_ROW, ROOT, Leaves, PolicyTree, begin_all, end_all, make_tree
from zoo_mcts.states import States


class Chooser(Protocol):
    """How the simulations of one search find their way."""

    def walk(self, simulation: int) -> bool:
        """Goes down every tree, in a simulation from 1 on; says whether any of them grows."""

    def search(self, dense: DenseModel, room: Room) -> int:
        """Makes all simulations in a dense model; returns a row in which logits are no policy, else NO_ROW."""

    def recommend(self) -> tuple[Array, Array]:
        """Leaves an action of each root in the trees, -1 where no return is known; returns values and weights."""


class PolicySearch(Planner):
    """What the searches have in common: each simulation makes one step of the model and one call of `evaluate`.

    All B roots are searched in lockstep. A node keeps the state in which it was made: in a world of chance the tree
    holds on to the first outcome that it saw, and `mcts-uct` is the better search. The root is expanded by one call of
    `evaluate`, which is no simulation. Without `evaluate` all actions are as likely, and all states worth 0.
    """

    _as_logits: bool  # whether the tree keeps logits rather than probabilities

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; `previous` is not used.

        Raises:
            UnsupportedSpaceError: the model's actions are not Discrete.
            NonFiniteError: all returns from a root are NaN or infinite.
            ValueError: what `evaluate` says is of another shape or no policy.
        """
        check_space(model.action_space, (Discrete,), what="action", who=type(self).__name__)
        num_actions = int(model.action_space.n)  # type: ignore[attr-defined]
        seeds = torch.randint(2**63 - 1, (batch_size(state),), generator=rng, device=rng.device)
        tree = make_tree(self.config.num_simulations + 1, num_actions, seeds.cpu().numpy().view(np.uint64))
        with torch.no_grad():
            nothing = np.zeros(0, np.float32)
            leaves = Leaves(nothing, nothing, nothing, *self._look(model, state, num_actions, rng))
            _check(begin_all(tree, leaves, self._as_logits), leaves)
            chooser = self._make_chooser(tree)
            dense = dense_of(model, self.evaluate, len(tree.node)) if self.config.compiled else None
            if dense is not None:
                self._search_dense(tree, chooser, dense, model, state)
            else:
                self._search(tree, chooser, model, state, rng)
        values, weights = chooser.recommend()
        _check_found(tree, model)
        action, value, shares = (torch.as_tensor(each, device=rng.device) for each in (tree.action, values, weights))
        return Plan(action=action, value=value, weights=shares)

    def _search(
        self, tree: PolicyTree, chooser: Chooser, model: WorldModel, state: State, rng: torch.Generator
    ) -> None:
        """Makes all simulations from each root."""
        num_simulations, num_actions, gamma = self.config.num_simulations, len(tree.scores), self.config.gamma
        states = States(state, num_simulations + 1)
        for simulation in range(1, num_simulations + 1):
            leaves = NO_LEAVES
            if chooser.walk(simulation):
                action = torch.from_numpy(tree.action).to(model.device, copy=True)
                step = model.step(states.take(tree.place), action, rng=rng)
                states.put(simulation, step.state)
                leaves = Leaves(*_outcome(step), *self._look(model, step.state, num_actions, rng))
            bad = end_all(tree, leaves, simulation, gamma, self._as_logits)
            if bad != NO_ROW:
                _check(bad, leaves)

    def _search_dense(
        self, tree: PolicyTree, chooser: Chooser, dense: DenseModel, model: WorldModel, state: State
    ) -> None:
        """Makes all simulations from each root in compiled code."""
        room = make_room(dense, _array(model.features(state)), self.config.num_simulations + 1)
        if chooser.search(dense, room) != NO_ROW:
            check_policy(torch.from_numpy(room.logits))

    def _look(
        self, model: WorldModel, state: State, num_actions: int, rng: torch.Generator
    ) -> tuple[Array, Array, Array]:
        """Returns values, logits and legal actions of states, as `Leaves` has them."""
        legal = model.legal_actions(state)
        value, logits, mask = NO_LEAVES.value, NO_LEAVES.logits, NO_LEAVES.legal
        if legal is not None:
            mask = np.ascontiguousarray(legal.cpu().numpy())
        if self.evaluate is not None:
            evaluation = evaluate_all(self.evaluate, state, num_actions, rng=rng)
            value = _array(evaluation.value)
            logits = logits if evaluation.logits is None else _array(evaluation.logits)
        return value, logits, mask

    @abstractmethod
    def _make_chooser(self, tree: PolicyTree) -> Chooser:
        """Returns how a search goes on in these trees, of which the roots are known."""


class MCTS(PolicySearch):
    """PUCT (Silver et al. 2018, doi:10.1126/science.aar6404; Schrittwieser et al. 2020, arXiv:1911.08265, appendix B).

    `Plan.action` is the most visited one, one at random among equals; `value` the mean return of the simulations;
    `weights` the shares `[B, A]` of the visits.

    Differs from the papers: at a node that was not visited since it was made the prior decides; equals are chosen from
    at random; "min-max" scales the values of edges, which have the rewards in them, and gives what was never tried the
    mean value of its node.
    """

    config_class = MCTSConfig
    _as_logits = False

    def _make_chooser(self, tree: PolicyTree) -> Chooser:
        if self.config.noise_alpha:
            noise.mix_dirichlet_all(tree, self.config.noise_alpha, self.config.noise_fraction)
        return Puct(tree, self.config)


class GumbelMCTS(PolicySearch):
    """Gumbel MuZero's search (Danihelka et al. 2022, ICLR): policy improvement with as little as two simulations.

    `Plan.action` is what sequential halving leaves, `weights` the improved policy π' `[B, A]`, `value` v_mix of the
    root.

    Differs from the paper: completed values are scaled to [0, 1] at every node, as in mctx.
    """

    config_class = GumbelConfig
    _as_logits = True

    def _make_chooser(self, tree: PolicyTree) -> Chooser:
        return Gumbel(tree, self.config)


class Puct:
    """The way of `mcts` (see `puct`)."""

    def __init__(self, tree: PolicyTree, config: MCTSConfig) -> None:
        self.tree, self.config, self.rescale = tree, config, config.value_scale == "min-max"
        self.explore = puct.exploration(config.num_simulations, config.c_base, config.c_init)

    def walk(self, simulation: int) -> bool:
        """Goes down every tree by PUCT."""
        return puct.walk_all(self.tree, self.explore, self.rescale)

    def search(self, dense: DenseModel, room: Room) -> int:
        """Makes all simulations in compiled code."""
        num, gamma = self.config.num_simulations, float(self.config.gamma)
        return search_puct(self.tree, dense, room, num, gamma, self.explore, self.rescale)

    def recommend(self) -> tuple[Array, Array]:
        """Recommends the most visited actions."""
        values = np.empty(len(self.tree.node), np.float32)
        puct.most_visited_all(self.tree, values)
        visits = self.tree.visits[:, ROOT].astype(np.float32)
        return values, visits / np.maximum(visits.sum(1, keepdims=True), 1.0)


class Gumbel:
    """The way of `gumbel-mcts` (see `gumbel`)."""

    def __init__(self, tree: PolicyTree, config: GumbelConfig) -> None:
        num, num_actions = len(tree.node), len(tree.scores)
        schedule = gumbel.schedule(min(config.max_considered, num_actions), config.num_simulations)
        self.tree, self.config = tree, config
        self.halving = gumbel.Halving(
            noise=np.zeros((num, num_actions), np.float32),
            num_considered=np.zeros(num, np.int64),
            schedule=schedule,
            c_visit=float(config.c_visit),
            c_scale=float(config.c_scale),
        )
        gumbel.draw_all(tree, self.halving, float(config.gumbel_scale))

    def walk(self, simulation: int) -> bool:
        """Goes down every tree by sequential halving, and below the root by the improved policy."""
        return gumbel.walk_all(self.tree, self.halving, simulation)

    def search(self, dense: DenseModel, room: Room) -> int:
        """Makes all simulations in compiled code."""
        num, gamma = self.config.num_simulations, float(self.config.gamma)
        return search_gumbel(self.tree, dense, room, num, gamma, self.halving)

    def recommend(self) -> tuple[Array, Array]:
        """Recommends what sequential halving left."""
        values, weights = np.empty(len(self.tree.node), np.float32), np.empty_like(self.halving.noise)
        gumbel.survivor_all(self.tree, self.halving, weights, values)
        return values, weights


def _outcome(step: ModelStep) -> tuple[Array, Array, Array]:
    """Returns reward, continues and sign, as `Leaves` has them."""
    sign = _array(step.sign) if isinstance(step.sign, Tensor) else _number(step.sign)
    return _array(step.reward), _array(step.continues), sign


def _check_found(tree: PolicyTree, model: WorldModel) -> None:
    if (tree.action < 0).any():
        raise NonFiniteError(
            f"{type(model).__name__} predicted no return from root {int(tree.action.argmin())} that is a finite "
            "number: look at its rewards, and at the values of `evaluate`"
        )


def _check(bad: int, leaves: Leaves) -> None:
    """Raises what `check_policy` raises of a row, if there is one."""
    if bad != NO_ROW:
        legal, logits = torch.from_numpy(leaves.legal), torch.from_numpy(leaves.logits)
        mask = legal | ~legal.any(1, keepdim=True) if len(legal) else torch.ones_like(logits, dtype=torch.bool)
        check_policy(logits.masked_fill(~mask, -torch.inf))


def _array(values: Tensor) -> Array:
    if values.dtype is not torch.float32 or values.device.type != "cpu":
        values = values.to("cpu", torch.float32)
    return np.ascontiguousarray(values.numpy())  # a loop is compiled anew for arrays with gaps


@functools.lru_cache(maxsize=8)
def _number(value: float) -> Array:
    return np.full(1, value, np.float32)
