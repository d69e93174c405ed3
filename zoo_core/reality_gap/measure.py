"""`gap`: runs a policy in reality and in dreams, and measures how they differ."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.vec_env import VecNormalize

from zoo_core import seeding, world_model as beliefs
from zoo_core.acting import as_vec_env, env_id_of
from zoo_core.dream.latent import LatentPolicy
from zoo_core.evaluation import EVALUATION_SEED, MAX_ENVS
from zoo_core.reality_gap.arguments import (
    Player,
    check_arguments,
    check_env,
    find_env,
    find_model,
    find_player,
    time_limit,
)
from zoo_core.reality_gap.calibration import predict_outcomes
from zoo_core.reality_gap.dreams import dream_returns
from zoo_core.reality_gap.episodes import Episodes, Filtered, collect_episodes, filter_episodes
from zoo_core.reality_gap.open_loop import latent_drift, open_loop
from zoo_core.reality_gap.report import GapReport
from zoo_core.reality_gap.uncertainty import epistemic_correlation, predict_intervals
from zoo_core.reality_gap.yardstick import Yardstick
from zoo_core.world_model import WorldModel

MAX_STARTS = 512  # about so many predictions begin along the real episodes


def gap(
    policy: Any = None,
    model: WorldModel | str | Path | None = None,
    env: Any = None,
    *,
    episodes: int = 20,
    horizon: int = 200,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
    observation: str | None = None,
    temperature: float = 1.0,
    env_kwargs: dict[str, Any] | None = None,
) -> GapReport:
    """Measures the reality gap of a world model under a policy.

    The policy runs in reality. The model filters what it saw into beliefs, and from these predicts with the real
    actions: observations k steps ahead, rewards, terminations, and how sure it is of them. Then the policy runs in
    dreams that begin where the real episodes began. Nothing that training goes on from is changed, but an environment
    that is given as an object is reset.

    Args:
        policy: Anything with SB3's `predict`, recurrent ones too; None acts at random.
        model: A world model, or the path of a saved one; None takes `policy.world_model`.
        env: An id, a Gymnasium environment or a VecEnv (a `VecNormalize` must not be training); None takes the one
            that the policy or the model names.
        episodes: Real episodes, and as many dreams.
        horizon: Steps of an episode at most, in both worlds.
        seed: Episode i begins with `reset(seed=seed + i)`; the dreams and all else follow from it too.
        deterministic: Take the best action rather than a sample.
        observation: What the policy sees: "decoded" observations or "latent" features of the model's belief. None asks
            the policy: one with an attribute `latent_policy` that is not None hands over what acts on features.
        temperature: Of the dreams.
        env_kwargs: Arguments of the environment, where it is an id.

    Raises:
        TypeError: The policy has no `predict`, or the model is neither a model nor a path.
        ValueError: There is no model or no environment, two play, or an argument is out of range.
        UnsupportedSpaceError: The spaces of model, environment and policy differ.
        NonFiniteError: The model predicted NaN or infinity.
    """
    model = find_model(policy, model)
    check_arguments(model, episodes, horizon, seed, observation, temperature)
    player = find_player(policy, model, observation, seed)
    env = find_env(env, policy, model)
    vec_env = as_vec_env(env, env_kwargs=env_kwargs, num_envs=min(episodes, MAX_ENVS))
    try:
        normalize = check_env(vec_env, model, player)
        horizon = min(horizon, time_limit(vec_env))
        acting = player.make()
        if player.observation == "latent":
            acting = LatentPolicy(acting, model, seed=seed)
        with seeding.GlobalStreams(seed):
            real = collect_episodes(
                acting, vec_env, model, episodes=episodes, horizon=horizon, seed=seed, deterministic=deterministic
            )
        name = env if isinstance(env, str) else env_id_of(vec_env) or type(env).__name__
    finally:
        if isinstance(env, str):
            vec_env.close()
    facts: dict[str, Any] = {
        "model": type(model).__name__,
        "policy": player.name,
        "env": name,
        "episodes": episodes,
        "num_steps": int(real.length.sum()),
        "horizon": horizon,
        "seed": seed,
        "deterministic": deterministic,
        "observation": player.observation,
        "temperature": temperature,
    }
    with torch.no_grad(), seeding.GlobalStreams(seed):  # what SB3's policies draw is the same in both worlds
        figures = _measure(player, model, real, normalize, facts)
    return GapReport(**facts, **figures)


def _measure(
    player: Player, model: WorldModel, real: Episodes, normalize: VecNormalize | None, facts: dict[str, Any]
) -> dict[str, Any]:
    """Returns all figures, and the notes on those that there are not."""
    rng = functools.partial(beliefs.stream, model, facts["seed"])
    name, temperature = facts["model"], facts["temperature"]
    filtered = filter_episodes(model, real, rng=rng("gap-filter"))
    starts = filtered.spread(MAX_STARTS)
    yardstick = Yardstick(model.observation_space, real.all_obs())
    rewards, terminations = predict_outcomes(model, real, filtered, rng=rng("gap-outcomes"))
    figures: dict[str, Any] = {
        "open_loop": open_loop(model, real, filtered, starts, yardstick, rng=rng("gap-open-loop")),
        "drift": latent_drift(model, real, filtered, starts, rng=rng("gap-drift"), temperature=temperature),
        "rewards": rewards,
        "terminations": terminations,
        "returns": None,
        "coverage": None,
        "epistemic_correlation": None,
    }
    notes: dict[str, str] = {}
    decodes = bool(figures["open_loop"].errors)
    if decodes:
        figures.update(_uncertainty(model, real, filtered, starts, yardstick, facts["seed"], notes))
    else:
        for figure, what in (("open_loop", "k-step errors"), ("coverage", "intervals"), ("epistemic", "errors")):
            notes[figure] = f"{name} decodes no observations, so there are no {what} of them"
    if decodes or player.observation == "latent":
        figures["returns"] = dream_returns(
            player.make(),
            model,
            real,
            filtered,
            horizon=facts["horizon"],
            seed=facts["seed"],
            deterministic=facts["deterministic"],
            observation=player.observation,
            temperature=temperature,
            show=normalize and normalize.normalize_obs,
        )
    else:
        notes["returns"] = f'{name} dreams latents, which a policy sees that is given as observation="latent"'
    return {**figures, "notes": notes}


def _uncertainty(
    model: WorldModel,
    real: Episodes,
    filtered: Filtered,
    starts: Any,
    yardstick: Yardstick,
    seed: int,
    notes: dict[str, str],
) -> dict[str, Any]:
    """Returns what becomes of the model's uncertainty; writes down why there is nothing to say."""
    rng = functools.partial(beliefs.stream, model, seed)
    name = type(model).__name__
    coverage = None
    if yardstick.values(real.all_obs()).shape[1]:
        ties = seeding.numpy_rng(seed, "gap-ties")
        coverage = predict_intervals(model, real, filtered, starts, yardstick, rng=rng("gap-intervals"), ties=ties)
        if coverage is None:
            notes["coverage"] = f"{name} is deterministic: it predicts no intervals"
    else:
        notes["coverage"] = "observations are labels, which have no intervals"
    epistemic = epistemic_correlation(model, real, filtered, starts, yardstick, rng=rng("gap-epistemic"))
    if epistemic is None:
        notes["epistemic"] = f"{name} reports no epistemic uncertainty, or it never changes"
    return {"coverage": coverage, "epistemic_correlation": epistemic}
