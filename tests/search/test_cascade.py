from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_cases import NAMES, stages
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.table import CodeTable

TABLE = CodeTable({"id32": np.array([[0, 0, 0, 0], [1, 0, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0]], np.uint8)})
QUERY = {"id32": np.zeros((1, 4), np.uint8)}


@given(st.lists(st.sampled_from(NAMES).flatmap(lambda name: stages(name, True)), min_size=1, max_size=8))
def test_text_round_trips(given_stages: list[Stage]) -> None:
    cascade = Cascade(given_stages)
    assert Cascade.parse(str(cascade)) == cascade


@given(st.floats(min_value=0, max_value=1, exclude_min=True))
def test_every_share_round_trips(share: float) -> None:
    assert Stage.parse(str(Stage("id32", share=share))).share == share


def test_the_text_form() -> None:
    cascade = Cascade.parse("attr30:share=0.2>id32 <= 11 > id128:top=1000 > id2048")
    assert cascade.stages == (
        Stage("attr30", share=0.2),
        Stage("id32", threshold=11),
        Stage("id128", top=1000),
        Stage("id2048"),
    )
    assert str(cascade) == "attr30:share=0.2 > id32<=11 > id128:top=1000 > id2048"
    for text in ("", "id32 >", "id32<11", "id32<=", "id32<=-1", "id32:w=3", "id32:top=", "32<=3", "id32<=1.5"):
        with pytest.raises(UsageError, match="cannot read the stage"):
            Cascade.parse(text)
    for text, message in {
        "id32:top=1.5": "whole number",
        "id32:share=e": "a number",
        "id32:share=1.2": "at most 1",
    }.items():
        with pytest.raises(UsageError, match=message):
            Cascade.parse(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 3, "top": 5}, "threshold and top"),
        ({"threshold": 33}, "0 to 32"),
        ({"threshold": -1}, "0 to 32"),
        ({"threshold": 3.0}, "whole number"),
        ({"threshold": True}, "whole number"),
        ({"top": 0}, "at least 1"),
        ({"share": 0.0}, "above 0"),
        ({"share": float("nan")}, "above 0"),
        ({"share": "much"}, "number"),
    ],
)
def test_rules_out_of_range(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Stage("id32", **arguments)


def test_a_cascade_has_one_to_eight_stages() -> None:
    for count in (0, 9):
        with pytest.raises(UsageError, match=f"got {count}"):
            Cascade([Stage("id32")] * count)


def test_text_is_for_parse_and_stages_for_the_constructor() -> None:
    with pytest.raises(UsageError, match=r"the text 'id32<=11 > id2048': read it with Cascade\.parse"):
        Cascade("id32<=11 > id2048")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"stage 2 of the cascade must be a Stage, got 'id2048'.*Cascade\.parse"):
        Cascade([Stage("id32"), "id2048"])  # type: ignore[list-item]
    for wrong in (None, 3, Stage("id32")):
        with pytest.raises(UsageError, match="several Stage objects, got"):
            Cascade(wrong)  # type: ignore[arg-type]
    for wrong in (None, 3, [Stage("id32")], b"id32"):
        with pytest.raises(UsageError, match=r"Cascade\.parse reads text such as .*got"):
            Cascade.parse(wrong)  # type: ignore[arg-type]
    assert Cascade(Stage(name) for name in ("id32", "id2048")) == Cascade.parse("id32 > id2048")


def test_ties_keep_gallery_order_and_rows_are_padded() -> None:
    result = Cascade([Stage("id32", threshold=1)]).search(TABLE, QUERY, k=5)
    assert result.indices.tolist() == [[0, 1, 3, -1, -1]]
    assert result.distances.tolist() == [[0, 1, 1, -1, -1]]
    assert result.stages.tolist() == [[0, 0, 0, -1, -1]]
    assert result.counts.tolist() == [3]
    assert (result.report[0].entries_in, result.report[0].entries_kept) == (4, 3)
    assert "id32<=1" in str(result.report)
    assert result.report.bytes_per_query == 16


def test_thresholds_rise_by_whole_tie_groups() -> None:
    cascade = Cascade.parse("id32<=0 > id32")
    assert cascade.search(TABLE, QUERY, k=2).report[0].entries_kept == 3
    assert cascade.search(TABLE, QUERY, k=2, min_candidates=1).counts.tolist() == [1]
    assert Cascade.parse("id32:top=1 > id32").search(TABLE, QUERY, k=2).report[0].entries_kept == 2


def test_a_mask_hides_entries() -> None:
    mask = np.array([False, True, True, False])
    for form in (mask, np.packbits(mask, bitorder="little"), np.array([0b11110110], np.uint8)):
        assert Cascade.parse("id32").search(TABLE, QUERY, k=4, mask=form).indices.tolist() == [[1, 2, -1, -1]]


def test_no_queries_and_no_entries() -> None:
    none = {"id32": np.zeros((0, 4), np.uint8)}
    assert Cascade.parse("id32").search(TABLE, none, k=3).indices.shape == (0, 3)
    empty = Cascade.parse("id32:top=3 > id32").search(CodeTable(none), QUERY, k=3)
    assert empty.counts.tolist() == [0]
    assert Cascade.parse("id32").rank(CodeTable(none), QUERY).indices.shape == (1, 0)


def test_queries_in_any_memory_layout() -> None:
    wide = np.zeros((6, 4), np.uint8)[::2]
    assert Cascade.parse("id32").search(TABLE, {"id32": wide}, k=1).counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": {}}, "needs the queries' code id32|needs the code id32"),
        ({"queries": {"id32": np.zeros(4, np.uint8)}}, r"code\[None\]"),
        ({"queries": {"id32": np.zeros((1, 8), np.uint8)}}, "4 bytes a row"),
        ({"queries": {"id32": np.zeros((1, 4), np.float32)}}, "uint8"),
        ({"k": 0}, "k must be"),
        ({"k": 2.5}, "k must be"),
        ({"threads": 0}, "threads must be"),
        ({"min_candidates": -1}, "min_candidates must be"),
        ({"mask": np.ones(3, bool)}, "mask must be"),
        ({"mask": np.ones(4, np.uint8)}, "mask must be"),
        ({"mask": [True] * 4}, "mask must be"),
        ({"table": CodeTable({"id64": np.zeros((1, 8), np.uint8)})}, "no code 'id32'"),
        ({"kernel": "abacus"}, "abacus"),
    ],
)
def test_wrong_calls_say_what_to_do(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Cascade.parse("id32").search(**{"table": TABLE, "queries": QUERY, **changes})


def test_rank_refuses_unknown_ties() -> None:
    with pytest.raises(UsageError, match="ties"):
        Cascade.parse("id32").rank(TABLE, QUERY, ties="random")  # type: ignore[arg-type]


def test_queries_of_different_lengths() -> None:
    table = CodeTable({"id32": np.zeros((1, 4), np.uint8), "id64": np.zeros((1, 8), np.uint8)})
    with pytest.raises(UsageError, match="numbers of queries"):
        Cascade.parse("id32 > id64").search(
            table, {"id32": np.zeros((1, 4), np.uint8), "id64": np.zeros((2, 8), np.uint8)}
        )


def test_whole_ties_in_text() -> None:
    text = "id32:top=7+ > id128:share=0.25+ > id2048"
    cascade = Cascade.parse(text)
    assert str(cascade) == text
    assert [stage.whole_ties for stage in cascade.stages] == [True, True, False]
