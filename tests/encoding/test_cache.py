"""The cache of encodings: never wrong, private, bounded, and deleted when told so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drawn_figures import draw_person
from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import Sample
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.cache import EncodingCache, KeptEmbeddings
from swiftreid.encoding.composed import compose
from swiftreid.encoding.embedded import PictureViews, embed_paths
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.encoding.stream import encode_all
from swiftreid.encoding.stripes import StripesEncoder
from swiftreid.errors import UsageError
from swiftreid.training.frozen.hashing import embed_views


class Counted(StripesEncoder):
    """Counts the pictures that it sees."""

    seen = 0

    def _embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += len(inputs)
        return super()._embed(inputs)


def counted() -> Counted:
    shipped = open_encoder("stripes")
    return Counted(shipped.card, shipped.tensors)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    found = []
    for i in range(70):  # more than a batch
        path = tmp_path / f"{i:02}.png"
        draw_person(i, 1, 1, (24, 48)).save(path)
        found.append(Sample(path, person=i, camera=1))
    found[3].path.write_bytes(b"no picture")
    return found


@pytest.fixture
def cache(tmp_path: Path) -> EncodingCache:
    return EncodingCache(tmp_path / "cache" / "encodings")


def test_what_is_kept_is_what_encoding_gives(samples: list[Sample], cache: EncodingCache) -> None:
    encoder, bad, again = counted(), [], []
    kept, expected = encode_all(encoder, [sample.path for sample in samples], on_bad=lambda _: None)
    before = encoder.seen
    first = encode_samples(encoder, samples, on_bad=bad.append, cache=cache)
    assert encoder.seen == before + 69
    second = encode_samples(encoder, samples, on_bad=again.append, cache=cache)
    assert encoder.seen == before + 69
    assert [str(one) for one in again] == [str(one) for one in bad] != []
    for found in (first, second):
        assert found.persons.tolist() == kept.tolist()
        assert found.paths == [samples[i].path for i in kept]
        np.testing.assert_array_equal(found.embedding, expected.embedding)
        assert list(found.codes) == list(expected.codes)
        for name, code in expected.codes.items():
            np.testing.assert_array_equal(found.codes[name], code)
    with pytest.raises(BadPicture, match=r"03\.png"):
        encode_samples(encoder, samples, cache=cache)


def test_codes_on_one_network_share_its_embeddings(samples: list[Sample], cache: EncodingCache) -> None:
    base, rng = counted(), np.random.default_rng(0)
    level = {"weight": rng.normal(size=(32, 192)), "bias": np.zeros(32), "scale": np.ones(32), "shift": np.zeros(32)}
    pyramid = {f"pyramid.32.{name}": value.astype(np.float32) for name, value in level.items()}
    hashed = compose(base, pyramid | {"input.unit": np.ones(1, np.float32)}, name="hashed", provenance="drawn")
    encode_samples(base, samples[4:], cache=cache)
    found = encode_samples(hashed, samples[4:], cache=cache)
    assert cache.info().lists == 1
    expected = encode_all(hashed, [sample.path for sample in samples[4:]])[1]
    np.testing.assert_array_equal(found.codes["id32"], expected.codes["id32"])


def test_what_is_changed_is_encoded_again(samples: list[Sample], cache: EncodingCache) -> None:
    encoder, some = counted(), samples[4:14]

    def seen(encoder: Counted = encoder, some: list[Sample] = some) -> int:
        before = encoder.seen
        encode_samples(encoder, some, cache=cache)
        return encoder.seen - before

    assert (seen(), seen()) == (10, 0)
    times = some[0].path.stat()
    draw_person(90, 1, 1, (24, 48)).save(some[0].path)
    os.utime(some[0].path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a careless copy leaves it
    assert (seen(), seen()) == (10, 0)
    assert seen(some=some[1:]) == 9
    assert seen(some=some[::-1]) == 10
    other = encoder.tensors | {"mean": encoder.tensors["mean"] + np.float32(0.01)}
    lying = Counted(encoder.card, other)  # its card states the fingerprint of the first
    assert lying.fingerprint == encoder.fingerprint
    assert seen(lying) == 10


def test_a_picture_that_changes_meanwhile_is_not_kept(samples: list[Sample], cache: EncodingCache) -> None:
    encoder, some = counted(), samples[4:8]

    def change(*_report: object) -> None:
        draw_person(91, 1, 1, (24, 48)).save(some[0].path)

    encode_samples(encoder, some, progress=change, cache=cache)
    assert cache.info().lists == 0


def test_views_have_embeddings_of_their_own(samples: list[Sample], cache: EncodingCache) -> None:
    encoder, paths = counted(), [sample.path for sample in samples[4:9]]
    mirrored = PictureViews(2, lambda pictures, view, _first: pictures[:, :, :: 1 - 2 * view], "mirrored")
    rows, both = embed_paths(encoder, paths, views=mirrored, cache=cache)
    assert both.shape == (2, 5, 192)
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(embed_paths(encoder, paths, cache=cache)[1][0], both[0])
    assert (encoder.seen, cache.info().lists, rows.tolist()) == (15, 2, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(embed_paths(encoder, paths, views=mirrored, cache=cache)[1], both)
    assert encoder.seen == 15


def test_codes_are_learned_on_what_was_kept(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIFTREID_CACHE", str(tmp_path / "own"))
    encoder = counted()

    def embedded(views: int, seed: int) -> NDArray[np.float32]:
        found = embed_views(encoder, samples, views=views, seed=seed, on_bad=lambda _: None, progress=lambda *_: None)
        return found.embeddings

    once, again = embedded(2, 1), embedded(2, 1)
    assert encoder.seen == 2 * 69
    np.testing.assert_array_equal(once, again)
    assert embedded(2, 2).shape == once.shape
    assert encoder.seen == 4 * 69
    assert embedded(1, 1).shape == (1, 69, 192)
    assert embedded(1, 5).shape == (1, 69, 192)
    assert encoder.seen == 5 * 69


KEPT = KeptEmbeddings(np.arange(3), np.ones((1, 3, 4), np.float32), [("a.jpg", "no picture")])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodingCache, bytes]:
    cache = EncodingCache(tmp_path_factory.mktemp("whole") / "encodings")
    cache.put("k", KEPT, encoder="e")
    assert cache.folder is not None
    return cache, (cache.folder / "k.embeddings").read_bytes()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_files_are_not_there(whole: tuple[EncodingCache, bytes], place: int, bit: int, cut: bool) -> None:
    cache, content = whole
    assert cache.folder is not None
    path = cache.folder / "k.embeddings"
    place %= len(content)
    path.write_bytes(content[:place] if cut else _flipped(content, place, bit))
    found = cache.get("k")
    if found is None:
        assert not path.exists()
    else:  # a changed space in the header, or the like
        np.testing.assert_array_equal(found.rows, KEPT.rows)
        np.testing.assert_array_equal(found.embeddings, KEPT.embeddings)
        assert found.unreadable == KEPT.unreadable


def _flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def test_a_file_under_another_key_is_not_believed(cache: EncodingCache) -> None:
    cache.put("k", KEPT, encoder="e")
    assert cache.folder is not None
    (cache.folder / "k.embeddings").rename(cache.folder / "other.embeddings")
    assert cache.get("other") is None
    assert cache.info().lists == 0


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    folder.mkdir(mode=0o777)
    cache = EncodingCache(folder)
    cache.put("k", KEPT, encoder="e")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path)
    for i, key in enumerate("abc"):
        cache.put(key, KEPT, encoder=key)
        os.utime(tmp_path / f"{key}.embeddings", (i, i))
    assert cache.get("a") is not None  # used just now
    size = cache.info().bytes // 3
    small = EncodingCache(tmp_path, 3 * size + size // 2)
    small.put("d", KEPT, encoder="d")
    assert sorted(small.info().encoders) == ["a", "c", "d"]
    EncodingCache(tmp_path, 10).put("e", KEPT, encoder="e")
    assert sorted(small.info().encoders) == ["a", "c", "d"], "what is larger than all is not kept"


def test_clear_deletes_all_and_nothing_else(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path)
    cache.put("k", KEPT, encoder="e")
    (tmp_path / "k.12345678.partial").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    size = cache.info().bytes
    assert cache.clear() == size + 4
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert cache.clear() == 0


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWIFTREID_CACHE", "")
    assert EncodingCache.default().folder is None
    monkeypatch.setenv("SWIFTREID_CACHE", str(tmp_path / "own"))
    assert EncodingCache.default().folder == tmp_path / "own" / "encodings"
    monkeypatch.delenv("SWIFTREID_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert EncodingCache.default().folder == tmp_path / "xdg" / "swiftreid" / "encodings"
    monkeypatch.setenv("SWIFTREID_CACHE_GIB", "0.5")
    assert EncodingCache.default().limit == 2**29
    monkeypatch.setenv("SWIFTREID_CACHE_GIB", "much")
    with pytest.raises(UsageError, match="SWIFTREID_CACHE_GIB is a number of GiB above 0, not 'much'"):
        EncodingCache.default()


def test_what_cannot_be_kept_stops_no_work(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    encoder: Encoder = open_encoder("stripes")
    found = encode_samples(encoder, samples[4:8], cache=EncodingCache(tmp_path / "file" / "encodings"))
    assert len(found.persons) == 4
