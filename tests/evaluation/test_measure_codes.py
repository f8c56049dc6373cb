"""Measured cascades against rankings made of naive distances, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
import pytest

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation import match_ranks, ranking_metrics
from swiftreid.evaluation.measure import LabelledCodes, measure, measure_cascades, measure_embedding
from swiftreid.evaluation.protocol import Metrics, Protocol, evaluate_rankings
from swiftreid.search.cascade import Cascade

WIDTHS = {"id32": 4, "id128": 16}
Keep = Callable[[list[int]], Callable[[int], bool]]


def people(count: int, seed: int, embedding: bool = False) -> LabelledCodes:
    """Random ids, junk and distractors among them, with codes that lean on the person: rankings mean something."""
    rng, centres = np.random.default_rng(seed), np.random.default_rng(99)
    persons, cameras = rng.integers(-1, 12, count), rng.integers(1, 4, count)
    codes = {}
    for name, width in WIDTHS.items():
        own = centres.integers(0, 256, (13, width), dtype=np.uint8)[persons + 1]
        flipped = rng.random((count, width * 8)) < 0.35
        codes[name] = own ^ np.packbits(flipped, axis=1, bitorder="little")
    vectors = rng.normal(size=(count, 8)).astype(np.float32) if embedding else None
    return LabelledCodes(codes, persons, cameras, vectors)


def bits(left: np.ndarray, right: np.ndarray) -> int:
    return sum((int(a) ^ int(b)).bit_count() for a, b in zip(left, right, strict=True))


def naive_ranking(
    stages: Sequence[tuple[str, Keep]], query: LabelledCodes, row: int, gallery: LabelledCodes
) -> tuple[list[int], list[int]]:
    """Coarse to fine by the words of the definition, and the number of entries that came into each stage."""
    entries, stopped, came_in = list(range(len(gallery))), [], []
    for number, (code, keep) in enumerate(stages):
        came_in.append(len(entries))
        distance = {e: bits(gallery.codes[code][e], query.codes[code][row]) for e in entries}
        passes = keep(list(distance.values()))
        last = number == len(stages) - 1
        left = [e for e in entries if last or not passes(distance[e])]
        stopped = sorted(left, key=lambda e: (distance[e], e)) + stopped
        entries = [e for e in entries if e not in set(left)]
    return stopped, came_in


def everything(_: list[int]) -> Callable[[int], bool]:
    return lambda distance: True


def within(threshold: int) -> Keep:
    return lambda _: lambda distance: distance <= threshold


CASCADES: dict[str, list[tuple[str, Keep]]] = {
    "id32": [("id32", everything)],
    "id128": [("id128", everything)],
    "id32<=13 > id128": [("id32", within(13)), ("id128", everything)],
    "id32<=14 > id128<=50 > id128": [("id32", within(14)), ("id128", within(50)), ("id128", everything)],
    "id32<=0 > id128": [("id32", within(0)), ("id128", everything)],
}


def same(left: Metrics, right: Metrics) -> None:
    for field in fields(Metrics):
        one, other = getattr(left, field.name), getattr(right, field.name)
        assert np.array_equal(one, other, equal_nan=isinstance(one, np.ndarray) and one.dtype.kind == "f"), field.name


@pytest.mark.parametrize("queries_at_a_time", [1, 7, 256])
def test_cascades_agree_with_naive_rankings(queries_at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_ranks, "_BLOCK_BYTES", queries_at_a_time * 4 * 150)
    query, gallery = people(20, 1), people(150, 2)
    measured = measure_cascades({text: Cascade.parse(text) for text in CASCADES}, query, gallery, timed=False)
    assert [one.label for one in measured] == list(CASCADES)
    for one, stages in zip(measured, CASCADES.values(), strict=True):
        rankings, came_in = zip(*(naive_ranking(stages, query, row, gallery) for row in range(len(query))), strict=True)
        expected = evaluate_rankings(
            (np.array(ranking) for ranking in rankings),
            query.persons,
            query.cameras,
            gallery.persons,
            gallery.cameras,
            short_lists=[entries[-1] for entries in came_in],
        )
        same(one.metrics, expected)
        assert one.metrics.incomplete == 0
        mean_in = np.mean(came_in, axis=0)
        assert [stage["in"] for stage in one.stages] == pytest.approx(mean_in)
        assert [stage["rule"] for stage in one.stages] == one.label.split(" > ")
        widths = [WIDTHS[code] for code, _ in stages]
        assert one.bytes_per_query == pytest.approx(float(np.dot(mean_in, widths)))
        planes = WIDTHS[stages[0][0]] if len(stages) > 1 else 0
        assert one.bytes_per_entry == sum(WIDTHS[code] for code in {code for code, _ in stages}) + planes
        assert one.microseconds is None
    figures = {one.label: one.metrics.map_standard for one in measured}
    assert figures["id128"] > figures["id32"] + 0.02, "the longer code must be seen to be the better one"


def test_a_cascade_may_end_in_the_embedding() -> None:
    query, gallery = people(12, 1, embedding=True), people(70, 2, embedding=True)
    assert query.embedding is not None
    assert gallery.embedding is not None
    texts = ("embedding", "id32:top=30 > embedding")
    whole, short = measure_cascades({text: Cascade.parse(text) for text in texts}, query, gallery)
    same(whole.metrics, measure_embedding(query, gallery, timed=False).metrics)
    rankings = []
    for row in range(len(query)):
        coarse = sorted(range(70), key=lambda e, row=row: (bits(gallery.codes["id32"][e], query.codes["id32"][row]), e))
        cosines = gallery.embedding @ query.embedding[row] / np.linalg.norm(gallery.embedding, axis=1)
        rankings.append(sorted(coarse[:30], key=lambda e, c=cosines: -c[e]) + coarse[30:])
    ids = (query.persons, query.cameras, gallery.persons, gallery.cameras)
    ranked = (np.array(ranking) for ranking in rankings)
    same(short.metrics, evaluate_rankings(ranked, *ids, short_lists=[30] * len(query)))
    assert (whole.bytes_per_entry, short.bytes_per_entry) == (32, 40)
    assert short.bytes_per_query == 70 * 4 + 30 * 32
    with pytest.raises(UsageError, match="no float embedding for a cascade to end in"):
        measure_cascades({"x": Cascade.parse("id32 > embedding")}, people(5, 1), gallery, timed=False)


def test_certified_search_is_judged_by_its_first_results() -> None:
    rng, query, gallery = np.random.default_rng(7), people(9, 1), people(150, 2)
    for part in (query, gallery):
        part.codes["id512"] = rng.integers(0, 256, (len(part), 64), dtype=np.uint8)  # type: ignore[index]
    whole, certified = measure_cascades(
        {text: Cascade.parse(text) for text in ("id512", "id512:miss=1e-9")}, query, gallery, k=20
    )
    same(certified.metrics, whole.metrics)
    assert (whole.bytes_per_entry, certified.bytes_per_entry) == (64, 128), "the code is kept a second time, split"
    assert certified.microseconds is not None


def test_missed_results_show_in_the_figures() -> None:
    best, rankings = np.array([[4, 1], [2, -1]]), np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]])
    completed = [ranking.tolist() for ranking in ranking_metrics._completed(best, rankings)]
    assert completed == [[4, 1, 0, 2, 3], [2, 0, 1, 3, 4]]


def test_kept_is_what_the_next_stage_compares() -> None:
    [one] = measure_cascades(
        {"three": Cascade.parse("id32:top=40 > id128:share=0.25 > id128")}, people(9, 1), people(80, 2), timed=False
    )
    assert [stage["in"] for stage in one.stages] == [80, 40, 10]
    assert [stage["kept"] for stage in one.stages] == [40, 10, 10]


def test_a_block_of_rankings_is_bounded_in_a_large_gallery() -> None:
    assert ranking_metrics._queries_at_a_time(20_000) == ranking_metrics._BLOCK
    assert ranking_metrics._queries_at_a_time(500_000) * 500_000 * 13 <= 2**28
    assert ranking_metrics._queries_at_a_time(10**9) == 1
    assert ranking_metrics._queries_at_a_time(0) == ranking_metrics._BLOCK


def test_timed_cascades_have_a_time() -> None:
    measured = measure_cascades({"id32": Cascade.parse("id32")}, people(9, 1), people(80, 2), k=5)
    assert measured[0].microseconds is not None
    assert 0 < measured[0].microseconds < 1e6


def test_embedding_agrees_with_naive_cosine() -> None:
    query, gallery = people(30, 1, embedding=True), people(90, 2, embedding=True)
    assert query.embedding is not None
    assert gallery.embedding is not None
    measured = measure_embedding(query, gallery, label="cosine")
    left, right = query.embedding.astype(float), gallery.embedding.astype(float)
    cosine = (left @ right.T) / np.linalg.norm(left, axis=1)[:, None] / np.linalg.norm(right, axis=1)
    rankings = np.argsort(-cosine, axis=1, kind="stable")
    same(
        measured.metrics,
        evaluate_rankings(rankings, query.persons, query.cameras, gallery.persons, gallery.cameras),
    )
    assert (measured.label, measured.bytes_per_entry, measured.bytes_per_query) == ("cosine", 32, 90 * 32)
    assert measured.microseconds is not None
    assert measured.stages == []


def test_codes_without_an_embedding_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="query has no float embedding"):
        measure_embedding(people(3, 1), people(3, 2, embedding=True))
    with pytest.raises(UsageError, match="gallery has no float embedding"):
        measure_embedding(people(3, 1, embedding=True), people(3, 2))


def test_chosen_rows() -> None:
    everybody = people(20, 1, embedding=True)
    some = everybody.take(np.array([5, 3, 3]))
    assert len(some) == 3
    assert some.persons.tolist() == everybody.persons[[5, 3, 3]].tolist()
    assert some.embedding is not None
    assert np.array_equal(some.embedding, everybody.embedding[[5, 3, 3]])
    assert np.array_equal(
        everybody.take(everybody.persons > 0).codes["id128"], everybody.codes["id128"][everybody.persons > 0]
    )
    assert people(4, 1).take(np.array([1])).embedding is None


@pytest.mark.parametrize("timed", [True, False])
def test_nobody_to_measure_is_said(timed: bool) -> None:
    cascades, none = {"id32": Cascade.parse("id32")}, np.array([], np.int64)
    query, gallery = people(5, 1), people(20, 2)
    for left, right in ((query.take(none), gallery), (query, gallery.take(none))):
        with pytest.raises(SwiftReIDError, match="nothing to measure"):
            measure_cascades(cascades, left, right, timed=timed)


def test_parts_of_unlike_length_are_refused() -> None:
    codes = {"id32": np.zeros((3, 4), np.uint8)}
    with pytest.raises(UsageError, match="cameras are of 2 pictures, but persons of 3"):
        LabelledCodes(codes, np.arange(3), np.arange(2))
    with pytest.raises(UsageError, match="id32 are of 3 pictures, but persons of 4"):
        LabelledCodes(codes, np.arange(4), np.arange(4))


def test_arguments_of_other_types_are_refused() -> None:
    query = people(5, 1)
    cascades = {"a": Cascade.parse("id32")}
    with pytest.raises(UsageError, match="query must be LabelledCodes, not NoneType"):
        measure(cascades, None, query)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cascades must map labels to cascades"):
        measure({"a": "id32"}, query, query)  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="protocol must be a Protocol"):
        measure(cascades, query, query, protocol="standard")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="empty is 'skip' or 'zero', not 'foo'"):
        Protocol(empty="foo")  # type: ignore[arg-type]
    for wrong in (np.array(["a", "b", "c"]), np.array([1.0, 2.0, np.nan]), [1, 2, 3]):
        with pytest.raises(UsageError, match="persons are one whole number for each picture"):
            LabelledCodes({}, wrong, np.arange(3))  # type: ignore[arg-type]
