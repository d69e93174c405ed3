"""A world model that counts: Discrete observations, Discrete actions."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, WorldModel, select

_NEVER = 1e-30  # count of what was never seen: its probability is nil, its logarithm finite


class Place(NamedTuple):
    """Where each row is, and whether the episode is over there."""

    place: Tensor
    over: Tensor


class LookupTable(WorldModel):
    """Counts what followed each place and action; an action never tried somewhere leads nowhere.

    Its epistemic uncertainty is 1/√(1 + number of tries).
    """

    tries: Tensor
    reward: Tensor
    ended: Tensor

    def __init__(self, observation_space: Any, action_space: Any, config: Any = None, *, seed: int = 0) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        check_space(observation_space, (spaces.Discrete,), what="observation", who="LookupTable")
        check_space(action_space, (spaces.Discrete,), what="action", who="LookupTable")
        shape = (int(observation_space.n), int(action_space.n), int(observation_space.n))
        for name in ("tries", "reward", "ended"):  # [place, action, next place]: a number and two sums
            self.register_buffer(name, torch.zeros(shape))

    def fit(self, replay: Any, *, rng: Any, max_updates: Any = None, callback: Any = None) -> dict[str, float]:
        """Counts all experience anew."""
        self.remember(replay)
        steps = replay.tensors(self.device)
        where = (steps.obs, steps.action, steps.next_obs)
        for table, values in (
            (self.tries, torch.ones_like(steps.reward)),
            (self.reward, steps.reward),
            (self.ended, steps.terminated.float()),
        ):
            table.zero_().index_put_(where, values, accumulate=True)
        return {"pairs_tried": float((self.tries.sum(-1) > 0).float().mean())}

    def observe(self, state: Any, action: Any, obs: Tensor, is_first: Any, *, rng: torch.Generator) -> Place:
        """Is where it is seen to be."""
        return Place(obs.clone(), torch.zeros_like(obs, dtype=torch.bool))

    def step(
        self,
        state: Any,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Draws one of the places that followed; temperature 0 takes the likeliest."""
        tries = self.tries[state.place, action]
        num_tries = tries.sum(-1)
        stay = one_hot(state.place, tries.shape[-1]).float()
        logits = torch.where(num_tries[:, None] > 0, tries, stay).clamp_min(_NEVER).log()
        chance = torch.rand(len(action), generator=rng, device=self.device)
        if temperature == 0:
            place = logits.argmax(-1)
        else:
            below = (logits / temperature).softmax(-1).cumsum(-1) <= chance[:, None]
            place = below.sum(-1).clamp_max(tries.shape[-1] - 1)
        edge = (state.place, action, place)
        seen = self.tries[edge].clamp_min(1.0)
        reward, continues = self.reward[edge] / seen, 1.0 - self.ended[edge] / seen
        reward, continues = (torch.where(state.over, 0.0, values) for values in (reward, continues))
        after = Place(place, continues == 0.0)
        epistemic = {"epistemic": (1.0 + num_tries).rsqrt(), "aleatoric": torch.zeros_like(reward)}
        return ModelStep(
            select(state.over, state, after),
            reward,
            continues,
            uncertainty=epistemic if uncertainty else None,
        )

    def decode(self, state: Any) -> Tensor:
        """Returns the places."""
        return state.place  # type: ignore[no-any-return]
