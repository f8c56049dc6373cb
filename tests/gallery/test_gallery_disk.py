"""Full disks, limits, missing rights, and the order in which things reach the disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.gallery import Entry, Gallery, GalleryFull, GalleryPermission

HERE = str(Path(__file__).parent)


def mount(target, *options):
    try:
        done = subprocess.run(["mount", *options, str(target)], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr.decode().strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount(disk, "-t", "tmpfs", "-o", "size=3m", "tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def big_batch(start, count=20):
    """Entries with thumbnails of 3 KB."""
    ids = [f"e{start + i}" for i in range(count)]
    return [Entry(id_, "c1", thumbnail=(id_ * 1500)[:3000].encode()) for id_ in ids], samples.codes_of(ids)


def fill(gallery, start=0):
    """Add until the disk is full; return how many entries were acknowledged."""
    while True:
        entries, codes = big_batch(start)
        try:
            gallery.add(entries, codes, fingerprint=samples.PRINT)
        except GalleryFull as error:
            if "nothing acknowledged earlier was lost. Free space" not in str(error):
                raise
            return start
        start += len(entries)


def check(path, count):
    with Gallery.open(path, read_only=True) as gallery:
        assert gallery.verify().problems == []
        with gallery.snapshot() as view:
            ids = [f"e{i}" for i in range(count)]
            assert view.ids(range(len(view))) == ids
            for name, expected in samples.codes_of(ids).items():
                assert np.array_equal(view.table.rows(name, np.arange(count)), expected)


def test_a_full_disk_loses_nothing_and_the_gallery_goes_on_once_there_is_room(small_disk, create):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    path = small_disk / "people"
    with create(path, segment_size=64) as gallery:
        count = fill(gallery)
        assert count > 100
        assert gallery.get("e1").thumbnail is not None  # reading goes on
        check(path, count)
        filler.unlink()
        more = fill(gallery, count)
        assert more > count
        check(path, more)
    check(path, more)
    with Gallery.open(path) as gallery:
        assert fill(gallery, more) >= more


def test_creating_on_a_full_disk_leaves_nothing_behind(small_disk, create):
    (small_disk / "filler").write_bytes(bytes(3 * 1024 * 1024 - 40_000))
    with pytest.raises(GalleryFull, match="creating"):
        create(small_disk / "people")
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


def test_a_limit_on_file_size_is_a_full_disk_too(path, create):
    create(path, segment_size=64).close()
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[2]); import test_gallery_disk as t\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))\n"
        "with t.Gallery.open(sys.argv[1]) as gallery: print(t.fill(gallery))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), HERE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    check(path, int(done.stdout))
    with Gallery.open(path) as gallery:
        entries, codes = big_batch(int(done.stdout))
        assert gallery.add(entries, codes, fingerprint=samples.PRINT) == 20


def test_a_database_that_may_not_grow(gallery):
    gallery._catalogue._db.execute("PRAGMA max_page_count = 60")
    count = fill(gallery)
    check(gallery.path, count)
    gallery._catalogue._db.execute("PRAGMA max_page_count = 100000")
    entries, codes = big_batch(count)
    gallery.add(entries, codes, fingerprint=samples.PRINT)
    check(gallery.path, count + 20)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO])
def test_a_seal_without_room_is_put_off_and_made_up_for(gallery, add, monkeypatch, code, caplog):
    def refuse(descriptor):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr("swiftreid.durable.flush", refuse)
        assert add(gallery, [f"e{i}" for i in range(12)]) == 12  # acknowledged: the entries are durable without it
    assert "put off" in caplog.text
    assert (gallery.info().segments, gallery.info().unsealed) == (0, 12)
    assert list((gallery.path / "segments").iterdir()) == []
    check(gallery.path, 12)
    add(gallery, [f"e{i}" for i in range(12, 23)])
    assert (gallery.info().segments, gallery.info().unsealed) == (2, 3)
    check(gallery.path, 23)


def test_a_compaction_without_room_changes_nothing(gallery, add, monkeypatch):
    add(gallery, [f"e{i}" for i in range(12)])
    gallery.delete(["e3"])

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("swiftreid.durable.flush", refuse)
        with pytest.raises(GalleryFull, match="compacting"):
            gallery.compact()
    assert gallery.verify().ok
    assert (gallery.info().entries, gallery.info().deleted) == (11, 1)
    assert gallery.compact().erased == 1


def as_nobody(code, *arguments):
    """Run Python code as a user without rights; skip where we can't become one."""
    if os.getuid() != 0:
        pytest.skip("needs root to act as another user")
    code = f"import sys; from swiftreid.gallery import *; import os; os.setgid(65534); os.setuid(65534)\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("mode", "says"), [(0o755, "may not be written"), (0o700, "refused")])
def test_missing_rights_are_said_clearly(tmp_path, create, add, mode, says):
    tmp_path.chmod(0o755)
    with create(tmp_path / "people") as gallery:
        add(gallery, [f"e{i}" for i in range(12)])
    (tmp_path / "people").chmod(mode)
    code = "try: Gallery.open(sys.argv[1])\nexcept GalleryPermission as error: print(error)"
    done = as_nobody(code, tmp_path / "people")
    assert says in done.stdout, done
    code = (
        "from swiftreid.search.codes import CodeSpec\n"
        "try: Gallery.create(sys.argv[1], encoder_name='e', fingerprint='f', spec=CodeSpec.parse('id32'))\n"
        "except GalleryPermission as error: print(error)"
    )
    done = as_nobody(code, tmp_path / "mine")
    assert "cannot be written" in done.stdout, done
    assert "verify" not in done.stdout


def test_a_gallery_on_a_read_only_disk_can_be_searched(tmp_path, create, add):
    with create(tmp_path / "people") as gallery:
        add(gallery, [f"e{i}" for i in range(12)])
    disk = tmp_path / "disk"
    disk.mkdir()
    mount(disk, "--bind", "-o", "ro", str(tmp_path))
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True)
        check(disk / "people", 12)
        with pytest.raises(GalleryPermission, match="read_only=True"):
            Gallery.open(disk / "people")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_every_connection_has_the_durable_settings(gallery):
    with gallery.snapshot() as view:
        for db in (gallery._catalogue._db, view._catalogue._db):
            settings = [db.pragma(name) for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")]
            assert settings == ["wal", 2, 1, 1]


def test_a_segment_reaches_the_disk_before_it_is_registered(gallery, add, monkeypatch):
    """File flushed, then renamed, then its folder flushed, and only then named by the database."""
    steps = []
    rename, flush = Path.rename, os.fsync

    def segments():
        with Gallery.open(gallery.path, read_only=True) as reader:
            return reader.info().segments

    def note_flush(descriptor):
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112
        steps.append((f"flush {kind}", segments()))
        flush(descriptor)

    def note_rename(self, target):
        steps.append(("rename", segments()))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "rename", note_rename)
    add(gallery, [f"e{i}" for i in range(12)])
    assert steps == [("flush file", 0), ("rename", 0), ("flush folder", 0)]
    assert segments() == 1


def test_an_addition_is_flushed_before_it_returns(create, add):
    """Counts the system's flushes of the log, where strace can be had."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "people").close()
        code = (
            f"import sys; sys.path.insert(0, {HERE!r}); import gallery_samples as s\n"
            "from swiftreid.gallery import Gallery\n"
            "with Gallery.open(sys.argv[1]) as g:\n for i in range(5): s.add(g, [f'e{i}']); print('ack', flush=True)"
        )
        traced = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", code]
        done = subprocess.run([*traced, folder + "/people"], capture_output=True, text=True, check=True)
        since, acknowledged = False, 0
        for line in done.stderr.splitlines():
            since |= "sync(" in line and "gallery.db-wal" in line
            if "write(1<" in line and '"ack' in line:
                assert since
                since, acknowledged = False, acknowledged + 1
        assert acknowledged == 5
