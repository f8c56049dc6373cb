"""From figures, things, a scene and a camera to linear light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.body import Floats, Ints, Pose
from swiftreid.synthetic.camera import CameraView, Crop
from swiftreid.synthetic.extra import load_warp
from swiftreid.synthetic.light import Light
from swiftreid.synthetic.scene import Scene
from swiftreid.synthetic.scenery import Scenery, Surface
from swiftreid.synthetic.sensor import Pixels
from swiftreid.synthetic.wardrobe import Dressed, Figure, outfit

REFERENCE = Pose(phase=0.6, stride=0.5, arms_out=0.1, elbows=(-0.4, -0.4), lean=0.0, turn_head=0.0)
Small = NDArray[np.float32]
Whole = NDArray[np.int32]


@dataclass(frozen=True)
class Instance:
    """A mesh somewhere: points, normals and canonical points `[v, 3]`, faces `[f, 3]`, and colours by material."""

    mesh: Any
    points: Small
    normals: Small
    canon: Small
    faces: Whole
    kinds: Whole
    first: Small
    second: Small
    patterns: Small  # [materials, 4]: pattern or texture, scale, gloss, folds
    cuts: Small | None  # [cuts] of an outfit; None for things
    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0

    def at(self, x: float, y: float, heading: float) -> Instance:
        """The same somewhere else; heading 0 looks to -y."""
        return replace(self, x=x, y=y, heading=heading)

    def world(self) -> Floats:
        """Its points in the scene."""
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        moved: Floats = self.points.astype(np.float64) @ turn.T + np.array([self.x, self.y, 0.0])
        return moved


class Model:
    """A dressed person for the ray caster: the tree over its triangles is built once and fitted to each pose."""

    def __init__(self, dressed: Dressed) -> None:
        self.dressed = dressed
        self._wp = load_warp()
        figure = dressed.figure(REFERENCE)
        self._points = self._wp.array(_small(figure.points), dtype=self._wp.vec3, device="cpu")
        self._faces = figure.faces.astype(np.int32)
        triangles = self._wp.array(self._faces.ravel(), dtype=self._wp.int32, device="cpu")
        self._mesh = self._wp.Mesh(points=self._points, indices=triangles)
        self._kinds = figure.kinds.astype(np.int32)
        self._outfit = outfit(dressed.person)

    def posed(self, pose: Pose) -> Instance:
        """The person in `pose`; it stays so until the next call."""
        return self.shown(self.dressed.figure(pose))

    def shown(self, figure: Figure) -> Instance:
        """This person as `figure`, which :meth:`Dressed.figure` made."""
        points = _small(figure.points)
        self._points.numpy()[:] = points
        self._mesh.refit()
        cuts, first, second, patterns = (_small(value) for value in self._outfit)
        return Instance(
            self._mesh, points, _small(figure.normals), _small(figure.canon), self._faces, self._kinds,
            first, second, patterns, cuts,
        )  # fmt: skip


def thing(scenery: Scenery) -> Instance:
    """Scenery, or something that stands about, for the ray caster."""
    wp = load_warp()
    points = _small(scenery.points)
    faces = scenery.faces.astype(np.int32)
    mesh = wp.Mesh(
        points=wp.array(points, dtype=wp.vec3, device="cpu"),
        indices=wp.array(faces.ravel(), dtype=wp.int32, device="cpu"),
    )
    first, second, patterns = _surfaces(scenery.surfaces)
    canon = np.zeros_like(points)
    return Instance(
        mesh,
        points,
        _small(scenery.normals),
        canon,
        faces,
        scenery.kinds.astype(np.int32),
        first,
        second,
        patterns,
        None,
    )


def trace(  # noqa: PLR0917
    instances: Sequence[Instance],
    scene: Scene,
    backdrop: Instance,
    light: Light,
    view: CameraView,
    crop: Crop,
    *,
    seed: int,
    lamps: int = 2,
) -> tuple[Pixels, float]:
    """Linear light `[h, w, 3]`, one ray per pixel of `crop`, and how much of the first instance can be seen.

    Args:
        instances: The person whose picture it is, then all else that stands about.
        scene: The place.
        backdrop: The place's scenery, from :func:`thing`.
        light: The hour.
        view: The camera.
        crop: The window; :meth:`Crop.split` gives more rays.
        seed: Of where in a pixel its rays go.
        lamps: Rays to each wide lamp.

    Returns:
        Light, and the share (0 to 1) of the rays to the first instance that nothing stops.
    """
    wp = load_warp()
    from swiftreid.synthetic import kernels

    everything = [*instances, backdrop]
    height, width = crop.size
    starts, vertex, face, material, people = [], 0, 0, 0, 0
    for one in everything:
        starts.append((vertex, face, material, people if one.cuts is not None else -1))
        vertex, face, material = vertex + len(one.points), face + len(one.faces), material + len(one.first)
        people += one.cuts is not None
    cuts = [one.cuts for one in everything if one.cuts is not None] or [np.zeros(mt.CUTS, np.float32)]
    floor_a, floor_b, floor_p = _surfaces((scene.floor,))

    def vectors(values: Sequence[NDArray[Any]], kind: Any) -> Any:
        return wp.array(np.ascontiguousarray(np.concatenate(values)), dtype=kind, device="cpu")

    def vector(values: Any) -> Any:
        return wp.vec3(*(float(value) for value in values))

    out = wp.empty(height * width, dtype=wp.vec3, device="cpu")
    seen = wp.empty(height * width, dtype=wp.int32, device="cpu")
    frames = [[one.x, one.y, np.cos(one.heading), np.sin(one.heading)] for one in everything]
    wp.launch(
        kernels.cast,
        dim=height * width,
        inputs=[
            wp.array(np.array([one.mesh.id for one in everything], dtype=np.uint64), dtype=wp.uint64, device="cpu"),
            wp.array(np.array(frames, dtype=np.float32), dtype=wp.vec4, device="cpu"),
            wp.array(np.array([*map(_ball, instances), (0, 0, 0, 1e4)], dtype=np.float32), dtype=wp.vec4, device="cpu"),
            wp.array(np.array(starts, dtype=np.int32), dtype=wp.vec4i, device="cpu"),
            vectors([one.faces.ravel() for one in everything], wp.int32),
            vectors([one.normals for one in everything], wp.vec3),
            vectors([one.canon for one in everything], wp.vec3),
            vectors([one.kinds for one in everything], wp.int32),
            wp.array(np.stack(cuts), dtype=float, device="cpu"),
            vectors([one.first for one in everything], wp.vec3),
            vectors([one.second for one in everything], wp.vec3),
            vectors([one.patterns for one in everything], wp.vec4),
            vector(floor_a[0]),
            vector(floor_b[0]),
            wp.vec4(*(float(value) for value in floor_p[0])),
            vector(view.eye),
            vector(crop.corner),
            vector(crop.step_x),
            vector(crop.step_y),
            width,
            vector(light.sun),
            vector(light.sun_colour),
            vector(light.sky),
            vector(light.horizon),
            vector(light.bounce),
            light.spread,
            light.dapple,
            light.grain,
            light.pools,
            1.5 if scene.inside else 60.0,
            lamps if light.spread > 0.1 else 1,
            seed,
            scene.seed,
        ],
        outputs=[out, seen],
        device="cpu",
    )
    counts = np.bincount(seen.numpy(), minlength=3)
    pixels: Pixels = out.numpy().reshape(height, width, 3)
    return pixels, float(counts[2] / max(counts[1] + counts[2], 1))


def in_sight(backdrop: Instance, eye: Floats, points: Floats) -> NDArray[np.bool_]:
    """Which of `points [n, 3]` can be seen from `eye` past the scenery."""
    wp = load_warp()
    from swiftreid.synthetic import kernels

    out = wp.empty(len(points), dtype=wp.int32, device="cpu")
    given = wp.array(_small(points), dtype=wp.vec3, device="cpu")
    wp.launch(
        kernels.sight,
        dim=len(points),
        inputs=[backdrop.mesh.id, wp.vec3(*(float(value) for value in eye)), given],
        outputs=[out],
        device="cpu",
    )
    result: NDArray[np.bool_] = out.numpy() > 0
    return result


def _ball(one: Instance) -> tuple[float, float, float, float]:
    # By column: NumPy is slow over the first axis of so narrow an array.
    low, high = (np.array([best(one.points[:, axis]) for axis in range(3)]) for best in (np.min, np.max))
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    cos, sin = np.cos(one.heading), np.sin(one.heading)
    x, y = middle[0] * cos - middle[1] * sin + one.x, middle[1] * cos + middle[0] * sin + one.y
    return float(x), float(y), float(middle[2]), radius


def _surfaces(surfaces: Sequence[Surface]) -> tuple[Small, Small, Small]:
    return (
        _small(np.array([s.first for s in surfaces])),
        _small(np.array([s.second for s in surfaces])),
        _small(np.array([(s.texture, s.scale, s.gloss, 0.0) for s in surfaces])),
    )


def _small(values: Floats | Ints | Small) -> Small:
    return np.ascontiguousarray(values, dtype=np.float32)
