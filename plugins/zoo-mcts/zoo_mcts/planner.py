"""UCT: Monte-Carlo tree search in any world model with Discrete actions."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Discrete

from zoo_core.errors import NonFiniteError
from zoo_core.planner import Plan, Planner
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel, batch_size, index, stack
from zoo_mcts.compiled import Array
from zoo_mcts.config import UCTConfig
from zoo_mcts.leaves import leaf_values, legal_actions
from zoo_mcts.states import States, hash_rows
from zoo_mcts.table_search import is_table, search_table
from zoo_mcts.tree import ROOT, Tree, backup_all, follow_all, follow_first_all, make_tree, most_visited_all
from zoo_mcts.ucb import choose_all, walk_all


class UCT(Planner):
    """Upper confidence bounds applied to trees (Kocsis & Szepesvári 2006, doi:10.1007/11871842_29).

    A simulation goes down the tree by UCB1, adds a node where it leaves it, plays on from there by a simulation policy,
    and tells every edge on its way the return that came after it. All B roots are searched in lockstep. A model that is
    a table is searched in one compiled loop, by the same rules (see `table_search`).

    `Plan.action` is the most visited one, `value` the mean return of the simulations that began with it, `weights` the
    shares `[B, A]` of the visits. The visits of a root are its simulations, but for those whose return was no number.

    Differs from the paper: values are scaled by the range of those in the tree, and a simulation adds one node. The
    paper's tree is "transposition"; "chance" is that of Silver & Veness (2010), "open-loop" that of Bubeck & Munos
    (2010) and Perez et al. (2015, doi:10.1145/2739480.2754811).
    """

    config_class = UCTConfig

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; `previous` is not used.

        Raises:
            UnsupportedSpaceError: the model's actions are not Discrete.
            NonFiniteError: all returns from a root are NaN or infinite.
            ValueError: what `evaluate` says is of another shape or no policy, or a root is outside the table.
        """
        check_space(model.action_space, (Discrete,), what="action", who="mcts-uct")
        num_actions = int(model.action_space.n)  # type: ignore[attr-defined]
        seeds = torch.randint(2**63 - 1, (batch_size(state),), generator=rng, device=rng.device)
        tree = make_tree(self.config.num_simulations + 1, num_actions, seeds.cpu().numpy().view(np.uint64))
        with torch.no_grad():
            if is_table(model, state):
                search_table(tree, model, state, self.config, self.evaluate, rng=rng)
            elif self.config.remembers:
                self._search_remembering(tree, model, state, rng)
            else:
                for simulation in range(1, self.config.num_simulations + 1):
                    self._simulate_anew(tree, model, state, simulation, rng)
        return _recommend(tree, model, rng.device)

    def _simulate_anew(
        self, tree: Tree, model: WorldModel, state: State, simulation: int, rng: torch.Generator
    ) -> None:
        """Makes one simulation from each root, of which every step is sampled from the model."""
        rows = np.arange(batch_size(state))  # of the simulations that are still in their trees
        values = np.empty(len(rows))
        left: list[tuple[Array, State]] = []  # rows, and the states in which they left their trees
        while len(rows) > 0:
            _note_legal(tree, model, state, rows, tree.node[rows])
            choose_all(tree, rows, self.config.exploration)
            step = model.step(state, torch.tensor(tree.action[rows], device=rng.device), rng=rng)
            reward, carry = _to_arrays(step)
            seen = hash_rows(model, step.state) if self.config.sees else np.zeros(len(rows), np.uint64)
            inside = np.empty(len(rows), np.bool_)
            follow_all(tree, rows, seen, self.config.shares, reward, carry, simulation, inside)
            staying, leaving = np.flatnonzero(inside), np.flatnonzero(~inside)
            left.append((rows[leaving], index(step.state, leaving)))
            rows, state = rows[staying], index(step.state, staying)
        leaves = stack([states for _, states in left])
        values[np.concatenate([rows for rows, _ in left])] = self._leaf_values(model, leaves, rng)
        backup_all(tree, values, self.config.gamma)

    def _search_remembering(self, tree: Tree, model: WorldModel, state: State, rng: torch.Generator) -> None:
        """Makes all simulations from each root; a node keeps its state, so that each costs one step of the model."""
        rows = np.arange(batch_size(state))
        states = States(state, self.config.num_simulations + 1)
        _note_legal(tree, model, state, rows, np.full(len(rows), ROOT))
        for simulation in range(1, self.config.num_simulations + 1):
            walk_all(tree, self.config.exploration)
            step = model.step(states.get(tree.node), torch.tensor(tree.action, device=rng.device), rng=rng)
            reward, carry = _to_arrays(step)
            follow_first_all(tree, reward, carry, simulation)
            states.put(simulation, step.state)
            _note_legal(tree, model, step.state, rows, np.full(len(rows), simulation))
            backup_all(tree, self._leaf_values(model, step.state, rng), self.config.gamma)

    def _leaf_values(self, model: WorldModel, state: State, rng: torch.Generator) -> Array:
        values = leaf_values(
            model,
            state,
            depth=self.config.rollout_depth,
            num_rollouts=self.config.num_rollouts,
            gamma=self.config.gamma,
            evaluate=self.evaluate,
            rng=rng,
        )
        return values.double().cpu().numpy()


def _note_legal(tree: Tree, model: WorldModel, state: State, rows: Array, nodes: Array) -> None:
    legal = legal_actions(model, state)
    if legal is not None:
        tree.illegal[rows, nodes] = (~legal).cpu().numpy()


def _to_arrays(step: ModelStep) -> tuple[Array, Array]:
    """Returns the reward `[B]`, and what counts of what follows, `[B]`."""
    return step.reward.double().cpu().numpy(), (step.continues * step.sign).double().cpu().numpy()


def _recommend(tree: Tree, model: WorldModel, device: torch.device) -> Plan:
    most_visited_all(tree)
    actions = tree.action
    if (actions < 0).any():
        raise NonFiniteError(
            f"{type(model).__name__} predicted no return from root {int(actions.argmin())} that is a finite number: "
            "look at its rewards, and at the values of `evaluate`"
        )
    visits = torch.as_tensor(tree.visits[:, ROOT], device=device).float()
    value = tree.value[np.arange(len(actions)), ROOT, actions]
    return Plan(
        action=torch.as_tensor(actions, device=device),
        value=torch.as_tensor(value, device=device).float(),
        weights=visits / visits.sum(1, keepdim=True),
    )
