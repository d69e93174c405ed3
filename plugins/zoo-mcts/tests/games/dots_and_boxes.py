"""Dots and boxes as somebody's own AEC environment: who closes a box moves again."""

import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from pettingzoo import AECEnv
from pettingzoo.utils import wrappers


def env(**kwargs):
    return wrappers.OrderEnforcingWrapper(raw_env(**kwargs))


class raw_env(AECEnv, EzPickle):
    """A board of `size` times `size` boxes; an action is a line between dots, those that lie first."""

    metadata = {  # noqa: RUF012 - as PettingZoo declares it
        "name": "dots_and_boxes_v0",
        "render_modes": [],
        "is_parallelizable": False,
    }
    render_mode = None

    def __init__(self, size=2):
        EzPickle.__init__(self, size)
        super().__init__()
        self.size = size
        self.possible_agents = ["left", "right"]
        self.num_lines = 2 * size * (size + 1)
        view = spaces.Box(0, 1, (self.num_lines + 1,), np.int8)
        mask = spaces.Box(0, 1, (self.num_lines,), np.int8)
        self._view = spaces.Dict({"observation": view, "action_mask": mask})

    def observation_space(self, agent):
        return self._view

    def action_space(self, agent):
        return spaces.Discrete(self.num_lines)

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.lines = np.zeros(self.num_lines, np.int8)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = self.agents[0]

    def observe(self, agent):
        ahead = np.array([agent == self.possible_agents[0]], np.int8)
        return {"observation": np.concatenate([self.lines, ahead]), "action_mask": 1 - self.lines}

    def step(self, action):
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        before = self._num_closed()
        self.lines[action] = 1
        closed = self._num_closed() - before
        mover, other = self.agent_selection, self.agents[1 - self.agents.index(self.agent_selection)]
        self.rewards = {mover: closed, other: -closed}
        if self.lines.all():
            self.terminations = dict.fromkeys(self.agents, True)
        if not closed:
            self.agent_selection = other
        self._accumulate_rewards()

    def _num_closed(self):
        n = self.size
        lying, standing = self.lines[: n * (n + 1)].reshape(n + 1, n), self.lines[n * (n + 1) :].reshape(n, n + 1)
        return int((lying[:-1] & lying[1:] & standing[:, :-1] & standing[:, 1:]).sum())
