"""Places: a floor, walls and a few solid things around where people walk, and the light that falls there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.body import Floats
from swiftreid.synthetic.people import Rgb, linear


@dataclass(frozen=True)
class Surface:
    """A textured colour: `texture` of :mod:`materials`, `scale` in metres, colours in linear light."""

    texture: int
    scale: float
    first: Rgb
    second: Rgb


@dataclass(frozen=True)
class Box:
    """An axis-aligned solid from `low` to `high` (metres)."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    surface: Surface


@dataclass(frozen=True)
class Scene:
    """What one camera sees when nobody is there; people walk where |x| < 2 and |y| < 1.5."""

    floor: Surface
    boxes: tuple[Box, ...]
    sun: tuple[float, float, float]  # direction to the light
    sun_colour: Rgb
    sun_spread: float  # 0 hard shadows, 0.5 an overcast sky or a wide lamp
    sky: Rgb
    bounce: Rgb
    seed: int

    def arrays(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Low and high corners of the boxes `[b, 3]`; colours and (texture, scale) of floor and boxes `[1 + b, .]`."""
        surfaces = [self.floor, *(box.surface for box in self.boxes)]
        return (
            np.array([box.low for box in self.boxes]),
            np.array([box.high for box in self.boxes]),
            np.array([s.first for s in surfaces]),
            np.array([s.second for s in surfaces]),
            np.array([(s.texture, s.scale) for s in surfaces], dtype=np.float64),
        )


_FLOORS = [
    (mt.TILES, (0.45, 0.8), (176, 172, 164), (128, 124, 118)),
    (mt.TILES, (0.28, 0.4), (140, 138, 134), (104, 102, 98)),
    (mt.ASPHALT, (1.0, 1.6), (98, 98, 100), (190, 190, 186)),
    (mt.PLANKS, (0.5, 0.9), (150, 118, 84), (84, 62, 44)),
    (mt.CONCRETE, (1.0, 1.0), (152, 148, 140), (110, 108, 104)),
    (mt.BRICK, (0.24, 0.3), (146, 112, 96), (112, 100, 92)),
    (mt.TILES, (0.9, 1.3), (196, 190, 178), (160, 156, 148)),
]
_WALLS = [
    (mt.BRICK, (0.24, 0.3), (148, 92, 74), (164, 154, 144)),
    (mt.PANELS, (1.2, 2.2), (206, 202, 192), (110, 106, 100)),
    (mt.WINDOWS, (1.1, 1.9), (92, 112, 124), (62, 62, 64)),
    (mt.SHUTTER, (1.0, 1.0), (150, 152, 154), (90, 90, 92)),
    (mt.TILES, (0.3, 0.6), (196, 200, 198), (140, 142, 142)),
    (mt.CONCRETE, (1.0, 1.0), (168, 162, 152), (120, 118, 112)),
    (mt.LEAVES, (1.0, 1.0), (46, 74, 34), (96, 122, 60)),
    (mt.POSTER, (1.6, 2.4), (190, 186, 176), (226, 220, 204)),
    (mt.PANELS, (0.8, 1.4), (96, 124, 150), (70, 70, 74)),
]


@dataclass(frozen=True)
class _Light:
    strength: float
    ambient: float
    spread: float
    warm: Rgb
    cool: Rgb


_LIGHTS = {
    "sun": _Light(1.45, 0.46, 0.06, (1.0, 0.95, 0.87), (0.91, 0.97, 1.07)),
    "overcast": _Light(0.55, 0.74, 0.5, (1.0, 1.0, 1.0), (0.97, 1.0, 1.03)),
    "lamps": _Light(0.80, 0.52, 0.22, (1.0, 0.96, 0.89), (1.0, 0.99, 0.95)),
}


def sample_scenes(count: int, rng: np.random.Generator) -> list[Scene]:
    """Places that differ: floors and back walls repeat only after all of them were used."""
    floors = [int(k) for _ in range(count // len(_FLOORS) + 1) for k in rng.permutation(len(_FLOORS))]
    backs = [int(k) for _ in range(count // len(_WALLS) + 1) for k in rng.permutation(len(_WALLS))]
    lights = [str(k) for _ in range(count // len(_LIGHTS) + 1) for k in rng.permutation(list(_LIGHTS))]
    return [_sample_scene(rng, floors[k], backs[k], lights[k]) for k in range(count)]


def _sample_scene(rng: np.random.Generator, floor_kind: int, back_kind: int, weather: str) -> Scene:
    others = [int(k) for k in rng.permutation(len(_WALLS)) if k != back_kind]
    back = float(rng.uniform(2.2, 4.6))
    boxes = [
        Box((-14.0, back, 0.0), (14.0, 8.0, 5.0), _surface(rng, _WALLS[back_kind])),
        Box((-15.0, -9.0, 0.0), (-3.6 - float(rng.uniform(0, 2)), 8.0, 4.5), _surface(rng, _WALLS[others[0]])),
        Box((3.6 + float(rng.uniform(0, 3)), -9.0, 0.0), (15.0, 8.0, 4.5), _surface(rng, _WALLS[others[1]])),
    ]
    for _ in range(int(rng.integers(2, 6))):
        kind = int(rng.integers(0, 4))
        x, y = float(rng.uniform(-3.6, 3.6)), back - float(rng.uniform(0.1, 0.5))
        tint = Surface(mt.CONCRETE, 1.0, _colour(rng, (110, 106, 100), 45.0), _colour(rng, (110, 106, 100), 45.0))
        wide, deep, tall = ((0.18, 0.18, 4.0), (0.7, 0.25, 0.46), (0.25, 0.25, 0.95), (0.55, 0.3, 1.9))[kind]
        boxes.append(Box((x - wide, y - deep, 0.0), (x + wide, y + deep, tall), tint))
    if rng.random() < 0.7:  # a door or a shop front in the back wall
        x = float(rng.uniform(-2.0, 2.0))
        boxes.append(Box((x - 0.9, back - 0.04, 0.0), (x + 0.9, back + 0.1, 2.3), _surface(rng, _WALLS[others[2]])))

    light = _LIGHTS[weather]
    azimuth = rng.uniform(np.pi * 1.05, np.pi * 1.95)
    height = rng.uniform(1.05, 1.4) if weather == "lamps" else rng.uniform(0.7, 1.15)
    floor = _surface(rng, _FLOORS[floor_kind], 0.84)
    red, green, blue = (0.55 * light.ambient * (0.35 + 0.9 * value) for value in floor.first)
    return Scene(
        floor=floor,
        boxes=tuple(boxes),
        sun=(float(np.cos(azimuth) * np.cos(height)), float(np.sin(azimuth) * np.cos(height)), float(np.sin(height))),
        sun_colour=_times(light.strength, light.warm),
        sun_spread=light.spread,
        sky=_times(light.ambient, light.cool),
        bounce=(red, green, blue),
        seed=int(rng.integers(1, 2**20)),
    )


def _times(factor: float, colour: Rgb) -> Rgb:
    return factor * colour[0], factor * colour[1], factor * colour[2]


def _colour(rng: np.random.Generator, base: Rgb, spread: float) -> Rgb:
    value = np.clip(np.array(base) + rng.normal(0, spread * 0.6) + rng.normal(0, spread * 0.25, 3), 25, 235)
    return linear((float(value[0]), float(value[1]), float(value[2])))


def _surface(rng: np.random.Generator, entry: tuple[int, tuple[float, float], Rgb, Rgb], dim: float = 1.0) -> Surface:
    texture, (small, large), first, second = entry
    first = (first[0] * dim, first[1] * dim, first[2] * dim)
    return Surface(texture, float(rng.uniform(small, large)), _colour(rng, first, 22.0), _colour(rng, second, 14.0))
