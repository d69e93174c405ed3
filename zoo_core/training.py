"""The loop behind `Agent.learn`: one for all agents, with SB3's callbacks and logger."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    ConvertCallback,
)
from stable_baselines3.common.utils import configure_logger
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from zoo_core.errors import NonFiniteError
from zoo_core.progress import ProgressCallback

if TYPE_CHECKING:
    from zoo_core.agent import Agent

EPISODES_IN_MEAN = 100  # as in SB3: window of rollout/ep_rew_mean


class TrainingEnv(VecEnvWrapper):
    """What an agent steps: counts env steps, calls the callback after each, checks what the environment hands out."""

    def __init__(self, venv: VecEnv, agent: Agent) -> None:
        super().__init__(venv)
        self.agent = agent
        self.callback: BaseCallback | None = None
        self.stop = False
        self.begun, self.begun_at, self.iterations = time.perf_counter(), 0, 0  # of the running `learn`
        self.episodes: deque[dict[str, float]] = deque(maxlen=EPISODES_IN_MEAN)

    def reset(self) -> Any:
        """Resets all environments."""
        return self.venv.reset()

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Begins a step."""
        self._actions = actions
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Finishes a step, counts it and calls the callback."""
        obs, rewards, dones, infos = self.venv.step_wait()
        self._check_finite(obs, rewards)
        self.agent.num_timesteps += self.num_envs
        for info in infos:
            if "episode" in info:
                self.episodes.append(info["episode"])
        if self.callback is not None:
            seen = {
                "new_obs": obs,
                "rewards": rewards,
                "dones": dones,
                "infos": infos,
                "actions": self._actions,
            }
            self.callback.update_locals(seen)
            if self.callback.on_step() is False:
                self.stop = True
        return obs, rewards, dones, infos

    def _check_finite(self, obs: Any, rewards: np.ndarray[Any, Any]) -> None:
        name = self.agent.env_id or "the environment"
        if not np.isfinite(rewards).all():
            raise NonFiniteError(f"{name} gave a reward that is NaN or infinite: {rewards}")
        for leaf in obs.values() if isinstance(obs, dict) else (obs,):
            if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
                raise NonFiniteError(f"{name} gave an observation that is NaN or infinite: {leaf}")


def run_training(
    agent: Agent,
    total_timesteps: int,
    callback: Any,
    log_interval: int,
    tb_log_name: str,
    reset_num_timesteps: bool,
    progress_bar: bool,
) -> None:
    """Runs `agent.iterate` until the env steps are used up or a callback returns False."""
    if total_timesteps < 1:
        raise ValueError(f"total_timesteps must be at least 1, got {total_timesteps}")
    if reset_num_timesteps:
        agent.num_timesteps = 0
    agent.total_timesteps = total_timesteps + agent.num_timesteps
    agent.progress_bar = progress_bar
    if not agent.custom_logger:
        agent._logger = configure_logger(agent.verbose, agent.tensorboard_log, tb_log_name, reset_num_timesteps)
    chain = build_callback(callback, progress_bar)
    chain.init_callback(agent)  # type: ignore[arg-type]
    env = agent.env
    env.stop, env.callback = False, chain
    env.begun, env.begun_at, env.iterations = time.perf_counter(), agent.num_timesteps, 0
    agent.on_learn_start()
    chain.on_training_start({"self": agent, "total_timesteps": agent.total_timesteps}, globals())
    logged_at = agent.num_timesteps
    try:
        while agent.num_timesteps < agent.total_timesteps and not env.stop:
            chain.on_rollout_start()
            metrics = agent.iterate()
            chain.on_rollout_end()
            env.iterations += 1
            for name, value in metrics.items():
                agent.logger.record(name if "/" in name else f"train/{name}", value)
            if agent.num_timesteps - logged_at >= log_interval:
                logged_at = agent.num_timesteps
                agent.dump_logs()
        if agent.num_timesteps > logged_at:
            agent.dump_logs()
    finally:
        env.callback = None
        chain.on_training_end()


def build_callback(callback: Any, progress_bar: bool = False) -> BaseCallback:
    """Returns one SB3 callback for None, a function, a callback or a list of callbacks."""
    if isinstance(callback, list):
        callback = CallbackList(callback)
    if not isinstance(callback, BaseCallback):
        callback = ConvertCallback(callback)
    return CallbackList([callback, ProgressCallback()]) if progress_bar else callback


def record_progress(agent: Agent) -> None:
    """Records rollout statistics and timing, as SB3's algorithms do before a dump."""
    env, logger = agent.env, agent.logger
    if env.episodes:
        logger.record("rollout/ep_rew_mean", float(np.mean([episode["r"] for episode in env.episodes])))
        logger.record("rollout/ep_len_mean", float(np.mean([episode["l"] for episode in env.episodes])))
    elapsed = max(time.perf_counter() - env.begun, 1e-9)
    logger.record("time/iterations", env.iterations, exclude="tensorboard")
    logger.record("time/fps", int((agent.num_timesteps - env.begun_at) / elapsed))
    logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
    logger.record("time/total_timesteps", agent.num_timesteps, exclude="tensorboard")
