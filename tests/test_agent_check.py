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
        for _ in range(min(16, self.remaining_timesteps)):
            action = self.choose()
            _, reward, done, _ = self.env.step(np.array([action]))
            self.total[action] += float(reward[0]) - 5.0 * bool(done[0])
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
        return {}


class Forgets(Tally):
    def load_file(self, data, tensors):
        super().load_file(data, tensors)
        self.total = -self.total


class ForgetsItsStreams(Tally):
    def to_checkpoint(self):
        return {}


class KeepsItsEpisode(Tally):
    """Acts by the observation before, and does not see that episodes were begun anew."""

    before = 0.0

    def choose(self):
        return int(self.before > 0)

    def iterate(self):
        for _ in range(min(16, self.remaining_timesteps)):
            obs, reward, _, _ = self.env.step(np.array([self.choose()]))
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
        for _ in range(min(16, self.remaining_timesteps)):
            obs, _, _, _ = self.env.step(np.array([self.choose()]))
            self.total += float(obs[0, 0])
            if self.env.stop:
                break
        return {}


@pytest.mark.parametrize("id", ["random"])
def test_registered_agents_keep_the_contract(id):
    check_agent(load_object(agent_spec(id).entry_point), "CartPole-v1")


def test_a_careful_agent_is_accepted():
    assert check_agent(Tally, "CartPole-v1").num_timesteps == 128


@pytest.mark.parametrize(
    ("agent_class", "message"),
    [
        (Hurries, "callbacks are called after every env step"),
        (Overshoots, r"learn\(64\) makes 64 env steps; seen: 100"),
        (Unseeded, "the same seed gives the same agent"),
        (DisturbedByActing, "an evaluation in mid-training changes nothing in what is learned"),
        (Batches, "for a single observation predict returns a single action"),
        (NeverStops, "learning stops when a callback returns False"),
        (Forgets, "a loaded agent acts as the saved one"),
        (ForgetsItsStreams, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
        (KeepsItsEpisode, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
        (NeverBegins, "a run that is stopped and resumed from its checkpoint ends as one that never was"),
    ],
)
def test_the_check_notices(agent_class, message):
    with pytest.raises(AssertionError, match=message):
        check_agent(agent_class, "CartPole-v1")
