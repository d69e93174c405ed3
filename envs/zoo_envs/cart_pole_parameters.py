"""Parameters of the cart-pole swing-up, and the presets of two papers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from numbers import Real
from types import MappingProxyType
from typing import Any

__all__ = ["PRESETS", "CartPoleParameters", "make_parameters"]

_INTEGRATORS = ("rk4", "euler")
_TRACK_ENDS = ("stop", "terminate")
_POSITIVE = (
    "cart_mass", "pole_mass", "pole_length", "force_mag", "gear", "dt", "reward_scale", "track_limit"
)  # fmt: skip
_NON_NEGATIVE = ("gravity", "pole_inertia", "cart_friction", "pole_friction", "init_std", "action_cost")


@dataclass(frozen=True, kw_only=True)
class CartPoleParameters:
    """Parameters of the cart-pole and of its task; the defaults are the "pets" preset.

    PETS' own task is a MuJoCo model (Chua et al. 2018, arXiv:1805.12114). These numbers are that model's
    masses and inertias, so both give the same motion while the cart is off the ends of the track.
    """

    gravity: float = 9.81  # m/s²
    cart_mass: float = 10.4719755  # kg, MuJoCo's capsule of radius 0.1 m, length 0.2 m, density 1000 kg/m³
    pole_mass: float = 5.0185854  # kg, likewise with radius 0.049 m and length 0.6 m
    pole_length: float = 0.6  # m, pivot to tip
    pole_inertia: float | None = 0.1887494  # kg m², about the centre of mass; None: a thin rod, m l²/12
    cart_friction: float = 1.0  # N per m/s
    pole_friction: float = 1.0  # N m per rad/s, at the pivot
    force_mag: float = 300.0  # N, the greatest force on the cart
    gear: float = 100.0  # N per unit of action: actions are in ±force_mag/gear; 1 makes them newtons
    dt: float = 0.04  # s, between actions; the force is held constant
    substeps: int = 2  # integrator steps per dt
    integrator: str = "rk4"  # "rk4" or "euler" (explicit)
    track_limit: float = 2.5  # m, |x| at the ends of the track; inf: a track without ends
    track_end: str = "stop"  # an end stops the cart dead; "terminate": that also ends the episode
    init_std: float = 0.1  # of each coordinate at reset, around hanging at rest in the centre
    reward_scale: float = 0.36  # m², reward exp(-d²/scale): l² for PETS, 2 s² for PILCO's saturating cost
    action_cost: float = 0.01  # reward lost per squared unit of action

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            _require(self, name, lambda value: value > 0, "greater than 0")
        for name in _NON_NEGATIVE:
            if not (name == "pole_inertia" and self.pole_inertia is None):
                _require(self, name, lambda value: 0 <= value < math.inf, "finite and at least 0")
        for name in _POSITIVE[:-1]:
            _require(self, name, math.isfinite, "finite")
        if not isinstance(self.substeps, int) or self.substeps < 1:
            raise ValueError(f"substeps must be an integer of at least 1, got {self.substeps!r}")
        _require_choice("integrator", self.integrator, _INTEGRATORS)
        _require_choice("track_end", self.track_end, _TRACK_ENDS)

    @property
    def max_action(self) -> float:
        """The greatest action, in units of `gear` newtons."""
        return self.force_mag / self.gear

    @property
    def pivot_inertia(self) -> float:
        """The pole's moment of inertia about the pivot in kg m², I."""
        about_centre = self.pole_inertia
        if about_centre is None:
            about_centre = self.pole_mass * self.pole_length**2 / 12
        return about_centre + self.pole_mass * (self.pole_length / 2) ** 2

    @property
    def first_moment(self) -> float:
        """The pole's mass times the distance of its centre from the pivot in kg m, m_p l/2."""
        return self.pole_mass * self.pole_length / 2


def make_parameters(preset: str, **overrides: Any) -> CartPoleParameters:
    """Returns a preset's parameters with some of them replaced.

    Raises:
        ValueError: The preset or a parameter's name is unknown, or a value is out of its range.
    """
    _require_choice("preset", preset, tuple(PRESETS))
    names = [field.name for field in fields(CartPoleParameters)]
    for name in overrides:
        if name not in names:
            nearest = get_close_matches(name, names, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"choose from {', '.join(names)}"
            raise ValueError(f"unknown cart-pole parameter {name!r}: {hint}")
    return replace(PRESETS[preset], **overrides)


def _require(parameters: CartPoleParameters, name: str, accepts: Callable[[Any], bool], expected: str) -> None:
    """Raises ValueError unless the named field is a number in its range (a NaN is in none)."""
    value = getattr(parameters, name)
    if isinstance(value, bool) or not isinstance(value, Real) or not accepts(value):
        raise ValueError(f"{name} must be a number {expected}, got {value!r}")


def _require_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose from {', '.join(choices)}")


PRESETS = MappingProxyType(
    {
        # Chua et al. 2018, arXiv:1805.12114: 200 steps of 0.04 s.
        "pets": CartPoleParameters(),
        # Deisenroth & Rasmussen 2011 (the scenario of PILCO 0.9), Kamthe & Deisenroth 2018, arXiv:1706.06491:
        # a thin rod, ±10 N, width 0.25 m of the saturating cost, 0.1 s between actions, a track without ends.
        "pilco": CartPoleParameters(
            gravity=9.82,
            cart_mass=0.5,
            pole_mass=0.5,
            pole_length=0.5,
            pole_inertia=None,
            cart_friction=0.1,
            pole_friction=0.0,
            force_mag=10.0,
            gear=1.0,
            dt=0.1,
            substeps=10,
            track_limit=math.inf,
            reward_scale=2 * 0.25**2,
            action_cost=0.0,
        ),
    }
)
