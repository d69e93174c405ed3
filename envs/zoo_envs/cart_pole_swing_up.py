"""`zoo_envs/CartPoleSwingUp-v0`: swing a hanging pole up and balance it over the centre of the track."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from zoo_envs.canvas import SIZE, Surface
from zoo_envs.cart_pole_parameters import make_parameters
from zoo_envs.cart_pole_physics import simulate_cart_pole
from zoo_envs.known_functions import cart_pole_swing_up_reward
from zoo_envs.simulator_env import Float64Array, SimulatorEnv

__all__ = ["CartPoleSwingUpEnv"]

_ToPixel = Callable[[float, float], tuple[float, float]]  # from metres to a place in the picture

_FREE_TRACK_VIEW = 2.5  # m to either side of the cart that are shown of a track without ends
_CART_SIZE = (0.4, 0.2)  # m
_INK, _RAIL, _TARGET = (60, 60, 60), (190, 190, 185), (46, 139, 87)
_CART, _POLE, _FORCE = (52, 73, 94), (202, 138, 60), (192, 57, 43)


class CartPoleSwingUpEnv(SimulatorEnv):
    """Cart-pole swing-up with a continuous force.

    Observation `[5]` float32: x, dx/dt, cos θ, sin θ, dθ/dt; θ = 0 is upright and grows towards +x.
    Action `[1]` float32: the force in units of `gear` newtons, within ±force_mag/gear.
    State `[4]` float64: x, dx/dt, θ, dθ/dt.
    Reward: exp(-d²/reward_scale) - action_cost·action², with d the distance of the tip from (0, pole_length);
    it is `known_functions.cart_pole_swing_up_reward` with this environment's parameters, also at hand as the
    method `reward`.
    Start: hanging at rest in the centre, plus normal noise of `init_std` in each coordinate.
    End: none before the time limit (200 steps as registered), unless `track_end="terminate"`. A cart that
    reaches |x| = track_limit stops dead; the pole keeps its generalised momentum. An infinite `track_limit`
    is a free track.

    Presets: "pets" (Chua et al. 2018, arXiv:1805.12114; action ±3 of 100 N, 0.04 s) and "pilco" (Deisenroth &
    Rasmussen 2011; Kamthe & Deisenroth 2018, arXiv:1706.06491; ±10 N, 0.1 s; 40 steps in the paper, so make
    it with `max_episode_steps=40`).
    Differs from the papers: observes cos θ and sin θ in place of θ; in "pets" the ends of the track are rigid
    where MuJoCo's yield a little; in "pilco" the reward is one minus the saturating cost, there is no
    measurement noise.

    Args:
        preset: Name of the parameter set.
        render_mode: "rgb_array", "human" or None.
        **parameters: Any field of `CartPoleParameters`, in place of the preset's.

    Raises:
        ValueError: An argument is unknown or out of its range.
    """

    def __init__(self, preset: str = "pets", *, render_mode: str | None = None, **parameters: Any) -> None:
        self.parameters = make_parameters(preset, **parameters)
        limit, force = self.parameters.track_limit, self.parameters.max_action
        super().__init__(
            np.array([limit, np.inf, 1.0, 1.0, np.inf]),
            np.array([force]),
            state_names=("x", "x_dot", "theta", "theta_dot"),
            fps=max(1, round(1 / self.parameters.dt)),
            render_mode=render_mode,
        )
        self._reward = partial(
            cart_pole_swing_up_reward,
            pole_length=self.parameters.pole_length,
            reward_scale=self.parameters.reward_scale,
            action_cost=self.parameters.action_cost,
        )

    def reward(self, obs: Any, action: Any, next_obs: Any) -> Any:
        """Computes rewards `[B]`; see `known_functions.cart_pole_swing_up_reward`."""
        return self._reward(obs, action, next_obs)

    def state_from_observation(self, obs: Any) -> Float64Array:
        """Returns the states `[B, 4]` of observations `[B, 5]`, B may be absent; the angle is in [-π, π]."""
        x, x_dot, cos, sin, theta_dot = np.moveaxis(np.asarray(obs, dtype=np.float64), -1, 0)
        return np.stack([x, x_dot, np.arctan2(sin, cos), theta_dot], axis=-1)

    def _observation(self, state: Float64Array) -> Float64Array:
        x, x_dot, theta, theta_dot = state
        return np.array([x, x_dot, math.cos(theta), math.sin(theta), theta_dot])

    def _initial_state(self) -> Float64Array:
        hanging = np.array([0.0, 0.0, math.pi, 0.0])
        state = hanging + self.np_random.normal(scale=self.parameters.init_std, size=4)
        state[0] = np.clip(state[0], -self.parameters.track_limit, self.parameters.track_limit)
        return state

    def _transition(self, state: Float64Array, action: Float64Array) -> tuple[Float64Array, bool]:
        next_state = simulate_cart_pole(self.parameters, state, action[0] * self.parameters.gear)
        at_the_end = bool(abs(next_state[0]) >= self.parameters.track_limit)
        return next_state, at_the_end and self.parameters.track_end == "terminate"

    def _draw(self, surface: Surface) -> None:
        x, _, theta, _ = self._current_state()
        parameters = self.parameters
        free = parameters.track_limit == math.inf
        view = max(_FREE_TRACK_VIEW if free else parameters.track_limit + 0.4, 1.5 * parameters.pole_length)
        width, height = SIZE
        scale, middle = (
            width / (2 * view),
            x if free else 0.0,
        )  # pixels a metre; a free track runs under the cart

        def pixel(metres_x: float, metres_y: float) -> tuple[float, float]:
            return width / 2 + (metres_x - middle) * scale, 0.55 * height - metres_y * scale

        self._draw_track(surface, pixel, math.ceil(middle - view), math.floor(middle + view))
        self._draw_push(surface, pixel, x)
        self._draw_cart_pole(surface, pixel, x, theta)

    def _draw_track(self, surface: Surface, pixel: _ToPixel, first_metre: int, last_metre: int) -> None:
        import pygame

        rail = pixel(0.0, 0.0)[1]
        pygame.draw.line(surface, _RAIL, (0, rail), (SIZE[0], rail), 8)
        for metre in range(first_metre, last_metre + 1):
            pygame.draw.line(surface, _RAIL, pixel(metre, -0.04), pixel(metre, -0.1), 6)
        if self.parameters.track_limit < math.inf:
            for side in (-1, 1):
                edge = side * (self.parameters.track_limit + _CART_SIZE[0] / 2)
                pygame.draw.line(surface, _INK, pixel(edge, 0.15), pixel(edge, -0.15), 14)
        target = pixel(0.0, self.parameters.pole_length)
        pygame.draw.circle(surface, _TARGET, target, target[0] - pixel(-0.07, 0.0)[0], 6)

    def _draw_push(self, surface: Surface, pixel: _ToPixel, x: float) -> None:
        """Paints the last force as an arrow below the cart."""
        import pygame

        push, y = 0.6 * self._last_action[0] / self.parameters.max_action, -0.2
        if abs(push) > 0.02:
            pygame.draw.line(surface, _FORCE, pixel(x, y), pixel(x + push, y), 10)
            head = [(x + push + math.copysign(0.07, push), y), (x + push, y + 0.05), (x + push, y - 0.05)]
            pygame.draw.polygon(surface, _FORCE, [pixel(*corner) for corner in head])

    def _draw_cart_pole(self, surface: Surface, pixel: _ToPixel, x: float, theta: float) -> None:
        import pygame

        (left, top), (right, bottom) = (pixel(x + s * _CART_SIZE[0] / 2, -s * _CART_SIZE[1] / 2) for s in (-1, 1))
        pygame.draw.rect(surface, _CART, (left, top, right - left, bottom - top), border_radius=14)
        length, pivot = self.parameters.pole_length, pixel(x, 0.0)
        tip = pixel(x + length * math.sin(theta), length * math.cos(theta))
        pygame.draw.line(surface, _POLE, pivot, tip, 22)
        pygame.draw.circle(surface, _POLE, tip, 15)
        pygame.draw.circle(surface, _INK, pivot, 13)
