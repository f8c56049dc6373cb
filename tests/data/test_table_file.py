from __future__ import annotations

import datetime
import math
from pathlib import Path

import pytest

from swiftreid.data.table_file import read_table
from swiftreid.data.times import seconds
from swiftreid.errors import UsageError
from swiftreid.retrieval.samples import samples_in


def test_parquet_becomes_the_text_that_csv_would_hold(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    when = datetime.datetime(2026, 11, 21, 10, 30, tzinfo=datetime.UTC)
    table = pyarrow.table(
        {
            "path": ["a.png", "b.png", "c.png"],
            "person": [1.0, 2.0, math.nan],
            "camera": [3, None, 4],
            "score": [0.5, 1e300, 2.0],
            "time": [when, None, when],
            "worn": [True, False, None],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    columns, rows = read_table(tmp_path / "t.parquet")
    assert columns == ["path", "person", "camera", "score", "time", "worn"]
    assert [number for number, _ in rows] == [1, 2, 3]
    assert [row["person"] for _, row in rows] == ["1", "2", ""]
    assert [row["camera"] for _, row in rows] == ["3", "", "4"]
    assert rows[0][1]["score"] == "0.5"
    assert seconds(rows[0][1]["time"], "row 1") == when.timestamp()
    assert [row["worn"] for _, row in rows] == ["True", "False", ""]


def test_csv_rows_carry_their_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('\ufeffa,b\n1\n"x\ny",2\n3,4\n', encoding="utf-8")
    assert read_table(tmp_path / "t.csv") == (
        ["a", "b"],
        [(2, {"a": "1", "b": ""}), (4, {"a": "x\ny", "b": "2"}), (5, {"a": "3", "b": "4"})],
    )
    (tmp_path / "t.csv").write_text("a\n1\n1,2\n")
    with pytest.raises(UsageError, match=r"t\.csv line 3 has 2 fields, but the header 1"):
        read_table(tmp_path / "t.csv")


def test_galleries_take_the_same_tables(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = {"path": ["a.png", "b.png"], "camera": [1, 2], "time": [5, None], "coat": ["red", None]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "m.parquet")
    (tmp_path / "m.csv").write_text("path,camera,time,coat\na.png,1,5,red\nb.png,2,,\n")
    first, second = (samples_in([], manifest=tmp_path / name) for name in ("m.parquet", "m.csv"))
    assert first == second
    assert (first[0].camera, first[0].time, first[0].attributes) == ("1", 5.0, {"coat": "red"})
    assert (first[1].time, first[1].attributes) == (None, {})


@pytest.mark.parametrize("text", ["noon", "nan", "inf", "1e20", "2026-13-01"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match=r"row 7: .* is no time"):
        seconds(text, "row 7")
