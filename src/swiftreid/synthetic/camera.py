"""Cameras: where they hang, and what their lens, sensor and compression do to a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from swiftreid.synthetic.body import Floats


@dataclass(frozen=True)
class Camera:
    """One fixed camera; colours are changed mildly, as between real cameras that were white-balanced."""

    number: int
    eye: tuple[float, float, float]  # metres
    target: tuple[float, float, float]
    exposure: float
    white: tuple[float, float, float]  # gain of red, green, blue
    contrast: float
    saturation: float
    noise: float  # standard deviation in 8-bit steps
    blur: float  # pixels at 128 x 256
    detail: float  # share of the full resolution that the crop really has
    quality: int  # JPEG


@dataclass(frozen=True)
class Crop:
    """A window of the camera's image plane: rays leave the eye through `corner + step_x * i + step_y * j`."""

    corner: Floats
    step_x: Floats
    step_y: Floats


def sample_cameras(count: int, rng: np.random.Generator) -> list[Camera]:
    """Surveillance cameras between head height and four metres, looking at the place where people walk."""
    return [_sample_camera(number, rng) for number in range(1, count + 1)]


def _sample_camera(number: int, rng: np.random.Generator) -> Camera:
    distance = rng.uniform(4.2, 8.0)
    side = rng.uniform(-0.5, 0.5)
    warm = rng.normal(0.0, 0.045)
    green = rng.normal(0.0, 0.018)
    return Camera(
        number=number,
        eye=(float(distance * np.sin(side)), float(-distance * np.cos(side)), float(rng.uniform(1.6, 3.9))),
        target=(0.0, 0.0, float(rng.uniform(0.8, 1.1))),
        exposure=float(np.exp(rng.normal(0.0, 0.12))),
        white=(float(1 + warm), float(1 + green), float(1 - warm)),
        contrast=float(rng.uniform(0.94, 1.10)),
        saturation=float(rng.uniform(0.68, 0.92)),
        noise=float(rng.uniform(1.0, 3.5)),
        blur=float(rng.uniform(0.3, 0.8)),
        detail=float(rng.uniform(0.6, 1.0)),
        quality=int(rng.integers(78, 90)),
    )


def frame(camera: Camera, points: Floats, size: tuple[int, int], rng: np.random.Generator) -> Crop:
    """The window that a person detector would cut around `points [n, 3]`, with its usual small errors.

    Args:
        camera: The camera.
        points: The person's vertices in the scene.
        size: Height and width of the ray grid in samples.
        rng: Draws the detector's error.
    """
    eye = np.array(camera.eye)
    forward = np.array(camera.target) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    offset = points - eye
    depth = offset @ forward
    x, y = offset @ right / depth, offset @ down / depth
    top, bottom = y.min(), y.max()
    tall = bottom - top
    top -= tall * rng.normal(0.035, 0.02)
    bottom += tall * rng.normal(0.03, 0.02)
    tall = bottom - top
    # Detector boxes follow the person's width; all are stretched to the same picture.
    wide = max((x.max() - x.min()) * rng.uniform(1.04, 1.18), tall * rng.uniform(0.40, 0.48))
    middle = (x.max() + x.min()) / 2 + wide * rng.normal(0.0, 0.025)
    height, width = size
    return Crop(
        corner=forward + right * (middle - wide / 2) + down * top,
        step_x=right * (wide / width),
        step_y=down * (tall / height),
    )


def develop(light: Floats, camera: Camera, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn linear light `[h, w, 3]` into the camera's 8-bit picture of `size` (height, width): tone, blur, noise."""
    value = light * camera.exposure * np.array(camera.white)
    value = value * (1.0 + value / 5.0) / (1.0 + value)  # bends highlights, as a sensor's tone curve does
    value = np.clip(value * 1.45, 0.0, 1.0)
    value = np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 1e-9) ** (1 / 2.4) - 0.055)
    grey = value.mean(axis=2, keepdims=True)
    value = grey + (value - grey) * camera.saturation
    value = 0.5 + (value - 0.5) * camera.contrast
    picture = Image.fromarray(np.clip(value * 255.0 + 0.5, 0, 255).astype(np.uint8))
    height, width = size
    coarse = (max(int(width * camera.detail), 8), max(int(height * camera.detail), 16))
    picture = picture.resize(
        coarse, Image.Resampling.BOX if coarse[0] * 2 <= light.shape[1] else Image.Resampling.LANCZOS
    )
    pixels = np.asarray(picture, dtype=np.float64)
    pixels = pixels + rng.normal(0.0, camera.noise, pixels.shape[:2])[..., None]
    pixels = pixels + rng.normal(0.0, camera.noise * 0.5, pixels.shape)
    picture = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    picture = picture.filter(ImageFilter.GaussianBlur(camera.blur * height / 256))
    return np.asarray(picture)


def compress(picture: NDArray[np.uint8], camera: Camera) -> bytes:
    """JPEG bytes of `picture [h, w, 3]` at the camera's quality."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=camera.quality, optimize=True)
    return buffer.getvalue()
