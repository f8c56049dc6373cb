"""Small solids that people wear or carry: rounded boxes, domes, brims and sheets swept around the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic.body import Floats, Ints


@dataclass(frozen=True)
class Solid:
    """`points [n, 3]` (metres), `faces [m, 3]` and one material number."""

    points: Floats
    faces: Ints
    material: int


def _grid_faces(rows: int, columns: int, *, closed: bool) -> Ints:
    """Triangles of a grid of points, row-major; `closed` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def rounded_box(centre: Floats, half: Floats, material: int, *, edge: float = 0.35) -> Solid:
    """A superellipsoid at `centre` with half sizes `half`; `edge` near 0 is a sharp box, 1 an ellipsoid."""
    theta = np.linspace(-np.pi / 2, np.pi / 2, 15)
    phi = np.linspace(0, 2 * np.pi, 28, endpoint=False)

    def power(value: Floats) -> Floats:
        bent: Floats = np.sign(value) * np.abs(value) ** edge
        return bent

    ring, height = power(np.cos(theta))[:, None], power(np.sin(theta))[:, None]
    x, y = ring * power(np.cos(phi))[None], ring * power(np.sin(phi))[None]
    points = np.stack([x, y, np.broadcast_to(height, x.shape)], -1).reshape(-1, 3) * half + centre
    return Solid(points, _grid_faces(15, 28, closed=True)[:, ::-1], material)


def brim(centre: Floats, half_width: float, length: float, material: int) -> Solid:
    """The peak of a cap: half a disc to the front (-y), a little bent down at its sides."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 15)
    radius = np.linspace(0.3, 1.0, 4)
    x = radius[:, None] * np.sin(angle)[None] * half_width
    y = -radius[:, None] * np.cos(angle)[None] * length
    z = -0.35 * np.abs(x) ** 2 / half_width - 0.18 * -y
    top = np.stack([x, y, z], -1).reshape(-1, 3) + centre
    faces = _grid_faces(4, 15, closed=False)
    under = top - np.array([0, 0, 0.006])
    return Solid(np.concatenate([top, under]), np.concatenate([faces, faces + len(top)]), material)


def tube(path: Floats, radius: Floats, material: int, sides: int = 8) -> Solid:
    """A tube along `path [n, 3]` with `radius [n]`."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, np.array([0.31, 0.95, 0.05]))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    points = (path[:, None] + ring * radius[:, None, None]).reshape(-1, 3)
    return Solid(points, _grid_faces(len(path), sides, closed=True), material)


def hull_rings(points: Floats, heights: Floats, reach: float, angles: Floats) -> tuple[Floats, Floats]:
    """Convex outline of a point cloud at several heights.

    Args:
        points: `[n, 3]`.
        heights: `[h]` z of the rings.
        reach: points within this distance in z count for a ring.
        angles: `[a]` directions.

    Returns:
        Radii `[h, a]` of the outline around the ring centres, and the centres `[h, 2]`.
    """
    radii = np.zeros((len(heights), len(angles)))
    centres = np.zeros((len(heights), 2))
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    apart = np.cos(angles[:, None] - angles[None, :])
    for k, height in enumerate(heights):
        near = points[np.abs(points[:, 2] - height) < reach][:, :2]
        if len(near) < 3:
            radii[k], centres[k] = radii[k - 1], centres[k - 1]
            continue
        centres[k] = (near.min(0) + near.max(0)) / 2
        support = ((near - centres[k]) @ directions.T).max(0)
        radii[k] = np.where(apart > 0.05, support[:, None] / np.maximum(apart, 0.05), np.inf).min(0)
    return radii, centres


def sheet(radii: Floats, centres: Floats, heights: Floats, angles: Floats, material: int, *, closed: bool) -> Solid:
    """The surface through rings of `radii [h, a]` around `centres [h, 2]` at `heights [h]`."""
    x = centres[:, :1] + radii * np.cos(angles)
    y = centres[:, 1:] + radii * np.sin(angles)
    z = np.broadcast_to(heights[:, None], x.shape)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    return Solid(points, _grid_faces(len(heights), len(angles), closed=closed), material)


def torus(  # noqa: PLR0917
    centre: Floats, radius: float, thick: float, axis: int, material: int, sides: int = 24
) -> Solid:
    """A ring of `radius` and half thickness `thick` around coordinate `axis` (0, 1, 2)."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    round_ = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    reach = radius + thick * np.cos(round_)[None]
    flat = [np.cos(turn)[:, None] * reach, np.sin(turn)[:, None] * reach]
    up = np.broadcast_to(thick * np.sin(round_)[None], reach.shape if reach.shape[0] > 1 else (sides, 6))
    flat.insert(axis, up)
    points = np.stack(flat, -1).reshape(-1, 3) + centre
    faces = _grid_faces(sides + 1, 6, closed=True) % (sides * 6)
    return Solid(points, faces, material)


def blob(
    centre: Floats, half: Floats, material: int, rng: np.random.Generator, *, rough: float = 0.25, rows: int = 9
) -> Solid:
    """An ellipsoid whose surface goes in and out by `rough` of its size: a bush, a crown of leaves, a heap."""
    theta = np.linspace(-np.pi / 2, np.pi / 2, rows)
    phi = np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)
    ring, height = np.cos(theta)[:, None], np.sin(theta)[:, None]
    unit = np.stack([ring * np.cos(phi), ring * np.sin(phi), np.broadcast_to(height, (rows, 2 * rows))], -1)
    out = np.ones((rows, 2 * rows))
    for _ in range(5):
        wave = rng.normal(0.0, 4.5, 3)
        out += rough * 0.45 * np.sin(unit @ wave + rng.uniform(0, 6.28))
    out[0], out[-1] = out[0].mean(), out[-1].mean()
    points = (unit * out[..., None]).reshape(-1, 3) * half + centre
    return Solid(points, _grid_faces(rows, 2 * rows, closed=True)[:, ::-1], material)
