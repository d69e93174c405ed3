"""Rollouts: what each action is worth if a base policy goes on from there."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.planner import Evaluate, Plan, Planner
from zoo_core.world_model import State, WorldModel, repeat
from zoo_planners.actions import num_actions
from zoo_planners.config import RolloutConfig
from zoo_planners.discrete import draw_action, each_action, legal_actions
from zoo_planners.evaluation import policy_logits, state_values
from zoo_planners.returns import rank_nan_last, weighted

NAME = "rollout"


class Rollout(Planner):
    """Takes the action with the best mean return of K rollouts by a base policy (Tesauro & Galperin 1996,
    "On-line policy improvement using Monte-Carlo search"; Sutton & Barto 2018, section 8.10).

    The base policy is the softmax of the logits of `evaluate`, or uniform over the legal actions. By the policy
    improvement theorem what is chosen is at least as good as what the base policy does, but for chance and depth.

    `Plan.value` is the mean return of the action, for the player to move.

    Differs from the papers: rollouts end after `depth` steps, with the value of `evaluate` or 0, and what follows a
    step weighs by the probability that the episode goes on, rather than being drawn.
    """

    config_class = RolloutConfig

    def check(self, model: WorldModel) -> None:
        """Raises UnsupportedSpaceError if the model's actions are not Discrete."""
        num_actions(model, NAME)

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots; `previous` is not used.

        Raises:
            UnsupportedSpaceError: the model's actions are not Discrete.
            ValueError: `evaluate` returns values or logits of another shape, or logits that are no policy.
            NonFiniteError: every return from a root is NaN.
        """
        with torch.no_grad():
            returns = action_values(
                model,
                state,
                num_rollouts=self.config.num_rollouts,
                depth=self.config.depth,
                gamma=self.config.gamma,
                evaluate=self.evaluate,
                rng=rng,
            )
        value, action = rank_nan_last(returns, model).max(1)
        return Plan(action, value)


def action_values(
    model: WorldModel,
    state: State,
    *,
    num_rollouts: int,
    depth: int,
    gamma: float,
    evaluate: Evaluate | None = None,
    rng: torch.Generator,
) -> Tensor:
    """Returns the mean return `[B, A]` of each action, followed by the base policy; NaN where it is illegal.

    Args:
        model: to imagine in.
        state: beliefs of B roots.
        num_rollouts: K, for each action.
        depth: steps of the base policy after the action.
        gamma: discount γ.
        evaluate: base policy, and value of where a rollout ends; None: uniform, and 0.
        rng: source of randomness, on the model's device.

    Raises:
        UnsupportedSpaceError: the model's actions are not Discrete.
        ValueError: `evaluate` returns values or logits of another shape, or logits that are no policy.
    """
    actions = num_actions(model, NAME)
    legal = legal_actions(model, state, actions)
    action = each_action(legal).flatten().repeat_interleave(num_rollouts)
    rows = model.particles(repeat(state, actions), num_rollouts, rng=rng)
    total, weight = torch.zeros(len(action), device=rng.device), torch.ones(len(action), device=rng.device)
    for t in range(1 + depth):
        if t > 0:
            logits = policy_logits(evaluate, rows, actions, rng)
            action = draw_action(logits, legal_actions(model, rows, actions), rng)
        step = model.step(rows, action, rng=rng)
        total = total + weighted(step.reward, weight)
        weight = weight * (gamma * step.continues * step.sign)
        rows = step.state
        if not bool(weight.any()):
            break
    total = total + weighted(state_values(evaluate, rows, rng), weight)
    return torch.where(legal, total.reshape(*legal.shape, num_rollouts).mean(-1), torch.nan)
