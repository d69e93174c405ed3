"""World models of vector observations: an ensemble of networks that predict Gaussians, and its simplest case, one
network.

Each member is two networks: one predicts the standardised change of the observation and the standardised reward, the
other, from these and what they led to, whether the episode is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from zoo_core.bounds import Bounds
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.known_functions import known_function
from zoo_core.seeding import construction_rng
from zoo_core.spaces import check_space
from zoo_core.world_model import ModelStep, State, WorldModel, repeat, select
from zoo_ensemble.config import EnsembleConfig, MLPConfig
from zoo_ensemble.fitting import Dataset, bootstrap_indices, fit_members, split
from zoo_ensemble.losses import bound_log_var, bounded_var, gaussian_nll
from zoo_ensemble.networks import BatchedNetwork, Seating
from zoo_ensemble.scaling import Standardizer

if TYPE_CHECKING:
    from zoo_core.replay import Replay

NO_MEMBER = -1


class EnsembleState(NamedTuple):
    """Belief: the observation, the member that carries the row, and whether the episode is over.

    Attributes:
        obs: `[B, D]` float32.
        member: `[B]` int64; -1 until the first step draws one, and always where every step draws anew (TS1).
        terminal: `[B]` bool.
    """

    obs: Tensor
    member: Tensor
    terminal: Tensor


class Prediction(NamedTuple):
    """What the dynamics networks say of change and reward, standardised.

    Attributes:
        mean: `[..., D + 1]`.
        log_var: the same shape, not yet bounded; of no width if the networks predict no variance.
    """

    mean: Tensor
    log_var: Tensor


class Ensemble(WorldModel):
    """Probabilistic ensemble (Chua et al. 2018, arXiv:1805.12114), fitted as in MBPO (Janner et al. 2019,
    arXiv:1906.08253).

    A row keeps the member that its first step draws (TS∞), and `particles` spreads a root over all members; or every
    step draws the members anew (TS1), each for as many of all B rows, not of the particles of each root.

    Differs from the papers: targets are standardised too, so that losses and uncertainties compare between tasks;
    termination is learned with the rest, unless the function is given; predictions stay within reach of the data.

    Args:
        observation_space: a Box with one dimension.
        action_space: Box or Discrete.
        config: fields of `config_class`.
        seed: of the initial weights.
    """

    config_class = EnsembleConfig
    config: EnsembleConfig
    elites: Tensor
    terminates: Tensor

    def __init__(
        self, observation_space: Space[Any], action_space: Space[Any], config: Any = None, *, seed: int = 0
    ) -> None:
        super().__init__(observation_space, action_space, config, seed=seed)
        self._check_spaces()
        self.obs_dim = int(observation_space.shape[0])  # type: ignore[index]
        if isinstance(action_space, spaces.Discrete):
            self.action_dim = int(action_space.n)
        else:
            self.action_dim = int(np.prod(action_space.shape))  # type: ignore[arg-type]
        num_targets = self.obs_dim + 1
        num_inputs = self.obs_dim + self.action_dim
        num_outputs = (2 if self.config.probabilistic else 1) * num_targets
        hidden = [self.config.hidden] * self.config.num_layers
        ending = [self.config.termination_hidden] * 2
        with construction_rng(seed):
            self.network = BatchedNetwork(self.config.num_members, [num_inputs, *hidden, num_outputs])
            self.termination = BatchedNetwork(self.config.num_members, [num_inputs + self.obs_dim, *ending, 1])
        self.max_log_var = nn.Parameter(torch.full((num_targets,), 0.5))
        self.min_log_var = nn.Parameter(torch.full((num_targets,), -10.0))
        self.input_scale = Standardizer(self.obs_dim)
        self.target_scale = Standardizer(num_targets)
        self.bounds = Bounds(observation_space)  # type: ignore[arg-type]
        self._set_action_range()
        self.register_buffer("elites", torch.arange(self.config.num_elites))
        self.register_buffer("terminates", torch.tensor(False))  # whether the data has a termination
        self._terminates = False  # the same, where to look it up waits for no GPU
        self.register_load_state_dict_post_hook(_look_up_terminations)  # type: ignore[no-untyped-call]
        self._reward_fn = known_function(self.config.reward_fn, "reward_fn")
        self._termination_fn = known_function(self.config.termination_fn, "termination_fn")
        self._seating: tuple[Tensor, Seating] | None = None

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        replay: Replay,
        *,
        rng: torch.Generator,
        max_updates: int | None = None,
        callback: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, float]:
        """Refits scales and goes on training from the present weights, with early stopping on a hold-out set."""
        self.remember(replay)
        data = self._dataset(replay)
        config = self.config
        train_rows, holdout_rows = split(len(data.inputs), config.holdout, config.max_holdout, rng=rng)
        if config.bootstrap:
            members = bootstrap_indices(len(train_rows), config.num_members, rng=rng)
        else:
            members = torch.arange(len(train_rows), device=self.device).expand(config.num_members, -1)
        result = fit_members(
            [parameter for parameter in self.parameters() if parameter.requires_grad],
            self._loss,
            self._holdout_losses,
            self._penalty,
            data.rows(train_rows),
            data.rows(holdout_rows),
            members=members,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            patience=config.patience,
            max_updates=max_updates,
            rng=rng,
            callback=callback,
        )
        self.elites.copy_(result.holdout_loss.argsort()[: config.num_elites])
        return {
            "holdout_loss": float(result.holdout_loss[self.elites].mean()),
            "updates": float(result.updates),
            "epochs": float(result.epochs),
        }

    def _dataset(self, replay: Replay) -> Dataset:
        """Turns the replay into inputs and standardised targets; takes scales and bounds from it."""
        steps = replay.tensors(self.device)
        obs, next_obs = steps.obs.float(), steps.next_obs.float()
        change = torch.cat([next_obs - obs, steps.reward[:, None]], dim=1)
        self.input_scale.fit(obs)
        self.target_scale.fit(change)
        self.bounds.fit(torch.cat([obs, next_obs]), steps.reward, self.config.margin)
        self._terminates = bool(steps.terminated.any())
        self.terminates.fill_(self._terminates)
        return Dataset(
            self._inputs(obs, steps.action),
            self.target_scale(change),
            self.input_scale(next_obs),
            steps.terminated.float(),
        )

    def _loss(self, data: Dataset) -> Tensor:
        """Returns the training loss of each member `[E]` on its own rows `[E, N, ...]`: mean over rows, sum over
        targets.
        """
        mean, log_var = self._predict(self.network(data.inputs))
        if self.config.probabilistic:
            error = gaussian_nll(mean, bound_log_var(log_var, self.min_log_var, self.max_log_var), data.targets)
        else:
            error = (mean - data.targets).square()
        return error.sum(-1).mean(-1) + self._termination_loss(data)

    def _holdout_losses(self, data: Dataset) -> Tensor:
        """Returns what judges each member `[E, L]`: the squared error of every target, as in MBPO, since a likelihood
        that still grows says little once the mean is right; and the cross-entropy of a learned termination.
        """
        mean, _ = self._predict(self.network(data.inputs))
        errors = (mean - data.targets).square().mean(-2)
        if not self._learns_termination():
            return errors
        return torch.cat([errors, self._termination_loss(data)[:, None]], dim=1)

    def _termination_loss(self, data: Dataset) -> Tensor:
        """Returns the cross-entropy of each member `[E]`; 0 if termination is known or never seen."""
        if not self._learns_termination():
            return data.targets.new_zeros(self.config.num_members)
        logit = self.termination(torch.cat([data.inputs, data.next_obs], dim=-1))[..., 0]
        return binary_cross_entropy_with_logits(logit, data.terminated, reduction="none").mean(-1)

    def _penalty(self) -> Tensor:
        if not self.config.probabilistic:
            return torch.zeros((), device=self.device)
        return self.config.bound_weight * (self.max_log_var.sum() - self.min_log_var.sum())

    # -- filtering and imagining ---------------------------------------------------------------------------------------

    def observe(
        self,
        state: State | None,
        action: Tensor | None,
        obs: Tensor,
        is_first: Tensor | None,
        *,
        rng: torch.Generator,
    ) -> EnsembleState:
        """The environment is taken to be Markov: the belief is what was seen, with no member chosen."""
        nobody = torch.full((len(obs),), NO_MEMBER, dtype=torch.int64, device=obs.device)
        return EnsembleState(obs.float().clone(), nobody, torch.zeros_like(nobody, dtype=torch.bool))

    def step(
        self,
        state: State,
        action: Tensor,
        *,
        rng: torch.Generator,
        temperature: float = 1.0,
        uncertainty: bool = False,
    ) -> ModelStep:
        """Runs each row through its own member; all members only for `uncertainty`, or for the expectation of a row
        that has no member at temperature 0.
        """
        member = self._draw_members(state.member, rng=rng) if temperature > 0 else state.member
        inputs = self._inputs(state.obs, action)
        everywhere = uncertainty or (temperature == 0 and bool((member < 0).any()))
        run = self._through_all if everywhere else self._through_own
        everyone, own = run(self.network, inputs, member)
        mean, log_var = self._predict(own)
        if self.config.probabilistic and temperature > 0:
            noise = torch.randn(mean.shape, generator=rng, device=mean.device)
            std = bounded_var(log_var, self.min_log_var, self.max_log_var).sqrt()
            mean = torch.addcmul(mean, noise, std, value=temperature**0.5)
        change = torch.addcmul(self.target_scale.mean, mean, self.target_scale.std)
        next_obs, held = self.bounds.hold_obs(state.obs + change[:, :-1])
        reward = self.bounds.hold_reward(change[:, -1])
        if self._reward_fn is not None:
            reward = self._reward_fn(state.obs, action, next_obs)
        doubts = self._uncertainty(everyone, log_var) if uncertainty and everyone is not None else None
        after = EnsembleState(next_obs, state.member if self.config.redraws_members else member, state.terminal)
        if self._termination_fn is None and not self._learns_termination():
            return ModelStep(after, reward, torch.ones_like(reward), uncertainty=doubts, held=held)
        if self._termination_fn is not None:
            continues = 1.0 - self._termination_fn(state.obs, action, next_obs)
        else:
            _, logit = run(self.termination, torch.cat([inputs, self.input_scale(next_obs)], dim=-1), member)
            continues = torch.sigmoid(-logit[:, 0] / (temperature or 1.0))
        return self._rest_in_peace(state, ModelStep(after, reward, continues, uncertainty=doubts, held=held))

    def decode(self, state: State) -> Tensor:
        """Returns the observation `[B, D]`."""
        return state.obs  # type: ignore[no-any-return]

    def particles(self, state: State, num: int, *, rng: torch.Generator) -> EnsembleState:
        """Returns `num` copies of each row; if rows keep their members, spread over the elites, best first.

        Every root has the same members, also where `num` is no multiple of theirs: candidates that are compared differ
        in what they do, not in who predicts it.
        """
        copies = repeat(state, num)
        if self.config.redraws_members:
            return copies  # type: ignore[no-any-return]
        particle = torch.arange(len(copies.member), device=self.device) % num
        return copies._replace(member=self.elites[particle % len(self.elites)])  # type: ignore[no-any-return]

    def _rest_in_peace(self, before: EnsembleState, step: ModelStep) -> ModelStep:
        """Leaves rows that were over before as they were, without reward."""
        over = before.terminal
        obs = select(over, before.obs, step.state.obs)
        continues = step.continues.masked_fill(over, 0.0)
        return step._replace(
            state=EnsembleState(obs, step.state.member, continues == 0),
            reward=step.reward.masked_fill(over, 0.0),
            continues=continues,
        )

    def _uncertainty(self, everyone: Tensor, log_var: Tensor) -> dict[str, Tensor] | None:
        """Epistemic: RMS over standardised outputs of the members' deviation; aleatoric: RMS of the predicted one.

        None of a single member, which has nobody to disagree with: a penalty on 0 would look like certainty.
        """
        if len(self.elites) == 1:
            return None
        spread = self._predict(everyone[self.elites]).mean.var(0, unbiased=False)
        noise = bounded_var(log_var, self.min_log_var, self.max_log_var)
        return {"epistemic": spread.mean(-1).sqrt(), "aleatoric": noise.mean(-1).sqrt()}

    def _predict(self, output: Tensor) -> Prediction:
        num = self.obs_dim + 1
        return Prediction(output[..., :num], output[..., num:])

    def _through_own(self, network: BatchedNetwork, inputs: Tensor, member: Tensor) -> tuple[Tensor | None, Tensor]:
        """Runs each row `[B, I]` through its own member's network; returns `[B, O]`."""
        return None, self._seats(member).through(network, inputs)

    def _through_all(self, network: BatchedNetwork, inputs: Tensor, member: Tensor) -> tuple[Tensor | None, Tensor]:
        """Runs every row through all members; returns `[E, B, O]`, and each row's own, or without one the elites'
        mean.
        """
        everyone = network(inputs.expand(self.config.num_members, *inputs.shape))
        own = everyone[member.clamp(min=0), torch.arange(len(member), device=member.device)]
        return everyone, select(member >= 0, own, everyone[self.elites].mean(0))

    def _draw_members(self, member: Tensor, *, rng: torch.Generator) -> Tensor:
        """Draws an elite for rows that have none (TS∞) or for all rows (TS1); as many rows for each if all draw.

        What is drawn depends on B alone, so that a row that begins anew does not disturb the others.
        """
        num_elites = len(self.elites)
        places = -(-len(member) // num_elites) * num_elites
        permutation = torch.randperm(places, generator=rng, device=member.device)[: len(member)]
        if not self.config.redraws_members and self._seating is not None and self._seating[0] is member:
            return member  # everybody had a member a step ago
        drawn = self.elites[permutation % num_elites]
        if self.config.redraws_members:
            self._seating = (drawn, Seating.shared_out(permutation, self.elites, self.config.num_members))
            return drawn
        nobody = member < 0
        return torch.where(nobody, drawn, member) if bool(nobody.any()) else member

    def _seats(self, member: Tensor) -> Seating:
        """Returns the seating of these members; dreams keep theirs for many steps, so the last one is kept."""
        if self._seating is None or self._seating[0] is not member:
            self._seating = (member, Seating.of(member, self.config.num_members))
        return self._seating[1]

    def _inputs(self, obs: Tensor, action: Tensor) -> Tensor:
        if isinstance(self.action_space, spaces.Discrete):
            encoded = one_hot(action, self.action_dim).to(torch.float32)
        else:
            units = action.reshape(len(action), -1).to(torch.float32)
            encoded = torch.addcmul(self.action_offset, units, self.action_scale)
        return torch.cat([self.input_scale(obs), encoded], dim=-1)

    def _set_action_range(self) -> None:
        """Box actions with finite bounds are scaled to [-1, 1], others are left in their units."""
        scale, offset = np.ones(self.action_dim, np.float32), np.zeros(self.action_dim, np.float32)
        if isinstance(self.action_space, spaces.Box):
            low, high = self.action_space.low.reshape(-1), self.action_space.high.reshape(-1)
            finite = np.isfinite(low) & np.isfinite(high) & (high > low)
            low, high = low[finite], high[finite]
            scale[finite] = 2.0 / (high - low)
            offset[finite] = -(high + low) / (high - low)
        self.action_scale: Tensor
        self.action_offset: Tensor
        self.register_buffer("action_scale", torch.from_numpy(scale))
        self.register_buffer("action_offset", torch.from_numpy(offset))

    def _learns_termination(self) -> bool:
        return self._termination_fn is None and self._terminates

    def _check_spaces(self) -> None:
        who = f"{type(self).__name__} (a model of vectors)"
        check_space(self.observation_space, [spaces.Box], what="observation", who=who)
        check_space(self.action_space, [spaces.Box, spaces.Discrete], what="action", who=who)
        space = self.observation_space
        if len(space.shape) != 1 or not np.issubdtype(space.dtype, np.floating):  # type: ignore[arg-type]
            raise UnsupportedSpaceError(
                f"{who} takes Box observations of one dimension and floating point type, got {space}; for arrays of "
                "numbers gymnasium.wrappers.FlattenObservation makes them so, images need another model"
            )


def _look_up_terminations(model: Ensemble, keys: object) -> None:
    """Looks up, after weights were loaded, whether the data they were fitted to had a termination."""
    model._terminates = bool(model.terminates)


class MLP(Ensemble):
    """One network trained on the mean squared error: predicts what happens on average (Nagabandi et al. 2018,
    arXiv:1708.02596). Dreams in it are deterministic, but for a sampled termination.
    """

    config_class = MLPConfig  # type: ignore[assignment]
