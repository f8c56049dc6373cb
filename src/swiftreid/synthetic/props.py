"""Things that hide part of a person: columns, bushes, bicycles, bins, railings, benches, boards, cars, low walls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.scenery import Builder, Scenery

PROPS = 48


def sample_prop(number: int, seed: int) -> Scenery:
    """The `number`-th thing, standing at (0, 0), broad along x."""
    build = Builder(np.random.default_rng([seed, 9, number]))
    _KINDS[number % len(_KINDS)](build)
    return build.done()


def _column(build: Builder) -> None:
    radius = float(build.rng.uniform(0.06, 0.3))
    stone = build.surface(mt.CONCRETE, 1.0, (160, 156, 150), spread=40)
    if build.rng.random() < 0.5:
        build.column(0, 0, 0, 5, radius, stone)
    else:
        build.box((-radius, -radius, 0), (radius, radius, 5), stone)


def _bush(build: Builder) -> None:
    leaves = build.surface(mt.LEAVES, 1.0, (46, 74, 34), (96, 122, 60), spread=22)
    wide, tall = build.rng.uniform(0.35, 0.8), build.rng.uniform(0.3, 0.65)
    if build.rng.random() < 0.4:
        build.box((-wide, -0.25, 0), (wide, 0.25, 0.4), build.surface(mt.CONCRETE, 1.0, (150, 140, 130), spread=30))
        build.bush(0, 0, (wide, 0.35, tall * 0.7), leaves, low=0.35)
    else:
        build.bush(0, 0, (wide, 0.4, tall), leaves)


def _bicycles(build: Builder) -> None:
    for k in range(int(build.rng.integers(1, 4))):
        build.bicycle(float(build.rng.normal(0, 0.15)), 0.45 * k, float(build.rng.normal(0, 0.25)))


def _bin(build: Builder) -> None:
    colours = [(60, 90, 60), (50, 60, 90), (110, 112, 114), (40, 40, 42), (150, 120, 40), (150, 50, 44)]
    paint = build.surface(mt.SMOOTH, 1.0, colours[int(build.rng.integers(0, len(colours)))], spread=15, gloss=0.1)
    tall = float(build.rng.uniform(0.7, 1.15))
    if build.rng.random() < 0.5:
        build.column(0, 0, 0, tall, float(build.rng.uniform(0.2, 0.3)), paint)
        build.box((-0.2, -0.2, tall - 0.02), (0.2, 0.2, tall), paint)
    else:
        build.prism(np.array([[-0.22, 0], [0.22, 0], [0.28, tall], [-0.28, tall]]), -0.3, 0.3, paint)
        build.box((-0.31, -0.33, tall), (0.31, 0.33, tall + 0.07), paint)


def _railing(build: Builder) -> None:
    build.railing(-2.4, 2.4, 0.0, build.surface(mt.SMOOTH, 1.0, (120, 122, 124), spread=45, gloss=0.1))


def _bench(build: Builder) -> None:
    build.bench(0, 0, 0)


def _board(build: Builder) -> None:
    wide, tall = float(build.rng.uniform(0.25, 0.6)), float(build.rng.uniform(0.7, 1.5))
    paint = tuple(build.rng.uniform(30, 220, 3))
    low = float(build.rng.choice([0.0, 0.15]))
    build.box((-wide, -0.04, low), (wide, 0.04, tall), build.surface(mt.MURAL, 0.5, paint, (200, 200, 196), spread=20))


def _low_wall(build: Builder) -> None:
    kinds = [
        (mt.BRICK, (148, 92, 74)),
        (mt.CONCRETE, (160, 156, 150)),
        (mt.PANELS, (120, 124, 130)),
        (mt.BARS, (60, 60, 60)),
    ]
    texture, colour = kinds[int(build.rng.integers(0, len(kinds)))]
    wall = build.surface(texture, 0.3, colour, (190, 186, 180), spread=25)
    build.box((-2.2, -0.12, 0), (2.2, 0.12, float(build.rng.uniform(0.4, 1.0))), wall)


def _car(build: Builder) -> None:
    build.car(0, 0, along_x=True)


def _stand(build: Builder) -> None:
    """A shelf, a counter or a machine."""
    wide, tall = float(build.rng.uniform(0.3, 0.9)), float(build.rng.uniform(0.8, 1.3))
    paint = tuple(build.rng.uniform(40, 210, 3))
    build.box((-wide, -0.25, 0), (wide, 0.25, tall), build.surface(mt.PANELS, 0.6, paint, (50, 50, 52), spread=15))
    build.box(
        (-wide - 0.03, -0.28, tall),
        (wide + 0.03, 0.28, tall + 0.04),
        build.surface(mt.SMOOTH, 1.0, (90, 88, 84), spread=40),
    )


def _cart(build: Builder) -> None:
    """A shopping cart or a pushchair."""
    frame = build.surface(mt.SMOOTH, 1.0, (130, 132, 134), spread=50, gloss=0.2)
    cloth = build.surface(mt.SMOOTH, 1.0, tuple(build.rng.uniform(20, 160, 3)), spread=10)
    build.prism(np.array([[-0.35, 0.45], [0.35, 0.4], [0.45, 0.9], [-0.4, 0.95]]), -0.25, 0.25, cloth)
    for x in (-0.3, 0.3):
        for y in (-0.24, 0.24):
            build.bar((x, y, 0.08), (x * 1.1, y, 0.95), 0.018, frame)
            build.column(x, y, 0.0, 0.14, 0.05, frame)
    build.bar((-0.4, -0.25, 1.02), (-0.4, 0.25, 1.02), 0.018, frame)


def _posts(build: Builder) -> None:
    paint = build.surface(mt.SMOOTH, 1.0, (130, 110, 70), spread=60)
    for k in range(int(build.rng.integers(1, 4))):
        build.column(0.9 * k - 0.5, 0, 0, float(build.rng.uniform(0.7, 1.1)), 0.07, paint)


_KINDS: list[Callable[[Builder], None]] = [
    _column, _bush, _bicycles, _bin, _railing, _column, _board, _low_wall, _bush, _bench, _car, _stand, _cart, _posts,
]  # fmt: skip
