"""Places: streets, shops, plazas, halls, corridors, lawns and car parks where people walk and cameras hang."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.people import Rgb, linear
from swiftreid.synthetic.scenery import Builder, Scenery, Surface


@dataclass(frozen=True)
class Scene:
    """A place when nobody is there.

    Attributes:
        floor: the ground at z = 0.
        scenery: everything that stands on it.
        zone: half sizes (metres) of the rectangle around (0, 0) where people walk.
        room: x from, x to, y from, y to: where cameras may hang.
        ceiling: metres; cameras hang below it.
        inside: whether lamps light it.
        seed: of its textures.
    """

    floor: Surface
    scenery: Scenery
    zone: tuple[float, float]
    room: tuple[float, float, float, float]
    ceiling: float
    inside: bool
    seed: int


Kind = Callable[[np.random.Generator], Scene]
_GREY: list[Rgb] = [
    (176, 172, 164),
    (140, 138, 134),
    (152, 148, 140),
    (118, 116, 114),
    (196, 190, 178),
    (160, 140, 122),
]
_WALL: list[tuple[int, tuple[float, float], Rgb, Rgb]] = [
    (mt.BRICK, (0.24, 0.3), (148, 92, 74), (164, 154, 144)),
    (mt.BRICK, (0.3, 0.5), (176, 164, 148), (140, 134, 128)),
    (mt.PANELS, (1.2, 2.2), (206, 202, 192), (110, 106, 100)),
    (mt.PANELS, (0.8, 1.4), (96, 124, 150), (70, 70, 74)),
    (mt.WINDOWS, (1.1, 1.9), (92, 112, 124), (62, 62, 64)),
    (mt.SHUTTER, (1.0, 1.0), (150, 152, 154), (90, 90, 92)),
    (mt.TILES, (0.3, 0.6), (196, 200, 198), (140, 142, 142)),
    (mt.CONCRETE, (1.0, 1.0), (168, 162, 152), (120, 118, 112)),
    (mt.CONCRETE, (1.0, 1.0), (206, 204, 198), (120, 118, 112)),
    (mt.FACADE, (1.4, 2.6), (186, 170, 146), (58, 66, 74)),
    (mt.FACADE, (1.6, 3.0), (150, 104, 84), (50, 56, 64)),
    (mt.SHOPFRONT, (1.6, 3.0), (150, 140, 126), (52, 50, 50)),
    (mt.POSTER, (1.6, 2.4), (190, 186, 176), (226, 220, 204)),
    (mt.MURAL, (1.5, 3.0), (160, 150, 140), (90, 100, 120)),
]
_OLD_WALLS, _SHOPS, _CLEAN = [0, 1, 7, 8, 9, 10], [4, 5, 11, 11, 11, 12, 13], [2, 3, 4, 6, 7, 8, 12]


def sample_scenes(count: int, rng: np.random.Generator) -> list[Scene]:
    """Places of all kinds in turn, no two alike."""
    return [_KINDS[number % len(_KINDS)](np.random.default_rng(rng.integers(2**32))) for number in range(count)]


def plain_scene() -> Scene:
    """A grey hall with nothing in it: what all pictures show without the ingredient ``backgrounds``."""
    build = Builder(np.random.default_rng(0))
    wall = build.surface(mt.SMOOTH, 1.0, (150, 150, 150), spread=0)
    for low, high in (
        ((-9.2, -9, 0), (-9, 9, 6)), ((9, -9, 0), (9.2, 9, 6)), ((-9, -9.2, 0), (9, -9, 6)), ((-9, 9, 0), (9, 9.2, 6)),
    ):  # fmt: skip
        build.box(low, high, wall)
    grey = linear((120.0, 120.0, 120.0))
    return Scene(Surface(mt.SMOOTH, 1.0, grey, grey), build.done(), (3.0, 3.0), (-8.8, 8.8, -8.8, 8.8), 6.0, False, 1)


def _wall(build: Builder, choices: list[int]) -> int:
    texture, (small, large), first, second = _WALL[choices[int(build.rng.integers(0, len(choices)))]]
    return build.surface(texture, float(build.rng.uniform(small, large)), first, second)


def _floor(rng: np.random.Generator, *textures: int) -> Surface:
    build = Builder(rng)
    texture = textures[int(rng.integers(0, len(textures)))]
    first, second = _GREY[int(rng.integers(0, len(_GREY)))], _GREY[int(rng.integers(0, len(_GREY)))]
    scale = 1.0
    if texture == mt.ASPHALT:
        first, second = (98, 98, 100), (98, 98, 100)
    elif texture == mt.GRASS:
        first, second = (84, 106, 52), (120, 128, 72)
    elif texture == mt.PLANKS:
        first, second, scale = (150, 118, 84), (84, 62, 44), float(rng.uniform(0.4, 0.9))
    elif texture == mt.CARPET:
        grey = float(rng.uniform(60, 140))
        first, second = (grey, grey + float(rng.normal(0, 7)), grey + float(rng.normal(0, 14))), (60, 60, 66)
    elif texture in {mt.TILES, mt.PAVERS, mt.BAYS}:
        second = (first[0] * 0.74, first[1] * 0.74, first[2] * 0.74)
        scale = float(rng.uniform(0.25, 1.2)) if texture == mt.TILES else float(rng.uniform(0.12, 0.3))
        if texture == mt.BAYS:
            first, second, scale = (104, 104, 105), (200, 200, 196), 2.5
    number = build.surface(
        texture, scale, first, second, gloss=0.3 if texture == mt.TILES and rng.random() < 0.4 else 0.0
    )
    return build._surfaces[number]


def _row_of_houses(  # noqa: PLR0917
    build: Builder, x0: float, x1: float, y: float, deep: float, choices: list[int]
) -> None:
    """Fronts side by side along x whose near side is y; `deep` may be negative."""
    rng, x = build.rng, x0
    while x < x1:
        wide = float(rng.uniform(3.0, 7.5))
        out = float(rng.uniform(-0.25, 0.25))
        ground = float(rng.uniform(2.7, 3.6))
        build.box((x, y + out, 0.0), (x + wide, y + deep, ground), _wall(build, choices))
        build.box(
            (x, y + out * 0.5, ground), (x + wide, y + deep, ground + rng.uniform(2.5, 9.0)), _wall(build, _OLD_WALLS)
        )
        toward = -np.sign(deep)
        if rng.random() < 0.5:  # a sign over the shop
            sign = build.surface(
                mt.MURAL, 0.8, tuple(rng.uniform(30, 220, 3)), tuple(rng.uniform(30, 230, 3)), spread=10
            )
            build.box((x + 0.3, y + out, 2.5), (x + wide - 0.3, y + out + 0.18 * toward, 3.1), sign)
        if rng.random() < 0.4:  # a doorway
            door = build.surface(mt.PANELS, 0.9, tuple(rng.uniform(30, 150, 3)), (40, 40, 40))
            at = x + rng.uniform(0.4, wide - 1.4)
            build.box((at, y + out, 0.0), (at + rng.uniform(0.9, 1.8), y + out + 0.05 * toward, 2.15), door)
        if rng.random() < 0.2:
            cloth = build.surface(mt.SMOOTH, 1.0, tuple(rng.uniform(40, 220, 3)))
            build.box((x + 0.2, y + out, 2.6), (x + wide - 0.2, y + out + 1.1 * toward, 2.68), cloth)
        x += wide


def _clutter(build: Builder, x0: float, x1: float, y: float, many: float) -> None:
    """Bins, boxes, benches, bicycles, plants and posts along a line at y."""
    rng = build.rng
    for _ in range(int(rng.poisson(many))):
        x = float(rng.uniform(x0, x1))
        kind = int(rng.integers(0, 9))
        if kind == 0:
            build.column(x, y, 0.0, 0.95, 0.25, build.surface(mt.SMOOTH, 1.0, (90, 96, 90), spread=35))
        elif kind == 1:
            build.bench(x, y, float(rng.choice([0.0, np.pi])))
        elif kind == 2:
            for k in range(int(rng.integers(1, 4))):
                build.bicycle(x + 0.55 * k, y, float(rng.normal(np.pi / 2, 0.15)))
        elif kind == 3:
            leaves = build.surface(mt.LEAVES, 1.0, (46, 74, 34), (96, 122, 60))
            pot = build.surface(mt.CONCRETE, 1.0, (120, 110, 100), spread=30)
            build.box((x - 0.5, y - 0.25, 0.0), (x + 0.5, y + 0.25, 0.45), pot)
            build.bush(x, y, (0.5, 0.3, 0.45), leaves, low=0.4)
        elif kind == 4:
            build.column(x, y, 0.0, 4.5, 0.06, build.surface(mt.SMOOTH, 1.0, (100, 100, 100), spread=30))
        elif kind == 5:
            build.column(x, y, 0.0, 0.9, 0.08, build.surface(mt.SMOOTH, 1.0, (150, 130, 60), spread=50))
        elif kind == 6:
            tall = float(rng.uniform(1.5, 2.1))
            build.box(
                (x - 0.45, y - 0.2, 0.0),
                (x + 0.45, y + 0.2, tall),
                build.surface(mt.POSTER, 0.9, (150, 150, 150), spread=60),
            )
        elif kind == 7:
            card = build.surface(mt.CONCRETE, 1.0, (160, 126, 88), spread=22)
            for _ in range(3):
                a, size = rng.normal(0, 0.3), rng.uniform(0.2, 0.5)
                build.box((x + a, y - size / 2, 0.0), (x + a + size, y + size / 2, size * 0.9), card)
        else:
            build.box(
                (x - 0.6, y - 0.3, 0.0),
                (x + 0.6, y + 0.3, 1.0),
                build.surface(mt.PANELS, 0.7, (120, 120, 124), spread=50),
            )


def _end(rng: np.random.Generator, floor: Surface, build: Builder, **rest: object) -> Scene:
    return Scene(floor=floor, scenery=build.done(), seed=int(rng.integers(1, 2**20)), **rest)  # type: ignore[arg-type]


def _street(rng: np.random.Generator) -> Scene:
    """A pavement between shop fronts and a road."""
    build, floor = Builder(rng), _floor(rng, mt.TILES, mt.PAVERS, mt.CONCRETE, mt.PAVERS)
    back, kerb = float(rng.uniform(2.0, 3.5)), float(rng.uniform(-3.2, -2.0))
    _row_of_houses(build, -24, 24, back, 5.0, _SHOPS)
    road = build.surface(mt.ASPHALT, 1.0, (92, 92, 94), (190, 190, 186))
    build.box((-40, kerb - 7.5, -0.5), (40, kerb - 0.15, 0.002), road)
    build.box((-40, kerb - 0.15, -0.5), (40, kerb, 0.02), build.surface(mt.CONCRETE, 1.0, (170, 168, 162)))
    for x in np.arange(-20, 20, 5.2):
        if rng.random() < 0.55:
            build.car(float(x + rng.normal(0, 0.3)), kerb - 1.2, along_x=True)
    _row_of_houses(build, -26, 26, kerb - rng.uniform(9, 12), -5.0, _SHOPS + _OLD_WALLS)
    _clutter(build, -12, 12, back - 0.5, 6)
    _clutter(build, -12, 12, kerb + 0.4, 3)
    for x in np.arange(-15, 15, 6.0):
        if rng.random() < 0.4:
            build.tree(float(x), kerb + 0.5, float(rng.uniform(4.5, 7.0)))
    high = (7.0, min(back - 0.6, -kerb - 0.6))
    return _end(rng, floor, build, zone=high, room=(-11.0, 11.0, kerb - 5.0, back - 0.3), ceiling=6.0, inside=False)


def _plaza(rng: np.random.Generator) -> Scene:
    build, floor = Builder(rng), _floor(rng, mt.TILES, mt.PAVERS, mt.CONCRETE, mt.TILES)
    far = float(rng.uniform(8, 16))
    _row_of_houses(build, -26, 26, far, 6.0, _SHOPS + _OLD_WALLS)
    _row_of_houses(build, -26, 26, -far - rng.uniform(0, 5), -6.0, _OLD_WALLS + _CLEAN)
    for side in (-1, 1):
        x = side * float(rng.uniform(11, 20))
        build.box((x, -30, 0), (x + side * 8, 30, rng.uniform(5, 14)), _wall(build, _OLD_WALLS))
    for _ in range(int(rng.integers(2, 7))):
        build.tree(
            float(rng.uniform(-10, 10)), float(rng.choice([-1, 1]) * rng.uniform(4.8, 7.5)), float(rng.uniform(4.5, 8))
        )
    for y in (-5.2, 5.2, 6.5):
        _clutter(build, -10, 10, y, 3)
    for _ in range(3):  # darker bands in the pavement
        x = float(rng.uniform(-9, 9))
        build.box(
            (x, -20, -0.1),
            (x + rng.uniform(0.3, 1.5), 20, 0.003),
            build.surface(mt.TILES, 0.4, (120, 114, 108), (96, 92, 88)),
        )
    return _end(rng, floor, build, zone=(5.5, 4.0), room=(-10.0, 10.0, -7.5, 7.5), ceiling=6.5, inside=False)


def _corridor(rng: np.random.Generator) -> Scene:
    build, floor = Builder(rng), _floor(rng, mt.TILES, mt.SMOOTH, mt.CARPET, mt.CONCRETE, mt.PLANKS)
    half, tall = float(rng.uniform(1.7, 3.2)), float(rng.uniform(2.9, 3.8))
    for side in (-1.0, 1.0):
        wall = _wall(build, _CLEAN)
        build.box((-16, side * half, 0), (16, side * (half + 0.5), tall), wall)
        trim = build.surface(mt.SMOOTH, 1.0, (100, 96, 92), spread=40)
        build.box((-16, side * (half - 0.02), 0), (16, side * half, rng.choice([0.12, 0.12, 1.1])), trim)
        for x in np.arange(-14, 14, 3.4):
            if rng.random() < 0.5:
                door = build.surface(mt.PANELS, 1.0, tuple(rng.uniform(60, 200, 3)), (60, 60, 60), spread=8)
                build.box((x, side * (half - 0.03), 0), (x + 1.0, side * half, 2.1), door)
            elif rng.random() < 0.5:
                poster = build.surface(mt.MURAL, 0.5, tuple(rng.uniform(30, 230, 3)), tuple(rng.uniform(30, 230, 3)))
                build.box((x, side * (half - 0.03), 1.1), (x + rng.uniform(0.5, 1.6), side * half, 1.9), poster)
        _clutter(build, -10, 10, side * (half - 0.3), 1.5)
    lamp = build.surface(mt.PANELS, 1.2, (225, 225, 220), (235, 235, 235), spread=8)
    build.box((-16, -half, tall), (16, half, tall + 0.3), lamp)
    for end in (-15.5, 15.5):
        build.box((end, -half, 0), (end + 0.4, half, tall), _wall(build, _CLEAN))
    zone = (6.0, half - 0.55)
    return _end(
        rng, floor, build, zone=zone, room=(-11.0, 11.0, -half + 0.2, half - 0.2), ceiling=tall - 0.1, inside=True
    )


def _lawn(rng: np.random.Generator) -> Scene:
    """A path through grass, hedges and trees."""
    build, floor = Builder(rng), _floor(rng, mt.GRASS)
    path = build.surface(
        *((mt.PAVERS, 0.2) if rng.random() < 0.5 else (mt.GRAVEL, 1.0)), (160, 150, 136), (130, 122, 110)
    )
    half = float(rng.uniform(1.2, 2.4))
    build.box((-40, -half, -0.2), (40, half, 0.004), path)
    leaves = build.surface(mt.LEAVES, 1.0, (46, 74, 34), (96, 122, 60))
    if rng.random() < 0.6:
        y = float(rng.choice([-1, 1]) * rng.uniform(3.2, 6.0))
        build.box((-30, y, 0), (30, y + 0.7, rng.uniform(0.7, 1.6)), leaves)
    for _ in range(9):
        build.tree(
            float(rng.uniform(-16, 16)), float(rng.choice([-1, 1]) * rng.uniform(3.4, 12)), float(rng.uniform(4.5, 9))
        )
    for _ in range(8):
        size = rng.uniform(0.4, 1.3)
        build.bush(
            float(rng.uniform(-14, 14)),
            float(rng.choice([-1, 1]) * rng.uniform(3.2, 9)),
            (size, size, size * 0.8),
            leaves,
        )
    _row_of_houses(build, -40, 40, float(rng.uniform(13, 24)), 6.0, _OLD_WALLS)
    _row_of_houses(build, -40, 40, -float(rng.uniform(13, 24)), -6.0, _OLD_WALLS)
    _clutter(build, -10, 10, half + 0.5, 2)
    _clutter(build, -10, 10, -half - 0.5, 2)
    return _end(rng, floor, build, zone=(7.0, max(half, 1.6)), room=(-11.0, 11.0, -8.0, 8.0), ceiling=6.0, inside=False)


def _parking(rng: np.random.Generator) -> Scene:
    indoors = rng.random() < 0.35
    build = Builder(rng)
    floor = _floor(rng, mt.BAYS) if not indoors else _floor(rng, mt.CONCRETE, mt.SMOOTH)
    for y in (-6.0, 6.0):
        for x in np.arange(-15, 16, 2.6):
            if rng.random() < 0.65:
                build.car(float(x), y + float(rng.normal(0, 0.25)), along_x=False)
    if indoors:
        pillar = build.surface(mt.CONCRETE, 1.0, (170, 168, 162), spread=20)
        for x in np.arange(-13, 14, 5.2):
            for y in (-3.4, 3.4):
                build.box((x - 0.25, y - 0.25, 0), (x + 0.25, y + 0.25, 3), pillar)
        build.box((-30, -30, 3.0), (30, 30, 3.3), build.surface(mt.PANELS, 2.0, (120, 120, 118)))
        for side in (-1, 1):
            build.box((-30, side * 9.0, 0), (30, side * 9.5, 3), _wall(build, _CLEAN))
    else:
        _row_of_houses(build, -30, 30, float(rng.uniform(10, 20)), 6.0, _OLD_WALLS + _CLEAN)
        _row_of_houses(build, -30, 30, -float(rng.uniform(10, 20)), -6.0, _OLD_WALLS)
        for _ in range(4):
            build.tree(float(rng.uniform(-16, 16)), float(rng.choice([-9, 9])), float(rng.uniform(4, 7)))
    ceiling = 2.9 if indoors else 6.0
    return _end(rng, floor, build, zone=(6.5, 2.6), room=(-11.0, 11.0, -4.5, 4.5), ceiling=ceiling, inside=indoors)


def _hall(rng: np.random.Generator) -> Scene:
    """A station or a shopping hall."""
    build, floor = Builder(rng), _floor(rng, mt.TILES, mt.TILES, mt.SMOOTH)
    tall, deep = float(rng.uniform(4.5, 7.0)), float(rng.uniform(5.5, 9.0))
    for side in (-1, 1):
        x = -18.0
        while x < 18:
            wide = float(rng.uniform(2.5, 6))
            build.box((x, side * deep, 0), (x + wide, side * (deep + 2), 3.0), _wall(build, _SHOPS + _CLEAN))
            build.box(
                (x, side * (deep - 0.1), 2.5),
                (x + wide, side * deep, 3.1),
                build.surface(mt.MURAL, 0.7, tuple(rng.uniform(20, 230, 3)), tuple(rng.uniform(20, 230, 3))),
            )
            x += wide
        build.box((-18, side * deep, 3.0), (18, side * (deep + 2), tall), _wall(build, _CLEAN))
        end = side * 17.0
        build.box((end, -deep, 0), (end + side, deep, tall), _wall(build, _CLEAN + _SHOPS))
    build.box(
        (-18, -deep, tall), (18, deep, tall + 0.3), build.surface(mt.PANELS, 1.5, (200, 200, 196), (220, 220, 220))
    )
    pillar = build.surface(mt.SMOOTH, 1.0, (180, 176, 170), spread=35)
    for x in np.arange(-13.5, 14, float(rng.uniform(4.5, 7))):
        for y in (-4.4, 4.4):
            if rng.random() < 0.5:
                build.column(float(x), y, 0, tall, 0.35, pillar)
            else:
                build.box((x - 0.3, y - 0.3, 0), (x + 0.3, y + 0.3, tall), pillar)
    for y in (-4.0, 4.0):
        _clutter(build, -11, 11, y, 3)
    if rng.random() < 0.4:
        metal = build.surface(mt.SMOOTH, 1.0, (150, 152, 154), gloss=0.3)
        for y in np.arange(-3, 3.1, 1.0):
            build.box((8.0, y - 0.1, 0), (9.2, y + 0.1, 1.0), metal)
    return _end(
        rng,
        floor,
        build,
        zone=(5.5, 3.3),
        room=(-12.0, 12.0, -deep + 0.6, deep - 0.6),
        ceiling=min(tall - 0.3, 5.0),
        inside=True,
    )


def _entrance(rng: np.random.Generator) -> Scene:
    """The way in to a building: a wall close by, steps, railings, a strip of green."""
    build, floor = Builder(rng), _floor(rng, mt.TILES, mt.PAVERS, mt.CONCRETE, mt.BRICK, mt.ASPHALT)
    back = float(rng.uniform(1.8, 3.0))
    build.box((-20, back, 0), (20, back + 5, rng.uniform(4, 12)), _wall(build, _OLD_WALLS + _CLEAN))
    for x in np.arange(-12, 12, 4.0):
        if rng.random() < 0.5:
            glass = build.surface(mt.WINDOWS, float(rng.uniform(0.8, 1.6)), (70, 84, 92), (70, 70, 72), gloss=0.2)
            build.box((x, back - 0.05, float(rng.choice([0.0, 0.9]))), (x + rng.uniform(1.2, 3.4), back, 2.3), glass)
    if rng.random() < 0.6:
        step = build.surface(mt.CONCRETE, 1.0, (170, 166, 158))
        x = float(rng.uniform(7.5, 9.0)) * float(rng.choice([-1, 1]))
        for k in range(5):
            build.box((x + np.sign(x) * 0.32 * k, -3, 0), (x + np.sign(x) * 4, back, 0.16 * (k + 1)), step)
    rail = build.surface(mt.SMOOTH, 1.0, (110, 112, 114), spread=45)
    edge = -float(rng.uniform(2.4, 3.4))
    if rng.random() < 0.6:
        build.railing(-12, 12, edge, rail)
    grass = build.surface(mt.GRASS, 1.0, (84, 106, 52), (120, 128, 72))
    build.box((-40, -30, -0.1), (40, edge - 0.3, 0.01), grass)
    leaves = build.surface(mt.LEAVES, 1.0, (46, 74, 34), (96, 122, 60))
    for _ in range(7):
        size = rng.uniform(0.4, 1.0)
        build.bush(float(rng.uniform(-12, 12)), edge - rng.uniform(0.8, 4), (size, size, size), leaves)
    for _ in range(4):
        build.tree(float(rng.uniform(-14, 14)), edge - float(rng.uniform(2, 8)), float(rng.uniform(4.5, 8)))
    _row_of_houses(build, -30, 30, edge - 16, -5, _OLD_WALLS)
    _clutter(build, -11, 11, back - 0.4, 4)
    zone = (6.5, min(back, -edge) - 0.6)
    return _end(rng, floor, build, zone=zone, room=(-11.0, 11.0, edge - 6.0, back - 0.3), ceiling=5.5, inside=False)


_KINDS: list[Kind] = [
    _street,
    _plaza,
    _corridor,
    _entrance,
    _hall,
    _lawn,
    _street,
    _parking,
    _entrance,
    _hall,
    _plaza,
    _corridor,
]
