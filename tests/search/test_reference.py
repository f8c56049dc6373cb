from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_cascade as naive
from search_cases import Case, cases
from swiftreid.search import distances

SMALL = ("id8", "attr30", "id40")


def plain(case: Case):
    """The case as Python values for the naive cascade."""
    steps = [(s.code, s.keep, s.threshold or s.top or s.share or 0, s.whole_ties) for s in case.cascade.stages]
    rows = {name: [row.tobytes() for row in code] for name, code in case.codes.items()}
    count = len(next(iter(case.codes.values())))
    live = range(count) if case.mask is None else np.flatnonzero(case.mask).tolist()
    queries = [
        {n: c[i].tobytes() for n, c in case.queries.items()} for i in range(len(next(iter(case.queries.values()))))
    ]
    return steps, rows, live, queries


def weights_of(case: Case, query: int) -> dict[str, list[int]]:
    return {name: weights[query].tolist() for name, weights in case.weights.items()}


def unpadded(result, row: int):
    count = result.counts[row]
    for array in (result.indices, result.distances, result.stages):
        assert (array[row, count:] == -1).all()
    return list(
        zip(
            result.indices[row, :count].tolist(),
            result.distances[row, :count].tolist(),
            result.stages[row, :count].tolist(),
            strict=True,
        )
    )


def check_report(result, reports) -> None:
    for number, stage in enumerate(result.report):
        assert stage.entries_in == sum(r[number][0] for r in reports)
        assert stage.entries_kept == sum(r[number][1] for r in reports)


@settings(max_examples=150)
@given(cases(most=40, names=SMALL))
def test_search_is_what_the_words_say(case: Case) -> None:
    steps, rows, live, queries = plain(case)
    least = case.k if case.least is None else case.least
    result = case.cascade.search(
        case.table,
        case.queries,
        k=case.k,
        mask=case.mask,
        min_candidates=case.least,
        weights=case.weights,
        kernel="reference",
    )
    expected = [
        naive.search(steps, rows, query, live, least, case.k, weights_of(case, i)) for i, query in enumerate(queries)
    ]
    assert [unpadded(result, i) for i in range(len(queries))] == [ranked for ranked, _ in expected]
    check_report(result, [report for _, report in expected])
    if case.least is None and case.cascade.stages[-1].keep == "all":
        assert (result.counts == min(case.k, len(live))).all()


@settings(max_examples=150)
@given(cases(most=40, names=SMALL), st.sampled_from(["gallery", "stages"]))
def test_rank_is_what_the_words_say(case: Case, ties: str) -> None:
    steps, rows, live, queries = plain(case)
    result = case.cascade.rank(
        case.table,
        case.queries,
        mask=case.mask,
        min_candidates=case.least or 0,
        ties=ties,
        weights=case.weights,
        kernel="reference",
    )
    expected = [
        naive.rank(steps, rows, query, live, case.least or 0, ties, weights_of(case, i))
        for i, query in enumerate(queries)
    ]
    assert result.indices.shape == (len(queries), len(live))
    assert [unpadded(result, i) for i in range(len(queries))] == [ranked for ranked, _ in expected]
    check_report(result, [report for _, report in expected])


@pytest.mark.parametrize("width", [4, 12, 256])
def test_hamming(width: int) -> None:
    rng = np.random.default_rng(width)
    column = rng.integers(0, 256, (17, width), np.uint8)
    queries = rng.integers(0, 256, (3, width), np.uint8)
    expected = [[naive.distance(row.tobytes(), query.tobytes()) for row in column] for query in queries]
    assert distances.hamming(column, queries).tolist() == expected
