"""A gallery moves to another encoder from its entries' pictures, and back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import swiftreid
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.data.pictures import read_picture
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import EntriesHeld, OtherEncoder
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.reencode import SourcesMissing
from swiftreid.retrieval.samples import digest_of_file, file_of_source, samples_below, source_of

STATION = Path(__file__).resolve().parents[2] / "examples" / "station"
PROCESS = Path(__file__).with_name("reencoding_process.py")
TEST = sorted((STATION / "bounding_box_test").glob("*.jpg"))
QUERIES = sorted((STATION / "query").glob("*.jpg"))
ROUNDED = 4
"""Bits of all codes, 2,720, that may differ by rounding; thumbnails differ in more, other pictures in hundreds."""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped encoder of stripes, with what is the station's cameras' taken out: another encoder, as quick."""
    samples = samples_below([STATION / "bounding_box_train"])
    file = tmp_path_factory.mktemp("encoders") / "here.safetensors"
    normalise_cameras(open_encoder("stripes"), samples, name="here", data="station").save(file)
    return file


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures, to be taken away."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for file in TEST[:20]:
        shutil.copy(file, folder)
    return folder


def filled(tmp_path: Path, pictures: Path, **options: object) -> LocalGallery:
    people = swiftreid.open_gallery(tmp_path / "people", encoder="stripes", create=True, **options)  # type: ignore[arg-type]
    people.add(pictures)
    return people


def bits_between(codes: Mapping[str, np.ndarray], picture: np.ndarray, camera: str, encoder: swiftreid.Encoder) -> int:
    """Bits in which codes differ from those of a picture; several encoded together may be rounded differently."""
    fresh = encoder.encode([picture], cameras=[camera]).codes
    assert codes.keys() == fresh.keys()
    return sum(int(np.bitwise_count(codes[name] ^ fresh[name][0]).sum()) for name in fresh)


def assert_encoded_afresh(people: LocalGallery, encoder: swiftreid.Encoder) -> None:
    """Every entry has the codes of its picture, as of its camera."""
    for entry in people.list():
        picture = read_picture(Path(entry.source or ""))
        assert bits_between(people.store.get(entry.id).codes, picture, entry.camera, encoder) <= ROUNDED
    assert people.store.verify().ok


def test_there_and_back_a_hundred_answers_are_equal(tmp_path: Path, other: Path) -> None:
    people = filled(tmp_path, STATION / "bounding_box_test")
    queries = QUERIES[:100]
    assert len(queries) == 100

    def answers() -> list[list[tuple[str, float]]]:
        return [
            [(hit.id, hit.distance) for hit in answer] for answer in people.search_batch(queries, k=20, threshold=None)
        ]

    before = answers()
    done = people.reencode(other)
    assert (done.switched, done.encoder_name, done.encoder_before) == (True, "here", "stripes")
    assert (done.entries, done.encoded, done.from_thumbnails) == (len(TEST), len(TEST), 0)
    assert people.store.encoder_name == people.encoder.card.name == "here"
    assert answers() != before
    back = people.go_back()
    assert (back.encoder_name, back.encoded) == ("stripes", 0)
    assert answers() == before
    again = people.reencode(other)
    assert again.encoded == 0, "the codes of before were kept"
    assert not people.reencode(other).switched


def test_every_entry_has_the_codes_of_its_picture_and_camera(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures, embedding="float16")
    progress: list[tuple[str, int, int]] = []
    people.reencode(other, progress=lambda task, done, total, detail="": progress.append((task, done, total)))
    assert progress[-1] == ("re-encoding", 20, 20)
    encoder = open_encoder(other)
    assert_encoded_afresh(people, encoder)
    entry = people.list()[3]
    picture = [read_picture(Path(entry.source or ""))]
    kept = people.store.get(entry.id).embedding
    assert kept is not None
    assert kept.dtype == np.float16
    np.testing.assert_allclose(kept, encoder.embed(picture, cameras=[entry.camera])[0], atol=1e-3)


def test_a_camera_changed_meanwhile_counts_where_codes_depend_on_it(
    tmp_path: Path, pictures: Path, other: Path
) -> None:
    people = filled(tmp_path, pictures)
    id_ = people.list()[5].id
    with swiftreid.open_gallery(tmp_path / "people") as second:

        def relabel(task: str, done: int, total: int, detail: str = "") -> None:
            if second.get(id_).person != "relabelled":  # the second time others have to wait
                second.update(id_, camera="3" if second.get(id_).camera != "3" else "4", person="relabelled")

        done = people.reencode(other, progress=relabel)
    assert done.encoded == 21
    assert_encoded_afresh(people, open_encoder(other))


def test_missing_sources_are_an_error_that_counts_them_before_anything_is_encoded(
    tmp_path: Path, pictures: Path, other: Path
) -> None:
    people = filled(tmp_path, pictures)
    people.add([read_picture(TEST[30])], ids=["pixels"], camera="1")
    gone = sorted(file.name for file in pictures.iterdir())[:3]
    for name in gone:
        (pictures / name).unlink()
    with pytest.raises(
        SourcesMissing, match=r"4 of 21 entries.*1 state no picture file, 3 state a file that is gone.*thumbnails.*drop"
    ) as error:
        people.reencode(other, progress=lambda *_: pytest.fail("something was encoded"))
    assert set(error.value.ids) == {*gone, "pixels"}
    assert people.store.encoder_name == "stripes"

    done = people.reencode(other, from_thumbnails=True)
    assert (done.encoded, done.from_thumbnails, done.dropped) == (21, 4, ())
    encoder = open_encoder(other)
    for name in (gone[0], sorted(file.name for file in pictures.iterdir())[0]):
        stored = people.store.get(name)
        small, whole = read_picture(stored.thumbnail or b""), read_picture(TEST[0].parent / name)
        of_small, of_whole = (
            bits_between(stored.codes, picture, stored.entry.camera, encoder) for picture in (small, whole)
        )
        taken, left = (of_small, of_whole) if name in gone else (of_whole, of_small)
        assert taken <= ROUNDED < left, "a source that is there is taken"


def test_a_source_that_holds_another_picture_now_is_not_taken_for_the_entry(
    tmp_path: Path, pictures: Path, other: Path
) -> None:
    people = filled(tmp_path, pictures)
    names = sorted(file.name for file in pictures.iterdir())
    shutil.copy(TEST[40], pictures / names[2])
    people.update(names[4], picture_sha256=None)  # as in an older gallery, which can't know
    (pictures / names[4]).write_bytes(b"no picture")
    with pytest.raises(
        SourcesMissing, match=r"2 of 20.*1 state a file that holds another.*1 state a file that is no picture any more"
    ) as error:
        people.reencode(other)
    assert set(error.value.ids) == {names[2], names[4]}
    shutil.copy(TEST[2], pictures / names[2])
    assert TEST[2].name == names[2]
    people.delete([names[4]])
    assert people.reencode(other).encoded == 1, "what was encoded before the error is kept"
    assert_encoded_afresh(people, open_encoder(other))


def test_a_source_that_is_no_path_is_gone(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures)
    for id_, source in zip(
        people.ids(), ("https://x.org/" + "x" * 400, "\\" + "x" * 400, "a\\x41\\u0000"), strict=False
    ):
        people.update(id_, source=source)
    with pytest.raises(SourcesMissing, match="3 state a file that is gone"):
        people.reencode(other)
    assert people.reencode(other, drop_missing=True).entries == 17


def test_a_folder_that_is_away_empties_no_gallery(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures)
    away = pictures.rename(tmp_path / "elsewhere")
    with pytest.raises(SourcesMissing, match=r"20 state a file that is gone.*whether their disk is mounted"):
        people.reencode(other, drop_missing=True)
    assert len(people) == 20
    away.rename(pictures)
    assert people.reencode(other, drop_missing=True).dropped == ()


def test_entries_whose_file_may_not_be_read_are_not_dropped(
    tmp_path: Path, pictures: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = filled(tmp_path, pictures)
    names = sorted(file.name for file in pictures.iterdir())
    (pictures / names[0]).unlink()

    def refuse(file: Path) -> str:
        if file.name == names[1]:
            raise PermissionError(13, "Permission denied", str(file))
        return digest_of_file(file)

    monkeypatch.setattr("swiftreid.retrieval.reencode.digest_of_file", refuse)
    message = r"1 state a file that is gone, 1 state a file that the system does not let .* read.*right to read them"
    with pytest.raises(SourcesMissing, match=message):
        people.reencode(other, drop_missing=True)
    assert set(people.ids()) == set(names)
    done = people.reencode(other, from_thumbnails=True)
    assert (done.entries, done.from_thumbnails, done.unchecked) == (20, 2, 0)


def test_files_that_cannot_be_checked_are_counted(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures)
    people.update(people.ids()[:3], picture_sha256=None)
    assert people.reencode(other).unchecked == 3


def test_entries_without_a_picture_are_dropped_where_asked_but_not_held_ones(
    tmp_path: Path, pictures: Path, other: Path
) -> None:
    people = filled(tmp_path, pictures)
    codes = {name: np.zeros((2, width), np.uint8) for name, width in people.store.spec.row_bytes.items()}
    people.add(codes=codes, entries=[Entry("bare", "1"), Entry("held", "1", thumbnail=b"no JPEG")])
    people.store.hold(["held"], "case 12")
    with pytest.raises(SourcesMissing, match="2 state no picture file, and their thumbnails cannot be used either"):
        people.reencode(other, from_thumbnails=True)
    with pytest.raises(EntriesHeld, match="case 12"):
        people.reencode(other, drop_missing=True)
    assert {"bare", "held"} < set(people.ids())
    people.store.release(["held"])
    done = people.reencode(other, drop_missing=True)
    assert (done.entries, set(done.dropped)) == (20, {"bare", "held"})
    assert_encoded_afresh(people, open_encoder(other))
    assert people.go_back().entries == 20


def test_an_open_gallery_follows_and_tokens_stay_good(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures)
    token = people.update(people.ids()[0], person="someone").token
    with (
        swiftreid.open_gallery(tmp_path / "people", read_only=True) as reader,
        swiftreid.open_gallery(tmp_path / "people", encoder="stripes") as bound,
    ):
        first = reader.search(QUERIES[0], k=3, exact=True)
        people.reencode(other)
        second = reader.search(QUERIES[0], k=3, exact=True, after=token)
        assert [hit.distance for hit in first] != [hit.distance for hit in second]
        assert second == people.search(QUERIES[0], k=3, exact=True)
        assert reader.card is not None
        assert reader.card.name == reader.info().encoder_name == "here"
        with pytest.raises(OtherEncoder, match="holds codes of encoder 'here'"):
            bound.search(QUERIES[0])
    added = people.add([TEST[25]])
    assert people.search(TEST[25], k=1, exact=True, after=added.token)[0].distance == 0


def test_going_back_without_a_copy_of_the_encoder(tmp_path: Path, pictures: Path, other: Path) -> None:
    stripes = open_encoder("stripes")
    path = tmp_path / "people"
    swiftreid.Gallery.create(path, encoder_name="stripes", fingerprint=stripes.fingerprint, spec=stripes.spec).close()
    with swiftreid.open_gallery(path, encoder="stripes") as people:
        people.add(pictures)
    with swiftreid.open_gallery(path) as people:
        people.reencode(other)
        people.go_back()
        assert people.info().encoder_name == "stripes"
        people.reencode(other)
        people.add([TEST[25]])
        with pytest.raises(UsageError, match=r"1 entries.*were added.*keeps no copy of 'stripes'.*give that encoder"):
            people.go_back()
        assert people.reencode(stripes).encoded == 1
        assert_encoded_afresh(people, stripes)


def test_an_encoder_of_vectors_is_refused(tmp_path: Path, pictures: Path) -> None:
    rng = np.random.default_rng(0)
    encoder = vector_encoder(rng.standard_normal((50, 8)).astype(np.float32), name="small", spec="id32")
    with pytest.raises(UsageError, match="takes vectors, not pictures"):
        filled(tmp_path, pictures).reencode(encoder)


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"back\\slash.jpg", b"bo\\th\xe9.jpg", b"plain.jpg"])
def test_a_source_names_its_file_whatever_its_bytes(tmp_path: Path, name: bytes) -> None:
    file = tmp_path / name.decode(errors="surrogateescape")
    file.touch()
    assert file_of_source(source_of(file)) == file.resolve()


def test_a_query_by_no_camera_that_the_encoder_knows_says_so(tmp_path: Path, pictures: Path, other: Path) -> None:
    people = filled(tmp_path, pictures)
    pixels = read_picture(QUERIES[0])
    assert people.search(pixels, k=1).noted("no-camera-statistics") is None, "this encoder knows no cameras"
    people.reencode(other)
    for camera, expected in ((None, "statistics of cameras, and this query none"), ("99", "no statistics of camera")):
        answer = people.search(pixels, camera=camera, k=1)
        note = answer.noted("no-camera-statistics")
        assert note is not None
        assert expected in note.message
        assert "mean camera" in note.message
        assert note.facts == {"cameras": [camera] if camera else [], "known": ["1", "2", "3", "4", "5"]}
        assert "no-camera-statistics" in {stated["kind"] for stated in answer.to_dict()["notes"]}
    known, unknown = people.search_batch([QUERIES[0], swiftreid.Query(pictures=[pixels], camera="other")], k=1)
    assert known.noted("no-camera-statistics") is None, "its name states its camera"
    assert unknown.noted("no-camera-statistics") is not None


def test_killed_in_the_middle_it_goes_on_and_nothing_is_lost_or_there_twice(tmp_path: Path, other: Path) -> None:
    people = filled(tmp_path, STATION / "bounding_box_test")
    ids, last = people.ids(), 0
    for goal in (64, 192):
        with subprocess.Popen([sys.executable, PROCESS, people.store.path, other], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                last = int(line)
                if last >= goal:
                    break
            process.kill()
            process.wait()
        assert people.info().encoder_name == "stripes"
        (filling,) = people.info().versions
        # What is encoded in the moment of the kill may still become durable.
        assert (filling.state, last <= filling.entries < len(ids)) == ("filling", True)
        assert people.store.verify().ok
        people.delete([ids.pop(3)])
        last = filling.entries
    done = people.reencode(other)
    assert done.encoded <= len(TEST) - 192
    assert people.ids() == ids
    assert len(people.search(TEST[0], k=len(TEST), exact=True)) == len(ids)
    assert_encoded_afresh(people, open_encoder(other))
