"""CountedRanks ranks against the full rankings of the engine, judged entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_measure_codes import people, same

from swiftreid.evaluation import match_ranks
from swiftreid.evaluation.match_ranks import can_count, places_in, ranks_by_distance
from swiftreid.evaluation.protocol import Protocol
from swiftreid.evaluation.ranking_metrics import metrics_of_cascade, metrics_of_rankings
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

RULES = ["", "<=13", "<=0", "<=200", ":top=1", ":top=40", ":top=40+", ":share=0.3", ":share=0.03+", ":share=1"]
stages = st.lists(st.tuples(st.sampled_from(["id32", "id128"]), st.sampled_from(RULES)), min_size=1, max_size=4)


@settings(max_examples=80)
@given(stages, st.integers(0, 10**6), st.booleans(), st.sampled_from(["skip", "zero"]))
def test_the_figures_of_full_rankings(given_stages, seed: int, cross_camera: bool, empty: str) -> None:
    parts = [
        code + ("" if rule == "<=200" and code == "id32" else rule).rstrip("+" if last else "")
        for (code, rule), last in zip(given_stages, [False] * (len(given_stages) - 1) + [True], strict=True)
    ]
    cascade = Cascade.parse(" > ".join(part.replace("id128<=200", "id128<=60") for part in parts))
    assert can_count(cascade.stages)
    query, gallery = people(8, seed), people(60, seed + 1)
    own = np.random.default_rng(seed).integers(-1, 60, 8)
    protocol = Protocol(empty, cross_camera, own)  # type: ignore[arg-type]
    table = CodeTable(dict(gallery.codes))
    ranked = cascade.rank(table, query.codes)
    lists = (ranked.stages == len(cascade.stages) - 1).sum(axis=1).tolist()
    full = metrics_of_rankings(iter(ranked.indices), query, gallery, protocol, short_lists=lists)
    counted, report = metrics_of_cascade(cascade, table, query, gallery, protocol=protocol)
    same(counted, full)
    for ours, engines in zip(report, ranked.report, strict=True):
        assert (ours.rule, ours.queries, ours.entries_in, ours.entries_kept, ours.row_bytes) == (
            engines.rule, engines.queries, engines.entries_in, engines.entries_kept, engines.row_bytes,
        )  # fmt: skip


@pytest.mark.parametrize("many", [0, 10**6])
def test_places_by_sorting(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_ranks, "_MANY", many)
    rng = np.random.default_rng(2)
    for distances in (rng.integers(0, 9, 200).astype(np.int32), rng.integers(-3, 3, 200).astype(np.float32) / 3):
        place = np.empty(200, np.int64)
        place[np.argsort(distances, kind="stable")] = np.arange(200)
        chosen = np.sort(rng.choice(200, 50, replace=False))
        assert places_in(distances, chosen).tolist() == place[chosen].tolist()
        good, ignored = chosen[::2], np.append(chosen[1::2], 199 if 199 not in chosen else 198)
        left = [e for e in np.argsort(distances, kind="stable") if e not in set(ignored)]
        assert ranks_by_distance(distances, good, ignored).tolist() == [
            rank for rank, e in enumerate(left, 1) if e in set(good)
        ]
    assert places_in(distances, np.empty(0, np.int64)).tolist() == []


def test_what_cannot_be_counted() -> None:
    assert not can_count(Cascade.parse("id32:top=9 > embedding").stages)
    assert not can_count(Cascade.parse("id512:miss=1e-6").stages)
    assert not can_count(Cascade.parse("id128:nprobe=0.3 > id32<=9 > id128").stages)
