"""Trains Stable-Baselines3's PPO inside a world model of CartPole-v1, and takes it back to reality."""

from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

import zoo_core
from zoo_core.acting import as_vec_env


def main(real_steps: int = 2_000, dream_steps: int = 60_000, episodes: int = 10) -> float:
    env = as_vec_env("CartPole-v1", seed=0)
    replay = zoo_core.Replay.collect(env, real_steps, seed=0)  # random actions; a policy's own data is better

    model = zoo_core.make_model("ensemble", env.observation_space, env.action_space, {"hidden": 64}, seed=0)
    model.fit(replay, rng=zoo_core.rng(0), max_updates=1_500)

    dream = zoo_core.DreamVecEnv(model, num_envs=64, horizon=200, seed=0)
    policy = PPO("MlpPolicy", dream, n_steps=64, batch_size=512, learning_rate=1e-3, seed=0, device="cpu")
    policy.learn(dream_steps)

    in_dream, _ = evaluate_policy(policy, dream, episodes)
    in_reality, _ = evaluate_policy(policy, env, episodes)
    print(
        f"{real_steps} real steps, {dream_steps} dream steps: {in_dream:.0f} in the dream, {in_reality:.0f} in reality"
    )
    return in_reality


if __name__ == "__main__":
    main()
