"""Searches with a policy in any world model with Discrete actions: AlphaZero's and MuZero's, and Gumbel MuZero's."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Plan, Planner
from zoo_core.spaces import check_space
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_mcts import gumbel, noise, puct
from zoo_mcts.compiled import Array
from zoo_mcts.config import GumbelConfig, MCTSConfig
from zoo_mcts.leaves import check_policy, evaluate_all
from zoo_mcts.policy_tree import NO_ROW, Leaves, PolicyTree, begin_all, end_all, make_tree
from zoo_mcts.states import States


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
            self._begin(tree, model, state, rng)
            states = States(state, self.config.num_simulations + 1)
            for simulation in range(1, self.config.num_simulations + 1):
                self._simulate(tree, model, states, simulation, rng)
        return self._recommend(tree, model, rng.device)

    def _begin(self, tree: PolicyTree, model: WorldModel, state: State, rng: torch.Generator) -> None:
        legal, value, logits = self._look(model, state, tree.prior.shape[2], rng)
        nothing = np.zeros(0, np.float32)
        bad = begin_all(tree, Leaves(nothing, nothing, nothing, value, logits, legal), self._as_logits)
        _check(bad, logits, legal)
        self._prepare(tree)

    def _simulate(
        self, tree: PolicyTree, model: WorldModel, states: States, simulation: int, rng: torch.Generator
    ) -> None:
        """Makes one simulation from each root."""
        if self._walk(tree, simulation):
            action = torch.tensor(tree.action, device=rng.device)
            step = model.step(states.get(tree.node), action, rng=rng)
            states.put(simulation, step.state)
            legal, value, logits = self._look(model, step.state, tree.prior.shape[2], rng)
            sign = _array(step.sign) if isinstance(step.sign, Tensor) else np.full(1, step.sign, np.float32)
            leaves = Leaves(_array(step.reward), _array(step.continues), sign, value, logits, legal)
        else:  # all simulations came to ends that are known: nothing of this is read
            empty, table = np.zeros(0, np.float32), np.zeros((0, tree.prior.shape[2]), np.float32)
            leaves = Leaves(empty, empty, empty, empty, table, table > 0.0)
        bad = end_all(tree, leaves, simulation, self.config.gamma, self._as_logits)
        _check(bad, leaves.logits, leaves.legal)

    def _look(
        self, model: WorldModel, state: State, num_actions: int, rng: torch.Generator
    ) -> tuple[Array, Array, Array]:
        """Returns legal actions, values and logits of states, as `Leaves` has them."""
        legal = model.legal_actions(state)
        mask = np.zeros((0, num_actions), np.bool_) if legal is None else legal.cpu().numpy()
        value, logits = np.zeros(0, np.float32), np.zeros((0, num_actions), np.float32)
        if self.evaluate is not None:
            evaluation = evaluate_all(self.evaluate, state, num_actions, rng=rng)
            value = _array(evaluation.value)
            logits = logits if evaluation.logits is None else _array(evaluation.logits)
        return mask, value, logits

    @abstractmethod
    def _prepare(self, tree: PolicyTree) -> None:
        """Does what is to be done once the roots are known."""

    @abstractmethod
    def _walk(self, tree: PolicyTree, simulation: int) -> bool:
        """Walks to where the trees grow; says whether any does."""

    @abstractmethod
    def _recommend(self, tree: PolicyTree, model: WorldModel, device: torch.device) -> Plan:
        """Returns what was found."""


class MCTS(PolicySearch):
    """PUCT (Silver et al. 2018, doi:10.1126/science.aar6404; Schrittwieser et al. 2020, arXiv:1911.08265, appendix B).

    `Plan.action` is the most visited one, one at random among equals; `value` the mean return of the simulations;
    `weights` the shares `[B, A]` of the visits.

    Differs from the papers: at a node that was not visited since it was made the prior decides; equals are chosen from
    at random; "min-max" scales the values of edges, which have the rewards in them.
    """

    config_class = MCTSConfig
    _as_logits = False

    def _prepare(self, tree: PolicyTree) -> None:
        config = self.config
        self._explore = puct.exploration(config.num_simulations, config.c_base, config.c_init)
        if config.noise_alpha:
            scratch = np.empty(tree.prior.shape[2])
            noise.mix_dirichlet_all(tree, config.noise_alpha, config.noise_fraction, scratch)

    def _walk(self, tree: PolicyTree, simulation: int) -> bool:
        return puct.walk_all(tree, self._explore, self.config.value_scale == "min-max")

    def _recommend(self, tree: PolicyTree, model: WorldModel, device: torch.device) -> Plan:
        values = np.empty(len(tree.node), np.float32)
        puct.most_visited_all(tree, values)
        visits = tree.visits[:, 0].astype(np.float32)
        return _plan(tree, model, values, visits / np.maximum(visits.sum(1, keepdims=True), 1.0), device)


class GumbelMCTS(PolicySearch):
    """Gumbel MuZero's search (Danihelka et al. 2022, ICLR): policy improvement with as little as two simulations.

    `Plan.action` is what sequential halving leaves, `weights` the improved policy π' `[B, A]`, `value` v_mix of the
    root.

    Differs from the paper: completed values are scaled to [0, 1] at every node, as in mctx.
    """

    config_class = GumbelConfig
    _as_logits = True

    def _prepare(self, tree: PolicyTree) -> None:
        config, (num, _, num_actions) = self.config, tree.prior.shape
        self._noise, self._num_considered = np.zeros((num, num_actions), np.float32), np.zeros(num, np.int64)
        self._scratch = np.empty(num_actions, np.float32)
        self._schedule = gumbel.halving(min(config.max_considered, num_actions), config.num_simulations)
        gumbel.draw_all(tree, config.gumbel_scale, config.max_considered, self._noise, self._num_considered)

    def _walk(self, tree: PolicyTree, simulation: int) -> bool:
        c_visit, c_scale = float(self.config.c_visit), float(self.config.c_scale)
        return gumbel.walk_all(
            tree, self._noise, self._num_considered, self._schedule, simulation, c_visit, c_scale, self._scratch
        )

    def _recommend(self, tree: PolicyTree, model: WorldModel, device: torch.device) -> Plan:
        weights, values = np.empty_like(self._noise), np.empty(len(tree.node), np.float32)
        c_visit, c_scale = float(self.config.c_visit), float(self.config.c_scale)
        gumbel.survivor_all(tree, self._noise, c_visit, c_scale, weights, values)
        return _plan(tree, model, values, weights, device)


def _plan(tree: PolicyTree, model: WorldModel, values: Array, weights: Array, device: torch.device) -> Plan:
    if (tree.action < 0).any():
        raise NonFiniteError(
            f"{type(model).__name__} predicted no return from root {int(tree.action.argmin())} that is a finite "
            "number: look at its rewards, and at the values of `evaluate`"
        )
    action, value, shares = (torch.as_tensor(array, device=device) for array in (tree.action, values, weights))
    return Plan(action=action, value=value, weights=shares)


def _check(bad: int, logits: Array, legal: Array) -> None:
    """Raises what `check_policy` raises of a row, if there is one."""
    if bad != NO_ROW:
        mask = torch.from_numpy(legal | ~legal.any(1, keepdims=True)) if len(legal) else torch.tensor(True)
        check_policy(torch.from_numpy(logits).masked_fill(~mask, -torch.inf))


def _array(values: Any) -> Array:
    array: Array = values.to(dtype=torch.float32, device="cpu").numpy()
    return array
