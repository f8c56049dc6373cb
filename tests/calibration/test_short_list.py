from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swiftreid.calibration.short_list import fit_short_list
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits
from swiftreid.search.table import CodeTable


def drawn(seed: int, pictures: int = 60, people: int = 9):
    rng = np.random.default_rng(seed)
    persons, cameras = rng.integers(-1, people, pictures), rng.integers(0, 3, pictures)
    codes = {}
    for name, bits in (("id128", 128), ("attr30", 30), ("id16", 16)):
        own = rng.random((people + 1, bits)) > 0.5
        codes[name] = pack_bits(own[persons] ^ (rng.random((pictures, bits)) < 0.2))
    return codes, persons, cameras


def naive_ranks(code: np.ndarray, persons: np.ndarray, cameras: np.ndarray) -> list[int]:
    """For each query the worst rank of its first match."""
    found = []
    for i in range(len(persons)):
        if persons[i] < 0:
            continue
        distances = [int(np.bitwise_count(code[i] ^ other).sum()) for other in code]
        matches = [j for j in range(len(persons)) if persons[j] == persons[i] and cameras[j] != cameras[i]]
        others = [j for j in range(len(persons)) if persons[j] != -1 and j not in (i, *matches)]
        if matches:
            best = min(distances[j] for j in matches)
            found.append(1 + sum(distances[j] <= best for j in others))
    return found


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(["attr30", "id16", None]), st.sampled_from([0.5, 0.9, 0.97, 1.0]))
def test_w_is_the_smallest_that_finds_enough(seed: int, code: str | None, rank_share: float) -> None:
    codes, persons, cameras = drawn(seed)
    found = fit_short_list(codes, persons, cameras, code=code, rank_share=rank_share)
    short = code or "attr30"  # attributes come before a shorter code
    assert (found.code, found.final) == (short, "id128")
    ranks = naive_ranks(codes[short], persons, cameras)
    assert found.queries == len(ranks)
    assert np.mean([rank <= found.top for rank in ranks]) >= rank_share
    assert np.mean([rank <= found.top - 1 for rank in ranks]) < rank_share
    counted = int((persons >= 0).sum()) - 1
    assert found.top == math.ceil(found.share * counted - 1e-9) or found.share - 1e-4 < found.top / counted


def test_the_cascade_keeps_a_match_for_that_share_of_queries() -> None:
    codes, persons, cameras = drawn(1, pictures=400, people=60)
    found = fit_short_list(codes, persons, cameras, code="id16")
    assert str(found.cascade()) == f"id16:share={found.share!r} > id128"
    table, hits, asked = CodeTable(codes), 0, 0
    for query in range(len(persons)):
        match = (persons == persons[query]) & (cameras != cameras[query])
        mask = (persons >= 0) & (np.arange(len(persons)) != query)
        if persons[query] < 0 or not match.any():
            continue
        ranked = found.cascade().rank(table, {n: c[query : query + 1] for n, c in codes.items()}, mask=mask)
        asked += 1
        hits += bool(match[ranked.indices[0][ranked.stages[0] == 1]].any())
    assert asked == found.queries
    assert hits / asked >= 0.97


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank_share": 0.0}, "rank_share"),
        ({"rank_share": 1.5}, "rank_share"),
        ({"code": "id64"}, "no code 'id64'"),
        ({"code": "id128"}, "two codes"),
        ({"persons": np.zeros(3, int)}, "need shape"),
        ({"cameras": np.zeros(60, int)}, "two cameras"),
    ],
)
def test_arguments_out_of_range(change: dict, message: str) -> None:
    codes, persons, cameras = drawn(0)
    with pytest.raises(UsageError, match=message):
        fit_short_list(**({"codes": codes, "persons": persons, "cameras": cameras} | change))
