"""Acting by planning, behind SB3's `predict`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_core import spaces, world_model as beliefs
from zoo_core.planner import Plan, Planner
from zoo_core.world_model import State, WorldModel, stream

Array = np.ndarray[Any, Any]


class Remembered(NamedTuple):
    """What travels in `predict`'s `state`.

    Attributes:
        belief: `[B]` before the last action.
        action: `[B, ...]` taken last, as a tensor.
        plan: that it was taken from.
        age: `[B]` int64, steps of the plan that were taken.
        calls: of `predict` so far.
    """

    belief: State
    action: Tensor
    plan: Plan
    age: Tensor
    calls: int


class PlanningPolicy:
    """Plans at every step and takes the first action (model-predictive control), or takes whole plans.

    It has SB3's `predict`, and so acts wherever a policy does: in `zoo_core.evaluation.evaluate`, in `Replay.collect`,
    in SB3's `evaluate_policy`. Belief, last action and plan travel in `predict`'s `state`; an episode begins without a
    plan.

    Args:
        model: to search in, and to filter observations with; fitted by the time of the first step.
        planner: searches.
        seed: of its random stream.
        whole_plans: take a plan to its end before the next is made; of a planner that plans a single action, that one.
    """

    def __init__(self, model: WorldModel, planner: Planner, *, seed: int = 0, whole_plans: bool = False) -> None:
        self.model, self.planner, self.whole_plans = model, planner, whole_plans
        self._seed = seed
        self._rng = stream(model, seed, "planning")

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Updates the belief, plans and chooses actions, for one observation or a batch.

        Args:
            observation: one, or a batch `[B, ...]`.
            state: what the call before returned; None where all rows begin.
            episode_start: `[B]` true where an episode begins.
            deterministic: search by random numbers that depend on the number of the call alone, so that the same
                observations lead to the same actions.

        Returns:
            Actions in the layout of the action space, and the next `state`.
        """
        observed, single = self._batch(observation)
        calls = 0 if state is None else state.calls
        rng = stream(self.model, self._seed, f"call-{calls}") if deterministic else self._rng
        with torch.no_grad():
            if state is None:
                belief = self.model.observe(None, None, observed, None, rng=rng)
                begins = torch.ones(beliefs.batch_size(belief), dtype=torch.bool, device=self.model.device)
            else:
                begins = torch.zeros_like(state.age, dtype=torch.bool)
                if episode_start is not None:
                    begins |= torch.as_tensor(np.asarray(episode_start), device=begins.device)
                belief = self.model.observe(state.belief, state.action, observed, begins, rng=rng)
        plan, age = self._plan(belief, state, begins, rng)
        action = _at(plan, age) if self.whole_plans else plan.action
        space = self.model.action_space
        chosen = spaces.to_numpy(space, action)
        state = Remembered(belief, action, plan, age + 1, calls + 1)
        return (spaces.index(space, chosen, 0) if single else chosen), state

    def to_checkpoint(self) -> Tensor:
        """Returns where its random stream stands."""
        return self._rng.get_state()

    def load_checkpoint(self, state: Tensor) -> None:
        """Sets its random stream to where it stood."""
        self._rng.set_state(state)

    def _plan(
        self, belief: State, state: Remembered | None, begins: Tensor, rng: torch.Generator
    ) -> tuple[Plan, Tensor]:
        """Returns the plan of every row, and how many of its steps were taken."""
        if state is None:
            return self.planner.plan(self.model, belief, rng=rng), torch.zeros_like(begins, dtype=torch.int64)
        if self.whole_plans:
            new = begins | (state.age >= _sequence(state.plan).shape[1])
            return self._renew(state.plan, belief, new, rng), state.age.masked_fill(new, 0)
        going = self._renew(state.plan, belief, ~begins, rng, warm=True)
        return self._renew(going, belief, begins, rng), torch.zeros_like(state.age)

    def _renew(self, plan: Plan, belief: State, rows: Tensor, rng: torch.Generator, *, warm: bool = False) -> Plan:
        """Returns the plans with those of the chosen rows made anew; `warm`: from the plans before."""
        if not bool(rows.any()):
            return plan
        if bool(rows.all()):
            return self.planner.plan(self.model, belief, rng=rng, previous=plan if warm else None)
        previous = beliefs.index(plan, rows) if warm else None
        new = self.planner.plan(self.model, beliefs.index(belief, rows), rng=rng, previous=previous)
        return beliefs.put(plan, rows, new)  # type: ignore[no-any-return]

    def _batch(self, observation: Any) -> tuple[Any, bool]:
        """Returns observations as tensors `[B, ...]`, and whether it was a single one."""
        space = self.model.observation_space
        single: list[bool] = []
        spaces.map_space(space, lambda leaf, value: single.append(np.ndim(value) == len(leaf.shape)), observation)
        if single[0]:
            observation = spaces.map_space(space, lambda _, leaf: np.asarray(leaf)[None], observation)
        return spaces.to_tensor(space, observation, self.model.device), single[0]


def _at(plan: Plan, age: Tensor) -> Tensor:
    """Returns the action `[B, ...]` of each plan at its own age."""
    return _sequence(plan)[torch.arange(len(age), device=age.device), age]


def _sequence(plan: Plan) -> Tensor:
    """Returns the planned actions `[B, H, ...]`; of a planner that plans no further, the one it chose."""
    return plan.action[:, None] if plan.sequence is None else plan.sequence
