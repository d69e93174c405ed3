"""What MBPO adds to SB3's loop: now and then it fits a world model, and fills the replay buffer with dreams."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from zoo_core.acting import env_id_of
from zoo_core.config import check_range
from zoo_core.errors import ConfigError
from zoo_core.model_based_agent import fit_with_progress
from zoo_core.plugins import WorldModelSpec, spec_of, specs
from zoo_core.world_model import WorldModel, stream
from zoo_mbpo.buffer import MixedReplayBuffer, check_raw
from zoo_mbpo.rollouts import branched_rollouts
from zoo_mbpo.schedule import RolloutSchedule


class MBPOCallback(BaseCallback):
    """Turns SB3's SAC, with a `MixedReplayBuffer`, into MBPO (Janner et al. 2019, arXiv:1906.08253, algorithm 2).

    Every `model_interval` env steps, before the gradient steps that follow, it fits the model to all real steps and
    imagines branched rollouts with the actor's own, sampled actions. The first time is after `learning_starts` random
    steps, from where epochs are counted.

    Args:
        world_model: of the spaces of the environment.
        model_interval: env steps between two fits.
        epoch_steps: env steps of an epoch.
        rollouts_per_step: branched rollouts an env step, M: a fit is followed by `model_interval` times as many.
        rollout_schedule: first and last epoch, first and last length of rollouts; see `RolloutSchedule`.
        retain_epochs: epochs of dreams that are kept.
        uncertainty_penalty: λ, times the epistemic uncertainty, off imagined rewards (MOPO).
        seed: of fits and dreams; actions are drawn from torch's global stream, as by SB3.
        verbose: see SB3.

    Raises:
        ValueError: an argument is out of range.
        ConfigError: a penalty, and the model is registered as one that reports no epistemic uncertainty.
    """

    def __init__(
        self,
        world_model: WorldModel,
        *,
        model_interval: int = 250,
        epoch_steps: int = 1_000,
        rollouts_per_step: int = 400,
        rollout_schedule: tuple[int, int, int, int] = (20, 150, 1, 1),
        retain_epochs: int = 1,
        uncertainty_penalty: float = 0.0,
        seed: int = 0,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        counts = {
            "model_interval": model_interval,
            "epoch_steps": epoch_steps,
            "rollouts_per_step": rollouts_per_step,
            "retain_epochs": retain_epochs,
        }
        for name, count in counts.items():
            check_range(name, count, 1)
        _check_penalty(world_model, uncertainty_penalty)
        self.world_model = world_model
        self.model_interval, self.epoch_steps = model_interval, epoch_steps
        self.rollouts_per_step, self.retain_epochs = rollouts_per_step, retain_epochs
        self.schedule = RolloutSchedule(*rollout_schedule)
        self.uncertainty_penalty = uncertainty_penalty
        self.seed = seed
        self.progress_bar = False
        self.fitted_at = 0  # env step of the last fit
        self.round = 0  # batches of rollouts made

    @property
    def buffer(self) -> MixedReplayBuffer:
        """The replay buffer of the algorithm."""
        return self.model.replay_buffer  # type: ignore[attr-defined, no-any-return]

    def _init_callback(self) -> None:
        """Checks what it is attached to.

        Raises:
            TypeError: the algorithm has another replay buffer.
            ValueError: its environment is normalised, or has other spaces than the world model.
        """
        found = getattr(self.model, "replay_buffer", None)
        if not isinstance(found, MixedReplayBuffer):
            raise TypeError(
                f"MBPOCallback needs an algorithm made with replay_buffer_class=MixedReplayBuffer, got "
                f"{type(self.model).__name__} with {type(found).__name__}"
            )
        for name in ("observation_space", "action_space"):
            wanted, given = getattr(self.model, name), getattr(self.world_model, name)
            if wanted != given:
                raise ValueError(
                    f"{name} of the world model is {given}, that of {type(self.model).__name__} is {wanted}: make the "
                    "model for the spaces of the algorithm"
                )
        check_raw(self.model.get_vec_normalize_env())
        if found.replay.env_id is None and self.model.env is not None:
            found.replay.env_id = env_id_of(self.model.env)

    def _on_training_start(self) -> None:
        self.buffer.replay.cut()  # SB3 has reset the environments

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        """Fits and dreams when it is time: the env step has been stored, gradient steps follow."""
        since_fit = self.model.num_timesteps - self.fitted_at
        begun = self.model.num_timesteps - self.model.learning_starts  # type: ignore[attr-defined]
        if begun < 0 or (0 <= since_fit < self.model_interval and len(self.buffer.dreams)):
            return
        for name, value in {**self.fit(), **self.dream(begun)}.items():
            self.logger.record(name, value)

    def fit(self) -> dict[str, float]:
        """Fits the model to all real steps (line 4 of algorithm 2); returns metrics."""
        rng = stream(self.world_model, self.seed, f"fit-{self.round}")
        metrics = fit_with_progress(self.world_model, self.buffer.replay, rng=rng, show=self.progress_bar)
        self.fitted_at = self.model.num_timesteps
        return metrics

    def dream(self, steps: int) -> dict[str, float]:
        """Makes the branched rollouts of one interval (lines 7 and 8 of algorithm 2), in one batch.

        Args:
            steps: env steps since the first fit, which say in what epoch this is.

        Returns:
            Metrics.
        """
        length = self.schedule.length_at(steps // self.epoch_steps)
        self.buffer.dreams.resize(self.rollouts_per_step * self.epoch_steps * length * self.retain_epochs)
        rng = stream(self.world_model, self.seed, f"rollouts-{self.round}")
        num = self.rollouts_per_step * self.model_interval
        starts = self.buffer.replay.sample_transitions(num, rng=rng, device=self.world_model.device).obs
        imagined = branched_rollouts(
            self.world_model, starts, self._act, length, rng=rng, uncertainty_penalty=self.uncertainty_penalty
        )
        self.buffer.add_dreams(imagined)
        self.round += 1
        return {
            "dream/rollout_length": float(length),
            "dream/transitions": float(len(self.buffer.dreams)),
            "dream/reward_mean": float(imagined.reward.mean()),
            "dream/terminated_fraction": float(imagined.terminated.float().mean()),
        }

    def _act(self, obs: Any) -> Tensor:
        """Returns actions sampled from the actor, in the environment's units."""
        actor = self.model.policy.actor
        scaled = actor(obs.to(self.model.device))  # type: ignore[operator]
        return self.buffer.unscale(scaled).to(self.world_model.device)


def _check_penalty(world_model: WorldModel, penalty: float) -> None:
    check_range("uncertainty_penalty", penalty, 0.0)
    spec = spec_of(type(world_model), "model")
    if penalty and isinstance(spec, WorldModelSpec) and not spec.epistemic:
        others = ", ".join(other.id for other in specs("model") if other.epistemic)
        raise ConfigError(
            f"uncertainty_penalty is {penalty}, but the model {spec.id!r} reports no epistemic uncertainty: set it to "
            f"0, or take a model that does: {others}"
        )
