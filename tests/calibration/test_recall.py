from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.calibration.recall import TooFewPeople, _certified, people_needed, recall_thresholds, relevant_pairs
from swiftreid.calibration.threshold_chains import cost_per_entry, losses_along, pair_loads, threshold_chain
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits, row_bytes_of
from swiftreid.search.table import CodeTable

RATES = (0.05, 0.12, 0.25)


def people(count: int, *, seed: int, per: int = 4, bits: tuple[int, ...] = (16, 64, 128)):
    """Each person has codes, and a rate at which every picture flips their bits: people differ, the law is known."""
    rng = np.random.default_rng(seed)
    rate = rng.choice(RATES, count)
    persons, cameras = np.repeat(np.arange(count), per), np.tile(np.arange(per) % 2, count)
    codes = {}
    for length in bits:
        own = rng.random((count, length)) > 0.5
        codes[f"id{length}"] = pack_bits(own[persons] ^ (rng.random((count * per, length)) < rate[persons][:, None]))
    return codes, persons, cameras


def truly_kept(values: dict[str, int]) -> float:
    """Exact chance that a pair of one of those people passes all stages: products of binomial sums."""
    total = 0.0
    for rate in RATES:
        differ, kept = 2 * rate * (1 - rate), 1.0
        for code, threshold in values.items():
            bits = int(code[2:])
            kept *= sum(math.comb(bits, d) * differ**d * (1 - differ) ** (bits - d) for d in range(threshold + 1))
        total += kept / len(RATES)
    return total


def broken_promises(trials: int, share: float, confidence: float, count: int) -> int:
    found = (
        recall_thresholds(*people(count, seed=seed), share=share, confidence=confidence, depth=None)
        for seed in range(trials)
    )
    return sum(truly_kept(thresholds.values) < share for thresholds in found)


def test_the_promise_holds_as_often_as_stated() -> None:
    # A method that breaks its promise in exactly a fifth of all trials breaks at most 14 of 40 with probability 0.99.
    assert broken_promises(40, 0.9, 0.8, 80) <= 14


@pytest.mark.parametrize("law", ["all or nothing", "half or nothing", "uniform", "mixed"])
@pytest.mark.parametrize("stake_share", [0.2, 0.6, 1.0])
@pytest.mark.parametrize(("share", "confidence"), [(0.9, 0.8), (0.97, 0.95)])
def test_the_bound_errs_as_seldom_as_stated(law: str, stake_share: float, share: float, confidence: float) -> None:
    """People whose expected loss is just above what is allowed are certified with at most the stated probability."""
    rng = np.random.default_rng(1)
    trials, count, mean = 2000, 120, (1 - share) * 1.0001
    losses = {
        "all or nothing": lambda: (rng.random((count, trials)) < mean) * 1.0,
        "half or nothing": lambda: (rng.random((count, trials)) < 2 * mean) * 0.5,
        "uniform": lambda: rng.random((count, trials)) * 2 * mean,
        "mixed": lambda: np.where(rng.random((count, trials)) < mean / 2, 1.0, rng.random((count, trials)) * mean),
    }[law]()
    certified = sum(_certified(column[:, None], stake_share / share, share, confidence) == 0 for column in losses.T)
    error = 1 - confidence
    assert certified / trials <= error + 3 * math.sqrt(error / trials)
    # What merely happens to hold on those people holds about every second time.
    assert 0.3 < np.mean(losses.mean(axis=0) <= 1 - share) < 0.8


def test_the_bound_is_not_idle() -> None:
    rng = np.random.default_rng(2)
    losses = (rng.random((300, 400)) < 0.04) * 0.5  # 2 % lost, 5 % allowed
    assert np.mean([_certified(column[:, None], 1 / 0.95, 0.95, 0.95) == 0 for column in losses.T]) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("share", "confidence", "count"), [(0.9, 0.8, 60), (0.95, 0.95, 150), (0.99, 0.9, 420)])
def test_the_promise_holds_at_other_figures(share: float, confidence: float, count: int) -> None:
    trials = 200
    broken = broken_promises(trials, share, confidence, count)
    expected = trials * (1 - confidence)
    assert broken <= expected + 3 * math.sqrt(expected * confidence)


def test_more_people_buy_cheaper_thresholds() -> None:
    few, many = (
        [recall_thresholds(*people(count, seed=seed), share=0.95).bytes_per_entry for seed in range(4)]
        for count in (90, 600)
    )
    assert np.mean(many) < 0.9 * np.mean(few)


def test_a_larger_share_and_a_surer_promise_cost_more() -> None:
    many = people(600, seed=6)
    costs = [recall_thresholds(*many, share=share).bytes_per_entry for share in (0.8, 0.9, 0.97, 0.99)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    sure = [recall_thresholds(*many, confidence=c, share=0.97).bytes_per_entry for c in (0.5, 0.9, 0.999)]
    assert sure == sorted(sure)


def test_figures_are_those_of_the_thresholds() -> None:
    codes, persons, cameras = people(300, seed=7)
    found = recall_thresholds(codes, persons, cameras, share=0.95)
    assert (found.shaping, found.certifying, found.final) == (75, 225, "id128")
    assert list(found.values) == ["id16", "id64"]
    assert found.kept > found.share
    # By the engine: every picture a query; what of the result is not refined to the last stage is lost.
    queries = {name: code[:200] for name, code in codes.items()}
    ranked = found.cascade().rank(CodeTable(codes), queries)
    shares = []
    for row in range(200):
        near = np.bitwise_count(codes["id128"] ^ codes["id128"][row]).sum(axis=1) <= found.reach
        good = np.flatnonzero((persons == persons[row]) & (cameras != cameras[row]) & near)
        last = dict(zip(ranked.indices[row].tolist(), ranked.stages[row].tolist(), strict=True))
        shares += [sum(last[g] == 2 for g in good) / len(good)] if len(good) else []
    assert np.mean(shares) == pytest.approx(found.kept, abs=0.04)
    per_entry = ranked.report.bytes_per_query / len(persons)
    assert per_entry == pytest.approx(found.bytes_per_entry, rel=0.15)


def test_people_count_not_pairs() -> None:
    with pytest.raises(TooFewPeople, match=r"takes 398 held-out people.*there are 60"):
        recall_thresholds(*people(60, seed=1, per=30))


@pytest.mark.parametrize(("share", "confidence"), [(0.99, 0.95), (0.9, 0.95), (0.95, 0.5), (0.5, 0.5)])
def test_the_number_needed_is_enough_and_one_less_is_not(share: float, confidence: float) -> None:
    needed = people_needed(share, confidence)
    codes = recall_thresholds(*people(needed, seed=2), share=share, confidence=confidence, depth=None)
    assert codes.certifying >= math.log(1 - confidence) / math.log(share) - 1e-9
    with pytest.raises(TooFewPeople, match=f"takes {needed} "):
        recall_thresholds(*people(needed - 1, seed=2), share=share, confidence=confidence)
    assert people_needed(0.99, 0.95) == 398  # a quarter, and the 299 of 0.99 ** 299 <= 0.05


def test_what_exhaustive_search_would_not_find_either_need_not_be_kept() -> None:
    codes, persons, cameras = people(300, seed=3)
    rng = np.random.default_rng(3)
    hopeless = rng.random(len(persons)) < 0.05
    for code in codes.values():
        code[hopeless] = rng.integers(0, 256, (int(hopeless.sum()), code.shape[1]), np.uint8)
    near = recall_thresholds(codes, persons, cameras, share=0.95)
    everything = recall_thresholds(codes, persons, cameras, share=0.95, depth=None)
    assert near.reach < everything.reach == 128
    assert near.bytes_per_entry < everything.bytes_per_entry


def test_junk_and_order_of_codes_change_nothing() -> None:
    codes, persons, cameras = people(120, seed=4)
    found = recall_thresholds(codes, persons, cameras, share=0.9)
    rng = np.random.default_rng(4)
    junk = {
        name: np.concatenate([codes[name], rng.integers(0, 256, (50, codes[name].shape[1]), np.uint8)])
        for name in reversed(codes)
    }
    # More pictures move the draw of strangers, not the people: -1 sorts first and has no relevant pairs.
    again = recall_thresholds(
        junk, np.concatenate([persons, np.full(50, -1)]), np.concatenate([cameras, np.arange(50) % 2]), share=0.9
    )
    assert again == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 1.0}, "share must be between 0 and 1"),
        ({"confidence": 0.0}, "confidence must be"),
        ({"share": math.nan}, "share must be"),
        ({"depth": 0.0}, "depth must be"),
        ({"persons": np.zeros(3, int)}, "need shape"),
        ({"codes": {"id16": np.zeros((4, 4), np.uint8)}}, "two codes"),
    ],
)
def test_arguments_out_of_range(change: dict, message: str) -> None:
    codes, persons, cameras = people(1, seed=0)
    arguments = {"codes": codes, "persons": persons, "cameras": cameras} | change
    with pytest.raises(UsageError, match=message):
        recall_thresholds(**arguments)


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 2)), max_size=12))
def test_relevant_pairs_are_those_of_the_definition(pictures: list[tuple[int, int]]) -> None:
    persons = np.array([p for p, _ in pictures], np.int64)
    cameras = np.array([c for _, c in pictures], np.int64)
    queries, entries = relevant_pairs(persons, cameras)
    expected = {
        (i, j)
        for i, j in product(range(len(pictures)), repeat=2)
        if persons[i] == persons[j] >= 0 and cameras[i] != cameras[j]
    }
    assert set(zip(queries.tolist(), entries.tolist(), strict=True)) == expected
    assert len(queries) == len(expected)


@given(st.integers(0, 10_000))
def test_chains_fall_and_losses_are_counted_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = np.array([16, 32, 64])
    queries = np.sort(rng.integers(0, 12, 40))
    persons = queries // 3
    within = rng.binomial(bits[:-1], 0.2, (40, 2))
    between = rng.binomial(bits[:-1], 0.45, (300, 2))
    loads = pair_loads(queries, persons)
    for person in np.unique(persons):
        asked = np.unique(queries[persons == person])
        for query in asked:
            mine = loads[queries == query]
            np.testing.assert_allclose(mine, 1 / (len(mine) * len(asked)))
    chain = threshold_chain(bits, within, loads, between, until=0.4)
    assert (np.diff(chain, axis=0) <= 0).all()
    assert chain[0].tolist() == [16, 32]
    assert (chain >= 0).all()
    costs = [cost_per_entry(bits, place, between) for place in chain]
    assert (np.diff(costs) <= 1e-9).all()
    place = int(rng.integers(len(chain)))
    t = chain[place]
    naive = [4 + 4 * (a <= t[0]) + row_bytes_of("id64") * (a <= t[0] and b <= t[1]) for a, b in between]
    assert costs[place] == pytest.approx(np.mean(naive))
    losses = losses_along(chain, within, persons, loads)
    for row, person in enumerate(np.unique(persons)):
        lost = 0.0
        for pair in np.flatnonzero(persons == person):
            lost += loads[pair] * (within[pair, 0] > t[0] or within[pair, 1] > t[1])
        assert losses[row, place] == pytest.approx(lost)
    assert losses[:, 0].max() == 0
