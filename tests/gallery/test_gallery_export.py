"""What is exported is what the gallery holds, and other programs find in it what the gallery finds."""

from __future__ import annotations

import json

import gallery_samples as samples
import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.gallery import Embedding, Entry, Gallery
from swiftreid.gallery.export import export_faiss, export_npy, export_parquet
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec

IDS = [f"e{i}" for i in range(34)]
LEFT = [id_ for id_ in IDS if id_ not in {"e3", "e33"}]


@pytest.fixture
def filled(gallery, add):
    add(gallery, IDS)
    gallery.delete(["e3", "e33"])
    gallery.update("e5", track="t1", frame=7, labels={"é": "ü"})
    return gallery


def entries(gallery):
    return list(gallery)


def test_batches_are_the_live_entries_with_their_codes(filled):
    with filled.snapshot() as view:
        batches = list(view.batches(5))
        assert [id_ for batch in batches for id_ in batch.ids] == LEFT
        assert {len(batch.entries) for batch in batches} == {5, 2}
        for name, expected in samples.codes_of(LEFT).items():
            assert np.array_equal(np.concatenate([batch.codes[name] for batch in batches]), expected)
    with filled.snapshot(cameras=["c1"]) as view:
        assert [one for batch in view.batches() for one in batch.entries] == filled.list(cameras=["c1"])


def test_numpy_arrays(filled, tmp_path):
    target = tmp_path / "a" / "out"
    with filled.snapshot() as view:
        files = export_npy(view, target)
        with pytest.raises(UsageError, match="not an empty folder"):
            export_npy(view, target)
    assert sorted(target.iterdir()) == sorted(files)
    loaded = {file.stem: np.load(file, allow_pickle=False) for file in files}
    assert loaded["ids"].tolist() == LEFT
    for name, expected in samples.codes_of(LEFT).items():
        assert loaded[name].dtype == np.uint8
        assert np.array_equal(loaded[name], expected)
    stored = entries(filled)
    assert loaded["cameras"].tolist() == [one.camera for one in stored]
    assert loaded["persons"].tolist() == [one.person or "" for one in stored]
    assert np.array_equal(loaded["times"], [np.nan if e.time is None else e.time for e in stored], equal_nan=True)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert target.stat().st_mode & 0o777 == 0o700


def test_an_empty_gallery(gallery, tmp_path):
    faiss = pytest.importorskip("faiss")
    pytest.importorskip("pyarrow")
    with gallery.snapshot() as view:
        files = export_npy(view, str(tmp_path / "out"))
        assert {len(np.load(file)) for file in files} == {0}
        export_parquet(view, str(tmp_path / "e.parquet"))
        index, _ = export_faiss(view, str(tmp_path / "e.faiss"))
    assert faiss.read_index_binary(str(index)).ntotal == 0


def test_parquet(filled, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "people.parquet"
    with filled.snapshot() as view:
        export_parquet(view, path)
    rows = parquet.read_table(path).to_pylist()
    codes = samples.codes_of(LEFT)
    assert [row["id"] for row in rows] == LEFT
    for place, (row, one) in enumerate(zip(rows, entries(filled), strict=True)):
        for name in (
            "camera",
            "time",
            "person",
            "source",
            "track",
            "frame",
            "start",
            "end",
            "arrival",
            "picture_sha256",
        ):
            assert row[name] == getattr(one, name)
        assert json.loads(row["labels"]) == one.labels
        assert {name: row[name] for name in codes} == {name: code[place].tobytes() for name, code in codes.items()}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", ["id32", "id96", None, "attr30"])
def test_faiss_finds_what_exhaustive_search_finds(filled, tmp_path, code):
    faiss = pytest.importorskip("faiss")
    query = samples.codes_of(["someone"])
    with filled.snapshot() as view:
        path, beside = export_faiss(view, tmp_path / "people.faiss", code)
        result = Cascade.parse(code or "id96").search(view.table, query, k=len(LEFT), mask=view.mask)
        ids = view.ids(result.indices[0])
    distances, numbers = faiss.read_index_binary(str(path)).search(query[code or "id96"], len(LEFT))
    assert distances[0].tolist() == result.distances[0].tolist()
    named = np.load(beside)[numbers[0]]
    pairs = zip(distances[0].tolist(), named.tolist(), strict=True)
    assert sorted(pairs) == sorted(zip(result.distances[0].tolist(), ids, strict=True))
    assert path.stat().st_mode & 0o777 == beside.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_embeddings_are_exported_too(path, tmp_path, dtype):
    faiss = pytest.importorskip("faiss")
    parquet = pytest.importorskip("pyarrow.parquet")
    vectors = np.random.default_rng(1).standard_normal((12, 6)).astype(np.float32)
    with Gallery.create(
        path, encoder_name="e", fingerprint="f", spec=CodeSpec(()), embedding=Embedding(6, dtype), segment_size=5
    ) as gallery:
        gallery.add([Entry(f"e{i}", "c") for i in range(12)], {}, embeddings=vectors, fingerprint="f")
        with gallery.snapshot() as view:
            index, _ = export_faiss(view, tmp_path / "v.faiss")
            export_parquet(view, tmp_path / "v.parquet")
            export_npy(view, tmp_path / "v")
    assert faiss.read_index(str(index)).search(vectors[4:5], 1)[1].tolist() == [[4]]
    assert np.array_equal(np.load(tmp_path / "v" / "embedding.npy"), vectors.astype(dtype))
    assert np.array_equal(parquet.read_table(tmp_path / "v.parquet")["embedding"].to_pylist(), vectors.astype(dtype))


def test_a_code_that_is_not_there_is_refused(filled, tmp_path):
    pytest.importorskip("faiss")
    with filled.snapshot() as view, pytest.raises(UsageError, match="no code 'id7'"):
        export_faiss(view, tmp_path / "x.faiss", "id7")
