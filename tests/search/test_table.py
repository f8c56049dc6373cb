from __future__ import annotations

import numpy as np
import pytest

from swiftreid.errors import UsageError
from swiftreid.reranking.multi_query import fuse_codes
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.inverted_lists import InvertedLists
from swiftreid.search.table import CodeTable


def codes_of(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"id32": rng.integers(0, 256, (n, 4), np.uint8), "id128": rng.integers(0, 256, (n, 16), np.uint8)}


def test_segments_are_neither_copied_nor_reordered() -> None:
    parts = [codes_of(n, seed=n) for n in (3, 0, 5)]
    table = CodeTable.from_segments([CodeTable(part) for part in parts])
    assert (len(table), table.lengths, table.names, table.nbytes) == (8, (3, 0, 5), ("id32", "id128"), 8 * 20)
    for name in table.names:
        for column, part in zip(table.column(name), parts, strict=True):
            assert column is part[name]
    whole = np.concatenate([part["id128"] for part in parts])
    wanted = np.array([7, 0, 3, 2, 3])
    np.testing.assert_array_equal(table.rows("id128", wanted), whole[wanted])
    again = CodeTable.from_segments([table, CodeTable(codes_of(2))])  # of tables that have segments themselves
    assert again.lengths == (3, 0, 5, 2)


def test_columns_of_segments_may_come_in_any_order() -> None:
    first, second = codes_of(2), codes_of(3)
    table = CodeTable.from_segments([CodeTable(first), CodeTable(dict(reversed(second.items())))])
    assert table.column("id128")[1] is second["id128"]


def test_what_is_refused() -> None:
    good = codes_of(4)
    for message, broken in {
        "numbers of rows": {**good, "id32": good["id32"][:3]},
        "bytes a row": {"id32": good["id128"]},
        "uint8": {"id32": good["id32"].astype(np.int64)},
        "contiguous": {"id32": np.zeros((4, 8), np.uint8)[:, ::2]},
        "at least one code": {},
        "bit length": {"short": good["id32"]},
    }.items():
        with pytest.raises(UsageError, match=message):
            CodeTable(broken)
    with pytest.raises(UsageError, match="at least one segment"):
        CodeTable.from_segments([])
    with pytest.raises(UsageError, match="code spec"):
        CodeTable.from_segments([CodeTable(good), CodeTable({"id32": good["id32"]})])
    with pytest.raises(UsageError, match="no code 'id64'"):
        CodeTable(good).column("id64")
    for outside in (-1, 4):
        with pytest.raises(UsageError, match="positions"):
            CodeTable(good).rows("id32", np.array([outside]))


def test_what_is_no_table_and_no_position_is_named() -> None:
    codes = {"id128": np.zeros((20, 16), np.uint8)}
    table = CodeTable(codes)
    with pytest.raises(UsageError, match=r"CodeTable, not a dict"):
        Cascade([Stage("id128")]).search(codes, codes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"CodeTable, not a dict"):
        InvertedLists.fit("id128", codes["id128"], nlist=2).arrange(codes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="joined as tables"):
        CodeTable.from_segments([codes])  # type: ignore[list-item]
    assert table.rows("id128", [1, 2]).shape == (2, 16)
    assert table.rows("id128", []).shape == (0, 16)
    for wrong in (np.zeros(20, bool), np.zeros((2, 2), int), [0.5]):
        with pytest.raises(UsageError, match="whole numbers"):
            table.rows("id128", wrong)
    with pytest.raises(UsageError, match="map code names"):
        fuse_codes(codes["id128"], np.zeros(20, int))  # type: ignore[arg-type]
