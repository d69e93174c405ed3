"""The mazes of Sutton & Barto 2018, chapter 8: their walls, their optima, and their exact arrays."""

from collections import deque

import gymnasium as gym
import numpy as np
import pytest

import zoo_envs

GAMMA = 0.95  # figure 8.2
ROW_3 = [(3, column) for column in range(9)]
WALLS = {
    ("DynaMaze", 0): [(1, 2), (2, 2), (3, 2), (4, 5), (0, 7), (1, 7), (2, 7)],
    ("BlockingMaze", 999): ROW_3[:8],
    ("BlockingMaze", 1000): ROW_3[1:],
    ("ShortcutMaze", 2999): ROW_3[1:],
    ("ShortcutMaze", 3000): ROW_3[1:8],
}
SHORTEST = {
    ("DynaMaze", 0): 14,
    ("BlockingMaze", 999): 10,
    ("BlockingMaze", 1000): 16,
    ("ShortcutMaze", 2999): 16,
    ("ShortcutMaze", 3000): 10,
}
every_wall = pytest.mark.parametrize(("name", "life_steps"), WALLS)


def make(name: str, life_steps: int = 0, **kwargs: object) -> zoo_envs.MazeEnv:
    """Returns a maze with its agent at the start, as its wall stands after some steps of its life."""
    env = gym.make(f"zoo_envs/{name}-v0", **kwargs).unwrapped
    assert isinstance(env, zoo_envs.MazeEnv)
    position, _ = env.reset(seed=0)
    env.set_state({"position": position, "life_steps": life_steps})
    return env


def naive_move(maze: zoo_envs.Maze, row: int, column: int, action: int) -> tuple[int, int]:
    """Returns where an action leads, cell by cell: up, down, right, left."""
    row_change, column_change = ((-1, 0), (1, 0), (0, 1), (0, -1))[action]
    to_row, to_column = row + row_change, column + column_change
    inside = 0 <= to_row < maze.wall.shape[0] and 0 <= to_column < maze.wall.shape[1]
    return (to_row, to_column) if inside and not maze.wall[to_row, to_column] else (row, column)


def shortest_path(maze: zoo_envs.Maze) -> int:
    """Returns the number of steps from the start to the goal, by breadth-first search."""
    [start] = np.argwhere(maze.start).tolist()
    seen, queue = {tuple(start)}, deque([(tuple(start), 0)])
    while queue:
        cell, steps = queue.popleft()
        if maze.goal[cell]:
            return steps
        for action in range(4):
            there = naive_move(maze, *cell, action)
            if there not in seen:
                seen.add(there)
                queue.append((there, steps + 1))
    raise AssertionError("no way leads to the goal")


def optimal_values(env: zoo_envs.MazeEnv) -> np.ndarray:
    """Returns the optimal values [S], by value iteration on the exact arrays."""
    next_state, reward, terminated = env.transition_arrays()
    value, before = np.zeros(len(next_state)), np.ones(len(next_state))
    while np.abs(value - before).max() > 1e-14:
        before = value
        value = (reward + GAMMA * np.where(terminated, 0.0, value[next_state])).max(-1)
    return value


@every_wall
def test_the_walls_stand_where_the_book_has_them(name: str, life_steps: int) -> None:
    maze = make(name, life_steps).maze
    assert maze.wall.shape == (6, 9)
    assert sorted(WALLS[name, life_steps]) == list(map(tuple, np.argwhere(maze.wall).tolist()))
    assert np.argwhere(maze.start).tolist() == [[2, 0] if name == "DynaMaze" else [5, 3]]
    assert np.argwhere(maze.goal).tolist() == [[0, 8]]


@every_wall
def test_the_shortest_path_has_the_length_of_the_book(name: str, life_steps: int) -> None:
    assert shortest_path(make(name, life_steps).maze) == SHORTEST[name, life_steps]


@pytest.mark.parametrize(("resolution", "steps", "free"), [(1, 14, 47), (2, 27, 188), (3, 40, 423), (4, 53, 752)])
def test_finer_dyna_mazes_take_longer(resolution: int, steps: int, free: int) -> None:
    maze = make("DynaMaze", resolution=resolution).maze
    assert shortest_path(maze) == steps
    assert (~maze.wall).sum() == free
    assert maze.goal.sum() == resolution**2
    assert np.argwhere(maze.start).tolist() == [[2 * resolution, 0]]


def test_the_optimal_values_of_the_dyna_maze_are_known() -> None:
    env = make("DynaMaze")
    value = optimal_values(env)
    [start] = np.flatnonzero(env.initial_state_distrib)
    assert value[start] == pytest.approx(GAMMA**13, abs=1e-9)
    assert value[start] == pytest.approx(0.513342, abs=5e-7)
    inner = ~(env.maze.wall | env.maze.goal).ravel()
    assert inner.sum() == 46
    assert value[inner].sum() == pytest.approx(31.334936, abs=5e-7)
    assert (value[~inner] == 0.0).all()


@every_wall
def test_the_optimal_value_of_a_start_is_that_of_the_shortest_path(name: str, life_steps: int) -> None:
    env = make(name, life_steps)
    value = env.initial_state_distrib @ optimal_values(env)
    assert value == pytest.approx(GAMMA ** (SHORTEST[name, life_steps] - 1), abs=1e-9)


@pytest.mark.parametrize("resolution", [1, 2])
@every_wall
def test_a_step_leads_where_the_table_says(name: str, life_steps: int, resolution: int) -> None:
    env = make(name, life_steps, resolution=resolution)
    maze, num_columns = env.maze, env.maze.wall.shape[1]
    for row, column in np.argwhere(~maze.wall & ~maze.goal).tolist():
        for action in range(4):
            to_row, to_column = naive_move(maze, row, column, action)
            position, next_position = row * num_columns + column, to_row * num_columns + to_column
            reached = to_row < resolution and to_column >= num_columns - resolution  # the cells of the corner
            assert env.P[position][action] == [(1.0, next_position, float(reached), reached)]
            if life_steps + 1 != env.wall_moves_at:  # by which step it moves
                env.set_state({"position": position, "life_steps": life_steps})
                assert env.step(action) == (next_position, float(reached), reached, False, {})


@every_wall
def test_goals_and_walls_lead_to_themselves(name: str, life_steps: int) -> None:
    env = make(name, life_steps, resolution=2)
    over = np.flatnonzero(env.maze.wall | env.maze.goal)
    assert len(over) == 4 * (len(WALLS[name, life_steps]) + 1)
    for state in over.tolist():
        assert env.P[state] == {action: [(1.0, state, 0.0, True)] for action in range(4)}


@every_wall
def test_the_arrays_say_what_the_table_says(name: str, life_steps: int) -> None:
    env = make(name, life_steps)
    next_state, reward, terminated = env.transition_arrays()
    assert (next_state.dtype, reward.dtype, terminated.dtype) == (np.int64, np.float64, np.bool_)
    assert next_state.shape == reward.shape == terminated.shape == (54, 4)
    for state, actions in env.P.items():
        for action, [outcome] in actions.items():
            pair = state, action
            assert outcome == (1.0, next_state[pair], reward[pair], terminated[pair])
            assert [type(part) for part in outcome] == [float, int, float, bool]


def test_the_arrays_that_are_handed_out_are_copies() -> None:
    env = make("DynaMaze")
    env.transition_arrays().next_state[:] = 0
    env.initial_state_distrib[:] = 0.0
    assert env.transition_arrays().next_state[18].tolist() == [9, 27, 19, 18]
    assert env.initial_state_distrib[18] == 1.0
    assert env.step(2)[0] == 19


def test_reaching_a_goal_ends_the_episode_and_nothing_follows() -> None:
    env = make("DynaMaze")
    env.set_state({"position": 17, "life_steps": 0})
    assert env.step(0) == (8, 1.0, True, False, {})
    assert env.step(1) == (8, 0.0, True, False, {})


def test_a_maze_of_ones_own_may_have_many_starts_and_goals() -> None:
    env = zoo_envs.MazeEnv("S.G\n#S.\nG..")
    np.testing.assert_array_equal(env.initial_state_distrib, [0.5, 0, 0, 0, 0.5, 0, 0, 0, 0])
    firsts = [env.reset(seed=seed)[0] for seed in range(40)]
    assert set(firsts) == {0, 4}
    assert firsts == [env.reset(seed=seed)[0] for seed in range(40)]
    env.set_state({"position": 1, "life_steps": 0})
    assert env.step(2)[:3] == (2, 1.0, True)
    env.set_state({"position": 7, "life_steps": 0})
    assert env.step(3)[:3] == (6, 1.0, True)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("", "rows of a maze must be equally long, got ''"),
        ("S.\n..G", "rows of a maze must be equally long"),
        ("S G", "'#' wall, 'S' start, 'G' goal and '.' free, got ' '"),
        ("..G", "a maze needs a start, 'S', got '..G'"),
        ("S.#", "a maze needs a goal, 'G', got 'S.#'"),
    ],
)
def test_a_drawing_that_is_none_is_refused(layout: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo_envs.MazeEnv(layout)


def test_a_maze_is_drawn_as_text() -> None:
    with pytest.raises(TypeError, match=r"a maze is drawn as text, a line for each row, got \['S.G'\]"):
        zoo_envs.MazeEnv(["S.G"])  # type: ignore[arg-type]
