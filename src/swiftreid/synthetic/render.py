"""From a dressed person, a scene and a camera to a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.synthetic.body import Floats, sample_pose
from swiftreid.synthetic.camera import Camera, Crop, develop, frame
from swiftreid.synthetic.extra import load_warp
from swiftreid.synthetic.scene import Scene
from swiftreid.synthetic.wardrobe import Dressed, Figure, outfit

SAMPLES = 1.5  # rays per pixel and axis


def trace(
    figure: Figure,
    cut: tuple[Floats, Floats, Floats, Floats],
    scene: Scene,
    camera: Camera,
    crop: Crop,
    *,
    size: tuple[int, int],
    seed: int,
) -> Floats:
    """Linear light `[h, w, 3]` of one window; `size` counts rays (height, width), `cut` comes from :func:`outfit`."""
    wp = load_warp()
    from swiftreid.synthetic import kernels

    def vectors(values: Floats) -> Any:
        return wp.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1, 3), dtype=wp.vec3, device="cpu")

    def vector(values: Any) -> Any:
        return wp.vec3(*(float(value) for value in values))

    height, width = size
    points = vectors(figure.points)
    triangles = wp.array(figure.faces.astype(np.int32).ravel(), dtype=wp.int32, device="cpu")
    mesh = wp.Mesh(points=points, indices=triangles)
    low, high, first, second, texture = scene.arrays()
    cuts, colour_a, colour_b, pattern = cut
    out = wp.zeros(height * width, dtype=wp.vec3, device="cpu")
    feet = (figure.points[:, :2].min(0) + figure.points[:, :2].max(0)) / 2
    wp.launch(
        kernels.cast,
        dim=height * width,
        inputs=[
            mesh.id,
            triangles,
            vectors(figure.normals),
            vectors(figure.canon),
            wp.array(figure.kinds.astype(np.int32), dtype=wp.int32, device="cpu"),
            wp.array(cuts.astype(np.float32), dtype=float, device="cpu"),
            vectors(colour_a),
            vectors(colour_b),
            vectors(pattern),
            vectors(low),
            vectors(high),
            vectors(first),
            vectors(second),
            wp.array(texture.astype(np.float32), dtype=wp.vec2, device="cpu"),
            len(low),
            vector(camera.eye),
            vector(crop.corner),
            vector(crop.step_x),
            vector(crop.step_y),
            width,
            vector(scene.sun),
            vector(scene.sun_colour),
            scene.sun_spread,
            vector(scene.sky),
            vector(scene.bounce),
            vector((feet[0], feet[1], 0.0)),
            seed,
            scene.seed,
        ],
        outputs=[out],
        device="cpu",
    )
    light: Floats = out.numpy().reshape(height, width, 3).astype(np.float64)
    return light


def place(figure: Figure, where: tuple[float, float], heading: float) -> Figure:
    """Turn a figure about z by `heading` (0 faces -y, towards the cameras) and put its feet at `where`."""
    cos, sin = np.cos(heading), np.sin(heading)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    points = figure.points @ turn.T + np.array([where[0], where[1], 0.0])
    return Figure(points, figure.normals @ turn.T, figure.canon, figure.faces, figure.kinds)


def shoot(
    dressed: Dressed, scene: Scene, camera: Camera, size: tuple[int, int], *, heading: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One picture `[h, w, 3]` of a person in a random pose and place, walking in direction `heading`."""
    person = dressed.person
    carrying = person.attributes.handbag != "no" and person.handbag_carried
    pose = sample_pose(rng, held=(carrying and person.handbag_side > 0, carrying and person.handbag_side < 0))
    figure = place(dressed.figure(pose), (float(rng.uniform(-1.8, 1.8)), float(rng.uniform(-1.2, 1.2))), heading)
    rays = (int(size[0] * SAMPLES), int(size[1] * SAMPLES))
    crop = frame(camera, figure.points, rays, rng)
    light = trace(figure, outfit(person), scene, camera, crop, size=rays, seed=int(rng.integers(1, 2**30)))
    return develop(light, camera, size, rng)
