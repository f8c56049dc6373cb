"""Cameras: where they hang in a place, which window of their picture shows a person, and what a detector cuts out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic.body import Floats
from swiftreid.synthetic.scene import Scene
from swiftreid.synthetic.sensor import Look, sample_look

LEAST_TALL = 32  # pixels of the camera's picture; a smaller person would not have been detected


@dataclass(frozen=True)
class VirtualCamera:
    """One camera. It hangs in every scene, at a place of its own.

    Attributes:
        number: from 1.
        azimuth: radians, on which side of the place it hangs.
        distance: metres from where people walk, if the place is that large.
        height: metres over the ground, if the ceiling is that high.
        roll: radians that it hangs askew.
        tall: pixels that somebody of 1.7 m at `distance` is tall in its picture.
        look: what its lens, sensor and compression do.
    """

    number: int
    azimuth: float
    distance: float
    height: float
    roll: float
    tall: float
    look: Look


@dataclass(frozen=True)
class CameraView:
    """A camera in a scene: its eye (metres), where it looks, and pixels for a ray's slope of 1."""

    eye: Floats
    forward: Floats
    right: Floats
    down: Floats
    focal: float


@dataclass(frozen=True)
class Crop:
    """A window of `size` pixels (height, width): rays leave the eye through `corner + step_x * i + step_y * j`."""

    corner: Floats
    step_x: Floats
    step_y: Floats
    size: tuple[int, int]

    def split(self, down: int, across: int) -> Crop:
        """The same window with `down` x `across` rays for each pixel."""
        height, width = self.size
        return Crop(self.corner, self.step_x / across, self.step_y / down, (height * down, width * across))


def sample_cameras(count: int, seed: int, *, light: bool = True, wear: bool = True) -> list[VirtualCamera]:
    """Surveillance cameras; `light` and `wear` False give them all the same colours, or clean and sharp pictures."""
    cameras = []
    for number in range(1, count + 1):
        rng = np.random.default_rng([seed, 2, number])
        cameras.append(
            VirtualCamera(
                number=number,
                azimuth=float(rng.uniform(0, 2 * np.pi)),
                distance=float(np.exp(rng.uniform(np.log(4.2), np.log(14.0)))),
                height=float(
                    rng.choice([rng.uniform(1.5, 2.4), rng.uniform(2.4, 4.5), rng.uniform(4.0, 6.0)], p=[0.3, 0.5, 0.2])
                ),
                roll=float(rng.normal(0.0, 0.025)),
                tall=float(np.exp(rng.uniform(np.log(78), np.log(250)))) if wear else 256.0,
                look=sample_look(np.random.default_rng([seed, 7, number]), light=light, wear=wear),
            )
        )
    return cameras


def hang(camera: VirtualCamera, scene: Scene, rng: np.random.Generator) -> CameraView:
    """Where the camera hangs in this scene, and where it looks."""
    azimuth = camera.azimuth + rng.normal(0.0, 0.35)
    aim = np.array(
        [rng.uniform(-0.4, 0.4) * scene.zone[0], rng.uniform(-0.3, 0.3) * scene.zone[1], rng.uniform(0.7, 1.2)]
    )
    away = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0]) * camera.distance * rng.uniform(0.8, 1.2)
    x0, x1, y0, y1 = scene.room
    eye = np.clip(aim + away, [x0, y0, 0], [x1, y1, 9])
    if np.hypot(*(eye - aim)[:2]) < 3.2:  # a narrow place: hang at its far end
        eye[0] = aim[0] + np.sign(away[0] + 1e-9) * max(4.0, min(camera.distance, 9.0))
        eye[0] = np.clip(eye[0], x0, x1)
    eye[2] = min(camera.height, scene.ceiling)
    forward = aim - eye
    reach = np.linalg.norm(forward)
    forward = forward / reach
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(camera.roll), np.sin(camera.roll)
    right, down = right * cos + down * sin, down * cos - right * sin
    return CameraView(eye, forward, right, down, camera.tall * float(reach) / 1.7)


def spots(view: CameraView, scene: Scene, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places `[n, 2]` in the scene where people may stand, and how badly `[n]` the camera sees them: 0 is well."""
    places = rng.uniform(-1.0, 1.0, (160, 2)) * np.array(scene.zone)
    flat = view.forward[:2] / np.linalg.norm(view.forward[:2])
    gap = places - view.eye[:2]
    depth, aside = gap @ flat, np.abs(gap[:, 0] * flat[1] - gap[:, 1] * flat[0])
    tall = view.focal * 1.7 / np.maximum(depth, 0.1)
    near, far = np.maximum(2.8 - depth, 0), np.maximum(52 - tall, 0) / 20 + np.maximum(tall - 330, 0) / 100
    return places, 2.0 * near + np.maximum(aside - 0.5 * np.maximum(depth, 0), 0) + far


def project(view: CameraView, points: Floats) -> Floats:
    """Pixels `[n, 2]` (x, y) of points `[n, 3]`, from the middle of the camera's picture."""
    offset = points - view.eye
    depth = np.maximum(offset @ view.forward, 0.05)
    return np.stack([offset @ view.right / depth, offset @ view.down / depth], 1) * view.focal


def detect(view: CameraView, points: Floats, rng: np.random.Generator, *, errors: bool, most: int) -> Crop:
    """The window that a person detector would cut around `points [n, 3]`.

    Args:
        view: The camera in its scene.
        points: The person's vertices in the scene.
        rng: Draws the detector's errors.
        errors: Whether it makes any: cut off feet or heads, windows too large, too small or to one side.
        most: pixels that the window may be tall; a larger one is taken with fewer.
    """
    across, down = project(view, points).T
    left, right, top, bottom = across.min(), across.max(), down.min(), down.max()
    tall, wide = bottom - top, right - left
    draw = rng.uniform(0.0, 1.0, 8)
    small = rng.normal(0.0, 1.0, 6)
    if errors:
        over, under = 0.03 + 0.025 * small[0], 0.03 + 0.025 * small[1]
        pad, aside = 1.02 + 0.22 * draw[1], 0.035 * small[2]
        fault = draw[0]
        if fault < 0.10:  # too large
            over, under, pad = over + 0.22 * draw[2], under + 0.20 * draw[3], pad + 0.5 * draw[4]
        elif fault < 0.18:  # too small
            over, under, pad = -0.07 * draw[2], -0.10 * draw[3], 0.75 + 0.2 * draw[4]
        elif fault < 0.27:  # feet missing
            under = -0.05 - 0.24 * draw[2]
        elif fault < 0.30:  # part of the head missing
            over = -0.03 - 0.06 * draw[2]
        elif fault < 0.38:  # to one side
            aside = (0.10 + 0.18 * draw[2]) * np.sign(small[3])
        slim, stretch = 0.33 + 0.13 * draw[5], np.exp(0.06 * small[4])
    else:
        over, under, pad, aside, slim, stretch = 0.03, 0.03, 1.1, 0.0, 0.42, 1.0
    top, bottom = top - tall * over, bottom + tall * under
    middle = (left + right) / 2 + wide * aside
    wide = max(wide * pad, (bottom - top) * slim) * stretch
    height = int(np.clip(round(bottom - top), LEAST_TALL, most))
    width = max(round(float(wide * height / (bottom - top))), LEAST_TALL // 3)
    return Crop(
        corner=view.forward + (view.right * (middle - wide / 2) + view.down * top) / view.focal,
        step_x=view.right * (wide / view.focal / width),
        step_y=view.down * ((bottom - top) / view.focal / height),
        size=(height, width),
    )
