"""What cheaper plans lose in CartPoleSwingUp-v0: in PETS's ensemble, fitted to random steps and to a good policy's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

import zoo_core
from benchmarks.speed.cheaper_plans import PLANNER, Cheaper
from benchmarks.speed.models import CONFIG
from zoo_core.acting import as_vec_env
from zoo_ensemble.world_model import Ensemble
from zoo_planners.returns import follow, imagine

ENV = "zoo_envs/CartPoleSwingUp-v0"
NUM_ENVS = 3
EPISODE = 200  # steps
POLICY = {  # plans in the equations of the cart-pole, with constants fitted to the steps at random; swings up for sure
    "model": "parametric",
    "recipe": "v1.5",
    "planner": "cem",
    "planner_config": {"horizon": 30, "num_candidates": 100, "num_elites": 10, "iterations": 3},
    "initial_steps": NUM_ENVS * EPISODE,
    "round_steps": NUM_ENVS * EPISODE,
}
MODEL = {**CONFIG, "max_epochs": 80, "reward_fn": "zoo_envs.known_functions:cart_pole_swing_up_reward"}
ROOTS = (0, 12, 24)  # steps of that policy after which plans are made: hanging, swinging, nearly up
SEEDS = (0, 1, 2)
NUM_JUDGES = 200  # particles that judge a plan


def plan_regrets(ways: Mapping[str, Cheaper], *, reference: Cheaper) -> tuple[dict[str, float], float]:
    """Returns how much less each one's plans return than those of the reference do.

    Returns are those of 200 particles, in full precision. Differences are taken root by root; no two plans were made
    with the same random numbers.

    Returns:
        The means over roots and seeds, in parts of the mean return of the reference; and the greatest standard error of
        one, for these roots.
    """
    model, obs = _fitted()
    best = _returns(model, obs, reference, first_seed=0)
    regrets, errors = {}, []
    for i, (name, way) in enumerate(ways.items(), start=1):
        regret = (best - _returns(model, obs, way, first_seed=i * len(SEEDS))) / best.mean()
        regrets[name] = float(regret.mean())
        errors.append(float((regret.var(0).mean() / regret.numel()).sqrt()))
    return regrets, max(errors)


def _fitted() -> tuple[Ensemble, Tensor]:
    """Returns the model, and the observations to plan from."""
    agent = zoo_core.make_agent("mpc", as_vec_env(ENV, num_envs=NUM_ENVS), POLICY, seed=0, device="cpu")
    agent.learn(2 * NUM_ENVS * EPISODE)
    replay = agent.replay
    model = zoo_core.make_model("ensemble", replay.observation_space, replay.action_space, MODEL, seed=0, device="cpu")
    assert isinstance(model, Ensemble)
    model.fit(replay, rng=zoo_core.rng(0))
    steps = replay.tensors()  # of one environment after the other
    return model, steps.obs[EPISODE + torch.tensor(ROOTS)]


def _returns(model: Ensemble, obs: Tensor, way: Cheaper, *, first_seed: int) -> Tensor:
    """Returns what its plans return `[seeds, roots]`."""
    judged = []
    for seed in SEEDS:
        plan = way.planning(model, obs, seed=first_seed + seed)()
        rng = zoo_core.rng(seed)
        roots = model.observe(None, None, obs, None, rng=rng)
        candidate = follow(plan.sequence[:, None], NUM_JUDGES)
        with torch.no_grad():
            imagined = imagine(model, roots, candidate, 1, PLANNER["horizon"], rng=rng, num_particles=NUM_JUDGES)
        judged.append(imagined.returns[:, 0])
    return torch.stack(judged)
