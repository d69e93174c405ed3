"""`zoo_envs/DynaMaze-v0`, `zoo_envs/BlockingMaze-v0` and `zoo_envs/ShortcutMaze-v0`: mazes on which to learn and plan.

They are those of Sutton & Barto 2018, "Reinforcement Learning: An Introduction", 2nd edition: figure 8.2, example 8.4
(finer grids), figures 8.4 and 8.5 (walls that move).
"""

from collections.abc import Mapping
from functools import partial
from operator import index
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from zoo_envs.canvas import Canvas
from zoo_envs.maze_drawing import draw_maze
from zoo_envs.maze_layout import ACTIONS, Maze, Transitions

__all__ = ["MazeEnv"]

_STATE_NAMES = ("position", "life_steps")
_ACTIONS_TEXT = ", ".join(f"{number} {name}" for number, name in enumerate(ACTIONS))


class MazeEnv(gym.Env[Any, Any]):
    """A maze: find the goal, in few steps, even where the wall moves.

    Observation: index of the cell, row * columns + column, as in Gymnasium's toy text. Walls have indices too, and are
    never observed. Action: 0 up, 1 down, 2 right, 3 left; moving into a wall or off the grid changes nothing.
    Reward: 1 for reaching the goal, which ends the episode, else 0.
    State: `position`, the index, and `life_steps`, steps in all episodes since the environment was made. The wall
    moves after `wall_moves_at` of them, in mid-episode as a rule; a reset does not bring it back. An agent that
    stands where the wall comes to stand is put back to the start.

    Differs from the book: nothing, but that it does not say what becomes of that agent, nor which of its finer cells
    are start and goal. Here all cells of a goal are goals and the upper left cell of a start is the start, by which
    the Dyna maze takes 14, 27, 40 and 53 steps at resolutions 1 to 4.

    Args:
        layout: Drawing of the maze: a line for each row, `#` wall, `S` start, `G` goal, `.` free.
        later_layout: Drawing after the wall has moved; start and goal are where they were. None: it never moves.
        wall_moves_at: Steps of the environment's life, at least 0, after which the wall moves.
        resolution: Every cell of the drawing becomes resolution x resolution cells.
        render_mode: "ansi" (text), "rgb_array", "human" (a window) or None.

    Raises:
        TypeError: A drawing is no text.
        ValueError: An argument is out of its range, a drawing is none, or the two do not fit together.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "human", "rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's attribute)

    def __init__(
        self,
        layout: str,
        later_layout: str | None = None,
        wall_moves_at: int | None = None,
        *,
        resolution: int = 1,
        render_mode: str | None = None,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"unknown render_mode {render_mode!r}: choose from {', '.join(modes)} or None")
        if (later_layout is None) != (wall_moves_at is None):
            raise ValueError("a wall that moves needs both later_layout and wall_moves_at, got one of them")
        self.resolution = _whole_number("resolution", resolution, least=1)
        self.wall_moves_at = None if wall_moves_at is None else _whole_number("wall_moves_at", wall_moves_at, least=0)
        mazes = [Maze.from_text(each) for each in (layout, layout if later_layout is None else later_layout)]
        _check_same_task(*mazes)
        self._mazes = [maze.scaled(self.resolution) for maze in mazes]
        self.observation_space = gym.spaces.Discrete(self._mazes[0].wall.size)
        self.action_space = gym.spaces.Discrete(len(ACTIONS))
        self.render_mode = render_mode
        self._canvas = Canvas(self.metadata["render_fps"], window=render_mode == "human")
        self._starts = np.flatnonzero(self._mazes[0].start).tolist()
        self._position: int | None = None
        self._live_on_from(0)

    @property
    def maze(self) -> Maze:
        """The maze as its wall stands now: `wall`, `start` and `goal`, each `[rows, columns]` bool."""
        return self._maze_after(self._life_steps)

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """What follows as the wall stands now: `P[state][action] = [(1.0, next_state, reward, terminated)]`.

        As in Gymnasium's toy text: goals lead to themselves, terminated, with reward 0. So do walls.
        """
        return self.maze.P

    @property
    def initial_state_distrib(self) -> NDArray[np.float64]:
        """`[S]` probability of each state to be the first of an episode."""
        chances: NDArray[np.float64] = self.maze.start.ravel() / self.maze.start.sum()
        return chances

    def transition_arrays(self) -> Transitions:
        """Returns next states, rewards and terminations `[S, 4]` as the wall stands now; `P` says the same."""
        return self.maze.transitions()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begins an episode at the start, or in `options["state"]`; the wall stays where it is."""
        super().reset(seed=seed)
        position = self._draw_start()  # in any case, so that an option does not shift later episodes
        if options and "state" in options:
            self.set_state(options["state"])
        else:
            self._position = position
        if self.render_mode == "human":
            self.render()
        return self._current_position(), {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Takes a step; beyond the end of an episode nothing changes.

        Args:
            action: 0 up, 1 down, 2 right, 3 left.

        Raises:
            ValueError: `action` is none of these.
        """
        try:
            move = index(action)
        except TypeError:
            move = -1  # which is refused, too
        if not 0 <= move < len(ACTIONS):
            raise ValueError(f"action must be {_ACTIONS_TEXT}, got {action!r}")
        position, reward, terminated = self._outcomes[self._current_position()][move]
        self._life_steps += 1
        if self._life_steps == self.wall_moves_at:
            self._live_on_from(self._life_steps)
            if self.maze.wall.flat[position]:
                position = self._draw_start()
        self._position = position
        if self.render_mode == "human":
            self.render()
        return position, reward, terminated, False, {}

    def get_state(self) -> dict[str, int]:
        """Returns the state: `position`, the index of the agent's cell, and `life_steps`."""
        return {"position": self._current_position(), "life_steps": self._life_steps}

    def set_state(self, state: Any) -> None:
        """Puts the environment into a state that `get_state` returned; the wall follows from `life_steps`.

        Raises:
            ValueError: `state` is none, or its position is a wall by then.
        """
        if not isinstance(state, Mapping) or set(state) != set(_STATE_NAMES):
            raise ValueError(f"state must be a dict of {' and '.join(_STATE_NAMES)}, got {state!r}")
        position, life_steps = (_whole_number(name, state[name], least=0) for name in _STATE_NAMES)
        wall = self._maze_after(life_steps).wall
        if position >= wall.size or wall.flat[position]:
            what = f"a wall after {life_steps} steps" if position < wall.size else f"outside the {wall.size} cells"
            raise ValueError(f"position must be a free cell, got {position}, {what}")
        self._position = position
        self._live_on_from(life_steps)

    def render(self) -> Any:
        """Returns the maze with the agent in it as text or picture `[400, 600, 3]`, or shows it in a window."""
        if self.render_mode is None:
            gym.logger.warn('render() shows nothing without a mode: make the env with render_mode="rgb_array"')
            return None
        position = self._current_position()
        if self.render_mode == "ansi":
            return self.maze.to_text(position)
        return self._canvas.show(partial(draw_maze, maze=self.maze, position=position, resolution=self.resolution))

    def close(self) -> None:
        """Closes the window."""
        self._canvas.close()

    def _maze_after(self, life_steps: int) -> Maze:
        return self._mazes[self.wall_moves_at is not None and life_steps >= self.wall_moves_at]

    def _live_on_from(self, life_steps: int) -> None:
        self._life_steps = life_steps
        self._outcomes = self.maze.outcomes

    @property
    def s(self) -> int:
        """The index of the agent's cell, under its name in Gymnasium's toy text."""
        return self._current_position()

    @s.setter
    def s(self, position: int) -> None:
        if not 0 <= position < self.maze.wall.size:
            raise ValueError(f"s must be in [0, {self.maze.wall.size}), got {position}")
        self._position = int(position)  # a wall too: a dream may be where one was not when it was learned

    def _current_position(self) -> int:
        if self._position is None:
            raise gym.error.ResetNeeded("the environment has no state yet: call reset() or set_state() first")
        return self._position

    def _draw_start(self) -> int:
        return self._starts[int(self.np_random.integers(len(self._starts)))]


def _whole_number(name: str, value: Any, *, least: int) -> int:
    try:
        number = index(value)
    except TypeError as error:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from error
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return number


def _check_same_task(maze: Maze, later: Maze) -> None:
    """Raises ValueError unless the mazes differ in nothing but walls."""
    if later.wall.shape != maze.wall.shape:
        raise ValueError(f"later_layout must have as many cells as layout, {maze.wall.shape}, got {later.wall.shape}")
    for name in ("start", "goal"):
        if not np.array_equal(getattr(maze, name), getattr(later, name)):
            raise ValueError(f"only walls move: later_layout must have the {name} where layout has it")
