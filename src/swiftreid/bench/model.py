"""What a search moves through memory, what that costs here, and what it would cost at sizes that were not measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.results import SearchReport

LINE_BYTES = 64
"""What one scattered read brings in, however little of it is wanted."""


@dataclass(frozen=True)
class Moved:
    """Bytes that one query moves: the first stage reads its column from end to end, later ones here and there.

    Attributes:
        scanned: bytes read in order.
        gathered: cache lines of 64 bytes read out of order.
    """

    scanned: float
    gathered: float

    @classmethod
    def by(cls, report: SearchReport) -> Moved:
        """What the searches of a report moved, per query."""
        first, *later = report
        lines = sum(stage.in_per_query * -(-stage.row_bytes // LINE_BYTES) for stage in later)
        return cls(first.in_per_query * first.row_bytes, lines)

    def times(self, factor: float) -> Moved:
        """The same search of a gallery so many times as large."""
        return Moved(self.scanned * factor, self.gathered * factor)


@dataclass(frozen=True)
class CostModel:
    """Time of one query = a fixed part + bytes scanned / bandwidth + lines gathered * time of a line.

    Attributes:
        fixed_us: microseconds whatever the size.
        scan_gb_per_s: bytes in order, GB/s; in batches an effective rate, as one pass serves several queries.
        line_ns: nanoseconds for each line gathered, waiting and comparing.
        error: root mean square of the relative errors at the points that were fitted.
    """

    fixed_us: float
    scan_gb_per_s: float
    line_ns: float
    error: float

    @classmethod
    def fit(cls, moved: Sequence[Moved], seconds: Sequence[float]) -> CostModel:
        """Least squares of relative errors, with no part of the cost below zero.

        Raises:
            UsageError: fewer than three points.
        """
        if len(moved) < 3:
            raise UsageError(f"a cost model has three unknowns and needs three measurements, got {len(moved)}")
        times = np.asarray(seconds, np.float64)
        parts = np.array([[1.0, one.scanned, one.gathered] for one in moved]) / times[:, None]
        costs, error = _non_negative(parts, np.ones(len(times)))
        fixed, scan, line = costs.tolist()
        return cls(1e6 * fixed, 1e-9 / scan if scan > 0 else float("inf"), 1e9 * line, error)

    def seconds(self, moved: Moved) -> float:
        """Time of one query that moves this much."""
        return 1e-6 * self.fixed_us + 1e-9 * (moved.scanned / self.scan_gb_per_s + moved.gathered * self.line_ns)

    def entries_within(self, moved_per_entry: Moved, seconds: float) -> float:
        """The largest gallery that one query can be asked of in this time."""
        per_entry = self.seconds(moved_per_entry) - 1e-6 * self.fixed_us
        return max(0.0, (seconds - 1e-6 * self.fixed_us) / per_entry)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity: a scan that costs nothing measurable has no rate."""
        rate = self.scan_gb_per_s if np.isfinite(self.scan_gb_per_s) else None
        return {"fixed_us": self.fixed_us, "scan_gb_per_s": rate, "line_ns": self.line_ns, "error": self.error}


def _non_negative(parts: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Least squares with coefficients of at least 0: the best of all subsets, which with three parts are seven."""
    scale = parts.max(axis=0)
    scale[scale == 0] = 1
    best, least = np.zeros(parts.shape[1]), float("inf")
    for size in range(1, parts.shape[1] + 1):
        for chosen in map(list, combinations(range(parts.shape[1]), size)):
            solved = np.linalg.lstsq(parts[:, chosen] / scale[chosen], wanted, rcond=None)[0]
            error = float(np.sqrt(np.mean((parts[:, chosen] / scale[chosen] @ solved - wanted) ** 2)))
            if (solved >= 0).all() and error < least:
                best, least = np.zeros(parts.shape[1]), error
                best[chosen] = solved / scale[chosen]
    return best, least
