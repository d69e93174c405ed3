"""What MuZero learns values from: n-step returns within an episode, for whoever moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo_mcts.compiled import Array

GOES_ON, TERMINATED, CUT = 0, 1, 2  # what comes after a row; a cut one is the last that is known of its episode


class Returns(NamedTuple):
    """Parts of the value targets of rows `[E, T]`; z = earned + carry · v of the row `ahead` steps later.

    Attributes:
        earned: float64, sum of the discounted rewards until there, for the player of the row.
        carry: float64, γ to the number of steps, and -1 where another player moves there; 0 where the episode ended.
        ahead: int64, steps; 0 where the episode ended.
        known: bool, whether all of that has been seen.
    """

    earned: Array
    carry: Array
    ahead: Array
    known: Array


def n_step_returns(reward: Array, player: Array, after: Array, *, gamma: float, num_steps: int) -> Returns:
    """Computes n-step returns of E streams of T rows, one a time step (appendix F; B for board games).

    z_t = r_t + γ r_{t+1} + ... + γ^{n-1} r_{t+n-1} + γ^n ν_{t+n}, where the rewards and the value of another player
    than that of row t count negatively. Nothing follows a termination. At a cut row the episode went on, unseen: there
    the value of the row itself takes over, and so it does after n steps.

    Args:
        reward: `[E, T]` of the action of each row, for the player who moved.
        player: `[E, T]` who moved, 0 or 1.
        after: `[E, T]` GOES_ON, TERMINATED or CUT.
        gamma: discount.
        num_steps: n; 0: all rewards to the end of the episode.
    """
    num, length = reward.shape
    side = np.where(player == 0, 1.0, -1.0)
    bound = last_rows(after)  # where the episode ends, or is cut
    ends = bound < length
    kind = np.take_along_axis(after, np.minimum(bound, length - 1), 1)
    terminated = ends & (kind == TERMINATED)
    # From here on all is seen by player 0. The return to the end of the episode is summed up backwards.
    total = np.zeros((num, length + 1))
    for t in reversed(range(length)):
        follows = np.where(after[:, t] == GOES_ON, total[:, t + 1], 0.0)
        total[:, t] = np.where(after[:, t] == CUT, 0.0, side[:, t] * reward[:, t] + gamma * follows)
    now = np.arange(length)
    until = np.where(terminated, bound + 1, bound)  # a terminal row's own reward counts, a cut one's does not
    reach = np.minimum(now + num_steps, until) if num_steps else until
    bootstraps = ~(terminated & (reach == until))
    at = np.minimum(reach, length - 1)
    known = ends | (reach < length)
    beyond = np.where(bootstraps & known, np.take_along_axis(total, at, 1), 0.0)
    weight = gamma ** (reach - now).astype(np.float64)
    same = np.take_along_axis(side, at, 1) * side
    return Returns(
        earned=side * (total[:, :length] - weight * beyond),
        carry=np.where(bootstraps & known, weight * same, 0.0),
        ahead=np.where(bootstraps & known, reach - now, 0),
        known=known,
    )


def last_rows(after: Array) -> Array:
    """Returns, for rows `[E, T]`, the first row from there on after which the episode does not go on; T if none."""
    length = after.shape[1]
    places = np.where(after == GOES_ON, length, np.arange(length))
    return np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
