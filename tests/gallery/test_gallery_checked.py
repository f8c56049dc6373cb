"""What a gallery remembers of segments that were checked: enough to skip reading them, and not more."""

from __future__ import annotations

import os
import shutil

import apsw
import gallery_samples as samples
import pytest

from swiftreid.gallery import Gallery, GalleryDamaged
from swiftreid.gallery.segments import SegmentFile
from swiftreid.gallery.sqlite import DATABASE

IDS = [f"e{i}" for i in range(25)]


@pytest.fixture
def filled(gallery, add):
    """A closed gallery of two segments and five unsealed entries."""
    add(gallery, IDS)
    gallery.close()
    return gallery.path


@pytest.fixture
def read_columns(monkeypatch) -> list[str]:
    """Columns that are read whole to compute their checksum, in all segments."""
    calls: list[str] = []
    real = SegmentFile.broken_columns

    def counted(self, names=None):
        calls.extend(self.checksums if names is None else names)
        return real(self, names)

    monkeypatch.setattr(SegmentFile, "broken_columns", counted)
    return calls


def states(path) -> list[str | None]:
    db = apsw.Connection(str(path / DATABASE))
    found = [row[0] for row in db.execute("SELECT checked FROM segment ORDER BY first")]
    db.close()
    return found


def look(path, *, read_only=True) -> None:
    with Gallery.open(path, read_only=read_only) as gallery, gallery.snapshot() as view:
        assert view.ids(range(25)) == IDS


def test_a_gallery_as_it_was_written_is_not_read_whole(filled, read_columns):
    look(filled)
    assert read_columns == []


def test_a_copy_is_checked_by_each_process_until_one_that_writes_notes_it(filled, tmp_path, read_columns):
    copy = tmp_path / "copy"
    shutil.copytree(filled, copy)
    all_columns = 2 * ["seq", "id32", "id96", "attr30"]
    for _ in range(2):
        look(copy)
        assert read_columns == all_columns
        read_columns.clear()
    with Gallery.open(copy) as gallery:
        gallery.snapshot().close()
        gallery.snapshot().close()
        assert read_columns == all_columns  # once in the life of a process
        samples.add(gallery, ["new"])
    read_columns.clear()
    with Gallery.open(copy, read_only=True) as gallery:
        gallery.snapshot().close()
    assert read_columns == []


def test_a_verification_notes_it_too(filled, tmp_path, read_columns):
    copy = tmp_path / "copy"
    shutil.copytree(filled, copy)
    with Gallery.open(copy) as gallery:
        assert gallery.verify().ok
    read_columns.clear()
    look(copy)
    assert read_columns == []


@pytest.mark.parametrize("column", ["seq", "id32", "id96", "attr30"])
def test_a_change_with_the_old_date_put_back_is_found(filled, column):
    """The time of the last change of the file itself cannot be set by those who write to it."""
    file = samples.segment(filled, 2)
    stat = file.stat()
    with Gallery.open(filled, read_only=True) as gallery, gallery.snapshot() as view:
        part = view._seqs[1] if column == "seq" else view.table.column(column)[1]
        place = file.read_bytes().index(part.tobytes())
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.stat().st_mtime_ns == stat.st_mtime_ns
    says = rf"{file.name} does not match its checksum \({column}\)"
    with Gallery.open(filled, read_only=True) as gallery, pytest.raises(GalleryDamaged, match=says):
        gallery.snapshot()


def test_what_a_disk_spoils_by_itself_is_found_by_verify_which_withdraws_the_note(filled, monkeypatch, read_columns):
    """Bytes that change beneath the file system leave the file's state: the note cannot show them, verify can."""
    file = samples.segment(filled, 2)
    whole = file.read_bytes()
    with Gallery.open(filled, read_only=True) as gallery, gallery.snapshot() as view:
        place = whole.index(view.table.column("id96")[1].tobytes())
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    stat = file.stat()
    state = f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"
    db = apsw.Connection(str(filled / DATABASE))
    db.execute("UPDATE segment SET checked = ? WHERE number = 2", (state,))
    db.close()
    look(filled)  # ids are right, the codes are not
    with Gallery.open(filled) as gallery:
        assert gallery.verify().problems == [f"segment {file.name}: column id96 does not match its checksum"]
    assert states(filled)[1] == ""
    with Gallery.open(filled, read_only=True) as gallery, pytest.raises(GalleryDamaged, match="id96"):
        gallery.snapshot()


def test_compaction_reads_all_of_what_it_rewrites_whatever_is_noted(gallery, add, read_columns):
    add(gallery, IDS)
    gallery.delete(["e13"])
    read_columns.clear()
    gallery.compact()
    assert read_columns == ["seq", "id32", "id96", "attr30"]


def test_segments_that_are_to_be_checked_are_checked_by_many_searches_at_once_only_once(filled, tmp_path, read_columns):
    from concurrent.futures import ThreadPoolExecutor

    copy = tmp_path / "copy"
    shutil.copytree(filled, copy)
    with Gallery.open(copy, read_only=True) as gallery, ThreadPoolExecutor(8) as pool:
        views = list(pool.map(lambda _: gallery.snapshot(), range(8)))
        assert sorted(read_columns) == sorted(2 * ["seq", "id32", "id96", "attr30"])
        assert len({id(view.table.segments[0]) for view in views}) == 1
        for view in views:
            view.close()
