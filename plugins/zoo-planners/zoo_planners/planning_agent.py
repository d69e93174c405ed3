"""What agents share that act by searching the model they learn: `mpc` here, PETS in a plugin of its own."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.vec_env import unwrap_vec_normalize

from zoo_core.errors import ConfigError
from zoo_core.model_based_agent import ModelBasedAgent
from zoo_core.planner import Planner
from zoo_core.plugins import check_spaces, make_planner, model_spec, planner_spec, specs
from zoo_core.replay import Replay
from zoo_core.seeding import stream_seed
from zoo_planners.policy import PlanningPolicy


class PlanningAgent(ModelBasedAgent):
    """Acts by a planner in its world model; a subclass says in `iterate` when it collects and when it fits.

    The config names both: a `PlanningConfig`.
    """

    planner: Planner

    def __init__(self, env: Any, config: Any = None, **kwargs: Any) -> None:
        super().__init__(env, config, **kwargs)
        self._check_specs()
        _check_normalization(self.env, who=type(self).__name__)
        self.planner = make_planner(self.config.planner, self.config.planner_config)
        self.planner.check(self.model)
        self._acting, self._collecting = (self._policy(name) for name in ("acting", "collecting"))

    @property
    def whole_plans(self) -> bool:
        """Whether it takes plans to their end before it makes the next."""
        return False

    def collect_by_planning(self, steps: int) -> dict[str, float]:
        """Acts by planning for `steps` decisions, and stores what happens."""
        return self.collect(self._collecting, steps)

    def learn_offline(self, replay: Replay) -> dict[str, float]:
        """Fits the model to a replay, which is kept and may grow; acting is planning in it."""
        self.take_replay(replay)
        return {"replay/steps": float(len(replay)), **self.fit()}

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Chooses actions by planning; belief and plan travel in `state`."""
        return self._acting.predict(observation, state, episode_start, deterministic)

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Replaces the environment; what was learned and stored is kept if the number of environments is the same."""
        _check_normalization(env, who=type(self).__name__)
        super().set_env(env)

    def to_checkpoint(self) -> Any:
        """Returns where the two random streams stand."""
        return [policy.to_checkpoint() for policy in (self._acting, self._collecting)]

    def load_checkpoint(self, state: Any) -> None:
        """Sets the two random streams to where they stood."""
        for policy, stored in zip((self._acting, self._collecting), state, strict=True):
            policy.load_checkpoint(stored)

    def _policy(self, name: str) -> PlanningPolicy:
        return PlanningPolicy(self.model, self.planner, seed=stream_seed(self.seed, name), whole_plans=self.whole_plans)

    def _check_specs(self) -> None:
        """Checks before anything is made of it that the planner serves the spaces, and the model."""
        planner, model = planner_spec(self.config.planner), model_spec(self.config.model)
        check_spaces(planner, self.observation_space, self.action_space)
        if model.players > 1:
            raise ConfigError(
                f"{type(self).__name__} acts for one player and does not see the other's moves: "
                f"model {model.id!r} is of a board game, for which there are agents such as alphazero"
            )
        if not planner.fits(model):
            fitting = [spec.id for spec in specs("model") if planner.fits(spec)]
            need = "needs a differentiable model" if planner.needs_gradients else "does not search such a model"
            raise ConfigError(
                f"planner {planner.id!r} {need}, got model {model.id!r}; it fits {', '.join(fitting) or 'none'}"
            )


def _check_normalization(env: Any, *, who: str) -> None:
    normalize = unwrap_vec_normalize(env)
    if normalize is not None and normalize.norm_obs:
        raise ValueError(
            f"{who} plans in raw observations, which its world model is fitted to: wrap the environment in "
            "VecNormalize(..., norm_obs=False)"
        )
