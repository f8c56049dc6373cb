"""Comparing cards: the test against every assignment of signs, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.comparison import compare_rows, differences, holm, shared_rankings, sign_flip_p
from swiftreid.evaluation.protocol import Metrics, summarise


def metrics(seed: int, shift: int = 0, queries: int = 40) -> Metrics:
    """One good match a query, ``shift`` ranks further down than in the first of these."""
    ranks = np.random.default_rng(seed).integers(1, 9, queries) + shift
    positives = np.ones(queries, np.int64)
    positives[3] = 0
    return summarise([np.array([r] if p else [], np.int64) for r, p in zip(ranks, positives, strict=True)], positives)


def card(*rows: tuple[str, Metrics], name: str = "e", fingerprint: str = "f", per_query: bool = True) -> ResultCard:
    return ResultCard(
        data=DataCard(name="d", fingerprint=fingerprint, pictures={}, persons={}),
        encoder=EvaluatedEncoder(name=name, fingerprint=name),
        protocol=ProtocolCard.of(rows[0][1]),
        rows=[ResultRow.of(label, one, per_query=per_query) for label, one in rows],
        queries=[f"query/{i}.jpg" for i in range(len(rows[0][1].inp))],
    )


def test_sign_flips_agree_with_all_assignments() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 11):
        change = np.round(rng.normal(0.3, 1, size), 1)
        sums = [abs(sum(s * c for s, c in zip(signs, change, strict=True))) for signs in
                itertools.product([-1, 1], repeat=size)]  # fmt: skip
        exact = np.mean(np.array(sums) >= abs(change.sum()) - 1e-9)
        assert sign_flip_p(change, flips=20_000) == pytest.approx(exact, abs=0.012)


def test_sign_flips_agree_with_the_t_test_on_many_queries() -> None:
    for seed in range(5):
        change = np.random.default_rng(seed).normal(0.1, 1, 500)
        assert sign_flip_p(change) == pytest.approx(ttest_1samp(change, 0).pvalue, abs=0.02)


def test_extremes_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_flip_p(np.zeros(5)) == 1
    assert sign_flip_p(np.full(50, 0.1), flips=999) == 0.001
    change = np.random.default_rng(1).normal(0.1, 1, 60)
    whole = sign_flip_p(change, flips=500)
    assert whole == sign_flip_p(-change, flips=500), "two-sided"
    monkeypatch.setattr("swiftreid.evaluation.comparison._BLOCK_BITS", 64)
    assert sign_flip_p(change, flips=500) == pytest.approx(whole, abs=0.08)
    for wrong in (np.zeros(0), np.zeros((2, 2))):
        with pytest.raises(UsageError, match="sign-flip"):
            sign_flip_p(wrong)


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    rng = np.random.default_rng(4)
    ps = np.array([sign_flip_p(rng.normal(0, 1, 40), flips=400) for _ in range(300)])
    assert 0.02 < (ps < 0.05).mean() < 0.09


def test_holm_by_the_book() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_rows_are_paired_query_by_query() -> None:
    base, same, worse = metrics(1), metrics(1), metrics(1, shift=3)
    first = card(("a", base), ("b", base))
    tests = compare_rows([first, card(("a", same), ("b", worse))], ["a", "b"], ap="trapezoid")
    found = {(test.ranking, test.figure): test for test in tests}
    assert len(found) == 4
    assert found["a", "mAP"].difference == 0
    assert not found["a", "mAP"].significant
    b = found["b", "mAP"]
    assert b.queries == 39, "one query has no good match"
    assert b.difference == pytest.approx(worse.map_trapezoid - base.map_trapezoid, abs=1e-12)
    assert b.significant
    assert b.interval[0] < b.difference < b.interval[1] < 0
    assert b.adjusted == pytest.approx(4 * b.p) == pytest.approx(4 / 10_001)
    assert found["b", "rank-1"].difference == pytest.approx(worse.rank1 - base.rank1)


def test_what_cannot_be_paired_is_left_out() -> None:
    first = card(("a", metrics(1)))
    assert compare_rows([first, card(("a", metrics(2)), per_query=False)], ["a"], ap="standard") == []
    assert compare_rows([first, card(("a", metrics(2, queries=9)))], ["a"], ap="standard") == []
    old = first.model_copy(update={"queries": []})
    assert compare_rows([old, old], ["a"], ap="standard") == []


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("data set", {"data": DataCard(name="d", fingerprint="g", pictures={}, persons={})}),
        ("unreadable pictures", {"unreadable": 2}),
        ("queries", {"queries": [f"query/{i + 1}.jpg" for i in range(40)]}),
        ("query", {"protocol": {"multi_query": True}}),
        ("distractors", {"protocol": {"distractors": 100}}),
        ("queries without a good match", {"protocol": {"empty": "zero"}}),
        ("pictures by the query's own camera", {"protocol": {"cross_camera": False}}),
        ("definition of AP", {"protocol": {"ap": "trapezoid"}}),
        ("queries without one", {"protocol": {"skipped": 7}}),
    ],
)
def test_unlike_cards_say_in_which_field(field: str, change: dict[str, object]) -> None:
    first = card(("a", metrics(1)))
    assert differences(first, first) == []
    if isinstance(change.get("protocol"), dict):
        change = {"protocol": first.protocol.model_copy(update=change["protocol"])}  # type: ignore[dict-item]
    other = first.model_copy(update=change)
    assert [found.field for found in differences(first, other)] == [field]
    assert field in str(differences(first, other)[0])
    told = differences(first, other, ap="standard")
    assert [found.field for found in told] == ([] if field == "definition of AP" else [field])


def test_cards_of_format_1_can_be_compared_without_a_test() -> None:
    first = card(("a", metrics(1)))
    assert differences(first, first.model_copy(update={"queries": [], "format": 1})) == []


def test_rankings_shared_and_asked_for() -> None:
    one, other = card(("a", metrics(1)), ("b", metrics(2))), card(("b", metrics(3)), ("c", metrics(4)))
    assert shared_rankings([one, other]) == ["b"]
    assert shared_rankings([one, one], ["b", "b"]) == ["b"]
    with pytest.raises(UsageError, match=r"card 2 has no ranking 'a'; it has 'b', 'c'"):
        shared_rankings([one, other], ["a"])
    with pytest.raises(UsageError, match="no ranking in common"):
        shared_rankings([one, card(("x", metrics(1)))])
