from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swiftreid.data import pictures
from swiftreid.data.pictures import BadPicture, find_pictures, read_batches, read_picture, resize, thumbnail
from swiftreid.errors import SwiftReIDError, UsageError


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (16, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def album(folder: Path, count: int, bad: set[int]) -> list[Path]:
    """Pictures whose red value is their number; the numbers in ``bad`` hold text instead."""
    paths = [paint(folder / f"{number:03}.png", (number, 0, 0)) for number in range(count)]
    for number in bad:
        paths[number].write_text("not a picture")
    return paths


def test_resize_averages_when_it_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 255
    small = resize(stripes, 8, 8)
    assert small.shape == (8, 8, 3)
    assert np.abs(small.astype(int) - 127).max() <= 6, "without antialiasing whole rows would be black or white"


def test_resize_to_the_same_size_changes_nothing_and_bad_sizes_are_refused() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    assert np.array_equal(resize(picture, 9, 8), picture)
    assert resize(picture, 256, 128).shape == (256, 128, 3)
    with pytest.raises(UsageError, match="0 x 5"):
        resize(picture, 5, 0)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((256, 128), (128, 64)), ((64, 32), (64, 32)), ((100, 1000), (26, 256)), ((8, 60_000), (1, 256))],
)
def test_thumbnail_fits_and_is_never_enlarged(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    data = thumbnail(np.full((*shape, 3), 200, np.uint8))
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert (image.height, image.width) == expected
    assert abs(int(np.asarray(image).mean()) - 200) < 3


def test_thumbnail_is_4_2_0_of_quality_80() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(thumbnail(noise[:, ::-1])))
    assert [(layer[1], layer[2]) for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]
    reference = io.BytesIO()
    Image.fromarray(noise).save(reference, "JPEG", quality=80)
    assert image.quantization == Image.open(reference).quantization


def test_find_pictures_sorts_and_leaves_hidden_and_other_files_out(tmp_path: Path) -> None:
    wanted = [paint(tmp_path / name, (1, 2, 3)) for name in ("a.JPG", "b/c.png", "b/d/e.webp", "z.tiff")]
    paint(tmp_path / ".hidden.jpg", (0, 0, 0))
    paint(tmp_path / ".cache/x.jpg", (0, 0, 0))
    (tmp_path / "._a.jpg").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "Thumbs.db").write_text("x")
    (tmp_path / "fake.jpg").write_text("not a picture")
    (tmp_path / "b" / "up").symlink_to(tmp_path, target_is_directory=True)
    found = find_pictures(tmp_path)
    assert found == sorted([*wanted, tmp_path / "fake.jpg"])
    with pytest.raises(BadPicture, match=r"fake\.jpg: it is not a picture"):
        read_picture(tmp_path / "fake.jpg")


def test_find_pictures_takes_a_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "no_suffix"
    path.write_bytes(b"x")
    assert find_pictures(path) == [path]


def test_find_pictures_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SwiftReIDError, match="no picture under"):
        find_pictures(tmp_path)
    with pytest.raises(SwiftReIDError, match="does not exist"):
        find_pictures(tmp_path / "gone")

    def deny(_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(SwiftReIDError, match="cannot be listed: Permission denied"):
        find_pictures(tmp_path)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_keep_order_and_leave_bad_pictures_out(tmp_path: Path, threads: int, batch: int) -> None:
    bad = {0, 5, 6, 7, 29}
    paths = album(tmp_path, 30, bad)
    told: list[str] = []
    batches = list(read_batches(paths, 12, 8, batch, threads=threads, on_bad=lambda error: told.append(error.name)))
    good = [number for number in range(30) if number not in bad]
    assert np.concatenate([part.indices for part in batches]).tolist() == good
    stacked = np.concatenate([part.pictures for part in batches])
    assert stacked.shape == (25, 12, 8, 3)
    assert stacked[:, 3, 3, 0].tolist() == good
    assert told == [str(paths[number]) for number in sorted(bad)]
    assert [len(part.indices) for part in batches] == [batch] * (25 // batch) + [25 % batch] * (25 % batch > 0)


def test_without_on_bad_the_first_bad_picture_ends_the_reading(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"013\.png"):
        list(read_batches(album(tmp_path, 20, {13, 15}), 8, 8))


def test_nothing_readable_gives_no_batch(tmp_path: Path) -> None:
    assert list(read_batches([], 8, 8)) == []
    assert list(read_batches(album(tmp_path, 3, {0, 1, 2}), 8, 8, on_bad=lambda error: None)) == []


def test_reading_ahead_is_bounded_and_stops_when_the_caller_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = album(tmp_path, 250, set())
    read: list[Path] = []

    def counting(path: Path) -> np.ndarray:
        read.append(path)
        return read_picture(path)

    monkeypatch.setattr(pictures, "read_picture", counting)
    before = threading.active_count()
    batches = read_batches(paths, 8, 8, batch=16, threads=2)
    next(batches)
    batches.close()
    assert len(read) < 100
    assert threading.active_count() == before


def test_an_error_in_on_bad_reaches_the_caller(tmp_path: Path) -> None:
    def stop(error: BadPicture) -> None:
        raise SwiftReIDError(f"stopped at {Path(error.name).name}")

    with pytest.raises(SwiftReIDError, match=r"stopped at 002\.png"):
        list(read_batches(album(tmp_path, 9, {2}), 8, 8, on_bad=stop))


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"threads": 0}, {"height": 0}, {"width": -1}])
def test_senseless_arguments_are_refused_at_once(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        read_batches([], **{"height": 8, "width": 8, **wrong})
