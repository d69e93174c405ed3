"""The optimum of Gymnasium's Pendulum-v1 (200 steps, g = 10), by dynamic programming backwards on a grid.

With it a learner is judged by its regret from the very starts it had, free of the luck of the starts: the
optimal return has a standard deviation of 75 over resets. The value after each step is kept on a grid of (θ,
dθ/dt) and interpolated bilinearly. Interpolation errs on the low side, by about one per cent of the return on
the default grid.

The table is computed once (seconds), then kept in `~/.cache/zoo_envs`, or in the folder named by `ZOO_CACHE`.
"""

import os
import tempfile
import zipfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEFAULT_GRID", "HORIZON", "pendulum_optimal_action", "pendulum_optimal_return", "pendulum_regret"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

HORIZON = 200  # steps of an episode
DEFAULT_GRID = (301, 161)  # points in θ and in dθ/dt

_GRAVITY, _MASS, _LENGTH, _DT, _MAX_TORQUE, _MAX_SPEED = 10.0, 1.0, 1.0, 0.05, 2.0, 8.0  # as in Pendulum-v1
_TABLE_TORQUES = 9  # tried in the backward pass: more change the mean return by less than 0.01
_GREEDY_TORQUES = 41
_TABLE_VERSION = 1  # to be raised with every change of the numbers in a table


def pendulum_optimal_return(
    theta: Any, theta_dot: Any, *, t: int = 0, grid: tuple[int, int] = DEFAULT_GRID
) -> Float64Array:
    """Returns the greatest return that is left after `t` steps.

    Args:
        theta: `[B]` angle in rad, 0 upright, of any number of turns; `env.unwrapped.state[0]`.
        theta_dot: `[B]` angular velocity in rad/s, in [-8, 8].
        t: Steps already taken, in [0, 200]; 0 gives the optimal return of an episode.
        grid: Points in θ and in dθ/dt; each pair of numbers has a table of its own.

    Returns:
        `[B]` optimal returns.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not 0 <= t <= HORIZON:
        raise ValueError(f"t must be in [0, {HORIZON}], got {t!r}")
    angle, speed = _checked(theta, theta_dot)
    return _interpolate(_table(*_checked_grid(grid))[t], angle, speed)


def pendulum_optimal_action(
    theta: Any, theta_dot: Any, t: int, *, grid: tuple[int, int] = DEFAULT_GRID
) -> Float32Array:
    """Returns the torques that are greedy with respect to the table.

    Args:
        theta: `[B]` angle in rad, 0 upright.
        theta_dot: `[B]` angular velocity in rad/s, in [-8, 8].
        t: Steps already taken, in [0, 199].
        grid: Points in θ and in dθ/dt.

    Returns:
        `[B]` torques in [-2, 2] N m.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not 0 <= t < HORIZON:
        raise ValueError(f"t must be in [0, {HORIZON - 1}], got {t!r}")
    angle, speed = _checked(theta, theta_dot)
    torques = np.linspace(-_MAX_TORQUE, _MAX_TORQUE, _GREEDY_TORQUES)
    angle, speed = angle[..., None], speed[..., None]
    later = _interpolate(_table(*_checked_grid(grid))[t + 1], *_step(angle, speed, torques))
    best = (_reward(angle, speed, torques) + later).argmax(-1)
    action: Float32Array = torques[best].astype(np.float32)
    return action


def pendulum_regret(starts: Any, returns: Any, *, grid: tuple[int, int] = DEFAULT_GRID) -> Float64Array:
    """Computes how much less than the optimum episodes returned, each from its own start.

    Args:
        starts: `[B, 2]` θ and dθ/dt after each reset, `env.unwrapped.state`.
        returns: `[B]` undiscounted returns of the 200 steps that followed.
        grid: Points in θ and in dθ/dt.

    Returns:
        `[B]` optimal minus achieved return.

    Raises:
        ValueError: The shapes do not fit, or a start is out of range.
    """
    begin, achieved = np.asarray(starts, dtype=np.float64), np.asarray(returns, dtype=np.float64)
    if begin.shape != (*achieved.shape, 2):
        raise ValueError(f"starts must have shape {(*achieved.shape, 2)} to fit returns, got {begin.shape}")
    return pendulum_optimal_return(begin[..., 0], begin[..., 1], grid=grid) - achieved


def _checked(theta: Any, theta_dot: Any) -> tuple[Float64Array, Float64Array]:
    """Returns angle and speed as float64 arrays of one shape, or says what is wrong with them."""
    angle, speed = np.broadcast_arrays(np.asarray(theta, np.float64), np.asarray(theta_dot, np.float64))
    if not np.isfinite(angle).all():
        raise ValueError("theta must be finite")
    if not (np.abs(speed) <= _MAX_SPEED).all():
        raise ValueError(f"theta_dot must be in [-{_MAX_SPEED}, {_MAX_SPEED}], got up to {np.abs(speed).max()}")
    return angle, speed


def _checked_grid(grid: tuple[int, int]) -> tuple[int, int]:
    if len(grid) != 2 or min(grid) < 2:
        raise ValueError(f"grid must be two numbers of points of at least 2, got {grid!r}")
    return int(grid[0]), int(grid[1])


def _step(theta: Any, theta_dot: Any, torque: Any) -> tuple[Float64Array, Float64Array]:
    """Advances Pendulum-v1 by one step."""
    push = 3 * _GRAVITY / (2 * _LENGTH) * np.sin(theta) + 3 / (_MASS * _LENGTH**2) * torque
    speed = np.clip(theta_dot + push * _DT, -_MAX_SPEED, _MAX_SPEED)
    return theta + speed * _DT, speed


def _reward(theta: Any, theta_dot: Any, torque: Any) -> Float64Array:
    """Computes Pendulum-v1's reward."""
    angle = (theta + np.pi) % (2 * np.pi) - np.pi
    reward: Float64Array = -(angle**2 + 0.1 * theta_dot**2 + 0.001 * torque**2)
    return reward


@lru_cache(maxsize=2)
def _table(num_angles: int, num_speeds: int) -> Float32Array:
    """Returns the value `[HORIZON + 1, num_angles, num_speeds]` after each step, cached if that can be."""
    folder = Path(os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "zoo_envs")
    path = folder / f"pendulum_optimum_{num_angles}x{num_speeds}_v{_TABLE_VERSION}.npz"
    table = _read(path, (HORIZON + 1, num_angles, num_speeds))
    if table is None:
        table = _solve(num_angles, num_speeds)
        with suppress(OSError):  # a folder that cannot be written costs the time to solve again, no more
            _write(path, table)
    table.flags.writeable = False
    return table


def _solve(num_angles: int, num_speeds: int) -> Float32Array:
    """Computes the table backwards from the end of the episode, where all values are 0."""
    angle, speed, torque = np.meshgrid(
        np.linspace(-np.pi, np.pi, num_angles),
        np.linspace(-_MAX_SPEED, _MAX_SPEED, num_speeds),
        np.linspace(-_MAX_TORQUE, _MAX_TORQUE, _TABLE_TORQUES),
        indexing="ij",
    )
    reward = _reward(angle, speed, torque).astype(np.float32)
    corner, right, up = _locate(num_angles, num_speeds, *_step(angle, speed, torque))
    table = np.zeros((HORIZON + 1, num_angles, num_speeds), dtype=np.float32)
    for t in reversed(range(HORIZON)):
        table[t] = (reward + _blend(table[t + 1], corner, right, up)).max(-1)
    return table


def _interpolate(values: Float32Array, theta: Any, theta_dot: Any) -> Float64Array:
    """Interpolates `values` `[num_angles, num_speeds]` at points of any shape."""
    num_angles, num_speeds = values.shape
    return _blend(values, *_locate(num_angles, num_speeds, theta, theta_dot)).astype(np.float64)


def _locate(num_angles: int, num_speeds: int, theta: Any, theta_dot: Any) -> tuple[Any, Any, Any]:
    """Returns the flat index of the lower corner of each point's cell, and its place in the cell."""
    column = (theta + np.pi) % (2 * np.pi) / (2 * np.pi) * (num_angles - 1)
    row = (theta_dot + _MAX_SPEED) / (2 * _MAX_SPEED) * (num_speeds - 1)
    left = np.minimum(column.astype(np.int64), num_angles - 2)
    bottom = np.minimum(row.astype(np.int64), num_speeds - 2)
    corner = (left * num_speeds + bottom).astype(np.int32)
    return corner, (column - left).astype(np.float32), (row - bottom).astype(np.float32)


def _blend(values: Float32Array, corner: Any, right: Any, up: Any) -> Float32Array:
    """Mixes the four corners of cells bilinearly; the grid's first and last angle are the same."""
    stride, flat = values.shape[1], values.ravel()
    low = flat[corner] + up * (flat[corner + 1] - flat[corner])
    high = flat[corner + stride] + up * (flat[corner + stride + 1] - flat[corner + stride])
    mixed: Float32Array = low + right * (high - low)
    return mixed


def _read(path: Path, shape: tuple[int, ...]) -> Float32Array | None:
    """Returns the table in a file, or None where there is no file or none that can be used."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            table: Float32Array = archive["value"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    fits = table.shape == shape and table.dtype == np.float32 and bool(np.isfinite(table).all())
    return table if fits else None


def _write(path: Path, table: Float32Array) -> None:
    """Writes a table atomically: a reader finds the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, value=table)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
