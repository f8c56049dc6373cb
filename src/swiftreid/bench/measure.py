"""Timing in turns: every contender answers in short bursts, one after another, so that a busy moment hits them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from swiftreid.bench.codes import SyntheticCodes
from swiftreid.bench.contender import Contender
from swiftreid.progress import Progress, no_progress
from swiftreid.search.cascade import Cascade
from swiftreid.search.kernels import hamming, read

_WARM_SECONDS = 0.01
_BURST_SECONDS = 0.03
_BURST_ANSWERS = 3
_SLOW_SECONDS = 0.3  # an answer that takes this long is not warmed up for, and comes once in a burst
_MOST_SECONDS = 15.0  # no contender takes longer in all, whatever the number of turns
_INSERTS = 20


@dataclass(frozen=True)
class BenchRow:
    """Figures of one contender, asked one query or one batch at a time.

    Attributes:
        name: the contender.
        batch: queries in one call.
        threads: how many threads answered.
        ms: median milliseconds for one query.
        best_ms: the least.
        first_ms: median milliseconds of the first answer of a burst, for one query: others have used the caches before.
            None for those that are too slow to be warmed up for.
        answers: how many calls were timed.
        positives_found: share of the queries' positives among the k best.
        recall: share of the k best that are as close as the k-th of the exhaustive ranking by id2048; None for those
            that rank by something else.
        bytes_per_entry: memory that one entry takes.
        build_seconds: processor seconds to make the index, or None.
        insert_us: median microseconds to add one entry, or None.
        processor_share: processor time over wall time while it was timed. Well below the number of threads that work,
            the machine was busy with something else.
    """

    name: str
    batch: int
    threads: int
    ms: float
    best_ms: float
    first_ms: float | None
    answers: int
    positives_found: float
    recall: float | None
    bytes_per_entry: float
    build_seconds: float | None
    insert_us: float | None
    processor_share: float


@dataclass
class _Task:
    contender: Contender
    batch: int
    seconds: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    answered: int = 0
    spent: float = 0.0
    processor: float = 0.0

    def burst(self, queries: int) -> None:
        if self.spent > _MOST_SECONDS:
            return
        start, started = time.perf_counter(), time.process_time()
        if (min(self.seconds) < _SLOW_SECONDS) if self.seconds else self.batch == 1:
            # Warms the caches, with one answer at least. A first batch may take a minute, and warms them itself.
            self.firsts.append(self._ask(queries))
            while time.perf_counter() - start < _WARM_SECONDS:
                self._ask(queries)
        timed, warm = 0, time.perf_counter()
        while (
            not timed
            or (timed < _BURST_ANSWERS and min(self.seconds) < _SLOW_SECONDS)
            or time.perf_counter() - warm < _BURST_SECONDS
        ):
            self.seconds.append(self._ask(queries))
            timed += 1
        self.spent += time.perf_counter() - start
        self.processor += time.process_time() - started

    def _ask(self, queries: int) -> float:
        """Seconds of one answer, to another query or batch than the one before."""
        self.answered += 1
        first = self.answered % max(1, queries - self.batch + 1)
        begun = time.perf_counter()
        self.contender.answer(first, self.batch)
        return time.perf_counter() - begun


@dataclass(frozen=True)
class Truth:
    """What exhaustive search by the longest code answers.

    Attributes:
        data: codes and right answers.
        limits: for each judged query the distance of its k-th best entry, int64 [judged].
        k: results for each query.
    """

    data: SyntheticCodes
    limits: NDArray[np.int64]
    k: int

    @classmethod
    def of(cls, data: SyntheticCodes, k: int, judged: int) -> Truth:
        """Search exhaustively."""
        k = min(k, len(data.table))
        query_codes = {"id2048": data.queries["id2048"][:judged]}
        distances = Cascade.parse("id2048").search(data.table, query_codes, k=k).distances
        return cls(data, distances[:, -1].astype(np.int64), k)

    def judge(self, contender: Contender) -> tuple[float, float | None]:
        """Share of the positives found and recall of the k best, ties at the k-th distance counting as right."""
        right = wanted = close = 0
        for i, limit in enumerate(self.limits):
            ranked = np.unique(contender.answer(i, 1)[0])
            ranked = ranked[ranked >= 0]
            right += len(np.intersect1d(ranked, self.data.positives[i]))
            wanted += min(len(self.data.positives[i]), self.k)
            if contender.by_id2048:
                rows = self.data.table.rows("id2048", ranked)
                distances = hamming(rows, self.data.queries["id2048"][i : i + 1], "id2048")
                close += min(self.k, int((distances <= limit).sum()))
        recall = close / (self.k * len(self.limits)) if contender.by_id2048 else None
        return right / max(1, wanted), recall


def measure(
    contenders: Sequence[Contender],
    truth: Truth,
    *,
    batch: int,
    turns: int,
    progress: Progress = no_progress,
) -> list[BenchRow]:
    """Time and accuracy of each contender, single queries first, then batches.

    Args:
        contenders: what to measure.
        truth: the right answers.
        batch: queries in a batch; less than 2 measures no batches.
        turns: how often each contender comes to its turn.
        progress: takes steps done and steps in all.
    """
    queries = len(truth.data.positives)
    tasks = [_Task(contender, 1) for contender in contenders]
    tasks += [_Task(contender, batch) for contender in contenders if contender.batched and 1 < batch <= queries]
    judged: dict[int, tuple[float, float | None]] = {}

    def judge(one: Contender) -> None:
        judged[id(one)] = truth.judge(one)

    steps: list[Callable[[], None]] = [partial(task.burst, queries) for _ in range(turns) for task in tasks]
    steps += [partial(judge, contender) for contender in contenders]
    for number, step in enumerate(steps):
        step()
        progress(f"{len(truth.data.table):,} entries: searches", number + 1, len(steps))
    inserts = {id(contender): _insert_us(contender) for contender in contenders}
    return [_row(task, *judged[id(task.contender)], inserts[id(task.contender)]) for task in tasks]


def _row(task: _Task, found: float, recall: float | None, insert_us: float | None) -> BenchRow:
    contender = task.contender
    return BenchRow(
        name=contender.name,
        batch=task.batch,
        threads=contender.threads,
        ms=1e3 * statistics.median(task.seconds) / task.batch,
        best_ms=1e3 * min(task.seconds) / task.batch,
        first_ms=1e3 * statistics.median(task.firsts) / task.batch if task.firsts else None,
        answers=len(task.seconds),
        positives_found=found,
        recall=recall,
        bytes_per_entry=contender.bytes_per_entry,
        build_seconds=contender.build_seconds,
        insert_us=insert_us,
        processor_share=task.processor / task.spent,
    )


def _insert_us(contender: Contender) -> float | None:
    if contender.insert is None:
        return None
    seconds = []
    for _ in range(_INSERTS):
        start = time.perf_counter()
        contender.insert()
        seconds.append(time.perf_counter() - start)
    return 1e6 * statistics.median(seconds)


def processor_share(rows: Sequence[BenchRow]) -> float | None:
    """The share of a processor that one-thread searches got, typically; None if there was none.

    Below about 0.9 the machine was busy, and the run's times and ratios mean little: long answers are interrupted more
    often than short ones.
    """
    shares = [row.processor_share for row in rows if row.threads == 1]
    return statistics.median(shares) if shares else None


def read_gigabytes_per_second(column: NDArray[np.uint8], repeats: int = 5) -> float:
    """Best rate at which one thread reads a column: the limit of anything that must look at all of it, GB/s."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        read(column)
        best = min(best, time.perf_counter() - start)
    return column.nbytes / best / 1e9
