"""What a camera makes of the light: exposure, colour, blur, noise, sharpening, compression and low resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from swiftreid.synthetic.light import Light, strength
from swiftreid.synthetic.people import Rgb

Pixels = NDArray[np.float32]
Picture = NDArray[np.uint8]
_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Look:
    """How one camera's pictures look.

    Attributes:
        exposure: factor on what automatic exposure chooses.
        white: gains of red, green, blue.
        adapts: how far white balance takes away the light's colour, 0 to 1.
        gamma: above 1 is darker in the middle.
        contrast: around middle grey.
        saturation: 0 is grey, 1 true.
        veil: light that the lens scatters over everything, 0 to 0.1.
        noise: standard deviation in 8-bit steps, by day.
        blur: standard deviation in pixels of the camera's own picture.
        motion: pixels that people move while the shutter is open.
        sharpen: strength of edge enhancement.
        quality: of the JPEG compression of the camera's own picture.
        coarse_colour: whether that compression halves the resolution of colour.
        enlarge: 0 to 2: bilinear, bicubic, Lanczos.
        stored: JPEG quality of the cut-out picture.
    """

    exposure: float
    white: Rgb
    adapts: float
    gamma: float
    contrast: float
    saturation: float
    veil: float
    noise: float
    blur: float
    motion: float
    sharpen: float
    quality: int
    coarse_colour: bool
    enlarge: int
    stored: int


CLEAN = Look(1.0, (1.0, 1.0, 1.0), 1.0, 1.0, 1.0, 0.9, 0.0, 0.0, 0.3, 0.0, 0.0, 95, False, 1, 95)
"""Neutral colours, sharp and hardly compressed."""


def sample_look(rng: np.random.Generator, *, light: bool = True, wear: bool = True) -> Look:
    """A camera's look; without `light` its colours are neutral, without `wear` its pictures are clean and sharp."""
    warm, green = rng.normal(0.0, 0.055), rng.normal(0.0, 0.02)
    drawn = Look(
        exposure=float(np.exp(rng.normal(0.0, 0.16))),
        white=(float(1 + warm), float(1 + green), float(1 - warm)),
        adapts=float(rng.uniform(0.55, 1.0)),
        gamma=float(np.exp(rng.normal(0.0, 0.10))),
        contrast=float(rng.uniform(0.85, 1.25)),
        saturation=float(rng.uniform(0.65, 1.12)),
        veil=float(max(rng.normal(0.01, 0.02), 0.0)),
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(3.2)))),
        blur=float(rng.uniform(0.2, 0.75)),
        motion=float(rng.uniform(0.0, 1.2)),
        sharpen=float(rng.choice([0.0, rng.uniform(0.2, 1.4)])),
        quality=int(rng.integers(30, 60)) if rng.random() < 0.25 else int(rng.integers(60, 96)),
        coarse_colour=bool(rng.random() < 0.8),
        enlarge=int(rng.integers(0, 3)),
        stored=int(rng.integers(85, 96)),
    )
    names: tuple[str, ...] = ()
    if not light:
        names += ("exposure", "white", "adapts", "gamma", "contrast", "saturation", "veil")
    if not wear:
        names += ("noise", "blur", "motion", "sharpen", "quality", "coarse_colour", "stored")
    return replace(drawn, **{name: getattr(CLEAN, name) for name in names})


def develop(light: Pixels, look: Look, hour: Light, rng: np.random.Generator, *, steady: bool = False) -> Picture:
    """The camera's own 8-bit picture of linear `light [h, w, 3]`.

    `steady` leaves out what changes from shot to shot in exposure and colour.
    """
    shake = rng.normal(0.0, 1.0, 6) * (0.0 if steady else 1.0)
    cast = np.array(hour.sky) * 0.75 + np.array(hour.sun_colour) * 0.45
    balance = (cast.mean() / cast) ** look.adapts
    power = strength(hour)
    gain = 1.12 / power * power**0.15 * (1.0 - 0.25 * hour.dim) * look.exposure * np.exp(0.09 * shake[0])
    tint = np.array([1 + 0.015 * shake[1], 1 + 0.006 * shake[2], 1 - 0.015 * shake[1]])
    value = light * (gain * balance * np.array(look.white) * tint).astype(np.float32)
    if look.blur > 0:
        value = _blur(value, look.blur * float(np.exp(0.15 * rng.normal())), 0)
        value = _blur(value, look.blur, 1)
    if look.motion > 0:
        value = _blur(value, 0.5 * look.motion * abs(float(rng.normal())) * (1 + hour.dim), 1)
    value = value * (1.0 + value / 5.0) / (1.0 + value) * 1.45  # bends highlights, as a sensor's tone curve does
    value = look.veil + (1.0 - look.veil) * value
    value = np.clip(value, 0.0, 1.0) ** np.float32(look.gamma)
    value = np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 1e-9) ** (1 / 2.4) - 0.055)
    grey = value @ np.array([0.3, 0.59, 0.11], dtype=np.float32)
    value = grey[..., None] + (value - grey[..., None]) * np.float32(
        look.saturation * (1.0 - 0.4 * hour.dim) * (1.0 + 0.04 * shake[3])
    )
    value = 0.45 + (value - 0.45) * np.float32(look.contrast * (1.0 + 0.03 * shake[4]))
    value = (value * 255.0).astype(np.float32)
    sigma = look.noise * (1.0 + 1.5 * hour.dim)
    if sigma > 0:
        speck = rng.standard_normal((*grey.shape, 1), dtype=np.float32)
        colour = _blur(rng.standard_normal(value.shape, dtype=np.float32), 0.8, 1)
        value = value + sigma * (0.8 * speck + 0.5 * colour) * (0.6 + 0.8 * np.sqrt(np.maximum(grey, 0.0)))[..., None]
    if look.sharpen > 0:
        value = value + look.sharpen * (value - _blur(_blur(value, 1.0, 0), 1.0, 1))
    taken: Picture = np.clip(value + 0.5, 0, 255).astype(np.uint8)
    return taken


def record(picture: Picture, look: Look, size: tuple[int, int], rng: np.random.Generator) -> bytes:
    """JPEG bytes of a cut-out picture of `size` (height, width), made of the camera's own compressed `picture`."""
    if look.quality < CLEAN.quality or look.coarse_colour:
        # The window lies anywhere on the grid of 8 x 8 blocks of the camera's own picture.
        down, across = (int(value) for value in rng.integers(0, 16, 2))
        quality = int(np.clip(look.quality + rng.integers(-4, 5), 30, 95))
        padded = np.pad(picture, ((down, 0), (across, 0), (0, 0)), mode="edge")
        taken = simplejpeg.encode_jpeg(padded, quality=quality, colorsubsampling="420" if look.coarse_colour else "444")
        picture = np.ascontiguousarray(simplejpeg.decode_jpeg(taken)[down:, across:])
    height, width = size
    resized = np.asarray(Image.fromarray(picture).resize((width, height), _FILTERS[look.enlarge]))
    content: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(resized), quality=look.stored, colorsubsampling="420")
    return content


def shrink(light: Pixels, size: tuple[int, int]) -> Pixels:
    """Mean of `light [h, w, 3]` over the rays of each of `size` (height, width) pixels."""
    height, width = size
    down, across = light.shape[0] // height, light.shape[1] // width
    result: Pixels = light.reshape(height, down, width, across, 3).mean((1, 3), dtype=np.float32)
    return result


def _blur(value: Pixels, sigma: float, axis: int) -> Pixels:
    """Gaussian blur along one axis, edges repeated."""
    reach = int(np.ceil(2.5 * sigma))
    if sigma < 0.15 or reach < 1:
        return value
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    pad = [(0, 0)] * value.ndim
    pad[axis] = (reach, reach)
    padded = np.pad(value, pad, mode="edge")
    length = value.shape[axis]
    total = np.zeros_like(value)
    for k, weight in enumerate(weights):
        part = padded[k : k + length] if axis == 0 else padded[:, k : k + length]
        total += part * np.float32(weight)
    return total
