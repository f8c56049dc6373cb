"""Damaged files: verification lists them, opening and searching say clearly what is wrong."""

from __future__ import annotations

import hashlib
import json
import struct

import apsw
import gallery_samples as samples
import pytest

from swiftreid.gallery import Gallery, GalleryDamaged, NewerFormat, NotAGallery
from swiftreid.gallery.digests import digest_of, entry_text
from swiftreid.gallery.meta import SEGMENTS
from swiftreid.gallery.sqlite import DATABASE

IDS = [f"e{i}" for i in range(25)]


@pytest.fixture
def filled(gallery, add):
    """A closed gallery of two segments and five unsealed entries."""
    add(gallery, IDS)
    gallery.close()
    return gallery.path


def problems(path):
    with Gallery.open(path, read_only=True) as gallery:
        report = gallery.verify()
        assert report.ok == (not report.problems)
        return report.problems


def change(path, sql, *values):
    db = apsw.Connection(str(path / DATABASE))
    db.execute(sql, values)
    db.close()


def test_every_flipped_byte_that_carries_meaning_is_found(filled):
    file = samples.segment(filled, 1)
    whole = file.read_bytes()
    length = struct.unpack_from("<I", whole, 12)[0]
    described = json.loads(whole[16 : 16 + length])
    start = -(-(16 + length) // 64) * 64
    meaning = set(range(16 + length))
    for column in described["columns"].values():
        assert (start + column["offset"]) % 64 == 0
        first = start + column["offset"]
        meaning |= set(range(first, first + 10 * column["row_bytes"]))
    for place in [*sorted(meaning)[:: max(1, len(meaning) // 60)], 8, 12, 16, max(meaning)]:
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        found = problems(filled)
        assert len(found) == 1, (place, found)
        assert file.name in found[0]
    file.write_bytes(whole)
    assert problems(filled) == []


def test_a_flipped_code_names_its_column_and_is_not_given_a_new_checksum(filled):
    file = samples.segment(filled, 2)
    whole = file.read_bytes()
    with Gallery.open(filled) as gallery, gallery.snapshot() as view:
        row = view.table.column("id96")[1][4].tobytes()
    place = whole.index(row)
    file.write_bytes(whole[: place + 3] + bytes([whole[place + 3] ^ 1]) + whole[place + 4 :])
    assert problems(filled) == [f"segment {file.name}: column id96 does not match its checksum"]
    with Gallery.open(filled) as gallery:
        gallery.delete(["e11"])
        with pytest.raises(GalleryDamaged, match=rf"{file.name} does not match its checksum \(id96\)"):
            gallery.compact()


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_truncated_segment(filled, keep):
    file = samples.segment(filled, 2)
    file.write_bytes(file.read_bytes()[:keep])
    assert any(f"{file.name} has" in problem for problem in problems(filled))
    with Gallery.open(filled) as gallery:
        with pytest.raises(GalleryDamaged, match=rf"{file.name} has .* bytes instead of .* gallery verify"):
            gallery.snapshot()
        assert gallery.get("e3").entry.id == "e3"  # the rest can still be read
        with pytest.raises(GalleryDamaged):
            gallery.get("e13")


def test_a_missing_segment(filled):
    file = samples.segment(filled, 1)
    file.unlink()
    assert problems(filled) == [f"segment file {file.name} is missing"]
    with Gallery.open(filled) as gallery:
        with pytest.raises(GalleryDamaged, match=rf"{file.name} is missing.*backup"):
            gallery.snapshot()
        with pytest.raises(GalleryDamaged, match=rf"{file.name} is missing"):
            gallery.delete(["e1"])
        assert gallery.get("e13").entry.id == "e13"


def test_exchanged_segments(filled):
    one, two = samples.segment(filled, 1), samples.segment(filled, 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert len(problems(filled)) == 2


def test_a_missing_folder_of_segments(filled):
    name = samples.segment(filled, 1).name
    for file in (filled / SEGMENTS).iterdir():
        file.unlink()
    (filled / SEGMENTS).rmdir()
    assert any(f"{name} is missing" in problem for problem in problems(filled))


def test_a_newer_segment_format_is_refused(filled):
    file = samples.segment(filled, 1)
    whole = file.read_bytes()
    file.write_bytes(whole[:8] + struct.pack("<I", 9) + whole[12:])
    with Gallery.open(filled) as gallery, pytest.raises(NewerFormat, match=r"format 9.*up to 2"):
        gallery.snapshot()


@pytest.mark.parametrize("garbage", [b"", b"garbage " * 2000, b"SQLite format 3\0" + b"x" * 9000])
def test_a_garbage_database(filled, garbage):
    for log in filled.glob("gallery.db-*"):
        log.unlink()
    (filled / DATABASE).write_bytes(garbage)
    for read_only in (True, False):
        with pytest.raises((GalleryDamaged, NotAGallery), match="people"):
            Gallery.open(filled, read_only=read_only)


def test_flipped_bytes_in_the_database_never_end_in_a_traceback(filled):
    whole = (filled / DATABASE).read_bytes()
    found = 0
    for place in range(0, len(whole), 1511):
        block = bytes(byte ^ 0xFF for byte in whole[place : place + 64])
        (filled / DATABASE).write_bytes(whole[:place] + block + whole[place + 64 :])
        try:
            found += bool(problems(filled))
        except (GalleryDamaged, NotAGallery, NewerFormat):
            found += 1
    assert found > 5  # free pages and gaps within pages may be altered unseen


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM entry WHERE id = 'e3'", "1 rows of codes have no entry"),
        ("DELETE FROM chunk", "5 entries have no codes"),
        ("UPDATE chunk SET codes = substr(codes, 2)", "incomplete"),
        ("UPDATE entry SET camera = 99 WHERE id = 'e3'", "cameras of entries differ"),
        ("UPDATE entry SET time = 5e9 WHERE id = 'e23'", "times of entries differ"),
        ("UPDATE camera SET entries = entries + 1 WHERE number = 1", "counts of entries per camera"),
        ("UPDATE segment SET deleted = 1", "1 rows registered as deleted, 0 marked"),
        ("UPDATE segment SET rows = 9 WHERE number = 1", "holds 10 rows"),
        ("UPDATE segment_filter SET cameras = x'00'", "filter columns"),
        ("DELETE FROM segment WHERE number = 2", "10 entries have no codes"),
        ("UPDATE state SET value = 4 WHERE key = 'tail_rows'", "4 unsealed entries are counted, 5 are stored"),
        ("INSERT INTO thumbnail VALUES (77, x'01')", "1 thumbnails have no entry"),
        ("UPDATE chunk SET seqs = zeroblob(length(seqs))", "do not match their checksum"),
        ("DELETE FROM thumbnail", "the thumbnail of entry 'e0'"),
    ],
)
def test_tables_that_do_not_fit_together(filled, sql, says):
    change(filled, sql)
    assert any(says in problem for problem in problems(filled)), problems(filled)


def test_filter_columns_with_unknown_cameras(filled):
    change(filled, "DELETE FROM camera WHERE number = (SELECT max(number) FROM camera)")
    with Gallery.open(filled) as gallery, pytest.raises(GalleryDamaged, match="cameras"):
        gallery.snapshot(cameras=["c1"])


@pytest.mark.parametrize("column", ["seq", "id32", "id96", "attr30"])
def test_no_answer_comes_from_altered_codes(filled, column):
    file = samples.segment(filled, 2)
    whole = file.read_bytes()
    length = struct.unpack_from("<I", whole, 12)[0]
    described = json.loads(whole[16 : 16 + length])["columns"][column]
    place = -(-(16 + length) // 64) * 64 + described["offset"] + 2 * described["row_bytes"]
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    says = rf"segment {file.name} does not match its checksum \({column}\)"
    for read_only in (True, False):
        with Gallery.open(filled, read_only=read_only) as gallery:
            for _ in range(2):
                with pytest.raises(GalleryDamaged, match=says):
                    gallery.snapshot()
            with pytest.raises(GalleryDamaged, match=column):
                gallery.get("e13")
            assert gallery.get("e3").entry.id == "e3"  # a whole segment answers
    file.write_bytes(whole)
    with Gallery.open(filled) as gallery:
        gallery.snapshot().close()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DROP TABLE thumbnail", "thumbnail"),
        ("DROP TABLE state", "state"),
        ("ALTER TABLE camera DROP COLUMN entries", "camera"),
        ("ALTER TABLE camera RENAME TO kamera", "camera"),
        ("CREATE TABLE c2 AS SELECT * FROM chunk; DROP TABLE chunk; ALTER TABLE c2 RENAME TO chunk", "chunk"),
    ],
)
def test_tables_that_are_missing_or_wrong(filled, sql, says):
    change(filled, sql)
    for read_only in (True, False):
        with pytest.raises(GalleryDamaged, match=rf"table {says} that is missing, wrong or unknown"):
            Gallery.open(filled, read_only=read_only)


def test_a_counter_that_is_missing(filled, add):
    change(filled, "DELETE FROM state WHERE key = 'next_seq'")
    with Gallery.open(filled) as gallery, pytest.raises(GalleryDamaged, match="counter next_seq is missing"):
        add(gallery, ["new"])


@pytest.mark.parametrize(
    "description",
    [b"[" * 3000, b"[]", b"{}", b"7", b'{"spec": "id32 id96 attr30", "rows": 10, "columns": {"seq": 3}}', b"\xff"],
)
def test_a_segment_header_that_makes_no_sense_with_a_checksum_made_to_fit(filled, description):
    file = samples.segment(filled, 2)
    size = file.stat().st_size
    file.write_bytes((struct.pack("<8sII", b"SWIFTSEG", 2, len(description)) + description).ljust(size, b"\0"))
    digest = hashlib.blake2b(description, digest_size=32).hexdigest()
    change(filled, "UPDATE segment SET digest = ?, bytes = ? WHERE number = 2", digest, file.stat().st_size)
    with Gallery.open(filled) as gallery, pytest.raises(GalleryDamaged, match=rf"header of segment {file.name}"):
        gallery.snapshot()
    assert problems(filled)


def test_labels_nested_deeply_with_a_checksum_made_to_fit(filled):
    labels = "[" * 100_000
    content = [4, "e3", *_row(filled, "camera.name, entry.time, entry.person, entry.source")]
    more = _row(filled, "track, frame, start_time, end_time, arrival, picture_sha256")
    text = entry_text([*content, labels, *more], _row(filled, "entry.thumbnail_digest")[0])
    change(filled, "UPDATE entry SET labels = ?, digest = ? WHERE id = 'e3'", labels, digest_of(text))
    with Gallery.open(filled) as gallery, pytest.raises(GalleryDamaged, match="unreadable text"):
        gallery.get("e3")


def _row(path, columns):
    db = apsw.Connection(str(path / DATABASE))
    query = f"SELECT {columns} FROM entry JOIN camera ON camera.number = entry.camera WHERE entry.id = 'e3'"
    row = db.execute(query).fetchone()
    db.close()
    return row


def test_a_description_that_is_gone(filled):
    change(filled, "DELETE FROM meta WHERE key = 'spec'")
    with pytest.raises(GalleryDamaged, match="lacks its description"):
        Gallery.open(filled)


def test_files_of_a_killed_process_are_noted_and_removed_by_the_next_writer(filled):
    (filled / SEGMENTS / "000003.seg").write_bytes(b"half")
    (filled / SEGMENTS / "000004.seg.partial").write_bytes(b"half")
    for file in (filled / SEGMENTS).iterdir():
        file.chmod(0o600)
    with Gallery.open(filled, read_only=True) as gallery:
        report = gallery.verify()
        assert report.ok
        assert [note.split()[0] for note in report.notes] == ["000003.seg", "000004.seg.partial"]
    Gallery.open(filled).close()
    assert set((filled / SEGMENTS).iterdir()) == {samples.segment(filled, 1), samples.segment(filled, 2)}
