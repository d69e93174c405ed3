"""The linear model: reward, termination and next features are linear in features, by least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.config import resolve_function
from zoo_core.errors import ConfigError, NonFiniteError, UnsupportedSpaceError
from zoo_core.known_functions import known_function
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel, select
from zoo_tabular.config import LinearConfig
from zoo_tabular.features import AffineFeatures, OneHotFeatures
from zoo_tabular.least_squares import LeastSquares

if TYPE_CHECKING:
    from zoo_core.replay import Replay

CHUNK = 4_096  # steps that are made features at a time
MAX_WEIGHTS = 2**26  # numbers: a quarter of a GiB


class LinearState(NamedTuple):
    """Belief: the expected features.

    Attributes:
        features: `[B, F]` float32, φ.
        terminal: `[B]` bool.
    """

    features: Tensor
    terminal: Tensor


class LinearParts(NamedTuple):
    """What a linear model learned; each row of G is one action, or the only row where actions are Box.

    The inputs x of a step are φ, of Box actions (φ, action).

    Attributes:
        transition: `[G, I, F]`; next features are x @ it.
        reward: `[G, I]`; the expected reward is x @ it.
    """

    transition: Tensor
    reward: Tensor


class Linear(WorldModel):
    """Linear expectation model (Sutton et al. 2008, arXiv:1206.3285; Parr et al. 2008, doi:10.1145/1390156.1390251).

    The expected next features are F_a φ and the expected reward is b_a · φ, with weights of their own for each action
    where actions are Discrete, and jointly linear in (φ, action) where they are Box. A dream goes on with the expected
    features, φ' = F_a φ; they are not made anew of an observation. Under a value function that is linear in φ nothing
    is lost by that (Wan et al. 2019, arXiv:1904.01191).

    What the ridge pulls to is a world that stands still and pays nothing: so does an action, or a one-hot state, that
    was never tried. The epistemic uncertainty is the leverage √(xᵀ(XᵀX + 1)⁻¹x) of standardised inputs, as in LinUCB
    (Li et al. 2010, arXiv:1003.0146), 1/√(1 + tries) of one-hot states; the aleatoric one is what the regression leaves
    unexplained, in units of the targets' deviation, the same everywhere.

    Differs from the papers: all steps are solved for at once, where Sutton et al. descend a gradient step by step.
    Termination is regressed too; the usual convention, features of 0 in a terminal state, would ask features that
    change continuously to jump there. Predictions stay within reach of the data.

    Args:
        observation_space: a Box with one dimension; or Discrete, if actions are, too.
        action_space: Box or Discrete.
        config: fields of `LinearConfig`.
        seed: of nothing; the model has no initial weights.
    """

    config_class = LinearConfig
    config: LinearConfig
    weights: Tensor
    whitening: Tensor
    unexplained: Tensor
    reward_low: Tensor
    reward_high: Tensor

    def __init__(
        self, observation_space: Space[Any], action_space: Space[Any], config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        _check_spaces(observation_space, action_space)
        self.basis = _make_features(observation_space, self.config)
        discrete = isinstance(action_space, spaces.Discrete)
        self.num_groups = int(action_space.n) if discrete else 1  # type: ignore[attr-defined]
        action_dim = 0 if discrete else int(np.prod(action_space.shape))  # type: ignore[arg-type]
        self.num_inputs = self.basis.size + action_dim
        num_outputs = self.basis.size + self.basis.num_endings + 1
        if (size := self.num_groups * self.num_inputs * num_outputs) > MAX_WEIGHTS:
            raise UnsupportedSpaceError(
                f"Linear would have {size:,} weights for {observation_space} and {action_space}, at most "
                f"{MAX_WEIGHTS:,}: the model 'lookup' keeps only what it saw"
            )
        self.register_buffer("weights", torch.zeros(self.num_groups * self.num_inputs, num_outputs))
        self.register_buffer("whitening", torch.zeros(self.num_inputs, self.num_groups * self.num_inputs))
        self.register_buffer("unexplained", torch.ones(()))
        self.register_buffer("reward_low", torch.tensor(-torch.inf))
        self.register_buffer("reward_high", torch.tensor(torch.inf))
        self._reward_fn = known_function(self.config.reward_fn, "reward_fn")
        self._termination_fn = known_function(self.config.termination_fn, "termination_fn")

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        replay: Replay,
        *,
        rng: torch.Generator,
        max_updates: int | None = None,
        callback: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, float]:
        """Solves the least-squares problem of all experience; nothing is drawn, and there are no updates to limit.

        Raises:
            NonFiniteError: the function of extra features returned NaN or infinity.
        """
        self.remember(replay)
        steps = replay.tensors(self.device)
        self.reward_low.copy_(steps.reward.min())
        self.reward_high.copy_(steps.reward.max())
        if isinstance(self.basis, AffineFeatures):
            self.basis.fit(self._finite(self.basis.encode(torch.cat([steps.obs, steps.next_obs]))), self.config.margin)
        sums = LeastSquares(
            self.num_groups,
            self.num_inputs,
            self.weights.shape[1],
            intercept=self.basis.intercept,
            device=self.device,
        )
        for begin in range(0, len(steps.reward), CHUNK):
            rows = slice(begin, begin + CHUNK)
            before, after = self.basis.encode(steps.obs[rows]), self.basis.encode(steps.next_obs[rows])
            known = self._termination_fn is not None
            ended = torch.zeros_like(steps.terminated[rows]) if known else steps.terminated[rows]
            change, ending = self.basis.targets(before, after, ended)
            group, inputs = self._problem(before, steps.action[rows])
            sums.add(group, inputs, torch.cat([change, ending, steps.reward[rows, None]], dim=1))
        weights = sums.solve(self.config.ridge)
        self.weights.copy_(weights.flatten(0, 1))
        self.whitening.copy_(sums.whitening().transpose(0, 1).flatten(1))
        self.unexplained.copy_(sums.unexplained(weights))
        return {"unexplained": float(self.unexplained), "transitions": float(sums.num_rows)}

    def parts(self) -> LinearParts:
        """Returns the matrices that were learned; of one-hot features, `transition` holds what goes on only."""
        weights = self.weights.reshape(self.num_groups, self.num_inputs, -1)
        stay = torch.eye(self.num_inputs, self.basis.size, device=self.device)
        return LinearParts(stay + weights[..., : self.basis.size], weights[..., -1])

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    def observe(
        self, state: State | None, action: Tensor | None, obs: Tensor, is_first: Tensor | None, *, rng: torch.Generator
    ) -> LinearState:
        """The environment is taken to be Markov: the belief is the features of what was seen."""
        features = self.basis.encode(obs)
        return LinearState(features, torch.zeros(len(features), dtype=torch.bool, device=features.device))

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Moves the expected features on; nothing is drawn, at any temperature."""
        group, inputs = self._problem(state.features, action)
        chosen = one_hot(group, self.num_groups).to(inputs.dtype)
        output = (chosen[:, :, None] * inputs[:, None, :]).flatten(1) @ self.weights
        change, ending = output[:, : self.basis.size], output[:, self.basis.size : -1]
        features, ended, held = self.basis.move(state.features, change, ending)
        reward = output[:, -1].clamp(self.reward_low, self.reward_high)
        if self._reward_fn is not None:
            reward = self._reward_fn(self.decode(state), action, self.basis.decode(features))
        if self._termination_fn is not None:
            ended = self._termination_fn(self.decode(state), action, self.basis.decode(features))
        over = state.terminal
        continues = (1.0 - ended).masked_fill(over, 0.0)
        after = LinearState(select(over, state.features, features), continues == 0.0)
        doubts = self._uncertainty(chosen, inputs) if uncertainty else None
        return ModelStep(after, reward.masked_fill(over, 0.0), continues, uncertainty=doubts, held=held)

    def decode(self, state: State) -> Tensor:
        """Returns the observation among the features, `[B, D]`; of a distribution the most probable state, `[B]`."""
        return self.basis.decode(state.features)

    def features(self, state: State) -> Tensor:
        """Returns φ `[B, F]`."""
        return state.features  # type: ignore[no-any-return]

    def _problem(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Returns which weights apply, `[B]`, and their inputs `[B, I]`."""
        if isinstance(self.action_space, spaces.Discrete):
            return action, features
        inputs = torch.cat([features, action.reshape(len(action), -1).to(features.dtype)], dim=1)
        return torch.zeros(len(action), dtype=torch.int64, device=action.device), inputs

    def _uncertainty(self, chosen: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """Returns leverage, and what was left unexplained; for actions one-hot `[B, G]` and inputs `[B, I]`."""
        white = (inputs @ self.whitening).reshape(-1, self.num_groups, self.num_inputs)
        leverage = torch.linalg.vector_norm((chosen[:, :, None] * white).sum(1), dim=-1)
        return {"epistemic": leverage, "aleatoric": self.unexplained.expand(len(inputs)).clone()}

    def _finite(self, features: Tensor) -> Tensor:
        if not bool(features.isfinite().all()):
            raise NonFiniteError("the function of extra features, features=, returned NaN or infinity for real data")
        return features


def _make_features(space: Space[Any], config: LinearConfig) -> AffineFeatures | OneHotFeatures:
    if isinstance(space, spaces.Box):
        return AffineFeatures(space, resolve_function(config.features))
    if config.features is not None:
        raise ConfigError(f"features= adds to Box observations; {space} is one-hot, and complete: leave it out")
    return OneHotFeatures(space)  # type: ignore[arg-type]  # checked


def _check_spaces(observation_space: Space[Any], action_space: Space[Any]) -> None:
    who = "Linear (a model that is linear in features)"
    check_space(observation_space, [spaces.Box, spaces.Discrete], what="observation", who=who)
    check_space(action_space, [spaces.Box, spaces.Discrete], what="action", who=who)
    if isinstance(observation_space, spaces.Discrete):
        if not isinstance(action_space, spaces.Discrete):
            raise UnsupportedSpaceError(
                f"{who} takes Discrete actions where observations are Discrete, got {action_space}: how far a number "
                "moves a state that has none cannot be linear"
            )
    elif len(observation_space.shape) != 1 or not np.issubdtype(observation_space.dtype, np.floating):  # type: ignore[arg-type]
        raise UnsupportedSpaceError(
            f"{who} takes Box observations of one dimension and floating point type, got {observation_space}; for "
            "arrays of numbers gymnasium.wrappers.FlattenObservation makes them so, images need another model"
        )
