"""An agent that collects real steps, fits a model to them, trains SB3's PPO in its dreams, and goes on like that."""

from pathlib import Path

from stable_baselines3.common.evaluation import evaluate_policy

import zoo_core


def main(real_steps: int = 1_500, dream_steps: int = 40_000, path: str | Path = "runs/example-dream-ppo") -> float:
    config = {"dream_steps": dream_steps, "model.hidden": 64, "model.max_epochs": 40}
    agent = zoo_core.make_agent("dream-ppo", "CartPole-v1", config, seed=0)
    agent.learn(real_steps, progress_bar=True)

    agent.save(path)
    restored = zoo_core.load(path, env="CartPole-v1")  # no class named: the registry knows it
    mean, deviation = evaluate_policy(restored, restored.get_env(), 10)
    print(f"return after {real_steps} real steps: {mean:.0f} ± {deviation:.0f}")
    return mean


if __name__ == "__main__":
    main()
