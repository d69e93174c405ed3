"""What planners share that compare whole sequences of actions."""

from __future__ import annotations

from typing import ClassVar

import torch
from gymnasium.spaces import Discrete

from zoo_core.planner import Planner
from zoo_core.world_model import State, WorldModel
from zoo_planners.actions import ActionBox
from zoo_planners.config import ShootingConfig
from zoo_planners.returns import Choose, Imagined, check_one_player, imagine


class SequencePlanner(Planner):
    """Compares sequences of actions by what they return in the model; a subclass says in `plan` which.

    Attributes:
        name: of the planner, for messages.
        takes_discrete: whether it takes Discrete actions, beside Box ones.
    """

    name: ClassVar[str]
    takes_discrete: ClassVar[bool] = False
    config_class = ShootingConfig
    config: ShootingConfig

    def check(self, model: WorldModel) -> None:
        """Raises what `plan` would raise of this model from any state.

        Raises:
            UnsupportedSpaceError: actions are no Box with finite bounds, nor Discrete where those are taken.
            ValueError: the model is a game of several players.
        """
        check_one_player(model)
        if not (self.takes_discrete and isinstance(model.action_space, Discrete)):
            ActionBox(model, self.name)

    def imagine(
        self, model: WorldModel, state: State, choose: Choose, num_candidates: int, *, rng: torch.Generator
    ) -> Imagined:
        """Follows candidates from each root through the model, by its config and `evaluate`; see `returns.imagine`."""
        return imagine(
            model,
            state,
            choose,
            num_candidates,
            self.config.horizon,
            rng=rng,
            num_particles=self.config.num_particles,
            gamma=self.config.gamma,
            evaluate=self.evaluate,
        )
