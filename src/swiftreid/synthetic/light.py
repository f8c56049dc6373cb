"""The light of a place at one hour: a sun or lamp, the sky, and what the floor throws back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic.people import Rgb


@dataclass(frozen=True)
class Light:
    """Light that falls everywhere the same, but for shadows.

    Attributes:
        sun: direction to the sun or lamp, of length 1.
        sun_colour: linear light of the sun on a surface that faces it.
        spread: 0 gives hard shadows, 0.5 those of an overcast sky or a wide lamp.
        sky: light from above; `horizon` is what a camera sees there.
        bounce: light from below.
        dapple: share of the sun that leaves and houses out of sight take away, in patches of 1 / `grain` metres.
        pools: how much darker it is between lamps, 0 to 1.
        dim: 0 by day to 1 at night: cameras then are noisy and see less colour.
    """

    sun: tuple[float, float, float]
    sun_colour: Rgb
    spread: float
    sky: Rgb
    horizon: Rgb
    bounce: Rgb
    dapple: float
    grain: float
    pools: float
    dim: float


@dataclass(frozen=True)
class _Hour:
    share: float
    sun: tuple[float, float]
    sky: tuple[float, float]
    height: tuple[float, float]  # radians over the horizon
    spread: tuple[float, float]
    warmth: tuple[float, float]  # of the sun or lamp: red over blue
    cold: tuple[float, float]  # of the sky: blue over red
    dim: float


_OUTSIDE = {
    "sun": _Hour(0.30, (1.1, 1.8), (0.36, 0.6), (0.65, 1.25), (0.01, 0.06), (1.0, 1.18), (1.0, 1.25), 0.0),
    "low sun": _Hour(0.14, (0.8, 1.5), (0.3, 0.5), (0.25, 0.6), (0.01, 0.06), (1.1, 1.45), (1.05, 1.3), 0.1),
    "overcast": _Hour(0.30, (0.2, 0.6), (0.65, 0.9), (0.8, 1.4), (0.45, 0.6), (0.97, 1.05), (0.98, 1.1), 0.05),
    "shade": _Hour(0.14, (0.03, 0.15), (0.55, 0.8), (0.6, 1.2), (0.4, 0.6), (1.0, 1.1), (1.05, 1.3), 0.1),
    "dusk": _Hour(0.08, (0.1, 0.4), (0.3, 0.5), (0.5, 1.2), (0.2, 0.5), (1.0, 1.5), (1.1, 1.5), 0.6),
    "night": _Hour(0.04, (0.5, 1.0), (0.12, 0.25), (0.7, 1.3), (0.08, 0.2), (1.1, 1.7), (0.8, 1.1), 1.0),
}
_INSIDE = {
    "lamps": _Hour(0.5, (0.4, 0.9), (0.45, 0.7), (1.05, 1.5), (0.2, 0.5), (0.95, 1.3), (0.8, 1.05), 0.25),
    "many lamps": _Hour(0.35, (0.15, 0.4), (0.6, 0.9), (1.2, 1.5), (0.5, 0.6), (0.95, 1.2), (0.85, 1.05), 0.15),
    "window": _Hour(0.15, (0.5, 1.2), (0.3, 0.5), (0.25, 0.6), (0.2, 0.45), (0.95, 1.1), (0.9, 1.1), 0.3),
}


def even_light(floor: Rgb) -> Light:
    """One bright overcast noon: what all pictures have without the ingredient ``light``."""
    return Light(
        (0.0, -0.3, 0.954), (0.45, 0.45, 0.45), 0.5, (0.7, 0.7, 0.7), (0.8, 0.8, 0.8), _bounce(floor, 0.7), 0, 1, 0, 0
    )


def sample_light(rng: np.random.Generator, *, inside: bool, floor: Rgb) -> Light:
    """An hour of the day, or lamps: `floor` is the colour of the ground, which throws light back."""
    hours = _INSIDE if inside else _OUTSIDE
    share = np.array([hour.share for hour in hours.values()])
    hour = list(hours.values())[int(rng.choice(len(share), p=share / share.sum()))]
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(*hour.height)
    warm, cold = rng.uniform(*hour.warmth) ** 0.5, rng.uniform(*hour.cold) ** 0.5
    green = 1.0 + (rng.normal(0.02, 0.03) if inside else rng.normal(0.0, 0.01))
    strength, ambient = rng.uniform(*hour.sun), rng.uniform(*hour.sky)
    sky = (ambient / cold, ambient * green, ambient * cold)
    bright = rng.uniform(0.9, 1.6) if not inside else 0.8
    outside = not inside and hour.dim < 0.3
    return Light(
        sun=(float(np.cos(azimuth) * np.cos(height)), float(np.sin(azimuth) * np.cos(height)), float(np.sin(height))),
        sun_colour=(strength * warm, strength * green, strength / warm),
        spread=float(rng.uniform(*hour.spread)),
        sky=sky,
        horizon=(sky[0] * bright, sky[1] * bright, sky[2] * bright),
        bounce=_bounce(floor, ambient + 0.5 * strength * float(np.sin(height))),
        dapple=float(rng.uniform(0.5, 1.0)) if outside and rng.random() < 0.4 else 0.0,
        grain=float(np.exp(rng.uniform(np.log(0.08), np.log(1.6)))),
        pools=float(rng.uniform(0.1, 0.5)) if inside or hour.dim > 0.5 else 0.0,
        dim=hour.dim,
    )


def strength(light: Light) -> float:
    """Mean luminance that a grey thing in this light sends back; automatic exposure goes by it."""
    direct = float(np.mean(light.sun_colour)) * (0.35 + 0.35 * light.sun[2]) * (1.0 - 0.5 * light.dapple)
    return 0.75 * float(np.mean(light.sky)) + 0.2 * float(np.mean(light.bounce)) + direct


def _bounce(floor: Rgb, received: float) -> Rgb:
    red, green, blue = (0.6 * received * (0.25 + 0.8 * value) for value in floor)
    return red, green, blue
