"""Measured re-ranking against rankings by the functions that are tested elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from test_measure_codes import bits, people, same

from swiftreid.errors import UsageError
from swiftreid.evaluation import reranked
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.evaluation.reranked import (
    measure_reranked_results,
    measure_reranked_search,
    measure_reranking,
    pictures_per_person,
)
from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import rerank_codes, rerank_embeddings
from swiftreid.search.table import CodeTable

SETTINGS = Reciprocal(k1=8, k2=3, lambda_=0.2)


def test_whole_rankings_by_codes_and_by_the_embedding() -> None:
    query, gallery = people(20, 1, embedding=True), people(150, 2, embedding=True)
    ids = (query.persons, query.cameras, gallery.persons, gallery.cameras)
    one = measure_reranking(query, gallery, "id128", SETTINGS)
    same(
        one.metrics,
        evaluate_rankings(rerank_codes("id128", query.codes["id128"], gallery.codes["id128"], SETTINGS), *ids),
    )
    assert one.label == "id128 re-ranked"
    assert one.stages[0]["rule"] == "k-reciprocal k1=8 k2=3 lambda=0.2"
    assert one.microseconds is not None
    assert one.microseconds > 0
    assert one.bytes_per_entry == 16 + 8 * 9
    assert query.embedding is not None
    assert gallery.embedding is not None
    other = measure_reranking(query, gallery, None, SETTINGS, timed=False)
    same(other.metrics, evaluate_rankings(rerank_embeddings(query.embedding, gallery.embedding, SETTINGS), *ids))
    assert (other.label, other.microseconds) == ("float embedding re-ranked", None)


def test_only_the_first_results_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reranked, "FIRST", 12)
    monkeypatch.setattr(reranked, "_BLOCK", 7)
    query, gallery = people(20, 1), people(150, 2)
    table = CodeTable(dict(gallery.codes))
    graph = GalleryGraph.of_codes(table, "id128", SETTINGS)
    rankings = []
    for code in query.codes["id128"]:
        plain = sorted(range(150), key=lambda g, code=code: (bits(gallery.codes["id128"][g], code), g))
        first = graph.rerank(np.array([plain[:12]]), code[None]).indices[0]
        assert sorted(first) == sorted(plain[:12])
        rankings.append(np.concatenate([first, plain[12:]]))
    found = measure_reranked_search(query, gallery, "id128", SETTINGS)
    same(
        found.metrics,
        evaluate_rankings(rankings, query.persons, query.cameras, gallery.persons, gallery.cameras),
    )
    assert found.label == "id128 first 12 re-ranked"
    assert found.metrics.incomplete == 0


def test_the_first_results_among_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reranked, "POOL", 30)
    monkeypatch.setattr(reranked, "_BLOCK", 7)
    query, gallery = people(20, 1), people(150, 2)
    rankings = []
    for code in query.codes["id128"]:
        plain = sorted(range(150), key=lambda g, code=code: (bits(gallery.codes["id128"][g], code), g))
        first = np.sort(plain[:30])
        [order] = rerank_codes("id128", code[None], gallery.codes["id128"][first], SETTINGS)
        rankings.append(np.concatenate([first[order], plain[30:]]))
    found = measure_reranked_results(query, gallery, "id128", SETTINGS)
    same(
        found.metrics,
        evaluate_rankings(rankings, query.persons, query.cameras, gallery.persons, gallery.cameras),
    )
    assert found.label == "id128 first 30 among themselves"
    assert found.bytes_per_entry == 16
    assert found.bytes_per_query == 16 * (150 + 30 * 31)
    assert found.microseconds is not None
    assert measure_reranked_results(query, gallery, "id128", SETTINGS, timed=False).microseconds is None


def test_a_small_gallery() -> None:
    query, gallery = people(20, 1), people(30, 2)
    assert measure_reranked_search(query, gallery, "id32", Reciprocal(), timed=False).metrics.incomplete == 0
    assert measure_reranked_results(query, gallery, "id32", Reciprocal(), timed=False).metrics.incomplete == 0
    assert measure_reranking(query, gallery, "id32", Reciprocal(), timed=False).metrics.incomplete == 0


def test_pictures_per_person_leave_out_junk_and_distractors() -> None:
    gallery = people(5, 1)
    gallery.persons[:] = [-1, 0, 3, 3, 4]
    assert pictures_per_person(gallery) == 1.5
    gallery.persons[:] = 0
    assert pictures_per_person(gallery) == 0


def test_what_is_not_there_is_named() -> None:
    query, gallery = people(5, 1), people(20, 2, embedding=True)
    with pytest.raises(UsageError, match="no code 'id2048'"):
        measure_reranking(query, gallery, "id2048", SETTINGS)
    with pytest.raises(UsageError, match="no code 'id2048'"):
        measure_reranked_search(query, gallery, "id2048", SETTINGS)
    with pytest.raises(UsageError, match="no code 'id2048'"):
        measure_reranked_results(query, gallery, "id2048", SETTINGS)
    with pytest.raises(UsageError, match="no float embedding"):
        measure_reranking(query, gallery, None, SETTINGS)
