"""Model-predictive control, by the three recipes that the field teaches (Levine, CS 285, "Model-Based Reinforcement
Learning"; Nagabandi et al. 2018, arXiv:1708.02596).
"""

from __future__ import annotations

from zoo_planners.config import MPCConfig
from zoo_planners.planning_agent import PlanningAgent


class MPCAgent(PlanningAgent):
    """Collects at random, fits the model, and plans in it. Then, by `recipe`:

    - "v0.5" keeps the model, and takes each plan to its end before it makes the next. Where plans lead out of what
      random steps saw, a learned model knows nothing.
    - "v1.0" fits the model again after every `round_steps`, to what its own plans led to.
    - "v1.5" also plans anew at every step, so that an error of the model does not run its course.
    """

    config_class = MPCConfig
    config: MPCConfig

    @property
    def whole_plans(self) -> bool:
        """Whether it takes plans to their end before it makes the next."""
        return self.config.recipe != "v1.5"

    def iterate(self) -> dict[str, float]:
        """Makes one round: collect, and fit."""
        if self.round == 0:
            metrics = self.collect_at_random(self.config.initial_steps)
        else:
            metrics = self.collect_by_planning(self.config.round_steps)
        if self.env.stop or (self.round > 0 and self.config.recipe == "v0.5"):
            return metrics
        return {**metrics, **self.fit()}
