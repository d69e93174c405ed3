"""Planning with learned models: PETS, MBPO and the three recipes of model-predictive control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.learn.contest import Contender, Contest
from benchmarks.learn.dreams import pendulum_optimum
from benchmarks.results import Condition

SWING_UP_ID = "zoo_envs/CartPoleSwingUp-v0"
KNOWN_REWARD = {"model.reward_fn": "zoo_envs.known_functions:cart_pole_swing_up_reward"}
KNOWN_TERMINATION = {"model.termination_fn": "zoo_envs.known_functions:inverted_pendulum_termination"}
HOPPER_TERMINATION = {"model.termination_fn": "zoo_envs.known_functions:hopper_termination"}
HOPPER_ON_A_CPU = {  # the paper's, but for half of its updates, smaller networks, and fewer random steps
    "initial_steps": 1_000,
    "model_interval": 250,
    "epoch_steps": 1_000,
    "rollouts_per_step": 400,
    "rollout_schedule": (20, 150, 1, 15),
    "updates_per_step": 10,
    "model.batch_size": 256,
    "model.patience": 5,
    "sac.target_entropy": -1.0,
}


def sac(**config: Any) -> Contender:
    """SB3's SAC, the baseline of MBPO."""
    return Contender("sac alone", "sac", config=config, note="Stable-Baselines3, the same real steps")


def pets(name: str = "pets", config: Mapping[str, Any] | None = None, **more: Any) -> Contender:
    """PETS by its preset for a CPU, and what becomes of it when a part is taken away."""
    return Contender(name, "pets", "cpu", dict(config or {}), **more)


def pets_controls(config: Mapping[str, Any]) -> tuple[Contender, ...]:
    """Returns PETS without its planner, without learning, and with nothing to learn."""
    budget = {"horizon": 25, "num_candidates": 400, "num_particles": 5}  # as many candidates as CEM, all at once
    shooting = {**config, "planner": "random-shooting", "planner_config": budget}
    alone = {**config, "planner.num_particles": 1}  # the environment has no chance in it
    return (
        pets("random shooting", shooting, note="the best of uniformly random plans, in a model learned the same way"),
        pets("untrained model", config, untrained=True, note="weights as they began; scales and bounds fitted"),
        pets(
            "exact simulator",
            alone,
            exact=True,
            note="the same planner in the equations of the environment: the ceiling",
        ),
    )


PENDULUM = Contest(
    "pets-pendulum",
    "Pendulum-v1",
    2_000,  # ten episodes, the first of random actions
    pets(),
    pets_controls({}),
    (
        Condition("score", ">=", -200.0),
        Condition("regret", "<=", 30.0),
        Condition("env_steps", "<=", 2_000),
        Condition("untrained_model", "<=", -200.0),
    ),
    optimum=pendulum_optimum,
    optimum_note="grid dynamic programming, from the same 20 starts",
)
SWING_UP = Contest(
    "pets-cart-pole-swing-up",
    SWING_UP_ID,
    2_000,  # ten trials, the first of random actions
    pets(config=KNOWN_REWARD),
    pets_controls(KNOWN_REWARD),
    (Condition("score", ">=", 150.0), Condition("env_steps", "<=", 2_000), Condition("untrained_model", "<=", 150.0)),
)
INVERTED_PENDULUM = Contest(
    "mbpo-inverted-pendulum",
    "InvertedPendulum-v5",
    3_000,
    Contender("mbpo", "mbpo", "cpu", KNOWN_TERMINATION),
    (
        sac(),
        Contender("mbpo, real data only", "mbpo", "cpu", {**KNOWN_TERMINATION, "real_ratio": 1.0}),
        Contender("mbpo, untrained model", "mbpo", "cpu", KNOWN_TERMINATION, untrained=True),
        Contender("mbpo, termination learned", "mbpo", "cpu"),
    ),
    (Condition("score", ">=", 900.0), Condition("env_steps", "<=", 3_000), Condition("sac_alone", "<=", 900.0)),
    evaluate_every=500,
)
SMALL = {"model": "mlp", "model.hidden": 64}


def mpc(planner: str, model: Mapping[str, Any] | None = None, **config: Any) -> Contender:
    """Any planner, with its options, in a small network that was learned by the same steps, with other options."""
    settings = {f"planner.{name}": value for name, value in config.items()}
    return Contender(f"mpc, {planner}", "mpc", config={**SMALL, **(model or {}), "planner": planner, **settings})


MPC_PENDULUM = Contest(
    "mpc-pendulum",
    "Pendulum-v1",
    1_000,
    mpc("cem", num_candidates=100, num_elites=10, iterations=4),
    (
        mpc("icem"),
        mpc("mppi", horizon=20, num_candidates=100, num_elites=10, max_std=1.0),
        mpc("gradient", horizon=20),
        mpc("random-shooting", num_candidates=400),
    ),
    (Condition("score", ">=", -200.0), Condition("env_steps", "<=", 1_000)),
    optimum=pendulum_optimum,
    optimum_note="grid dynamic programming, from the same 20 starts",
)
UPRIGHT = {"model.termination_fn": "zoo_envs.known_functions:cartpole_termination"}
MPC_CART_POLE = Contest(
    "mpc-cart-pole",
    "CartPole-v1",
    1_000,
    mpc("rollout", UPRIGHT),
    (  # whoever looks for the best plan finds many that do not fall within sight, and has no reason to stand upright
        replace(
            mpc("rollout"), name="mpc, rollout, termination learned", note="a few ends of the track are seen, or none"
        ),
        mpc("cem", UPRIGHT, num_candidates=100, num_elites=10, iterations=3),
        mpc("forward-search", UPRIGHT, depth=6, gamma=1.0),
        mpc("random-shooting", UPRIGHT),
        replace(
            mpc("rollout"), name="exact simulator", exact=True, note="the same planner in the environment's equations"
        ),
    ),
    (Condition("score", ">=", 475.0), Condition("env_steps", "<=", 1_000)),
)
MOPO = {"uncertainty_penalty": 1.0, "rollout_schedule": (0, 1, 5, 5), "offline_steps": 1_000, "updates_per_step": 5}
OFFLINE_PENDULUM = Contest(
    "mbpo-offline-pendulum",
    "Pendulum-v1",
    2_000,  # random ones
    Contender("mbpo, from data alone", "mbpo", "cpu", {**MOPO, "sac.learning_rate": 1e-3}, note="MOPO, λ = 1"),
    (
        Contender("without penalty", "mbpo", "cpu", {**MOPO, "sac.learning_rate": 1e-3, "uncertainty_penalty": 0.0}),
        Contender("untrained model", "mbpo", "cpu", {**MOPO, "sac.learning_rate": 1e-3}, untrained=True),
    ),
    (Condition("score", ">=", -200.0), Condition("untrained_model", "<=", -200.0)),
    optimum=pendulum_optimum,
    optimum_note="grid dynamic programming, from the same 20 starts",
    offline=True,
)
CONTESTS = (PENDULUM, SWING_UP, INVERTED_PENDULUM, MPC_PENDULUM, MPC_CART_POLE, OFFLINE_PENDULUM)

HOPPER = Contest(
    "mbpo-hopper",
    "Hopper-v5",
    20_000,
    Contender("mbpo", "mbpo", "cpu", {**HOPPER_TERMINATION, **HOPPER_ON_A_CPU}),
    (sac(),),
    evaluate_every=1_000,
    checkpoint_every=1_000,
    seeds=(0, 1),
)
LONG = (HOPPER,)

HOPPER_HEADLINE = Contest(
    "mbpo-hopper-50k",
    "Hopper-v5",
    50_000,
    Contender("mbpo", "mbpo", "paper", HOPPER_TERMINATION),
    bar=(Condition("score", ">=", 2_000.0), Condition("env_steps", "<=", 50_000)),
    evaluate_every=1_000,
    checkpoint_every=1_000,
)
HALF_CHEETAH_HEADLINE = Contest(
    "pets-half-cheetah",
    "HalfCheetah-v5",
    60_000,
    Contender("pets", "pets", "paper"),
    bar=(Condition("score", ">=", 3_000.0), Condition("env_steps", "<=", 60_000)),
    episodes=3,
    checkpoint_every=1_000,
)
HEADLINE = (HOPPER_HEADLINE, HALF_CHEETAH_HEADLINE)
DRAWN = (PENDULUM, SWING_UP, INVERTED_PENDULUM, MPC_PENDULUM, *LONG, *HEADLINE)  # learning that makes a curve
