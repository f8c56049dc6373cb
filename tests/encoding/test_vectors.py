"""Vectors of other programs: read with what is known of them, and encoded without any picture."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import save_encodings
from swiftreid.encoding.stream import encode_all
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import Vectors, encode_labelled, encode_vectors, read_vectors
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import CodeSpec, unpack_bits

VALUES = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)


class CountedId(str):
    """Counts how often ids are compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedId.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_an_id_given_twice_is_found_without_comparing_all_with_all() -> None:
    ids = [CountedId(i) for i in range(1000)] + [CountedId(999)]
    with pytest.raises(UsageError, match="the id '999' is given twice"):
        Vectors(np.ones((1001, 2), np.float32), ids)
    assert CountedId.compared < 10_000


def test_npy_files_and_a_table_of_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VALUES.astype(np.float64))
    (tmp_path / "labels.csv").write_text(
        "id,person,camera,time\n" + "".join(f"p{i},mia,{i % 2},{i if i else ''}\n" for i in range(6))
    )
    bare = read_vectors(tmp_path / "v.npy")
    np.testing.assert_array_equal(bare.vectors, VALUES)
    assert (bare.vectors.dtype, bare.ids[-1], bare.persons[0], len(bare)) == (np.float32, "5", None, 6)
    known = read_vectors(tmp_path / "v.npy", labels=tmp_path / "labels.csv")
    assert (known.ids[1], known.persons[1], known.cameras[1]) == ("p1", "mia", "1")
    assert known.times == [None, 1, 2, 3, 4, 5]
    persons, cameras = known.numbered()
    assert (persons.tolist(), cameras.tolist()) == ([1] * 6, [0, 1] * 3)
    assert known.take([4, 1]).ids == ["p4", "p1"]
    assert known.fingerprint not in (bare.fingerprint, known.take([1]).fingerprint)
    with pytest.raises(UsageError, match="the person of vector 0 is not known, nor of 5 more"):
        bare.numbered()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
@pytest.mark.parametrize("fixed", [True, False])
def test_tables_of_arrow(tmp_path: Path, suffix: str, fixed: bool) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    kind = pyarrow.list_(pyarrow.float32(), 16) if fixed else pyarrow.list_(pyarrow.float64())
    table = pyarrow.table(
        {"embedding": pyarrow.array(VALUES.tolist(), kind), "id": list("abcdef"), "camera": [1, 2, None, 4, 5, 6]}
    )
    path = tmp_path / f"v{suffix}"
    if suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=2)
    else:
        feather.write_feather(table, path, compression="uncompressed", chunksize=2)
    found = read_vectors(path)
    np.testing.assert_array_equal(found.vectors, VALUES)
    assert found.ids == list("abcdef")
    assert found.cameras == ["1", "2", None, "4", "5", "6"]
    with pytest.raises(UsageError, match="no column mine; it has embedding, id, camera"):
        read_vectors(path, column="mine")
    path.write_bytes(b"damaged")
    with pytest.raises(SwiftReIDError, match="cannot be read as a table"):
        read_vectors(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0], [3.0]], "vectors of 2 lengths: 1, 2"),
        ([[1.0, 2.0], None], "empty cells"),
        ([[1.0, None], [3.0, 4.0]], "empty cells"),
        ([1.0, 2.0], "double, not lists of numbers"),
        ([[1, 2]], "lists of int64, not of floats"),
        ([[1.0, float("nan")]], "not finite"),
    ],
)
def test_columns_that_hold_no_vectors(tmp_path: Path, rows: list[Any], message: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"vector": rows}), tmp_path / "v.parquet")
    with pytest.raises(UsageError, match=message):
        read_vectors(tmp_path / "v.parquet")


def test_embeddings_of_a_file_of_encodings(tmp_path: Path) -> None:
    encoder = open_encoder("stripes")
    encoding = encoder.encode(np.random.default_rng(0).integers(0, 256, (2, 128, 64, 3), np.uint8))
    save_encodings(tmp_path / "c.safetensors", encoder, encoding, ids=["a", "b"], persons=["1", "2"])
    found = read_vectors(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(found.vectors, encoding.embedding)
    assert (found.ids, found.persons) == (["a", "b"], ["1", "2"])


def pickled() -> bytes:
    return pickle.dumps(VALUES)


def header_of(shape: str, kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"", b"text", pickled(), header_of("(1000000000000, 4)"), header_of("(4, 4)", "|O"), header_of("-"),
        header_of("(2, 4)"), header_of("(" + "[" * 3000), header_of("(1" + "0" * 5000 + ", 4)"), header_of("(-4, 4)"),
    ],
)  # fmt: skip
def test_npy_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.npy").write_bytes(content)
    with pytest.raises(UsageError, match=r"v\.npy is no \.npy file of numbers"):
        read_vectors(tmp_path / "v.npy")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UsageError, match="of numbers"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vectors": VALUES.astype(np.int64)}, "float array"),
        ({"vectors": VALUES[0]}, r"not float32 \(16,\)"),
        ({"vectors": VALUES[:0]}, r"\(0, 16\)"),
        ({"vectors": np.where(VALUES[2, 3] == VALUES, np.inf, VALUES)}, "vector 2 .*not finite"),
        ({"vectors": VALUES, "ids": ["a"]}, "1 ids for 6 vectors"),
        ({"vectors": VALUES, "ids": ["a"] * 6}, "the id 'a' is given twice"),
        ({"vectors": VALUES, "persons": ["a"]}, "1 persons for 6 vectors"),
    ],
)
def test_vectors_that_are_none(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Vectors(**given)


def test_files_of_other_kinds(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VALUES)
    (tmp_path / "v.txt").write_text("1 2")
    (tmp_path / "labels.csv").write_text("id\na\n")
    with pytest.raises(UsageError, match="neither"):
        read_vectors(tmp_path / "v.txt")
    with pytest.raises(SwiftReIDError, match="no file of vectors"):
        read_vectors(tmp_path / "none.npy")
    with pytest.raises(UsageError, match="1 rows for the 6 vectors"):
        read_vectors(tmp_path / "v.npy", labels=tmp_path / "labels.csv")


def cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_codes_keep_the_ranking_of_vectors(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(size=(60, 128)).astype(np.float32)
    made = vector_encoder(vectors, name="mine", spec="id32 id2048", provenance="drawn")
    made.save(tmp_path / "mine.safetensors")
    encoder = open_encoder(tmp_path / "mine.safetensors")
    assert (encoder.takes, encoder.network, encoder.fingerprint) == ("vectors", None, made.fingerprint)
    encoding = encoder.encode(vectors * 3)  # type: ignore[arg-type]  # length does not matter
    assert encoding.embedding is not None
    np.testing.assert_allclose(np.linalg.norm(encoding.embedding, axis=1), 1, atol=1e-5)
    bits = unpack_bits(encoding.codes["id2048"], 2048)
    apart = (bits[:, None] != bits[None]).mean(axis=2)
    centred = encoding.embedding - encoding.embedding.mean(axis=0)
    expected = np.arccos(np.clip(cosines(centred), -1, 1)) / np.pi  # Charikar 2002
    assert np.abs(apart - expected).max() < 0.06
    assert pickle.loads(pickle.dumps(encoder)).fingerprint == encoder.fingerprint


def test_lengths_count_where_the_encoder_says_so() -> None:
    encoder = vector_encoder(VALUES, name="mine", unit=False)
    np.testing.assert_array_equal(encoder.encode(VALUES).embedding, VALUES)  # type: ignore[arg-type]


def test_an_encoder_of_vectors_takes_nothing_else(tmp_path: Path) -> None:
    encoder = vector_encoder(VALUES, name="mine")
    wrong: list[Any] = [VALUES[:, :5], VALUES[0], VALUES.astype(int), np.zeros((2, 8, 8, 3), np.uint8)]
    for each in wrong:
        with pytest.raises(UsageError, match=r"takes float vectors \[n, 16\]"):
            encoder.encode(each)
    with pytest.raises(UsageError, match="not finite"):
        encoder.encode(np.where(VALUES[1, 1] == VALUES, np.nan, VALUES))  # type: ignore[arg-type]
    assert encoder.encode([]).codes["id32"].shape == (0, 4)
    with pytest.raises(UsageError, match="takes float vectors, not pictures"):
        encode_all(encoder, [tmp_path / "a.jpg"])
    with pytest.raises(UsageError, match="takes pictures, not vectors"):
        encode_vectors(open_encoder("stripes"), Vectors(VALUES))
    with pytest.raises(UsageError, match="float array"):
        vector_encoder(VALUES[:0], name="mine")


def test_labelled_codes_of_vectors() -> None:
    vectors = Vectors(VALUES, persons=["a", "a", "b", "b", "0", "-1"], cameras=list("121212"))
    found = encode_labelled(vector_encoder(VALUES, name="mine"), vectors)
    assert found.persons.tolist() == [1, 1, 2, 2, 0, -1]
    assert found.codes["id128"].shape == (6, 16)


def test_paths_are_text_too_and_labels_must_have_a_known_column(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(3, dtype=np.float32))
    (tmp_path / "rows.csv").write_text("id,person\na,mia\nb,\nc,jon\n")
    read = read_vectors(str(tmp_path / "v.npy"), labels=str(tmp_path / "rows.csv"))
    assert (read.ids, read.persons) == (["a", "b", "c"], ["mia", None, "jon"])
    (tmp_path / "rows.csv").write_text("who,where\na,mia\nb,x\nc,jon\n")
    with pytest.raises(UsageError, match="none of the columns camera, id, person, time: it has who, where"):
        read_vectors(tmp_path / "v.npy", labels=tmp_path / "rows.csv")
    for wrong in (None, np.eye(3)):
        with pytest.raises(UsageError, match="given by its path"):
            read_vectors(wrong)  # type: ignore[arg-type]


def test_rows_are_taken_by_number_or_by_mask() -> None:
    vectors = Vectors(np.eye(4, dtype=np.float32), ids=list("abcd"))
    assert vectors.take([2, 0]).ids == ["c", "a"]
    assert vectors.take(np.array([True, False, True, True])).ids == ["a", "c", "d"]
    with pytest.raises(UsageError, match="a mask has one value for each of the 4 vectors"):
        vectors.take(np.array([True, False]))


def test_an_encoder_of_vectors_takes_a_spec_of_either_kind() -> None:
    vectors = VALUES
    text, spec = (vector_encoder(vectors, name="v", spec=spec) for spec in ("id64 id256", CodeSpec.parse("id64 id256")))
    assert text.fingerprint == spec.fingerprint
    with pytest.raises(UsageError):
        vector_encoder(vectors, name="v", spec="512")
