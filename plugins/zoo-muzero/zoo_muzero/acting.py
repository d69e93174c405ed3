"""From a search to an action: the planners of an agent, and the temperature of what is played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo_core.planner import Plan, Planner
from zoo_core.plugins import load_object, make_planner, planner_spec
from zoo_muzero.world_model import MuZeroModel

_QUIET = {"noise_alpha": None, "gumbel_scale": 0.0}  # options of planners by which play differs from learning


class Searches:
    """A planner for learning, and the same without noise for play.

    Args:
        model: to search in.
        planner: registered name.
        config: of the planner; unless it says otherwise its discount is that of the model, and values are scaled by
            their range in the tree.
    """

    def __init__(self, model: MuZeroModel, planner: str, config: Mapping[str, Any] | None) -> None:
        self.model = model
        defaults = {"gamma": model.config.discount, "value_scale": "min-max"}
        known = load_object(str(planner_spec(planner).config)).__dataclass_fields__
        settings = {name: value for name, value in defaults.items() if name in known} | dict(config or {})
        self.learning: Planner = make_planner(planner, settings, evaluate=model.evaluate)
        self.learning.check(model)
        self._playing: dict[int, Planner] = {}

    @property
    def samples(self) -> bool:
        """Whether the planner's action is a sample of its policy already, as that of Gumbel MuZero is."""
        return hasattr(self.learning.config, "gumbel_scale")

    def playing(self, num_simulations: int | None = None) -> Planner:
        """Returns the planner without noise, by default with as many simulations as in learning."""
        config: Any = self.learning.config
        num = config.num_simulations if num_simulations is None else num_simulations
        if num not in self._playing:
            quiet = {name: value for name, value in _QUIET.items() if hasattr(config, name)}
            settings = replace(config, num_simulations=num, **quiet)
            self._playing[num] = type(self.learning)(settings, evaluate=self.model.evaluate)
        return self._playing[num]


def temperature_at(progress: float, temperatures: tuple[float, ...]) -> float:
    """Returns the temperature at a share of the run in [0, 1], each of which holds for as long a part."""
    return temperatures[min(int(progress * len(temperatures)), len(temperatures) - 1)]


def choose(plan: Plan, temperature: Tensor | float, *, rng: torch.Generator) -> Tensor:
    """Returns actions `[B]`: samples of the weights to the power of 1 / T, and the heaviest where T is 0.

    Args:
        plan: with weights `[B, A]`; what has none is never chosen.
        temperature: T, a number or `[B]`.
        rng: source of randomness; as much is drawn whatever T is.
    """
    assert plan.weights is not None
    noise = torch.rand(plan.weights.shape, generator=rng, device=plan.weights.device)
    gumbel = -torch.log(-torch.log(noise.clamp(torch.finfo(noise.dtype).tiny, 1.0 - 1e-7)))
    heat = torch.as_tensor(temperature, dtype=noise.dtype, device=noise.device).expand(len(noise))[:, None]
    return (plan.weights.log() + heat * gumbel).argmax(1)
