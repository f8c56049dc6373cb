"""Whatever the umask, a gallery's owner alone has rights to its folder and files; wider galleries are warned of."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import gallery_samples as samples
import pytest

from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.gallery import Gallery, GalleryOpenToOthers


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in paths}


def assert_private(folder: Path) -> None:
    for name, mode in modes(folder).items():
        assert mode == (0o700 if name in {".", "segments"} else 0o600), (name, oct(mode))


def test_every_file_is_private_at_every_step(path, spec, tmp_path, umask, monkeypatch):
    seen: set[str] = set()
    rename = Path.rename

    def look(source, target):
        seen.add(source.name)
        assert source.stat().st_mode & 0o077 == 0, source
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", look)
    (tmp_path / "e").write_bytes(b"weights")
    (tmp_path / "e").chmod(0o644)
    with Gallery.create(
        path, encoder_name="e", fingerprint=samples.PRINT, spec=spec, encoder_file=tmp_path / "e", segment_size=10
    ) as gallery:
        assert_private(path)
        samples.add(gallery, [f"e{i}" for i in range(25)])
        assert {"gallery.db", "gallery.db-wal", "gallery.db-shm", "lock", "encoder.safetensors"} <= set(modes(path))
        assert_private(path)
        with gallery.snapshot():
            gallery.delete(["e3"])
            gallery.compact()
            assert_private(path)
    assert_private(path)
    assert {name.rpartition(".")[2] for name in seen} >= {"partial"}
    with Gallery.open(path, read_only=True):
        assert_private(path)


def test_a_folder_that_was_there_becomes_private(path, create, umask):
    path.mkdir()
    path.chmod(0o755)
    create(path).close()
    assert_private(path)


def opened_with_warnings(path: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Gallery.open(path, read_only=True).close()
    assert all(issubclass(warning.category, GalleryOpenToOthers) for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("name", "mode"), [(".", 0o755), (".", 0o710), ("segments", 0o707), ("gallery.db", 0o644), ("lock", 0o620)]
)
def test_a_wider_gallery_is_warned_of_by_name_with_advice(path, create, add, name, mode):
    with create(path) as gallery:
        add(gallery, [f"e{i}" for i in range(12)])
    assert opened_with_warnings(path) == []
    (path / name).chmod(mode)
    (warning,) = opened_with_warnings(path)
    assert f"{path / name} ({mode:04o})" in warning
    assert f"'chmod -R go-rwx {path}'" in warning
    subprocess.run(["chmod", "-R", "go-rwx", str(path)], check=True)
    assert opened_with_warnings(path) == []


def test_new_files_keep_to_the_rights_that_the_operator_gave(path, create, add):
    """As SQLite's log does: a gallery that is shared with a group on purpose stays usable for all of it."""
    create(path).close()
    subprocess.run(["chmod", "-R", "g+rwX", str(path)], check=True)
    with pytest.warns(GalleryOpenToOthers):
        gallery = Gallery.open(path)
    with gallery:
        add(gallery, [f"e{i}" for i in range(12)])
        found = modes(path)
    assert [mode for name, mode in found.items() if name.startswith("segments/")] == [0o660]
    assert found["gallery.db-wal"] == 0o660


def test_an_outside_process_sees_no_file_of_another_user(tmp_path, create, add):
    if os.getuid() != 0:
        pytest.skip("needs root to act as another user")
    tmp_path.chmod(0o755)
    with create(tmp_path / "people") as gallery:
        add(gallery, [f"e{i}" for i in range(12)])
    code = "import os, sys; os.setgid(65534); os.setuid(65534); os.listdir(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "people")], capture_output=True, check=False)
    assert b"PermissionError" in done.stderr


def test_saved_bytes_are_private_from_the_first_on(tmp_path, umask, monkeypatch):
    target = tmp_path / "search.png"
    target.write_bytes(b"old")
    target.chmod(0o644)
    save_bytes(target, b"new", mode=PRIVATE_FILE)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
