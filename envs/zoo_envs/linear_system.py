"""`zoo_envs/LinearSystem-v0`: a linear system with quadratic costs, whose optimum is known in closed form."""

from collections import deque
from functools import partial
from typing import Any

import numpy as np

from zoo_envs.canvas import SIZE, Surface
from zoo_envs.known_functions import linear_quadratic_reward
from zoo_envs.lqr import make_linear_system, require_discount, solve_finite_horizon_lqr, solve_lqr
from zoo_envs.simulator_env import Float32Array, Float64Array, SimulatorEnv

__all__ = ["LinearSystemEnv"]

_SHOWN_STEPS = 200
_INK, _ZERO, _STATE, _ACTION = (60, 60, 60), (205, 205, 200), (52, 73, 94), (192, 57, 43)


class LinearSystemEnv(SimulatorEnv):
    """Linear-quadratic regulation: x' = A x + B u + noise_std·w, w standard normal, reward -(x'Qx + u'Ru).

    The default is a double integrator: a unit mass on a line, observed every 0.1 s, to be
    brought to rest at 0.
    Observation `[n]` float32: the whole state. Action `[m]` float32 in ±action_limit. State `[n]` float64.
    Reward: of the state before the step; `known_functions.linear_quadratic_reward`, also at hand as the
    method `reward`.
    Start: uniform in ±init_range. End: none before the time limit (100 steps as registered).

    The closed form knows neither bounds on actions nor on states: both bounds here are wide enough that, with
    the defaults, optimal control never meets them. A state that would pass ±state_limit stays there, as the
    speed of Gymnasium's Pendulum-v1 does.

    Args:
        A: `[n, n]` dynamics.
        B: `[n, m]`, or `[n]` for a single control.
        Q: `[n, n]` state cost, symmetric and positive semidefinite.
        R: `[m, m]` or number, control cost, symmetric and positive definite.
        discount: γ in (0, 1] of the infinite-horizon optimum; rewards are not discounted by the environment.
        noise_std: Standard deviation of the noise in each coordinate of the state.
        init_range: Starts are uniform in ±init_range in each coordinate.
        action_limit: Bound of each coordinate of the action.
        state_limit: Bound of each coordinate of the state.
        render_mode: "rgb_array", "human" or None.

    Raises:
        ValueError: An argument is out of its range, or no control has a finite cost at this discount.
    """

    def __init__(
        self,
        A: Any = ((1.0, 0.1), (0.0, 1.0)),
        B: Any = (0.005, 0.1),
        Q: Any = ((1.0, 0.0), (0.0, 0.1)),
        R: Any = 0.1,
        *,
        discount: float = 0.99,
        noise_std: float = 0.0,
        init_range: float = 1.0,
        action_limit: float = 6.0,
        state_limit: float = 1000.0,
        render_mode: str | None = None,
    ) -> None:
        for name, value in (("action_limit", action_limit), ("state_limit", state_limit)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be finite and greater than 0, got {value!r}")
        if not 0 <= noise_std < np.inf:
            raise ValueError(f"noise_std must be finite and at least 0, got {noise_std!r}")
        if not 0 <= init_range <= state_limit:
            raise ValueError(f"init_range must be in [0, state_limit={state_limit}], got {init_range!r}")
        require_discount(discount)
        self.system = make_linear_system(A, B, Q, R)
        self.discount, self.noise_std = discount, noise_std
        self.init_range, self.state_limit = init_range, state_limit
        self.K, self.P = solve_lqr(*self.system, discount)
        n, m = self.system.B.shape
        super().__init__(
            np.full(n, state_limit),
            np.full(m, action_limit),
            state_names=tuple(f"x{index}" for index in range(n)),
            fps=10,
            render_mode=render_mode,
        )
        self._reward = partial(linear_quadratic_reward, Q=self.system.Q, R=self.system.R)
        self._trace: deque[Float64Array] = deque(maxlen=_SHOWN_STEPS)  # states and actions, for the picture

    def reward(self, obs: Any, action: Any, next_obs: Any) -> Any:
        """Computes rewards `[B]`; see `known_functions.linear_quadratic_reward`."""
        return self._reward(obs, action, next_obs)

    def optimal_action(self, obs: Any, *, steps_left: int | None = None, discount: float | None = None) -> Float32Array:
        """Returns the optimal control `[B, m]` in states `[B, n]`, clipped to the action space.

        Args:
            obs: `[B, n]` observations; leading dimensions may be absent.
            steps_left: Steps until the episode is cut, this one included; None: it goes on for ever.
            discount: γ of the objective in place of the environment's; 1 for the plain sum of an episode's
                rewards.
        """
        gain = self.K if steps_left is None and discount is None else self._optimum(steps_left, discount)[0]
        action = -np.asarray(obs, dtype=np.float64) @ gain.T
        return np.clip(action, -self._action_high, self._action_high).astype(np.float32)

    def optimal_return(self, x0: Any, *, horizon: int | None = None, discount: float | None = None) -> Any:
        """Computes the expected optimal return `[B]` from states `[B, n]`: -x0'P x0 less the noise's share.

        Args:
            x0: `[B, n]` states; leading dimensions may be absent.
            horizon: Number of steps that count; None: all, for ever.
            discount: γ of the objective in place of the environment's; 1 for the plain sum of an episode's
                rewards.

        Raises:
            ValueError: The expected return is infinite (noise for ever at discount 1), or an argument is out
                of range.
        """
        gamma = self.discount if discount is None else discount
        state = np.asarray(x0, dtype=np.float64)
        _, P, later_P = self._optimum(horizon, gamma)
        if horizon is not None:
            noise_cost = sum(gamma ** (t + 1) * np.trace(cost) for t, cost in enumerate(later_P))
        elif self.noise_std > 0 and gamma == 1:
            raise ValueError("noise costs without end at discount 1: give a horizon or a discount below 1")
        else:
            noise_cost = gamma / (1 - gamma) * np.trace(P) if self.noise_std > 0 else 0.0
        return -((state @ P) * state).sum(-1) - self.noise_std**2 * noise_cost

    def state_from_observation(self, obs: Any) -> Float64Array:
        """Returns the states `[B, n]`, which are the observations; B may be absent."""
        return np.array(obs, dtype=np.float64)

    def set_state(self, state: Any) -> None:
        """Puts the simulator into `state` `[n]`; see `SimulatorEnv.set_state`."""
        super().set_state(state)
        self._trace.clear()

    def _optimum(self, horizon: int | None, discount: float | None) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Returns the first gain, the first cost matrix and those `[T, n, n]` after each step."""
        gamma = self.discount if discount is None else discount
        if horizon is None:
            K, P = solve_lqr(*self.system, gamma)
            return K, P, P[None]
        if horizon < 1:
            raise ValueError(f"the number of steps must be at least 1, got {horizon!r}")
        gains, costs = solve_finite_horizon_lqr(*self.system, horizon, gamma)
        return gains[0], costs[0], costs[1:]

    def _observation(self, state: Float64Array) -> Float64Array:
        return state

    def _initial_state(self) -> Float64Array:
        return self.np_random.uniform(-self.init_range, self.init_range, len(self.state_names))

    def _transition(self, state: Float64Array, action: Float64Array) -> tuple[Float64Array, bool]:
        next_state = self.system.A @ state + self.system.B @ action
        if self.noise_std > 0:
            next_state = next_state + self.noise_std * self.np_random.standard_normal(len(state))
        self._trace.append(np.concatenate([state, action]))
        return np.clip(next_state, -self.state_limit, self.state_limit), False

    def _draw(self, surface: Surface) -> None:
        """Paints every coordinate of state and action over time, one panel each."""
        import pygame

        pygame.font.init()
        font = pygame.font.Font(None, 44)
        n, m = self.system.B.shape
        now = np.concatenate([self._current_state(), self._last_action])
        past = np.array([*self._trace, now])
        width, height = SIZE
        left, panel = 170, height / (n + m)
        for row in range(n + m):
            name, colour = (f"x{row}", _STATE) if row < n else (f"u{row - n}", _ACTION)
            middle = (row + 0.5) * panel
            values = past[:, row] if row < n else past[:-1, row]
            scale = 0.4 * panel / max(float(np.abs(values).max(initial=0.0)), 1e-3)
            pygame.draw.line(surface, _ZERO, (left, middle), (width, middle), 4)
            surface.blit(font.render(name, True, colour), (24, middle - 36))
            surface.blit(font.render(f"{now[row]:+.2f}", True, _INK), (24, middle + 4))
            step = (width - left - 40) / max(len(past) - 1, 100)
            points = [(left + t * step, middle - value * scale) for t, value in enumerate(values)]
            if len(points) > 1:
                pygame.draw.lines(surface, colour, False, points, 8)
            if points:
                pygame.draw.circle(surface, colour, points[-1], 12)
