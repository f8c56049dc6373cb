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
        """Boxes' low and high corners `[b, 3]`, and colours and (texture, scale) of the floor and the boxes `[1 + b, .]`."""
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


def sample_scene(rng: np.random.Generator) -> Scene:
    """A place of its own: which floor and walls, what stands about, and daylight, overcast or lamps."""
    walls = rng.permutation(len(_WALLS))
    boxes = [
        Box((-14.0, 2.6 + float(rng.uniform(0, 2.5)), 0.0), (14.0, 8.0, 5.0), _surface(rng, _WALLS[walls[0]])),
        Box((-15.0, -9.0, 0.0), (-3.6 - float(rng.uniform(0, 2)), 8.0, 4.5), _surface(rng, _WALLS[walls[1]])),
        Box((3.6 + float(rng.uniform(0, 3)), -9.0, 0.0), (15.0, 8.0, 4.5), _surface(rng, _WALLS[walls[2]])),
    ]
    back = boxes[0].low[1]
    for _ in range(int(rng.integers(2, 6))):
        kind = rng.integers(0, 4)
        x, y = float(rng.uniform(-3.6, 3.6)), back - float(rng.uniform(0.1, 0.5))
        tint = Surface(mt.CONCRETE, 1.0, *(_colour(rng, (110, 106, 100), 45.0) for _ in range(2)))
        wide, deep, tall = ((0.18, 0.18, 4.0), (0.7, 0.25, 0.46), (0.25, 0.25, 0.95), (0.55, 0.3, 1.9))[kind]
        boxes.append(Box((x - wide, y - deep, 0.0), (x + wide, y + deep, tall), tint))
    if rng.random() < 0.6:  # a door or a shop front in the back wall
        x = float(rng.uniform(-2.5, 2.5))
        front = _surface(rng, _WALLS[walls[3]])
        boxes.append(Box((x - 0.9, back - 0.04, 0.0), (x + 0.9, back + 0.1, 2.3), front))

    weather = rng.choice(["sun", "overcast", "lamps"], p=[0.35, 0.35, 0.30])
    azimuth, height = rng.uniform(np.pi * 1.05, np.pi * 1.95), rng.uniform(0.75, 1.2)
    if weather == "lamps":
        height = rng.uniform(1.1, 1.45)
    sun = (float(np.cos(azimuth) * np.cos(height)), float(np.sin(azimuth) * np.cos(height)), float(np.sin(height)))
    strength = {"sun": 1.25, "overcast": 0.38, "lamps": 0.55}[str(weather)]
    ambient = {"sun": 0.50, "overcast": 0.85, "lamps": 0.62}[str(weather)]
    warm = {"sun": (1.0, 0.95, 0.86), "overcast": (1.0, 1.0, 1.0), "lamps": (1.0, 0.96, 0.88)}[str(weather)]
    cool = {"sun": (0.90, 0.97, 1.08), "overcast": (0.97, 1.0, 1.03), "lamps": (1.0, 0.99, 0.95)}[str(weather)]
    floor = _surface(rng, _FLOORS[int(rng.integers(0, len(_FLOORS)))])
    bounce = tuple(0.55 * ambient * (0.35 + 0.9 * value) for value in floor.first)
    return Scene(
        floor=floor,
        boxes=tuple(boxes),
        sun=sun,
        sun_colour=(strength * warm[0], strength * warm[1], strength * warm[2]),
        sun_spread={"sun": 0.06, "overcast": 0.6, "lamps": 0.25}[str(weather)],
        sky=(ambient * cool[0], ambient * cool[1], ambient * cool[2]),
        bounce=(bounce[0], bounce[1], bounce[2]),
        seed=int(rng.integers(1, 2**20)),
    )


def _colour(rng: np.random.Generator, base: Rgb, spread: float) -> Rgb:
    value = np.clip(np.array(base) + rng.normal(0, spread * 0.6) + rng.normal(0, spread * 0.25, 3), 25, 235)
    return linear((float(value[0]), float(value[1]), float(value[2])))


def _surface(rng: np.random.Generator, entry: tuple[int, tuple[float, float], Rgb, Rgb]) -> Surface:
    texture, (small, large), first, second = entry
    return Surface(texture, float(rng.uniform(small, large)), _colour(rng, first, 22.0), _colour(rng, second, 14.0))
