"""Re-ranking the first results of a search by a graph of the gallery's nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.progress import Progress, no_progress
from swiftreid.reranking.neighbours import CodeSpace, VectorSpace, first_by_distance, nearest
from swiftreid.reranking.reciprocal import Ids, Inverted, Reciprocal, average, encode
from swiftreid.search.codes import check_packed
from swiftreid.search.table import CodeTable

_QUERY = 0
"""The query's number; gallery entries are numbered from 1, so that the query comes first among equal distances."""

_AHEAD = 4096
"""Lists made between two reports of progress."""


@dataclass(frozen=True)
class Reordered:
    """Results in a new order, for each of q queries.

    Attributes:
        indices: int64 [q, m], positions in the gallery, best first; -1 where a row has ended.
        distances: float32 [q, m], the distances that they are ordered by; NaN where a row has ended.
        counts: int64 [q], results in each row.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, queries: int, width: int) -> Reordered:
        """Rows that have ended before they began."""
        return cls(
            np.full((queries, width), -1, np.int64),
            np.full((queries, width), np.nan, np.float32),
            np.zeros(queries, np.int64),
        )

    def put(self, row: int, indices: NDArray[np.int64], distances: NDArray[np.float32]) -> None:
        """Fill one row."""
        self.counts[row] = len(indices)
        self.indices[row, : len(indices)], self.distances[row, : len(indices)] = indices, distances


class GalleryGraph:
    """The nearest neighbours of each gallery entry, by which the first results of any search are re-ranked.

    Each query is re-ranked by itself, as if it and the gallery were all there is: the distances are those of
    `reranked_distances` for one query, but only for the candidates. Lists are made when a query first needs them
    (each compares one entry with the whole gallery) or all ahead by `build`; they take 8 (k1 + 1) bytes an entry.
    The graph belongs to the gallery as it was: after additions or deletions make a new one. Not for use by several
    threads at once until it is built.

    Example:
        >>> codes = np.random.default_rng(0).integers(0, 256, (50, 4), np.uint8)
        >>> graph = GalleryGraph.of_codes(CodeTable({"id32": codes}), "id32", Reciprocal(k1=5, k2=2))
        >>> graph.rerank(np.array([[7, 3, 9]]), codes[:1]).indices.shape
        (1, 3)
    """

    def __init__(
        self, space: CodeSpace | VectorSpace, settings: Reciprocal, mask: NDArray[np.bool_] | None = None
    ) -> None:
        self._space, self.settings = space, settings
        self._positions = len(space) if mask is None else len(mask)
        self._live = None if mask is None else np.flatnonzero(mask)
        count, width = len(space), min(settings.neighbours, len(space))
        self._numbers, self._distances = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
        self._furthest = np.empty(count, np.float32)
        self._made = np.zeros(count, bool)

    @classmethod
    def of_codes(
        cls,
        table: CodeTable,
        name: str,
        settings: Reciprocal | None = None,
        *,
        mask: NDArray[np.bool_] | None = None,
    ) -> GalleryGraph:
        """A graph by Hamming distance.

        Args:
            table: codes of n entries.
            name: which code to compare, best the longest.
            settings: k1, k2 and lambda.
            mask: bool [n], which entries may be neighbours (such as those not deleted); their codes are then copied.

        Raises:
            UsageError: the table has no such code, or the mask has another shape.
        """
        if mask is None:
            return cls(CodeSpace(name, table.column(name)), settings or Reciprocal())
        if mask.dtype != np.bool_ or mask.shape != (len(table),):
            raise UsageError(f"mask must be bool of shape ({len(table)},), got {mask.dtype} of shape {mask.shape}")
        return cls(CodeSpace(name, [table.rows(name, np.flatnonzero(mask))]), settings or Reciprocal(), mask)

    @classmethod
    def of_embeddings(cls, embeddings: NDArray[np.float32], settings: Reciprocal | None = None) -> GalleryGraph:
        """A graph by cosine distance of float embeddings, float32 [n, d].

        Raises:
            UsageError: not two-dimensional, or values that are not finite.
        """
        return cls(VectorSpace([embeddings]), settings or Reciprocal())

    def __len__(self) -> int:
        return len(self._space)

    @property
    def made(self) -> int:
        """How many entries have their list."""
        return int(self._made.sum())

    @property
    def nbytes(self) -> int:
        """Bytes of the lists."""
        return self._numbers.nbytes + self._distances.nbytes + self._furthest.nbytes + self._made.nbytes

    def build(self, progress: Progress = no_progress) -> None:
        """Make all lists now; time grows with the square of the gallery.

        Args:
            progress: takes the lists made and the lists there will be.
        """
        for start in range(0, len(self), _AHEAD):
            self._require(np.arange(start, min(start + _AHEAD, len(self))))
            progress("finding neighbours", min(start + _AHEAD, len(self)), len(self))

    def rerank(self, candidates: Ids, queries: NDArray[np.uint8] | NDArray[np.float32]) -> Reordered:
        """Order each query's candidates by their final distance (0 to 1), equal ones by position.

        Args:
            candidates: positions in the gallery, int64 [q, m], such as a search's ``indices``; negative ones are
                padding. Those that the graph's mask leaves out are left out here too.
            queries: the queries' codes, uint8 [q, row bytes], or embeddings, float32 [q, d]. Each is compared with
                the whole gallery.

        Raises:
            UsageError: arrays that do not fit together, or positions out of range.
        """
        fresh = self._compared(queries)
        if candidates.ndim != 2 or len(candidates) != len(queries):
            raise UsageError(f"candidates must be [q, m] for {len(queries)} queries, got the shape {candidates.shape}")
        out = Reordered.empty(*candidates.shape)
        for row, found in enumerate(candidates):
            entries = self._entries(np.unique(found[found >= 0]))
            if not len(entries):
                continue
            final = self._final(entries, fresh(row))
            order = np.argsort(final, kind="stable")
            positions = entries if self._live is None else self._live[entries]
            out.put(row, positions[order], final[order])
        return out

    def _entries(self, positions: Ids) -> Ids:
        """Numbers in the graph's own space of ascending positions in the gallery."""
        if len(positions) and positions[-1] >= self._positions:
            raise UsageError(f"candidate {positions[-1]} is not in the gallery, which has {self._positions} entries")
        if self._live is None:
            return positions
        return np.flatnonzero(np.isin(self._live, positions, assume_unique=True))

    def _compared(
        self, queries: NDArray[np.uint8] | NDArray[np.float32]
    ) -> Callable[[int], NDArray[np.int32] | NDArray[np.float32]]:
        """A function that gives the distances of one query to all entries."""
        space = self._space
        if isinstance(space, CodeSpace):
            codes = np.ascontiguousarray(queries, np.uint8) if queries.dtype == np.uint8 else queries
            check_packed(space.name, codes)  # type: ignore[arg-type]
            return lambda row: space.between(codes[row : row + 1])[0]  # type: ignore[arg-type]
        units = VectorSpace([np.asarray(queries, np.float32)])
        if units.row_bytes != space.row_bytes:
            raise UsageError(
                f"the gallery's embeddings have {space.row_bytes // 4} values, the queries' {queries.shape}"
            )
        return lambda row: space.between(units.units(np.array([row])))[0]

    def _final(self, entries: Ids, fresh: NDArray[np.int32] | NDArray[np.float32]) -> NDArray[np.float32]:
        settings = self.settings
        lists = _WithQuery(self, fresh)
        own = np.concatenate([[_QUERY], entries + 1])
        averaged = lists.take(own, settings.k2)
        encoded_rows = np.unique(averaged)
        encoded = encode(lists, encoded_rows, lists.scaled, settings)
        encoded = average(encoded, np.searchsorted(encoded_rows, averaged))
        jaccard = Inverted(encoded.rows(1, len(own))).jaccard(encoded, np.zeros(1, np.int64))[0]
        share = np.float32(settings.lambda_)
        original = lists.scaled(np.zeros_like(entries), entries + 1)
        final: NDArray[np.float32] = (1 - share) * jaccard + share * original  # equation 12
        return final

    def _require(self, entries: Ids) -> None:
        missing = np.unique(entries[~self._made[entries]])
        if len(missing):
            self._numbers[missing], self._distances[missing], self._furthest[missing] = nearest(
                self._space, missing, self.settings.neighbours
            )
            self._made[missing] = True


class _WithQuery:
    """The graph's lists as they would be with the query among the gallery."""

    def __init__(self, graph: GalleryGraph, fresh: NDArray[np.int32] | NDArray[np.float32]) -> None:
        self._graph, self._fresh = graph, fresh
        wanted = min(graph.settings.neighbours, len(graph) + 1)
        self._width = wanted
        self._own = np.concatenate([[_QUERY], first_by_distance(fresh[None], wanted - 1)[0] + 1])
        self._scale = float(fresh.max()) or 1.0

    def take(self, rows: Ids, count: int) -> Ids:
        """See `reciprocal.Lists`."""
        graph, entries = self._graph, np.maximum(rows - 1, 0)
        own = rows == _QUERY
        graph._require(entries[~own])
        lists = np.empty((*rows.shape, min(count, self._width)), np.int64)
        lists[own] = self._own[: lists.shape[-1]]
        # Most lists are those of the gallery as they are: the query is not among their first.
        with_query = ~own & self._enters(entries)
        without = ~own & ~with_query
        if without.any():
            lists[without] = graph._numbers[entries[without], : lists.shape[-1]] + np.int64(1)
        lists[with_query] = self._inserted(entries[with_query], lists.shape[-1])
        return lists

    def _enters(self, entries: Ids) -> NDArray[np.bool_]:
        distances = self._graph._distances
        if distances.shape[1] < self._width:  # lists of the whole gallery, to which the query comes at least last
            return np.ones(entries.shape, bool)
        entering: NDArray[np.bool_] = self._fresh[entries] <= distances[entries, -1]
        return entering

    def _inserted(self, entries: Ids, count: int) -> Ids:
        """Lists with the query before the first entry that is not closer, but after the entry itself."""
        graph = self._graph
        at = 1 + (graph._distances[entries, 1:] < self._fresh[entries][:, None]).sum(axis=1)[:, None]
        place = np.arange(count)
        source = np.minimum(place - (place > at), graph._numbers.shape[1] - 1)
        shifted = np.take_along_axis(graph._numbers[entries], source, axis=1) + np.int64(1)
        return np.where(place == at, _QUERY, shifted)

    def scaled(self, left: Ids, right: Ids) -> NDArray[np.float32]:
        """See `reciprocal.Distances`."""
        graph, out = self._graph, np.empty(len(left), np.float32)
        from_query, to_query = left == _QUERY, right == _QUERY
        out[from_query] = self._to_query(right[from_query]) / self._scale
        entries = left[~from_query] - 1
        largest = np.maximum(graph._furthest[entries], self._fresh[entries])
        scale = np.where(largest > 0, largest, 1)
        distances = np.empty(len(entries), np.float32)
        known = to_query[~from_query]
        distances[known] = self._to_query(left[~from_query][known])
        distances[~known] = graph._space.pairs(entries[~known], right[~from_query][~known] - 1)
        out[~from_query] = distances / scale
        return out

    def _to_query(self, rows: Ids) -> NDArray[np.float32]:
        return np.where(rows == _QUERY, 0, self._fresh[np.maximum(rows - 1, 0)]).astype(np.float32)
