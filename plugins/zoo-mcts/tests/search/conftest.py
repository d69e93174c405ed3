"""Small worlds for the searches with a policy: trees made by hand, a latent network, boxes between dots."""

import itertools
from typing import ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from zoo_core.planner import Evaluation
from zoo_core.world_model import ModelStep, WorldModel
from zoo_mcts.dense import pack, scale_latent
from zoo_mcts.games.rules import RulesModel
from zoo_mcts.policy_search import MCTS, GumbelMCTS
from zoo_mcts.policy_tree import ROOT, make_tree


def tree_of(prior, visits, value, *, num_nodes=2, worth=0.0, rows=1):
    """Returns trees whose roots have these edges, as if that many simulations had passed them."""
    tree = make_tree(num_nodes, len(prior), np.arange(rows).astype(np.uint64))
    for name, given in {"prior": prior, "visits": visits, "value": value, "child": 0}.items():
        getattr(tree, name)[:, ROOT] = given
    tree.total[:, ROOT], tree.worth[:, ROOT] = sum(visits), worth
    tried = [v for v, n in zip(value, visits, strict=True) if n > 0]
    returns = sum(v * n for v, n in zip(value, visits, strict=True))
    tree.mean[:, ROOT] = (worth + returns) / (1 + sum(visits))
    if tried:
        tree.low[:], tree.high[:] = min(tried), max(tried)
    return tree


class Latent(NamedTuple):
    latent: torch.Tensor


class LatentNet(WorldModel):
    """What MuZero learns, with random weights, as dense layers and as calls of torch."""

    def __init__(self, *, latent=8, num_actions=3, depth=1, support=0, scaled=True, trunk_relu=False, sign=1.0, seed=0):
        super().__init__(gym.spaces.Box(-1, 1, (latent,)), gym.spaces.Discrete(num_actions))
        self.options = {"scaled": scaled, "trunk_relu": trunk_relu, "sign": sign}
        self.support = support

        def layers(inputs, outputs):
            sizes = [inputs, *[12] * depth, outputs]
            return nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.trunk, self.policy = layers(latent + num_actions, latent), layers(latent, num_actions)
            self.reward, self.value = (layers(latent, 2 * support + 1) for _ in range(2))
            for parameter in self.parameters():
                parameter.data *= 2.0

    def observe(self, state, action, obs, is_first, *, rng):
        return Latent(obs)

    def initial_state(self, num, *, rng):
        return Latent(torch.rand(num, self.observation_space.shape[0], generator=rng))

    def features(self, state):
        return state.latent

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        one_hot = nn.functional.one_hot(action, int(self.action_space.n)).float()
        latent = run(self.trunk, torch.cat([state.latent, one_hot], -1))
        latent = latent.relu() if self.options["trunk_relu"] else latent
        latent = scale_latent(latent) if self.options["scaled"] else latent
        return ModelStep(
            Latent(latent), self._number(self.reward, latent), torch.ones(len(latent)), self.options["sign"]
        )

    def evaluate(self, state, *, rng):
        return Evaluation(self._number(self.value, state.latent), run(self.policy, state.latent))

    def dense(self):
        supports = {"reward_support": self.support, "value_support": self.support}
        return pack(self.trunk, self.reward, self.value, self.policy, **self.options, **supports)

    def _number(self, head, latent):
        outputs = run(head, latent)
        if self.support == 0:
            return outputs[:, 0]
        bins = torch.arange(-self.support, self.support + 1).float()
        mean = outputs.softmax(-1) @ bins
        size = ((1 + 4 * 0.001 * (mean.abs() + 1 + 0.001)).sqrt() - 1) / 0.002
        return mean.sign() * (size**2 - 1)


def run(layers, x):
    for layer in layers[:-1]:
        x = layer(x).relu()
    return layers[-1](x)


class Edges(NamedTuple):
    """Which edges are drawn, int64 `[B]`, a bit each."""

    drawn: np.ndarray


class DotsAndBoxes(WorldModel):
    """Two by two boxes between nine dots; who closes one gets a point, and moves again. States are NumPy arrays.

    Edges 0 to 5 are the horizontal ones, row by row, 6 to 11 the vertical ones.
    """

    num_players: ClassVar[int] = 2
    BOXES: ClassVar = [sum(1 << e for e in (2 * r + c, 2 * r + c + 2, 6 + 3 * r + c, 7 + 3 * r + c))
                       for r in range(2) for c in range(2)]  # fmt: skip
    NUM = 12

    def __init__(self):
        super().__init__(gym.spaces.Box(0, 1, (self.NUM,), np.int8), gym.spaces.Discrete(self.NUM))

    def observe(self, state, action, obs, is_first, *, rng):
        raise NotImplementedError

    def closed(self, drawn):
        return sum((drawn & box) == box for box in map(np.int64, self.BOXES)).astype(np.int64)

    def move(self, drawn, action):
        after = drawn | (np.int64(1) << action)
        return after, self.closed(after) - self.closed(drawn)

    def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
        after, points = self.move(state.drawn, action.numpy())
        over = after == (1 << self.NUM) - 1
        sign = np.where(points > 0, 1.0, -1.0)
        numbers = (torch.from_numpy(array).float() for array in (points, ~over, sign))
        reward, continues, sign = numbers
        return ModelStep(Edges(after), reward, continues, sign)

    def legal_actions(self, state):
        return torch.from_numpy((state.drawn[:, None] >> np.arange(self.NUM)) & 1 == 0)

    def solve(self):
        """Returns what each edge is worth in each position, `[2**12, 12]`, -inf where it is drawn."""
        worth = np.full((1 << self.NUM, self.NUM), -np.inf)
        best = np.zeros(1 << self.NUM)
        for drawn in reversed(range((1 << self.NUM) - 1)):
            free = np.flatnonzero((drawn >> np.arange(self.NUM)) & 1 == 0)
            after, points = self.move(np.int64(drawn), free)
            worth[drawn, free] = points + np.where(points > 0, 1, -1) * best[after]
            best[drawn] = worth[drawn].max()
        return worth


@pytest.fixture(scope="session")
def hand_made():
    return tree_of


@pytest.fixture(scope="session")
def network():
    return LatentNet


@pytest.fixture(scope="session")
def boxes():
    return DotsAndBoxes()


@pytest.fixture(scope="session")
def edges():
    return Edges


@pytest.fixture(scope="session")
def rules():
    return RulesModel()


@pytest.fixture(params=[MCTS, GumbelMCTS], ids=["mcts", "gumbel-mcts"])
def search(request):
    """Both planners; what is said of `search` is said of each."""
    return request.param
