"""Where a gallery can be created, and what is said where it can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from swiftreid.errors import UsageError
from swiftreid.gallery import Gallery, GalleryPermission


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_missing_folders_above_are_made(tmp_path, create, add):
    with create(tmp_path / "a" / "b" / "people") as gallery:
        add(gallery, ["x"])
        assert gallery.verify().ok
    assert names(tmp_path / "a") == ["b"]
    assert names(tmp_path / "a" / "b") == ["people"]


def test_an_empty_folder_becomes_the_gallery_of_its_owner_alone(tmp_path, path, create, add):
    path.mkdir()
    path.chmod(0o750)
    (tmp_path / "link").symlink_to(path)
    with create(tmp_path / "link") as gallery:
        add(gallery, ["x"])
    assert (tmp_path / "link").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o700
    with Gallery.open(path) as gallery:
        assert gallery.existing(["x"]) == {"x"}


def test_a_gallery_or_a_filled_folder_is_left_alone(path, create, add):
    with create(path) as gallery:
        add(gallery, ["x"])
    with pytest.raises(UsageError, match=r"exists already, and is a gallery.*another path"):
        create(path)
    with pytest.raises(UsageError, match="is a gallery"):
        create(path / "segments" / "..")  # however its path is written
    assert Gallery.open(path).existing(["x"]) == {"x"}


def test_a_filled_folder_and_a_dangling_link_are_refused(tmp_path, path, create):
    path.mkdir()
    (path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty and is not a gallery: choose another path"):
        create(path)
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match="link to nothing"):
        create(tmp_path / "link")
    assert names(path) == ["mine.txt"]


def test_the_current_folder_is_not_pulled_from_under_the_caller(path, create, monkeypatch):
    path.mkdir()
    monkeypatch.chdir(path)
    with pytest.raises(UsageError, match="choose a path inside it"):
        create(Path())


@pytest.mark.parametrize("place", ["/proc/g", "/proc/g/h", "file/g", "file/g/h"])
def test_a_place_that_cannot_be_written(tmp_path, create, place, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalleryPermission, match=r"the folder .* cannot be written") as error:
        create(Path(place))
    assert "verify" not in str(error.value)
    assert names(tmp_path) == ["file"]


def test_folders_made_above_go_again_when_creation_fails(tmp_path, create, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swiftreid.gallery.creation.create_database", refuse)
    with pytest.raises(Exception, match="no room while creating"):
        create(tmp_path / "a" / "b" / "people")
    assert names(tmp_path) == []
