"""Games of which only a PettingZoo AEC environment knows the rules: positions are kept as moves, and replayed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from zoo_mcts.games.game import Array
from zoo_mcts.games.positions import PositionGame

_REPLAYED_GAMES = 2  # random games that must go the same way twice before a game is believed
_MAX_PLIES = 200  # of each of these


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A position: what led there, and what the environment showed. Two are the same that the same moves led to.

    Attributes:
        parent: the position before, and None where the game begins.
        action: the move that led here.
        player: who is to move; after the end, who did not move last.
        over: the game has ended.
        moves: legal ones.
        seen: what that player sees.
        path: a number for the moves that led here.
    """

    parent: Node | None
    action: int
    player: int
    over: bool
    moves: tuple[int, ...]
    seen: Array
    path: int

    def __hash__(self) -> int:
        return self.path

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        mine: Node | None = self
        his: Node | None = other
        while mine is not his:
            if mine is None or his is None or mine.action != his.action or mine.path != his.path:
                return False
            mine, his = mine.parent, his.parent
        return True


class ReplayedGame(PositionGame):
    """A game by an environment that cannot be copied: a position that was left is reached again by its moves.

    Its id is the name of the environment. By that nobody can make it, so that what is loaded needs the environment too.

    Environments that stand at a position are kept, so that a game that goes on costs one step a move. A search that
    comes back to a position replays its moves from the nearest one at which an environment still stands; at worst from
    the beginning.

    Args:
        make_env: makes an AEC environment, each time a new one.
        seed: with which every game is reset.
        num_live: environments that are kept at most.

    Raises:
        ValueError: it is no game that two play in turns, in which a replay leads to the same positions.
    """

    def __init__(self, make_env: Callable[[], Any], seed: int = 0, *, num_live: int = 256) -> None:
        self.make_env, self.seed, self.num_live = make_env, seed, num_live
        self._spare: list[Any] = []
        # Environments by the position at which each stands, which is kept beside it; the oldest first. Not by equality:
        # several may stand at the same position, in games beside each other.
        self._live: OrderedDict[int, tuple[Node, Any]] = OrderedDict()
        env = self._fresh()
        self.id, self.kwargs = str(env), {}
        first = env.agent_selection
        self.agents = (first, *(agent for agent in env.possible_agents if agent != first))
        self.num_actions = int(env.action_space(first).n)
        space = env.observation_space(first)
        self.view: Any = space["observation"] if isinstance(space, spaces.Dict) else space
        self._root = self._look(env, None, 0, 0)
        self._keep(self._root, env)
        check_replays(self)

    def begin(self) -> Node:
        """Returns the position in which the game begins."""
        return self._root

    def moves(self, position: Node) -> tuple[int, ...]:
        """Returns the legal moves."""
        return position.moves

    def move(self, position: Node, action: int) -> tuple[Node, float]:
        """Makes a move in an environment that stands at the position."""
        env = self._at(position)
        mover = self.agents[position.player]
        env.step(action)
        reward = float(env.rewards[mover])
        after = self._look(env, position, action, 1 - position.player)
        self._keep(after, env)
        return after, reward

    def ended(self, position: Node) -> bool:
        """Returns whether the game is over."""
        return position.over

    def turn(self, position: Node) -> int:
        """Returns who moves next."""
        return position.player

    def see(self, position: Node, player: int) -> Array:
        """Returns what the environment showed to the player whose turn it was, also after an illegal move."""
        return position.seen

    def _fresh(self) -> Any:
        """Returns an environment at the beginning of a game."""
        env = self._spare.pop() if self._spare else self.make_env()
        env.reset(seed=self.seed)
        return env

    def _at(self, node: Node) -> Any:
        """Returns an environment that stands at a position, and is nobody else's."""
        path: list[int] = []
        found: Node | None = node
        while found is not None and id(found) not in self._live:
            path.append(found.action)
            found = found.parent
        if found is None:
            path.pop()  # no move leads to where the game begins
            env = self._fresh()
        else:
            env = self._live.pop(id(found))[1]
        for action in reversed(path):
            env.step(action)
        return env

    def _keep(self, node: Node, env: Any) -> None:
        if node.over:
            self._spare.append(env)
            return
        self._live[id(node)] = node, env
        if len(self._live) > self.num_live:
            self._spare.append(self._live.popitem(last=False)[1][1])

    def _look(self, env: Any, parent: Node | None, action: int, other: int) -> Node:
        """Returns the position at which an environment stands; `other` did not move last."""
        over = any(env.terminations.values()) or any(env.truncations.values())
        player = other if over else self.agents.index(env.agent_selection)
        shown = env.observe(self.agents[player])
        seen = np.array(shown["observation"] if isinstance(shown, Mapping) else shown)
        moves: tuple[int, ...] = ()
        if not over:
            source = shown if isinstance(shown, Mapping) else env.infos[env.agent_selection]
            moves = tuple(np.flatnonzero(source["action_mask"]).tolist())
        path = hash((parent.path if parent else 0, action))
        return Node(parent, action, player, over, moves, seen, path)


def check_replays(game: ReplayedGame) -> None:
    """Plays random games twice.

    Raises:
        ValueError: they did not go the same way, or what one player won was not what the other lost.
    """
    for attempt in range(_REPLAYED_GAMES):
        first = _play_random(game, np.random.default_rng([game.seed, attempt]))
        again = _play_random(game, np.random.default_rng([game.seed, attempt]))
        if len(first) != len(again) or not all(map(_same, first, again)):
            raise ValueError(
                f"{game.id} does not fit: the same moves after reset(seed={game.seed}) did not lead to the same "
                "observations, so chance plays a part, or the environment does not keep to its seed"
            )


def _play_random(game: ReplayedGame, rng: np.random.Generator) -> list[tuple[Node, tuple[float, ...]]]:
    """Plays in a new environment, and returns the positions with the rewards of the players."""
    unfit = f"{game.id} does not fit"
    env = game.make_env()
    env.reset(seed=game.seed)
    node = game._look(env, None, 0, 0)
    passed: list[tuple[Node, tuple[float, ...]]] = [(node, (0.0, 0.0))]
    while not node.over and len(passed) < _MAX_PLIES:
        if not node.moves:
            raise ValueError(f"{unfit}: {env.agent_selection} has no legal move, and the game is not over")
        action = int(rng.choice(node.moves))
        mover = node.player
        env.step(action)
        rewards = tuple(float(env.rewards[agent]) for agent in game.agents)
        if sum(rewards) != 0.0:
            raise ValueError(f"{unfit}: what one wins is not what the other loses, rewards were {rewards}")
        node = game._look(env, node, action, 1 - mover)
        passed.append((node, rewards))
    return passed


def _same(first: tuple[Node, tuple[float, ...]], again: tuple[Node, tuple[float, ...]]) -> bool:
    (a, rewards), (b, others) = first, again
    facts = (a.player, a.over, a.moves, rewards) == (b.player, b.over, b.moves, others)
    return facts and np.array_equal(a.seen, b.seen)
