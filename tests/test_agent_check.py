"""The check of agents accepts a careful one, and notices others."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from zoo_core import Agent, seeding
from zoo_core.plugins import agent_spec, load_object
from zoo_core.testing import check_agent


class Tally(Agent):
    """Pushes a cart to the side that paid more; what it has learned is the mean reward of each side."""

    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        self.total, self.tries = torch.zeros(2), torch.zeros(2)
        self.learning = seeding.numpy_rng(self.seed, "learning")
        self.acting = seeding.numpy_rng(self.seed, "acting")

    def begin_episodes(self):
        self.env.reset()

    def iterate(self):
        num = self.env.num_envs
        for _ in range(0, min(16, self.remaining_timesteps), num):
            actions = np.array([self.choose() for _ in range(num)])
            _, reward, done, _ = self.env.step(actions)
            for action, gain in zip(actions, reward - 5.0 * done, strict=True):
                self.total[action] += float(gain)
                self.tries[action] += 1
            if self.env.stop:
                break
        return {"mean": float(self.total.sum())}

    def choose(self):
        return int(self.learning.integers(2))

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        best = int((self.total / self.tries.clamp_min(1)).argmax())
        batch = observation.ndim > 1
        action = best if deterministic else int(self.acting.integers(2))
        return (np.full(len(observation), action) if batch else np.int64(action)), state

    def to_file(self):
        return {}, {"total": self.total, "tries": self.tries}

    def load_file(self, data, tensors):
        self.total, self.tries = tensors["total"], tensors["tries"]

    def to_checkpoint(self):
        return {name: getattr(self, name).bit_generator.state for name in ("learning", "acting")}

    def load_checkpoint(self, state):
        for name, where in state.items():
            getattr(self, name).bit_generator.state = where


class Hurries(Tally):
    """Steps an environment of its own."""

    def iterate(self):
        self.num_timesteps += 16
        return {}


class Overshoots(Tally):
    def iterate(self):
        for _ in range(100):
            self.env.step(np.array([0]))
        return {}


class Unseeded(Tally):
    fresh: ClassVar[list[int]] = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.fresh.append(1)
        return np.full(len(observation), len(self.fresh) % 2), state


class DisturbedByActing(Tally):
    def predict(self, observation, *args, **kwargs):
        self.learning.random()
        return super().predict(observation, *args, **kwargs)


class Batches(Tally):
    def predict(self, observation, *args, **kwargs):
        actions, state = super().predict(np.atleast_2d(observation), *args, **kwargs)
        return actions, state


class NeverStops(Tally):
    def iterate(self):
        for _ in range(self.remaining_timesteps):
            self.env.step(np.array([0]))
        self.tries += 1
        return {}


class StopsLate(Tally):
    """Looks up at the end of an iteration only."""

    def iterate(self):
        for _ in range(min(16, self.remaining_timesteps)):
            self.env.step(np.array([0]))
        self.tries += 1
        return {}


class Forgets(Tally):
    def load_file(self, data, tensors):
        super().load_file(data, tensors)
        self.total = -self.total


class LoadsNothing(Tally):
    def load_file(self, data, tensors):
        pass


class LearnsNothing(Tally):
    def iterate(self):
        metrics = super().iterate()
        self.total, self.tries = torch.zeros(2), torch.zeros(2)
        return metrics


class LearnsUnseeded(Tally):
    """Acts the same whatever it was made of."""

    made: ClassVar[list[int]] = []

    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        self.made.append(1)
        self.total += len(self.made)

    def predict(self, observation, *args, **kwargs):
        return (np.zeros(len(observation), int) if observation.ndim > 1 else np.int64(0)), None


class IgnoresItsSeed(Tally):
    def __init__(self, env, config=None, *, seed=None, **kwargs):
        super().__init__(env, config, seed=0, **kwargs)


class LooksAtOtherRows(Tally):
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        actions, state = super().predict(observation, state, episode_start, deterministic)
        return (actions * 0 + int(observation.mean() > 0) if deterministic else actions), state


class DrawsByRow(Tally):
    """As a planner does: row i of a batch has random numbers of its own, the same at every call."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        actions, state = super().predict(observation, state, episode_start, deterministic)
        if deterministic and np.ndim(observation) > 1:
            actions = np.random.default_rng(len(actions)).integers(2, size=len(actions))
        return actions, state


class DrawsByRowAndLooksAtOthers(DrawsByRow):
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        actions, state = super().predict(observation, state, episode_start, deterministic)
        return ((actions + int(observation.mean() > 0)) % 2 if deterministic else actions), state


class ExpectsOneRow(Tally):
    def predict(self, observation, *args, **kwargs):
        if observation.ndim > 1 and len(observation) > 1:
            raise RuntimeError("shapes do not match")
        return super().predict(observation, *args, **kwargs)


class ExpectsOneEnvironment(Tally):
    def iterate(self):
        if self.env.num_envs > 1:
            raise RuntimeError("shapes do not match")
        return super().iterate()


class RefusesMoreThanOneEnvironment(Tally):
    def __init__(self, env, config=None, **kwargs):
        super().__init__(env, config, **kwargs)
        if self.env.num_envs > 1:
            raise ValueError(f"Tally takes one environment, got {self.env.num_envs}")


class ForgetsItsStreams(Tally):
    def to_checkpoint(self):
        return {}


class KeepsItsEpisode(Tally):
    """Acts by the observation before, and does not see that episodes were begun anew."""

    before = 0.0

    def choose(self):
        return int(self.before > 0)

    def iterate(self):
        for _ in range(0, min(16, self.remaining_timesteps), self.env.num_envs):
            obs, reward, _, _ = self.env.step(np.full(self.env.num_envs, self.choose()))
            self.before = float(obs[0, 0])
            self.total[self.choose()] += float(reward[0]) + self.before
            if self.env.stop:
                break
        return {}


class NeverBegins(Tally):
    def on_learn_start(self):
        self.env.reset()

    def begin_episodes(self):
        pass

    def iterate(self):
        for _ in range(0, min(16, self.remaining_timesteps), self.env.num_envs):
            obs, _, _, _ = self.env.step(np.array([self.choose() for _ in range(self.env.num_envs)]))
            self.total += float(obs[0, 0])
            if self.env.stop:
                break
        return {}


@pytest.mark.parametrize("id", ["random"])
def test_registered_agents_keep_the_contract(id):
    check_agent(load_object(agent_spec(id).entry_point), "CartPole-v1")


@pytest.mark.parametrize("agent_class", [Tally, DrawsByRow, RefusesMoreThanOneEnvironment])
def test_a_careful_agent_is_accepted(agent_class):
    assert check_agent(agent_class, "CartPole-v1").num_timesteps == 128


@pytest.mark.parametrize(
    ("agent_class", "message"),
    [
        (Hurries, "callbacks are called after every env step"),
        (Overshoots, r"learn\(64\) makes 64 env steps; seen: 100"),
        (Unseeded, "the same seed gives the same agent"),
        (DisturbedByActing, "an evaluation in mid-training changes nothing in what is learned"),
        (Batches, "for a single observation predict returns a single action"),
        (NeverStops, "learning stops when a callback returns False"),
        (StopsLate, "also in the middle of an iteration; seen: 16 of 64 steps were made, told to stop after 3"),
        (LearnsNothing, "seen: nothing was learned in 64 steps; to mend it: check a smaller config"),
        (LearnsUnseeded, "the same seed gives the same agent; seen: to_file/total differs"),
        (IgnoresItsSeed, "two seeds give two agents"),
        (LooksAtOtherRows, "predict acts on each row of a batch as on the row alone"),
        (DrawsByRowAndLooksAtOthers, "predict acts on each row of a batch, whatever the other rows are"),
        (ExpectsOneRow, "of any number of rows; seen: RuntimeError: shapes do not match"),
        (ExpectsOneEnvironment, "in several environments at once; seen: RuntimeError: shapes do not match, with 4"),
        (Forgets, "a loaded agent is the saved one, byte for byte; seen: to_file/total differs"),
        (LoadsNothing, "a loaded agent is the saved one, byte for byte; seen: to_file/total, to_file/tries differ"),
        (ForgetsItsStreams, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
        (KeepsItsEpisode, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
        (NeverBegins, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
    ],
)
def test_the_check_notices(agent_class, message):
    with pytest.raises(AssertionError, match=message):
        check_agent(agent_class, "CartPole-v1")
