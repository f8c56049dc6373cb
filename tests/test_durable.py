from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from swiftreid import durable
from swiftreid.durable import save_bytes, write_file
from swiftreid.errors import SwiftReIDError


def test_new_content_replaces_old_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deeper" / "card.json"
    for content in (b"first and longer", b"second"):
        save_bytes(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_content_is_flushed_before_the_name_shows_it_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.json"
    seen: list[tuple[bool, bool]] = []

    def note(descriptor: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))

    monkeypatch.setattr(durable, "flush", note)
    save_bytes(path, b"x")
    assert seen == [(False, False), (True, True)]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_half_way_leaves_the_old_file_alone(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"ne")
        raise failure

    with pytest.raises(type(failure)):
        write_file(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "card.json")
    for content in (b"one", b"two"):
        save_bytes(tmp_path / "link.json", content)
        assert (tmp_path / "link.json").is_symlink()
        assert (tmp_path / "real" / "card.json").read_bytes() == content


def test_a_device_or_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        save_bytes(pipe, b"through")
        assert os.read(reader, 99) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", [".", "/", "folder"])
def test_a_folder_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SwiftReIDError, match=rf"could not write {name}: Is a directory"):
        save_bytes(Path(name), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
