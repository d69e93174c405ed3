"""The cross-entropy method: draw sequences, keep the best, draw more like them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from gymnasium.spaces import Discrete
from torch import Tensor
from torch.nn.functional import one_hot

from zoo_core.planner import Plan
from zoo_core.world_model import State, WorldModel, batch_size
from zoo_planners.actions import ActionBox, num_actions, rest_of
from zoo_planners.config import CEMConfig
from zoo_planners.discrete import gumbel
from zoo_planners.elites import Elites, select_elites
from zoo_planners.returns import Choose, follow, prefer
from zoo_planners.sequence_planner import SequencePlanner

TRUNCATION = 2.0  # deviations at which the normal is cut off
INITIAL_VARIANCE = 0.25  # of actions in [-1, 1]: (high - low)² / 16


class CEM(SequencePlanner):
    """Cross-entropy method (Rubinstein 1999; as in PETS, Chua et al. 2018, arXiv:1805.12114).

    Box actions are drawn from a normal truncated at two deviations, whose variance never lets it reach past the bounds;
    Discrete ones from a categorical distribution of each step. The plan is the mean, or of Discrete actions the best
    sequence of the last iteration. The search of the next step begins where the distribution is by now, one step on;
    the variance begins anew. A root whose distribution has narrowed down is left as it is while others go on.

    `Plan.value` is the mean return of the last elites.
    """

    name = "cem"
    takes_discrete = True
    config_class = CEMConfig
    config: CEMConfig

    def plan(self, model: WorldModel, state: State, *, rng: torch.Generator, previous: Plan | None = None) -> Plan:
        """Searches from B roots.

        Raises:
            UnsupportedSpaceError: actions are neither Discrete nor a Box with finite bounds.
            ValueError: the model is a game of several players, or `previous` is no plan that this search can go on
                from.
            NonFiniteError: every return from a root is NaN.
        """
        config, num_roots = self.config, batch_size(state)
        search: Distribution = (Categorical if isinstance(model.action_space, Discrete) else Normal)(model, config)
        parameters = search.begin(num_roots, previous)
        value = torch.zeros(num_roots, device=rng.device)
        done = torch.zeros(num_roots, dtype=torch.bool, device=rng.device)
        sequence: Tensor | None = None  # of each root, from the last iteration that it took part in
        with torch.no_grad():
            for _ in range(config.iterations):
                imagined = self.imagine(model, state, search.draw(parameters, rng), config.num_candidates, rng=rng)
                elites = select_elites(imagined.actions, imagined.returns, config.num_elites, model)
                weight = elites.equal_weights()
                moved = search.fit(elites.sequences, weight, parameters)
                parameters = torch.where(_over(done, parameters), parameters, moved)
                value = torch.where(done, value, elites.mean_return(weight))
                chosen = search.choose(parameters, elites)
                sequence = chosen if sequence is None else torch.where(_over(done, chosen), sequence, chosen)
                done = done | (search.variance(parameters).flatten(1).amax(1) < config.min_variance)
                if bool(done.all()):
                    break
        assert sequence is not None  # there is an iteration at least
        return Plan(sequence[:, 0], value, sequence=sequence, memory=search.memory(parameters))


class Distribution(ABC):
    """Over sequences of actions: `parameters` `[B, H, ...]` are moved towards the elites."""

    def __init__(self, model: WorldModel, config: CEMConfig) -> None:
        self.model, self.config = model, config

    @abstractmethod
    def begin(self, num_roots: int, previous: Plan | None) -> Tensor:
        """Returns the parameters that a search begins with."""

    @abstractmethod
    def draw(self, parameters: Tensor, rng: torch.Generator) -> Choose:
        """Draws `config.num_candidates` sequences for every root."""

    @abstractmethod
    def fit(self, elites: Tensor, weight: Tensor, parameters: Tensor) -> Tensor:
        """Returns parameters moved to elites `[B, K, H, ...]` that count by `weight` `[B, K]`."""

    @abstractmethod
    def variance(self, parameters: Tensor) -> Tensor:
        """Returns the variances."""

    @abstractmethod
    def choose(self, parameters: Tensor, elites: Elites) -> Tensor:
        """Returns the plans `[B, H, ...]`, in the environment's units, given the last elites."""

    @abstractmethod
    def memory(self, parameters: Tensor) -> Tensor:
        """Returns what the search of the next step begins from."""


class Normal(Distribution):
    """Truncated normal of Box actions: `parameters` `[B, H, 2, A]` are mean and variance, in units of [-1, 1]."""

    def __init__(self, model: WorldModel, config: CEMConfig) -> None:
        super().__init__(model, config)
        self.box = ActionBox(model, CEM.name)

    def begin(self, num_roots: int, previous: Plan | None) -> Tensor:
        """Begins around the rest of the plan before, then the middle of the box."""
        middle = torch.zeros(num_roots, self.config.horizon, self.box.size, device=self.model.device)
        mean = rest_of(previous, middle, CEM.name)
        return torch.stack([mean, torch.full_like(mean, INITIAL_VARIANCE)], dim=2)

    def draw(self, parameters: Tensor, rng: torch.Generator) -> Choose:
        """Draws within two deviations, of which neither bound is nearer than that."""
        mean, variance = parameters[:, None].unbind(3)
        nearest = 1.0 - mean.abs()  # to a bound
        std = torch.minimum(variance, (nearest / 2.0).square()).sqrt()
        noise = truncated_normal((len(mean), self.config.num_candidates, *mean.shape[2:]), rng)
        return follow(self.box.to_env(torch.addcmul(mean, noise, std)), self.config.num_particles)

    def fit(self, elites: Tensor, weight: Tensor, parameters: Tensor) -> Tensor:
        """Moves to mean and variance of the elites."""
        units, weight = self.box.to_units(elites), weight[:, :, None, None]
        mean = (weight * units).sum(1)
        variance = (weight * (units - mean[:, None]).square()).sum(1)
        return torch.lerp(torch.stack([mean, variance], dim=2), parameters, self.config.alpha)

    def variance(self, parameters: Tensor) -> Tensor:
        """Returns the variances."""
        return parameters[:, :, 1]

    def choose(self, parameters: Tensor, elites: Elites) -> Tensor:
        """Returns the means."""
        return self.box.to_env(parameters[:, :, 0])

    def memory(self, parameters: Tensor) -> Tensor:
        """Returns the means, in units of [-1, 1]."""
        return parameters[:, :, 0]


class Categorical(Distribution):
    """Categorical distribution of each Discrete action: `parameters` `[B, H, A]` are its probabilities."""

    def __init__(self, model: WorldModel, config: CEMConfig) -> None:
        super().__init__(model, config)
        self.num_actions = num_actions(model, CEM.name)

    def begin(self, num_roots: int, previous: Plan | None) -> Tensor:
        """Begins half-way between the rest of the plan before and indifference."""
        uniform = torch.full(
            (num_roots, self.config.horizon, self.num_actions), 1.0 / self.num_actions, device=self.model.device
        )
        return (rest_of(previous, uniform, CEM.name) + uniform) / 2.0

    def draw(self, parameters: Tensor, rng: torch.Generator) -> Choose:
        """Draws by the greatest perturbed logit (Gumbel), among what is legal when it comes to it."""
        shape = (len(parameters), self.config.num_candidates, *parameters.shape[1:])
        return prefer(parameters[:, None].log() + gumbel(shape, rng), self.model, self.config.num_particles)

    def fit(self, elites: Tensor, weight: Tensor, parameters: Tensor) -> Tensor:
        """Moves to the shares of the elites' actions."""
        shares = (weight[:, :, None, None] * one_hot(elites, self.num_actions)).sum(1)
        return torch.lerp(shares, parameters, self.config.alpha)

    def variance(self, parameters: Tensor) -> Tensor:
        """Returns p(1 - p)."""
        return parameters * (1.0 - parameters)

    def choose(self, parameters: Tensor, elites: Elites) -> Tensor:
        """Returns the best sequences: what is likely at every step need not be good together."""
        return elites.sequences[:, 0]

    def memory(self, parameters: Tensor) -> Tensor:
        """Returns the probabilities."""
        return parameters


def truncated_normal(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Draws from a standard normal cut off at ±2, by the inverse of its distribution function."""
    edge = math.erf(TRUNCATION / math.sqrt(2.0))
    uniform = torch.rand(shape, generator=rng, device=rng.device)
    noise = torch.erfinv((2.0 * uniform - 1.0) * edge) * math.sqrt(2.0)
    return noise.clamp(-TRUNCATION, TRUNCATION)


def _over(done: Tensor, like: Tensor) -> Tensor:
    """Returns `[B]` as `[B, 1, ...]`, to broadcast over `like`."""
    return done.reshape(-1, *[1] * (like.ndim - 1))
