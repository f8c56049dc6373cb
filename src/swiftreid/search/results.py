"""What a search returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StageReport:
    """What one stage did, over all queries of a call.

    Attributes:
        code: the code compared.
        rule: the stage in text form, for example ``id32<=11``.
        queries: number of queries.
        entries_in: entries that the stage compared, summed over queries; of a probing stage, centres.
        entries_kept: entries that passed its rule, summed over queries (before the cut to k at the last stage).
        seconds: time spent, summed over threads.
        row_bytes: bytes read for each entry compared.
    """

    code: str
    rule: str
    queries: int
    entries_in: int
    entries_kept: int
    seconds: float
    row_bytes: int

    @property
    def in_per_query(self) -> float:
        """Mean entries compared per query."""
        return self.entries_in / max(1, self.queries)

    @property
    def kept_per_query(self) -> float:
        """Mean entries kept per query."""
        return self.entries_kept / max(1, self.queries)

    def __str__(self) -> str:
        micros = 1e6 * self.seconds / max(1, self.queries)
        return f"{self.rule}: {self.in_per_query:,.1f} in, {self.kept_per_query:,.1f} kept, {micros:,.1f} us a query"


class SearchReport(Sequence[StageReport]):
    """The stages' reports, in order; prints as a table."""

    def __init__(self, stages: Sequence[StageReport] | Callable[[], Sequence[StageReport]]) -> None:
        self._given = stages  # a function for most searches, which never look at their report

    @cached_property
    def _stages(self) -> tuple[StageReport, ...]:
        return tuple(self._given() if callable(self._given) else self._given)

    def __reduce__(self) -> tuple[type[SearchReport], tuple[tuple[StageReport, ...]]]:
        return SearchReport, (self._stages,)

    @overload
    def __getitem__(self, index: int) -> StageReport: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StageReport]: ...
    def __getitem__(self, index: int | slice) -> StageReport | Sequence[StageReport]:
        return self._stages[index]

    def __len__(self) -> int:
        return len(self._stages)

    def __iter__(self) -> Iterator[StageReport]:
        return iter(self._stages)

    @classmethod
    def total(cls, reports: Sequence[SearchReport]) -> SearchReport:
        """The reports of several calls of one cascade as if it had been one call."""
        return cls(
            [
                replace(
                    same[0],
                    queries=sum(stage.queries for stage in same),
                    entries_in=sum(stage.entries_in for stage in same),
                    entries_kept=sum(stage.entries_kept for stage in same),
                    seconds=sum(stage.seconds for stage in same),
                )
                for same in zip(*reports, strict=True)
            ]
        )

    @property
    def bytes_per_query(self) -> float:
        """Mean bytes of codes compared per query: a cost that does not depend on the machine."""
        return sum(stage.in_per_query * stage.row_bytes for stage in self)

    def __str__(self) -> str:
        lines = [f"{'stage':<20}{'in / query':>14}{'kept / query':>14}{'share':>9}{'us / query':>13}"]
        for stage in self:
            # Centres come in and entries go out of a stage that probes inverted lists: neither is a share of the other.
            probing = ":nprobe=" in stage.rule
            share = "-" if probing else f"{stage.entries_kept / max(1, stage.entries_in):.2%}"
            micros = 1e6 * stage.seconds / max(1, stage.queries)
            lines.append(
                f"{stage.rule:<20}{stage.in_per_query:>14,.1f}{stage.kept_per_query:>14,.1f}{share:>9}{micros:>13,.1f}"
            )
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, init=False)
class SearchResult:
    """Ranked gallery positions for each of ``q`` queries, best first.

    Attributes:
        indices: int64 [q, k], positions in the table; -1 where a row has ended.
        distances: int32 [q, k], in bits of the code of the furthest stage reached; -1 where a row has ended. float32 if
            the last stage is the embedding: its entries' cosine distances, 0 to 2.
        stages: int8 [q, k], number of that stage, from 0; -1 where a row has ended.
        counts: int64 [q], results in each row.
        report: what each stage did.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.int32] | NDArray[np.float32]
    stages: NDArray[np.int8]
    counts: NDArray[np.int64]
    report: SearchReport

    def __init__(
        self,
        indices: NDArray[np.int64],
        distances: NDArray[np.int32] | NDArray[np.float32],
        stages: NDArray[np.int8],
        counts: NDArray[np.int64],
        report: SearchReport,
    ) -> None:
        # All at once: setting the fields of a frozen class one by one takes as long as some of a search's stages.
        self.__dict__.update(indices=indices, distances=distances, stages=stages, counts=counts, report=report)
