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
    from zoo_core.checkpoint import Checkpoints

EPISODES_IN_MEAN = 100  # as in SB3: window of rollout/ep_rew_mean


class TrainingEnv(VecEnvWrapper):
    """What an agent steps: counts env steps, calls the callback after each, checks what the environment hands out."""

    def __init__(self, venv: VecEnv, agent: Agent) -> None:
        super().__init__(venv)
        self.agent = agent
        self.callback: BaseCallback | None = None
        self.stop = False
        self.begun, self.begun_at, self.iterations = time.perf_counter(), 0, 0  # of the running `learn`, for the log
        self.num_ended = 0  # episodes
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
        self.num_ended += int(dones.sum())
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
    *,
    log_interval: int,
    tb_log_name: str,
    reset_num_timesteps: bool,
    progress_bar: bool,
    checkpoints: Checkpoints | None,
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
    env = agent.env
    env.stop, env.begun, env.begun_at = False, time.perf_counter(), agent.num_timesteps
    loop = _Loop(total_timesteps, logged_at=agent.num_timesteps)
    agent.on_learn_start()
    if checkpoints is not None:
        loop.resume(agent, checkpoints)
    chain = build_callback(callback, progress_bar)
    chain.init_callback(agent)  # type: ignore[arg-type]
    env.callback = chain
    chain.on_training_start({"self": agent, "total_timesteps": agent.total_timesteps}, globals())
    try:
        while agent.num_timesteps < agent.total_timesteps and not env.stop:
            chain.on_rollout_start()
            metrics = agent.iterate()
            chain.on_rollout_end()
            loop.iterations += 1
            loop.log(agent, metrics, log_interval)
            on_the_way = agent.num_timesteps < agent.total_timesteps and not env.stop
            if checkpoints is not None and on_the_way and checkpoints.due(agent):
                loop.dump(agent)  # what a logger has gathered is in no checkpoint
                checkpoints.take(agent, loop.to_json(agent))
        loop.dump(agent)
        if checkpoints is not None and not env.stop:
            checkpoints.complete(agent)
    finally:
        env.callback = None
        chain.on_training_end()


class _Loop:
    """What the loop itself remembers from one iteration to the next."""

    def __init__(self, total_timesteps: int, *, logged_at: int) -> None:
        self.total_timesteps = total_timesteps  # as `learn` was told
        self.logged_at = logged_at
        self.iterations = 0

    def log(self, agent: Agent, metrics: dict[str, float], log_interval: int) -> None:
        for name, value in metrics.items():
            agent.logger.record(name if "/" in name else f"train/{name}", value)
        agent.env.iterations = self.iterations
        if agent.num_timesteps - self.logged_at >= log_interval:
            self.dump(agent)

    def dump(self, agent: Agent) -> None:
        if agent.num_timesteps > self.logged_at:
            self.logged_at = agent.num_timesteps
            agent.dump_logs()

    def resume(self, agent: Agent, checkpoints: Checkpoints) -> None:
        """Goes on from the newest checkpoint, if asked for and there is one."""

        def load(progress: dict[str, Any]) -> None:
            agent.total_timesteps = int(progress["goal"])
            self.logged_at = agent.env.begun_at = int(progress["num_timesteps"])
            self.iterations = int(progress["iterations"])
            episodes = [{"r": float(ret), "l": int(length)} for ret, length in progress["episodes"]]
            agent.env.episodes.clear()
            agent.env.episodes.extend(episodes)

        options = {"total_timesteps": self.total_timesteps}
        if not (checkpoints.resume and checkpoints.restore(agent, options, load)):
            checkpoints.begin(agent)

    def to_json(self, agent: Agent) -> dict[str, Any]:
        return {
            "options": {"total_timesteps": self.total_timesteps},
            "goal": agent.total_timesteps,
            "num_timesteps": agent.num_timesteps,
            "iterations": self.iterations,
            "episodes": [[float(episode["r"]), int(episode["l"])] for episode in agent.env.episodes],
        }


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
