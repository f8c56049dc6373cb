"""Timing and judging: what is found is counted rightly, ties are fair, missing packages and memory are said."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from swiftreid.bench import measure as measure_module
from swiftreid.bench import run as run_module
from swiftreid.bench.arrays import numpy_cascade, numpy_exhaustive
from swiftreid.bench.codes import SyntheticCodes, synthetic_codes
from swiftreid.bench.contender import Contender, Missing, Ranked
from swiftreid.bench.measure import Truth, measure, processor_share, read_gigabytes_per_second
from swiftreid.bench.ours import CTF
from swiftreid.bench.rankings import loop_ranking, measure_rankings, numpy_ranking
from swiftreid.bench.run import Options, gather
from swiftreid.search.cascade import Cascade
from swiftreid.search.kernels import hamming
from swiftreid.search.table import CodeTable

K = 20


@pytest.fixture(scope="module")
def data() -> SyntheticCodes:
    return synthetic_codes(3000, 12, seed=2)


def answering(name: str, ranked: np.ndarray, seconds: float = 0.0, *, by_id2048: bool = True) -> Contender:
    def answer(first: int, count: int) -> Ranked:
        time.sleep(seconds)
        return ranked[first : first + count]

    return Contender(name, answer, 256, batched=True, by_id2048=by_id2048)


def distances(data: SyntheticCodes) -> np.ndarray:
    return hamming(data.table.column("id2048")[0], data.queries["id2048"])


def test_exact_answers_are_judged_perfect(data: SyntheticCodes) -> None:
    ranked = np.argsort(distances(data), axis=1, kind="stable")[:, :K]
    found, recall = Truth.of(data, K, 12).judge(answering("exact", ranked))
    expected = sum(np.isin(right, row).sum() for right, row in zip(data.positives, ranked, strict=True))
    assert recall == 1
    assert found == pytest.approx(expected / sum(len(right) for right in data.positives))


def test_partial_answers_are_judged_by_their_part(data: SyntheticCodes) -> None:
    ranked = np.argsort(distances(data), axis=1, kind="stable")[:, :K]
    half = ranked.copy()
    half[:, K // 2 :] = -1
    assert Truth.of(data, K, 12).judge(answering("half", half))[1] == pytest.approx(0.5)
    twice = np.repeat(ranked[:, : K // 2], 2, axis=1)
    assert Truth.of(data, K, 12).judge(answering("twice", twice))[1] == pytest.approx(0.5)
    assert Truth.of(data, K, 12).judge(answering("floats", ranked, by_id2048=False))[1] is None


def test_ties_at_the_last_place_are_all_right() -> None:
    rows = np.zeros((6, 256), np.uint8)
    rows[1:, 0] = 1  # entry 0 at distance 0, all others at distance 1
    tied = SyntheticCodes(CodeTable({"id2048": rows}), {"id2048": np.zeros((1, 256), np.uint8)}, [np.array([0])], 0)
    truth = Truth.of(tied, 3, 1)
    assert truth.judge(answering("last", np.array([[0, 5, 4]]))) == (1.0, 1.0)
    assert truth.judge(answering("without", np.array([[3, 5, 4]]))) == (0.0, 1.0)  # as close as the third
    assert truth.judge(answering("short", np.array([[0, -1, -1]])))[1] == pytest.approx(1 / 3)


class Clock:
    """Stands for the module `time`: it goes on by what is slept and by a tick whenever it is read."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-4
        return self.now

    def process_time(self) -> float:
        return 0.1 * self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_times_are_those_of_one_query(data: SyntheticCodes, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(measure_module, "time", clock)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    ranked = np.argsort(distances(data), axis=1)[:, :K]
    contenders = [answering("slow", ranked, 0.02), answering("quick", ranked)]
    truth = Truth.of(data, K, 2)
    rows = measure(contenders, truth, batch=4, turns=2)
    by = {(row.name, row.batch): row for row in rows}
    assert set(by) == {("slow", 1), ("slow", 4), ("quick", 1), ("quick", 4)}
    assert 20 <= by["slow", 1].best_ms <= by["slow", 1].ms
    assert 5 <= by["slow", 4].best_ms < by["slow", 1].best_ms
    assert by["quick", 1].best_ms < by["slow", 1].best_ms
    assert by["slow", 1].first_ms >= 20
    assert by["quick", 1].first_ms > 0
    assert by["slow", 1].answers >= 2
    assert by["slow", 1].processor_share == pytest.approx(0.1)
    assert processor_share([by["slow", 1]]) == by["slow", 1].processor_share
    assert processor_share([]) is None


def test_numpy_contenders_equal_the_engine(data: SyntheticCodes) -> None:
    column, cascade = data.table.column("id2048")[0], Cascade.parse(CTF)
    exact = Cascade.parse("id2048").search(data.table, data.queries, k=K)
    staged = cascade.search(data.table, data.queries, k=K, min_candidates=0)
    for i in range(12):
        ranked = numpy_exhaustive(column, data.queries["id2048"][i], K)
        assert list(distances(data)[i, ranked]) == list(exact.distances[i])
        assert list(numpy_cascade(data, i, cascade, K)) == list(staged.indices[i, : staged.counts[i]])


def test_rankings_of_all_ways_are_equal_and_differ_when_thresholds_do(data: SyntheticCodes) -> None:
    figures = measure_rankings(data, queries=3)
    assert figures["equal"]
    assert [way["name"] for way in figures["ways"]] == ["ours", "ours, one call", "numpy", "python loops"]
    assert not np.array_equal(
        numpy_ranking(data, 0, Cascade.parse(CTF)), numpy_ranking(data, 0, Cascade.parse("id32<=20 > id2048"))
    )


def test_loops_rank_a_case_worked_out_by_hand() -> None:
    short, long = [0b0001, 0b0000, 0b1111, 0b0011], [0b00000011, 0b00000111, 0b0, 0b1]
    # short distances from 0: 1, 0, 4, 2; entries 0 and 1 go on, by long distances 2 and 3; 3 and 2 stay behind.
    assert loop_ranking([short, long], [0, 0], [1]) == [0, 1, 3, 2]


def test_reading_is_measured() -> None:
    assert 0.1 < read_gigabytes_per_second(np.ones((20_000, 256), np.uint8)) < 10_000


def test_missing_packages_are_named_with_what_installs_them(
    data: SyntheticCodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("faiss", "usearch", "usearch.index", "torch"):
        monkeypatch.setitem(sys.modules, package, None)
    contenders, missing = gather(data, Options(queries=12))
    assert {one.name.split()[0] for one in missing} == {"faiss", "usearch", "torch"}
    assert all("swiftreid[bench]" in one.reason for one in missing if not one.name.startswith("torch"))
    assert all("swiftreid[torch]" in one.reason for one in missing if one.name.startswith("torch"))
    assert {one.name.split()[0] for one in contenders} == {"numpy", "ours"}
    rows = measure([one for one in contenders if one.name.startswith("numpy")], Truth.of(data, 5, 2), batch=0, turns=1)
    assert run_module.baseline_of(rows, 256).name == "numpy exhaustive"


def test_what_does_not_fit_in_memory_is_left_out(data: SyntheticCodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "available_bytes", lambda: 1000)
    _, missing = gather(data, Options(queries=12, only=("torch*",)))
    assert Missing("torch float32 512", "needs 0.0 GB of memory, 0.0 GB are free") in missing


def test_graphs_are_built_when_asked(data: SyntheticCodes) -> None:
    _, missing = gather(data, Options(queries=12, only=("*HNSW",), graphs=False))
    assert {one.name for one in missing if one.reason == "graphs are left out"} == {
        "faiss IndexBinaryHNSW",
        "usearch HNSW",
    }
