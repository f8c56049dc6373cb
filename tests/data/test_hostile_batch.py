"""One folder with every kind of file that goes wrong elsewhere, read in batches as every command reads pictures."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from swiftreid.data.pictures import BadPicture, find_pictures, read_batches

HEIGHT, WIDTH = 48, 32


def scene() -> np.ndarray:
    """Upright it is red above and green below, with a blue corner at the upper left."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[: HEIGHT // 2] = (220, 20, 20)
    picture[HEIGHT // 2 :] = (20, 220, 20)
    picture[:12, :12] = (20, 20, 220)
    return picture


def encoded(picture: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(stream, kind, **options)
    return stream.getvalue()


def jpeg(picture: np.ndarray, **options: object) -> bytes:
    return encoded(picture, "JPEG", quality=95, subsampling=0, **options)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter for viewing
    return jpeg(np.ascontiguousarray(np.rot90(scene(), 1)), exif=exif)


def animated() -> bytes:
    frames = [Image.fromarray(scene()), Image.new("RGB", (WIDTH, HEIGHT), "white")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def huge() -> bytes:
    data = bytearray(jpeg(scene()))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    return bytes(data)


def deep_grey() -> bytes:
    return encoded(Image.fromarray(scene().mean(axis=2).astype(np.uint16) * 257), "PNG")


READ: dict[str, Callable[[], bytes]] = {
    "plain.jpg": lambda: jpeg(scene()),
    "animated.gif": animated,
    "cmyk.jpg": lambda: encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95),
    "deep.png": deep_grey,
    "palette.png": lambda: encoded(Image.fromarray(scene()).quantize(8), "PNG"),
    "rotated.jpg": rotated,
    "wrongly_named.jpg": lambda: encoded(scene(), "PNG"),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "huge.jpg": (huge, "20,000 x 20,000"),
    "one_pixel.png": (lambda: encoded(np.zeros((1, 1, 3), np.uint8), "PNG"), "1 x 1"),
    "text.jpg": (lambda: b"<html>404 not found</html>", "not a picture"),
    "truncated.jpg": (lambda: jpeg(scene())[:-200], "truncated"),
    "truncated.png": (lambda: encoded(scene(), "PNG")[:-30], "truncated"),
    "zero_bytes.jpg": (lambda: b"", "empty"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    for name, make in READ.items():
        (root / name).write_bytes(make())
    for name, (make, _) in REFUSED.items():
        (root / name).write_bytes(make())
    return root


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [1, 4, 64])
def test_every_hostile_file_is_read_right_or_named_with_its_reason(folder: Path, batch: int, threads: int) -> None:
    paths = find_pictures(folder)
    assert [path.name for path in paths] == sorted([*READ, *REFUSED])
    bad: list[BadPicture] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches = list(
            read_batches(paths, HEIGHT, WIDTH, batch, threads=threads, thumbnail_height=32, on_bad=bad.append)
        )
    assert [Path(error.name).name for error in bad] == sorted(REFUSED)
    for error in bad:
        assert REFUSED[Path(error.name).name][1] in error.reason
    indices = np.concatenate([part.indices for part in batches])
    assert [paths[index].name for index in indices] == sorted(READ)
    assert len(indices) + len(bad) == len(paths), "the summary's numbers add up"
    pictures = np.concatenate([part.pictures for part in batches])
    assert pictures.shape == (len(READ), HEIGHT, WIDTH, 3)
    for name, picture in zip(sorted(READ), pictures, strict=True):
        expected = scene().astype(float)
        if name == "deep.png":
            expected = np.repeat(expected.mean(axis=2).astype(int)[..., None], 3, axis=2).astype(float)
        assert np.abs(picture - expected).mean() < 8, name
    thumbnails = [small for part in batches for small in part.thumbnails]
    assert [Image.open(io.BytesIO(small)).size for small in thumbnails] == [(21, 32)] * len(READ)


def test_a_giant_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real 20,000 x 20,000 picture, small on disk; decoded it would take 1.2 GB."""
    (tmp_path / "giant.png").write_bytes(encoded(Image.new("1", (20_000, 20_000)), "PNG", compress_level=1))
    loaded: list[object] = []
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", loaded.append)
    bad: list[BadPicture] = []
    assert list(read_batches(find_pictures(tmp_path), HEIGHT, WIDTH, on_bad=bad.append)) == []
    assert loaded == []
    assert ["20,000 x 20,000" in error.reason for error in bad] == [True]
