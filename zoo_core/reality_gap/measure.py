"""`gap`: runs a policy in reality and in dreams, and measures how they differ."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecNormalize

from zoo_core import seeding, world_model as beliefs
from zoo_core.dream.latent import LatentPolicy
from zoo_core.evaluation import EVALUATION_SEED, MAX_ENVS
from zoo_core.reality_gap.arguments import Player, check_arguments, decodes, find_model, find_player, reality
from zoo_core.reality_gap.calibration import predict_outcomes
from zoo_core.reality_gap.dreams import Returns, dream_returns
from zoo_core.reality_gap.episodes import Episodes, Filtered, collect_episodes, filter_episodes
from zoo_core.reality_gap.open_loop import latent_drift, open_loop
from zoo_core.reality_gap.report import GapReport
from zoo_core.reality_gap.uncertainty import Coverage, epistemic_correlation, predict_intervals
from zoo_core.reality_gap.yardstick import Yardstick
from zoo_core.world_model import WorldModel

Array = np.ndarray[Any, Any]
HORIZON = 200  # steps of an episode where the environment sets no limit
MAX_STARTS = 512  # about so many predictions begin along the real episodes


def gap(
    policy: Any = None,
    model: WorldModel | str | Path | None = None,
    env: Any = None,
    *,
    episodes: int = 20,
    horizon: int | None = None,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
    observation: str | None = None,
    temperature: float = 1.0,
    env_kwargs: dict[str, Any] | None = None,
    env_state: Any = None,
) -> GapReport:
    """Measures the reality gap of a world model under a policy.

    The policy runs in reality. The model filters what it saw into beliefs, and from these predicts with the real
    actions: observations k steps ahead, rewards, terminations, and how sure it is of them. Then the policy runs in
    dreams that begin where the real episodes began. Nothing that training goes on from is changed, but an environment
    that is given as an object is reset.

    Args:
        policy: Anything with SB3's `predict`, recurrent ones too; None acts at random.
        model: A world model, or the path of a saved one; None takes `policy.world_model`.
        env: An id, a Gymnasium environment or a VecEnv (a `VecNormalize` must not be training). None makes one like the
            policy's, by its id and the arguments of its spec (not with wrappers put around it by hand), or by the id
            that the model names; the report says which it was. A `VecNormalize` that the policy learned behind shows
            it observations here too, as its statistics stand.
        episodes: Real episodes, and as many dreams.
        horizon: Steps of an episode at most, in both worlds; None for the environment's own limit, or 200 without one.
        seed: Episode i begins with `reset(seed=seed + i)`; the dreams and what random policies and those of SB3 draw
            follow from it too.
        deterministic: Take the best action rather than a sample. A stochastic agent of the zoo samples from its own
            stream, which goes on from call to call: reports of it do not repeat, nor are draws the same in both worlds.
        observation: What the policy sees: "decoded" observations or "latent" features of the model's belief. None asks
            the policy: one with an attribute `latent_policy` that is not None hands over what acts on features.
        temperature: Of the dreams.
        env_kwargs: Arguments of the environment, where it is an id; where it is None, they replace known ones.
        env_state: What `get_state` of such an environment returned: what outlives an episode is as it was there. None
            takes it from the environment that the policy learned in, where `env` is None.

    Raises:
        TypeError: The policy has no `predict`, or the model is neither a model nor a path.
        ValueError: There is no model or no environment, two play, or an argument is out of range.
        UnsupportedSpaceError: The spaces of model, environment and policy differ.
        NonFiniteError: The model predicted NaN or infinity.
    """
    model = find_model(policy, model)
    check_arguments(model, episodes, horizon, seed, observation, temperature)
    player = find_player(policy, model, observation)

    def begin(seed: int) -> Any:
        acting = player.begin(seed)
        return LatentPolicy(acting, model, seed=seed) if player.observation == "latent" else acting

    with reality(env, policy, model, player, env_kwargs, env_state, min(episodes, MAX_ENVS)) as found:
        limit = found.time_limit()
        horizon = min(limit or sys.maxsize, horizon or limit or HORIZON)
        real = collect_episodes(
            begin, found.vec_env, model, episodes=episodes, horizon=horizon, seed=seed, deterministic=deterministic
        )
        num_envs = found.vec_env.num_envs
    with torch.no_grad(), seeding.GlobalStreams(seed):
        filtered = filter_episodes(model, real, rng=beliefs.stream(model, seed, "gap-filter"))
        yardstick = Yardstick(model.observation_space, real.all_obs())
        data = _Data(model, real, filtered, filtered.spread(MAX_STARTS), yardstick, seed)
        figures, notes = _predict(data, temperature)
        returns, why = _dream(data, player, found.normalize, num_envs, horizon, deterministic, temperature)
    return GapReport(
        model=type(model).__name__,
        policy=player.name,
        env=found.name,
        env_kwargs=json.loads(json.dumps(found.kwargs, default=repr)),
        episodes=episodes,
        num_steps=int(real.length.sum()),
        horizon=horizon,
        seed=seed,
        deterministic=deterministic,
        observation=player.observation,
        temperature=temperature,
        returns=returns,
        notes={**notes, **why},
        **figures,
    )


@dataclass(frozen=True)
class _Data:
    """What all figures are made from."""

    model: WorldModel
    real: Episodes
    filtered: Filtered
    starts: Array  # rows of `filtered` where predictions begin
    yardstick: Yardstick
    seed: int

    @property
    def name(self) -> str:
        return type(self.model).__name__

    def rng(self, stream: str) -> torch.Generator:
        return beliefs.stream(self.model, self.seed, stream)


def _predict(data: _Data, temperature: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the figures of predictions along the real episodes, and why some are missing."""
    model, real, filtered, starts, yardstick = data.model, data.real, data.filtered, data.starts, data.yardstick
    rewards, terminations = predict_outcomes(model, real, filtered, rng=data.rng("gap-outcomes"))
    errors = open_loop(model, real, filtered, starts, yardstick, rng=data.rng("gap-open-loop"))
    drift = latent_drift(model, real, filtered, starts, rng=data.rng("gap-drift"), temperature=temperature)
    coverage, epistemic, notes = _uncertainty(data) if errors.errors else (None, None, _undecodable(data.name))
    figures = {
        "open_loop": errors,
        "drift": drift,
        "rewards": rewards,
        "terminations": terminations,
        "coverage": coverage,
        "epistemic_correlation": epistemic,
    }
    return figures, notes


def _undecodable(name: str) -> dict[str, str]:
    missing = {"open_loop": "k-step errors", "coverage": "intervals", "epistemic": "errors"}
    return {
        figure: f"{name} decodes no observations, so there are no {what} of them" for figure, what in missing.items()
    }


def _uncertainty(data: _Data) -> tuple[Coverage | None, float | None, dict[str, str]]:
    """Returns what becomes of the model's uncertainty, and why there is nothing to say."""
    around = data.model, data.real, data.filtered, data.starts, data.yardstick
    coverage, notes = None, {}
    if data.yardstick.num_values:
        ties = seeding.numpy_rng(data.seed, "gap-ties")
        coverage = predict_intervals(*around, rng=data.rng("gap-intervals"), ties=ties)
        if coverage is None:
            notes["coverage"] = f"{data.name} is deterministic: it predicts no intervals"
    else:
        notes["coverage"] = "observations are labels, which have no intervals"
    epistemic = epistemic_correlation(*around, rng=data.rng("gap-epistemic"))
    if epistemic is None:
        notes["epistemic"] = f"{data.name} reports no epistemic uncertainty, or that or the error never changes"
    return coverage, epistemic, notes


def _dream(
    data: _Data,
    player: Player,
    normalize: VecNormalize | None,
    num_dreams: int,
    horizon: int,
    deterministic: bool,
    temperature: float,
) -> tuple[Returns | None, dict[str, str]]:
    """Returns the returns in both worlds, or why there are none."""
    if player.observation == "decoded" and not decodes(data.model):
        why = f'{data.name} dreams latents, which a policy sees that is given as observation="latent"'
        return None, {"returns": why}
    returns = dream_returns(
        player.begin,
        data.model,
        data.real,
        data.filtered,
        num_dreams=num_dreams,
        horizon=horizon,
        seed=data.seed,
        deterministic=deterministic,
        observation=player.observation,
        temperature=temperature,
        show=normalize and normalize.normalize_obs,
    )
    return returns, {}
