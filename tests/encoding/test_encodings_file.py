"""Files of encodings: what is saved comes back, and what other programs write is read or explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import Encodings, load_encodings, save_encodings
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import pack_bits

BITS = np.random.default_rng(0).integers(0, 2, (3, 40)).astype(bool)
IDS = ["a", "b", "c"]


def written(path: Path, columns: dict[str, NDArray[Any]], **header: object) -> Encodings:
    save_file(columns, path, metadata={"encodings": json.dumps(header)})
    return load_encodings(path)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    encoder, path = open_encoder("stripes"), tmp_path / "codes.safetensors"
    encoding = encoder.encode(np.random.default_rng(0).integers(0, 256, (3, 128, 64, 3), np.uint8))
    save_encodings(path, encoder, encoding, ids=IDS, cameras=["1", "2", None], times=[1.5, None, 3.0])
    loaded = load_encodings(path)
    header = loaded.header
    assert (header.ids, header.cameras, header.persons) == (IDS, ["1", "2", None], [None] * 3)
    assert (header.times, header.fingerprint, header.spec) == ([1.5, None, 3.0], encoder.fingerprint, str(encoder.spec))
    for name in encoder.spec:
        np.testing.assert_array_equal(loaded.encoding.codes[name], encoding.codes[name])
    np.testing.assert_array_equal(loaded.encoding.embedding, encoding.embedding)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SwiftReIDError, match="not a readable encodings file"):
        load_encodings(path)
    with pytest.raises(SwiftReIDError, match="no encodings file"):
        load_encodings(tmp_path / "none")
    with pytest.raises(UsageError, match="2 ids for 3 encodings"):
        save_encodings(path, encoder, encoding, ids=IDS[:2])


@pytest.mark.parametrize(
    ("column", "order"),
    [
        (pack_bits(BITS), "little"),
        (np.packbits(BITS, axis=1, bitorder="little"), "little"),  # 5 bytes, not padded to 8
        (np.packbits(BITS, axis=1), "big"),  # NumPy's default
        (BITS, "little"),
    ],
)
def test_other_programs_pack_otherwise(column: NDArray[Any], order: str, tmp_path: Path) -> None:
    stated = {} if order == "little" else {"bit_order": order}
    loaded = written(tmp_path / "c.safetensors", {"id40": column}, fingerprint="mine", ids=IDS, **stated)
    np.testing.assert_array_equal(loaded.encoding.codes["id40"], pack_bits(BITS))


def test_what_is_not_stated_is_filled_in(tmp_path: Path) -> None:
    columns = {
        "attr8": np.zeros((3, 4), np.uint8), "id64": np.zeros((3, 8), np.uint8), "id40": pack_bits(BITS),
        "embedding": np.ones((3, 5), np.float64),
    }  # fmt: skip
    loaded = written(
        tmp_path / "c.safetensors", columns, fingerprint="mine", ids=[7, 3, 5], persons=[12, None, "mia"], made_by="us"
    )
    header = loaded.header
    assert header.spec == "id40 id64 attr8"
    assert (header.ids, header.persons) == (["7", "3", "5"], ["12", None, "mia"])
    assert (header.cameras, header.times, header.encoder) == ([None] * 3, [None] * 3, "")
    assert loaded.encoding.embedding is not None
    assert loaded.encoding.embedding.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "newer swiftreid"),
        ({"ids": ["a"]}, "1 ids for 3 rows"),
        ({"ids": ["a", "b", "a"]}, "the id 'a' twice"),
        ({"ids": None}, "ids: Input should be a valid array.*docs/encoders.md"),
        ({"fingerprint": ""}, "fingerprint"),
        ({"spec": "id128"}, "do not match the code spec"),
        ({"cameras": ["1"]}, "1 cameras for 3 rows"),
        ({"times": [1, 2, "noon"]}, "times"),
        ({"bit_order": "middle"}, "bit_order"),
        ({"rows": 2}, r"embeddings \(2, 5\) for 3 rows"),
    ],
)
def test_files_that_disagree_with_themselves_are_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    header = {"encoder": "e", "fingerprint": "f", "spec": "id32", "ids": IDS}
    header |= {"cameras": [None] * 3, "persons": [None] * 3} | change
    rows = header.pop("rows", 3)
    assert isinstance(rows, int)
    columns = {"id32": np.zeros((3, 4), np.uint8), "embedding": np.zeros((rows, 5), np.float32)}
    with pytest.raises(SwiftReIDError, match=message):
        written(tmp_path / "codes.safetensors", columns, **header)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "holds no code"),
        ({"id32": np.zeros((3, 5), np.uint8)}, "needs 4 bytes a row"),
        ({"id32": np.zeros((3, 32), np.float32)}, "two-dimensional uint8 array, got float32"),
        ({"id32": np.zeros(3, np.uint8)}, "two-dimensional"),
        ({"thing": np.zeros((3, 4), np.uint8)}, "'thing' is not letters followed by a bit length"),
        ({"id32": np.zeros((3, 4), np.uint8), "embedding": np.zeros((3, 2), np.int64)}, "embeddings are int64"),
    ],
)
def test_columns_that_are_no_codes_are_explained(
    tmp_path: Path, columns: dict[str, NDArray[Any]], message: str
) -> None:
    with pytest.raises(SwiftReIDError, match=message):
        written(tmp_path / "codes.safetensors", columns, fingerprint="f", ids=IDS)


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["format", "fingerprint", "ids", "encoder", "spec", "bit_order", "cameras", "persons", "times"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(FIELDS, VALUES, max_size=3))
def test_any_header_is_read_or_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    header = {"fingerprint": "f", "ids": IDS} | changes
    try:
        loaded = written(tmp_path / "c.safetensors", {"id40": pack_bits(BITS)}, **header)
    except SwiftReIDError:
        return
    assert len(loaded.header.ids) == len(loaded.header.times) == len(loaded.encoding.codes["id40"]) == 3
