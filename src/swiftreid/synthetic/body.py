"""Bodies: anny's default body (CC0), shaped by a few plain numbers and posed as somebody who walks or stands.

Axes: x to the person's left, y to the back, z up, metres. Every vertex also has a *canonical* position: where it lies
on one fixed template body that stands on z = 0. Clothes are cut in canonical coordinates, so that they fit everybody.
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.extra import load_anny, load_warp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

CANON_LIFT = 0.8184  # metres from the template's soles up to its own origin, in the pelvis
_ARM_AXIS = np.array([-0.75, -0.06, -0.66])  # bends the left elbow


@dataclass(frozen=True)
class Shape:
    """What a body is like, in anny's units: `gender` 0 male to 1 female, `age` 0.45 child to 1 old, the rest 0 to 1."""

    gender: float
    age: float
    height: float
    weight: float
    muscle: float
    proportions: float


@dataclass(frozen=True)
class Pose:
    """Angles in radians; `stride` 0 stands still. `phase` runs through one walking cycle of two steps."""

    phase: float
    stride: float
    arms_out: float
    elbows: tuple[float, float]
    lean: float
    turn_head: float
    held: tuple[bool, bool] = (False, False)  # left, right arm carries something: it swings little
    raised: tuple[float, float] = (0.0, 0.0)  # how far left, right upper arm is lifted to the front


@dataclass(frozen=True)
class Template:
    """What all bodies share: `[v, 3]` canonical positions, `[f, 3]` triangles, `[f]` part of each face, skinning."""

    canon: Floats
    faces: Ints
    parts: Ints
    weights: Floats
    bones: Ints
    labels: list[str]
    first: NDArray[np.int32]  # [v + 1]: vertex v has neighbours[first[v] : first[v + 1]]
    neighbours: NDArray[np.int32]


@dataclass(frozen=True)
class Skeleton:
    """Bones of a body: motions `[b, 4, 4]` from its rest pose to anny's neutral one, and their heads `[b, 3]` there."""

    neutral: Floats
    heads: Floats


class Bodies:
    """anny's model, loaded once per process (the first time ever, its data is unpacked into a cache: some seconds)."""

    def __init__(self) -> None:
        anny = load_anny()
        import torch

        self._torch = torch
        with _one_thread(torch), _quick_unpacking():
            self._model: Any = anny.Anny(
                rig="anny", topology="anny", phenotype_blendshapes="original", skinning_method="lbs"
            )
        self.template = self._make_template()

    def shape(self, shape: Shape) -> tuple[Floats, Skeleton]:
        """Vertices `[v, 3]` of this body in its rest pose, and the skeleton that :meth:`pose` needs."""
        with _one_thread(self._torch), self._torch.no_grad():
            out = self._model(phenotype_kwargs=asdict(shape))
            poses = out["rest_bone_poses"]
            still = self._torch.eye(4, dtype=poses.dtype).repeat(1, poses.shape[1], 1, 1)
            neutral, _ = self._model.get_bone_transforms(still, poses, pose_parameterization="local-ref")
        heads = np.einsum("bij,bj->bi", neutral[0].numpy(), poses[0, :, :, 3].numpy())[:, :3]
        # Rounded, so that the last bits of a matrix product cannot reach the pictures.
        skeleton = Skeleton(np.round(neutral[0].numpy(), 9), np.round(heads, 9))
        return np.round(out["rest_vertices"][0].numpy(), 6), skeleton

    def _make_template(self) -> Template:
        canon, _ = self.shape(Shape(0.5, 0.67, 0.5, 0.5, 0.5, 0.5))
        canon = canon + np.array([0.0, 0.0, CANON_LIFT])
        faces = self._model.faces.numpy().astype(np.int64)
        weights = self._model.vertex_bone_weights.numpy().astype(np.float64)
        bones = self._model.vertex_bone_indices.numpy().astype(np.int64)
        labels = list(self._model.bone_labels)
        part_of_bone = np.array([_part_of(label) for label in labels])
        strongest = bones[np.arange(len(bones)), weights.argmax(1)]
        vertex_part = part_of_bone[strongest]
        corners = np.sort(vertex_part[faces], axis=1)
        pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges = np.unique(np.sort(pairs, axis=1), axis=0)
        edges = np.concatenate([edges, edges[:, ::-1]])
        edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))].astype(np.int32)
        first = np.searchsorted(edges[:, 0], np.arange(len(canon) + 1)).astype(np.int32)
        order = np.argsort(-weights, axis=1, kind="stable")
        weights, bones = np.take_along_axis(weights, order, 1), np.take_along_axis(bones, order, 1)
        return Template(canon, faces, corners[:, 1], weights, bones, labels, first, edges[:, 1].copy())

    def pose(self, skeleton: Skeleton, pose: Pose) -> Floats:
        """Rigid motions `[bones, 4, 4]` that take points of the rest pose to `pose`.

        The same as anny's ``get_bone_transforms`` with turns in world axes ("local-ref"): every joint turns about its
        head in anny's neutral pose, and with it all that hangs on it.
        """
        turns = _joint_turns(pose)
        chain: list[Floats] = []
        for bone, parent in enumerate(self._model.bone_parents):
            above = np.eye(4) if parent < 0 else chain[parent]
            turn = turns.get(self.template.labels[bone])
            if turn is not None:
                about = np.eye(4)
                about[:3, :3], about[:3, 3] = turn, skeleton.heads[bone] - turn @ skeleton.heads[bone]
                above = above @ about
            chain.append(above)
        motions: Floats = np.stack(chain) @ skeleton.neutral
        return motions


@lru_cache(maxsize=1)
def bodies() -> Bodies:
    """The one loaded body model of this process."""
    return Bodies()


class Skin:
    """Points and normals `[n, 3]` that follow bones: linear blend skinning.

    Args:
        points: `[n, 3]` in the rest pose.
        normals: `[n, 3]` there.
        weights: `[n, k]` of `bones`.
        bones: `[n, k]`.
    """

    def __init__(self, points: Floats, normals: Floats, weights: Floats, bones: Ints) -> None:
        self._wp = load_warp()
        self._count = len(points)
        wp = self._wp
        self._given = [
            wp.array(np.ascontiguousarray(values, dtype=number), dtype=kind, device="cpu")
            for values, number, kind in (
                (points, np.float32, wp.vec3),
                (normals, np.float32, wp.vec3),
                (weights, np.float32, float),
                (bones, np.int32, wp.int32),
            )
        ]

    def bend(self, motions: Floats) -> tuple[Singles, Singles]:
        """Points and unit normals `[n, 3]`, moved by rigid motions `[b, 4, 4]` of the bones."""
        from swiftreid.synthetic import meshwork

        wp = self._wp
        moved, turned = (wp.empty(self._count, dtype=wp.vec3, device="cpu") for _ in range(2))
        bones = wp.array(np.ascontiguousarray(motions, dtype=np.float32), dtype=wp.mat44, device="cpu")
        wp.launch(meshwork.bend, dim=self._count, inputs=[*self._given, bones], outputs=[moved, turned], device="cpu")
        return moved.numpy(), turned.numpy()


def smooth(points: Floats, template: Template, amount: Floats, rounds: int) -> Floats:
    """Relax `points [v, 3]` towards the mean of their neighbours, `amount [v]` in 0..1 per round."""
    wp = load_warp()
    from swiftreid.synthetic import meshwork

    chosen = np.flatnonzero(amount > 0).astype(np.int32)
    first, second = (wp.array(np.ascontiguousarray(points), dtype=wp.vec3d, device="cpu") for _ in range(2))
    arrays = [
        wp.array(template.first, dtype=wp.int32, device="cpu"),
        wp.array(template.neighbours, dtype=wp.int32, device="cpu"),
    ]
    arrays += [wp.array(chosen, dtype=wp.int32, device="cpu"), wp.array(amount, dtype=wp.float64, device="cpu")]
    for _ in range(rounds if len(chosen) else 0):
        wp.launch(meshwork.relax, dim=len(chosen), inputs=[first, *arrays], outputs=[second], device="cpu")
        first, second = second, first
    result: Floats = first.numpy().copy()
    return result


def vertex_normals(points: Floats, faces: Ints) -> Floats:
    """Unit normals `[v, 3]`, averaged over the triangles `[f, 3]` around each vertex by area."""
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    across = np.cross(b - a, c - a)
    flat = faces.ravel(order="F")
    total = np.stack([np.bincount(flat, weights=np.tile(across[:, k], 3), minlength=len(points)) for k in range(3)], 1)
    unit: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return unit


def sample_shape(rng: np.random.Generator, *, female: bool, age_group: str) -> Shape:
    """A body of a person of this gender presentation and age group (`child`, `adult`, `senior`)."""
    age = {"child": rng.uniform(0.42, 0.50), "adult": rng.uniform(0.62, 0.74), "senior": rng.uniform(0.88, 1.0)}[
        age_group
    ]
    height = rng.normal(0.37, 0.045) if age_group != "child" else rng.normal(0.33, 0.06)
    return Shape(
        gender=float(
            np.clip(0.95 - rng.exponential(0.08), 0.7, 1) if female else np.clip(rng.exponential(0.08), 0, 0.3)
        ),
        age=float(age),
        height=float(np.clip(height, 0.22, 0.52)),
        weight=float(np.clip(rng.normal(0.44, 0.16), 0.12, 0.9)),
        muscle=float(np.clip(rng.normal(0.5, 0.12), 0.2, 0.8)),
        proportions=float(rng.uniform(0.3, 0.8)),
    )


def sample_pose(rng: np.random.Generator, *, held: tuple[bool, bool] = (False, False)) -> Pose:
    """Walking (four in five) or standing, at a random moment."""
    walking = rng.random() < 0.75
    elbows = [float(rng.normal(-0.48, 0.15)), float(rng.normal(-0.48, 0.15))]
    raised, arms_out, gesture, side = [0.0, 0.0], float(rng.normal(0.0, 0.05)), rng.random(), int(rng.integers(0, 2))
    if held[side]:
        side = 1 - side
    if gesture < 0.10 and not held[side]:  # a phone before the chest or at the ear
        elbows[side], raised[side] = float(rng.uniform(-2.2, -1.4)), float(rng.uniform(0.1, 0.6))
    elif gesture < 0.22 and not any(held):  # hands in the pockets, or before the body
        elbows, arms_out, held = [-0.95, -0.95], 0.16, (True, True)
    return Pose(
        phase=float(rng.uniform(0, 2 * np.pi)),
        stride=float(rng.uniform(0.7, 1.15)) if walking else float(rng.uniform(0.0, 0.12)),
        arms_out=arms_out,
        elbows=(elbows[0], elbows[1]),
        lean=float(rng.normal(0.03, 0.03)),
        turn_head=float(rng.normal(0.0, 0.22)),
        held=held,
        raised=(raised[0], raised[1]),
    )


def _part_of(label: str) -> int:
    for part, stems in (
        (mt.EYE, ("eye",)),
        (mt.FOOT, ("foot", "toe")),
        (mt.LEG, ("upperleg", "lowerleg")),
        (mt.HAND, ("wrist", "finger", "metacarpal")),
        (mt.ARM, ("upperarm", "lowerarm")),
        (mt.HEAD, ("head", "neck03")),
    ):
        if label.startswith(stems):
            return part
    return mt.TORSO


def _turn(axis: str | Floats, angle: float) -> Floats:
    vector = np.eye(3)["xyz".index(axis)] if isinstance(axis, str) else axis / np.linalg.norm(axis)
    x, y, z = (float(value) for value in vector)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    result: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return result


def _joint_turns(pose: Pose) -> dict[str, Floats]:
    """Turns of the joints by bone name, about axes of the body (x left, y back, z up)."""
    turns: dict[str, Floats] = {}
    for side, sign, phase, held, elbow, raised in (
        ("L", 1.0, pose.phase, pose.held[0], pose.elbows[0], pose.raised[0]),
        ("R", -1.0, pose.phase + np.pi, pose.held[1], pose.elbows[1], pose.raised[1]),
    ):
        cycle = phase % (2 * np.pi)
        hip = pose.stride * (0.42 * np.cos(cycle) + 0.06)
        bend = 0.06 + pose.stride * (
            0.95 * np.exp(-(((cycle - 4.5) / 0.55) ** 2)) + 0.22 * np.exp(-(((cycle - 0.9) / 0.5) ** 2))
        )
        ankle = pose.stride * (0.25 * np.exp(-(((cycle - 3.6) / 0.5) ** 2)) - 0.12 * np.exp(-((cycle / 0.6) ** 2)))
        turns[f"upperleg01.{side}"] = _turn("x", -hip) @ _turn("y", sign * 0.055)
        turns[f"lowerleg01.{side}"] = _turn("x", bend)
        turns[f"foot.{side}"] = _turn("x", ankle - bend * 0.15 + hip * 0.25) @ _turn("z", sign * 0.05)
        swing = 0.02 - (0.12 if held else 0.42) * pose.stride * np.cos(cycle)
        turns[f"shoulder01.{side}"] = _turn("y", sign * 0.10)
        turns[f"upperarm01.{side}"] = _turn("x", -swing - raised) @ _turn("y", sign * (0.50 - pose.arms_out))
        axis = _ARM_AXIS * np.array([1.0, sign, sign])
        reach = max(elbow, -1.0) if held else elbow + 0.25 * pose.stride * max(-np.cos(cycle), 0.0)
        turns[f"lowerarm01.{side}"] = _turn(axis, reach)
        for finger in range(2, 6):  # the fingers of a hand at rest are a little bent
            for joint in (1, 2, 3):
                turns[f"finger{finger}-{joint}.{side}"] = _turn("y", sign * 0.28)
    twist = 0.08 * pose.stride * np.cos(pose.phase)
    turns["spine05"] = _turn("x", pose.lean)
    turns["spine03"] = _turn("z", twist)
    turns["neck02"] = _turn("z", pose.turn_head * 0.4 - twist)
    turns["head"] = _turn("z", pose.turn_head * 0.6)
    return turns


@contextlib.contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Small products on one thread: quicker on a busy machine, and the same to the last bit on any number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quick_unpacking() -> Iterator[None]:
    """Let anny read its text targets with NumPy while its cache is first built: two minutes become some seconds.

    The numbers are the same (a test compares them); a future anny that reads in another way is left as it is.
    """
    import torch
    from anny.models import full_model

    original = getattr(full_model, "load_blend_shape", None)
    if original is None:
        yield
        return

    def quick(filename: Any, vertices_count: int, world_transformation: Any, dtype: Any) -> Any:
        with gzip.open(filename, "rt") as archive:
            table = np.fromstring(archive.read(), dtype=np.float64, sep=" ").reshape(-1, 4)
        shifts = torch.as_tensor(table[:, 1:], dtype=dtype)
        blend_shape = torch.zeros((vertices_count, 3), dtype=dtype)
        # The transformation is linear, so vertices that do not move need not be transformed.
        blend_shape[torch.from_numpy(table[:, 0].astype(np.int64))] = world_transformation.apply(shifts)
        return blend_shape

    full_model.load_blend_shape = quick
    try:
        yield
    finally:
        full_model.load_blend_shape = original
