"""Solid things of a place: boxes, columns, cars, trees, bicycles, collected into one mesh with textured surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.body import Floats, Ints, vertex_normals
from swiftreid.synthetic.people import Rgb, linear
from swiftreid.synthetic.solids import Solid, blob, torus, tube

_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
_SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


@dataclass(frozen=True)
class Surface:
    """A textured colour: `texture` of :mod:`materials`, `scale` in metres, colours in linear light, `gloss` 0 to 1."""

    texture: int
    scale: float
    first: Rgb
    second: Rgb
    gloss: float = 0.0


@dataclass(frozen=True)
class Scenery:
    """A mesh of things: `[v, 3]` points and normals (zero where flat), `[f, 3]` faces, `[f]` surface of each face."""

    points: Floats
    normals: Floats
    faces: Ints
    kinds: Ints
    surfaces: tuple[Surface, ...]


def shade(rng: np.random.Generator, base: Rgb, spread: float) -> Rgb:
    """A colour near `base` (sRGB, 0 to 255), in linear light; lightness differs more than hue."""
    value = np.clip(np.array(base) + rng.normal(0, spread * 0.7) + rng.normal(0, spread * 0.3, 3), 12, 240)
    return linear((float(value[0]), float(value[1]), float(value[2])))


class Builder:
    """Collects things; :meth:`done` gives the mesh. z is up, the floor is z = 0."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._points: list[Floats] = []
        self._normals: list[Floats] = []
        self._faces: list[Ints] = []
        self._kinds: list[Ints] = []
        self._surfaces: list[Surface] = []
        self._count = 0

    def surface(
        self,
        texture: int,
        scale: float,
        first: Rgb,
        second: Rgb = (90.0, 90.0, 90.0),
        *,
        spread: float = 20.0,
        gloss: float = 0.0,
    ) -> int:
        """Add a surface with colours near these (sRGB, 0 to 255); its number is for the things that follow."""
        colours = shade(self.rng, first, spread), shade(self.rng, second, spread * 0.7)
        self._surfaces.append(Surface(texture, scale, *colours, gloss))
        return len(self._surfaces) - 1

    def mesh(self, points: Floats, faces: Ints, surface: int, normals: Floats | None = None) -> None:
        """Add any mesh; without normals its faces are flat."""
        self._points.append(points)
        self._normals.append(np.zeros_like(points) if normals is None else normals)
        self._faces.append(faces + self._count)
        self._kinds.append(np.full(len(faces), surface))
        self._count += len(points)

    def solid(self, solid: Solid) -> None:
        """Add a round solid, whose material is a surface's number."""
        self.mesh(solid.points, solid.faces, solid.material, vertex_normals(solid.points, solid.faces))

    def box(self, low: tuple[float, float, float], high: tuple[float, float, float], surface: int) -> None:
        """An axis-aligned box."""
        start, end = np.minimum(low, high), np.maximum(low, high)
        points = start + _CORNERS * (end - start)
        faces = np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]])
        self.mesh(points, faces, surface)

    def prism(self, profile: Floats, start: float, end: float, surface: int) -> None:
        """A profile `[n, 2]` in (x, z), star-shaped around its mean, drawn out along y from `start` to `end`."""
        count = len(profile)
        middle = profile.mean(0)
        ring = np.concatenate([profile, middle[None]])
        points = np.concatenate([np.insert(ring, 1, start, axis=1), np.insert(ring, 1, end, axis=1)])
        k = np.arange(count)
        after = (k + 1) % count
        far = count + 1
        faces = np.concatenate(
            [
                np.stack([k, after, np.full(count, count)], 1),
                np.stack([after + far, k + far, np.full(count, count + far)], 1),
                np.stack([k, k + far, after], 1),
                np.stack([after, k + far, after + far], 1),
            ]
        )
        self.mesh(points, faces, surface)

    def column(  # noqa: PLR0917
        self, x: float, y: float, low: float, high: float, radius: float, surface: int
    ) -> None:
        """An upright cylinder, open above and below."""
        path = np.array([[x, y, low], [x + 1e-4, y, (low + high) / 2], [x, y, high]])
        self.solid(tube(path, np.full(3, radius), surface, sides=14))

    def bar(
        self, start: tuple[float, float, float], end: tuple[float, float, float], radius: float, surface: int
    ) -> None:
        """A thin rod."""
        path = np.linspace(np.array(start), np.array(end), 3)
        self.solid(tube(path, np.full(3, radius), surface, sides=6))

    def bush(self, x: float, y: float, half: tuple[float, float, float], surface: int, *, low: float = 0.0) -> None:
        """A heap of leaves standing on z = `low`."""
        for _ in range(4):
            shift = self.rng.normal(0.0, 0.35, 3) * np.array(half)
            size = np.array(half) * self.rng.uniform(0.55, 0.85)
            centre = np.array([x, y, low + half[2]]) + shift * np.array([1, 1, 0.6])
            self.solid(blob(centre, size, surface, self.rng))

    def tree(self, x: float, y: float, height: float) -> None:
        """A trunk and a crown that begins above people's heads."""
        bark = self.surface(mt.CONCRETE, 1.0, (92, 78, 64), spread=18)
        green = self.surface(mt.LEAVES, 1.0, (52, 76, 36), (104, 126, 62), spread=14)
        self.column(x, y, 0.0, height * 0.6, self.rng.uniform(0.09, 0.2), bark)
        wide = height * self.rng.uniform(0.22, 0.34)
        for _ in range(6):
            spot = np.array([x, y, height * 0.78]) + self.rng.normal(0, 0.5, 3) * np.array([wide, wide, wide * 0.5])
            self.solid(blob(spot, np.full(3, wide * self.rng.uniform(0.5, 0.8)), green, self.rng, rows=7))

    def car(self, x: float, y: float, *, along_x: bool, paint: Rgb | None = None) -> None:
        """A parked car, 4.3 m long."""
        rng = self.rng
        colours: list[Rgb] = [
            (200, 202, 204),
            (40, 42, 46),
            (120, 124, 128),
            (150, 30, 34),
            (34, 56, 110),
            (226, 226, 222),
        ]
        body = self.surface(mt.SMOOTH, 1.0, paint or colours[int(rng.integers(0, len(colours)))], spread=12, gloss=0.5)
        glass = self.surface(mt.SMOOTH, 1.0, (42, 50, 56), spread=8, gloss=0.6)
        tyre = self.surface(mt.SMOOTH, 1.0, (26, 26, 27), spread=4)
        van = rng.random() < 0.25
        roof = 1.9 if van else rng.uniform(1.38, 1.62)
        lower = np.array([[-2.15, 0.3], [2.15, 0.3], [2.18, 0.72], [1.3, 0.92], [-1.9, 0.98], [-2.18, 0.75]])
        cabin = (
            np.array([[-2.1, 0.9], [1.5, 0.9], [1.1, roof], [-2.05, roof]])
            if van
            else np.array([[-1.75, 0.9], [1.15, 0.9], [0.35, roof], [-1.2, roof]])
        )
        before = len(self._points)
        self.prism(lower, -0.86, 0.86, body)
        self.prism(cabin, -0.74, 0.74, glass)
        self.prism(
            np.array([[-1.15, roof - 0.03], [0.3, roof - 0.03], [0.3, roof + 0.02], [-1.15, roof + 0.02]]),
            -0.74,
            0.74,
            body,
        )
        for wheel in (-1.35, 1.35):
            for side in (-0.8, 0.8):
                self.solid(torus(np.array([wheel, side, 0.31]), 0.22, 0.1, 1, tyre, sides=16))
        self._move(before, x, y, 0.0 if along_x else np.pi / 2)

    def bicycle(self, x: float, y: float, heading: float) -> None:
        """A bicycle on its stand."""
        paint = self.surface(mt.SMOOTH, 1.0, (90, 60, 60), spread=60, gloss=0.2)
        dark = self.surface(mt.SMOOTH, 1.0, (28, 28, 30), spread=8)
        before = len(self._points)
        for wheel in (-0.52, 0.52):
            self.solid(torus(np.array([wheel, 0.0, 0.33]), 0.31, 0.022, 1, dark))
        hub, crank, saddle = (-0.52, 0, 0.33), (-0.05, 0, 0.3), (-0.17, 0, 0.8)
        head, front = (0.38, 0, 0.8), (0.52, 0, 0.33)
        rods = [(hub, crank), (crank, saddle), (crank, head), (saddle, head), (front, (0.36, 0, 0.98)), (hub, saddle)]
        for start, end in rods:
            self.bar(start, end, 0.02, paint)
        self.bar((0.36, -0.27, 1.0), (0.36, 0.27, 1.0), 0.018, dark)
        self.box((-0.32, -0.07, 0.84), (-0.06, 0.07, 0.9), dark)
        if self.rng.random() < 0.5:
            self.box((0.42, -0.17, 0.68), (0.72, 0.17, 0.92), dark)
        self._move(before, x, y, heading)

    def railing(self, x0: float, x1: float, y: float, surface: int) -> None:
        """Posts and bars from (x0, y) to (x1, y), 1.05 m high."""
        style = int(self.rng.integers(0, 3))
        self.bar((x0, y, 1.05), (x1, y, 1.05), 0.028, surface)
        for post in np.arange(x0, x1 + 0.01, 1.2):
            self.bar((post, y, 0.0), (post, y, 1.05), 0.026, surface)
        if style == 0:
            for height in (0.25, 0.5, 0.75):
                self.bar((x0, y, height), (x1, y, height), 0.014, surface)
        elif style == 1:
            self.bar((x0, y, 0.12), (x1, y, 0.12), 0.018, surface)
            for post in np.arange(x0, x1, 0.13):
                self.bar((post, y, 0.12), (post, y, 1.05), 0.009, surface)

    def bench(self, x: float, y: float, heading: float) -> None:
        """A bench with a back."""
        wood = self.surface(mt.PLANKS, 0.5, (122, 92, 62), (60, 46, 34))
        iron = self.surface(mt.SMOOTH, 1.0, (52, 54, 56), spread=14)
        before = len(self._points)
        self.box((-0.8, -0.22, 0.40), (0.8, 0.22, 0.46), wood)
        self.box((-0.8, 0.2, 0.55), (0.8, 0.25, 0.88), wood)
        for leg in (-0.6, 0.6):
            self.box((leg - 0.03, -0.2, 0.0), (leg + 0.03, 0.24, 0.42), iron)
        self._move(before, x, y, heading)

    def _move(self, first: int, x: float, y: float, heading: float) -> None:
        cos, sin = np.cos(heading), np.sin(heading)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        for k in range(first, len(self._points)):
            self._points[k] = self._points[k] @ turn.T + np.array([x, y, 0.0])
            self._normals[k] = self._normals[k] @ turn.T

    def done(self) -> Scenery:
        """The mesh of all things so far."""
        if not self._points:  # a mesh needs a triangle: one far below the floor
            self.mesh(np.array([[0.0, 0, -90], [1, 0, -90], [0, 1, -90]]), np.array([[0, 1, 2]]), 0)
        return Scenery(
            np.concatenate(self._points),
            np.concatenate(self._normals),
            np.concatenate(self._faces),
            np.concatenate(self._kinds),
            tuple(self._surfaces),
        )
