from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_figures import draw_person
from swiftreid.data.pictures import BadPicture, find_pictures, read_picture
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.encoding.stream import encode_all, encode_paths
from swiftreid.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(7):
        draw_person(i, 1, 1, (50, 120)).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"broken")
    return tmp_path


def test_unreadable_pictures_are_reported_and_places_kept(folder: Path) -> None:
    paths, bad, seen = find_pictures(folder), [], []
    kept, encoding = encode_all(
        open_encoder("stripes"),
        paths,
        on_bad=bad.append,
        progress=lambda _, *counts: seen.append(counts),
    )
    assert kept.tolist() == [0, 1, 2, 4, 5, 6]
    assert [Path(e.name).name for e in bad] == ["3.png"]
    assert encoding.codes["id128"].shape == (6, 16)
    assert seen[-1] == (7, 7)


def test_without_a_handler_the_first_bad_picture_raises(folder: Path) -> None:
    with pytest.raises(BadPicture, match=r"3\.png"):
        encode_all(open_encoder("stripes"), find_pictures(folder))


def test_batches_equal_one_by_one(folder: Path) -> None:
    (folder / "3.png").unlink()
    encoder, paths = open_encoder("stripes"), find_pictures(folder)
    _, whole = encode_all(encoder, paths)
    parts = list(encode_paths(encoder, paths, batch=2))
    np.testing.assert_array_equal(np.concatenate([p.encoding.codes["id512"] for p in parts]), whole.codes["id512"])
    assert all(p.thumbnails == [] for p in parts)


def test_thumbnails_are_small_jpegs_of_the_original(folder: Path) -> None:
    (folder / "3.png").unlink()
    (batch,) = encode_paths(open_encoder("stripes"), find_pictures(folder), thumbnails=True)
    assert len(batch.thumbnails) == 6
    assert read_picture(batch.thumbnails[0], name="thumbnail").shape == (120, 50, 3)


def test_a_folder_without_readable_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    kept, encoding = encode_all(open_encoder("stripes"), find_pictures(tmp_path), on_bad=lambda _: None)
    assert len(kept) == 0
    assert encoding.codes["id32"].shape == (0, 4)


def test_no_samples_are_no_unreadable_pictures() -> None:
    with pytest.raises(UsageError, match="there are no pictures to encode"):
        encode_samples(open_encoder("stripes"), [])
