"""k-reciprocal re-ranking of whole rankings, in memory that grows with pictures and not with their pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.reranking.gallery_graph import Reordered
from swiftreid.reranking.neighbours import BLOCK_BYTES, CodeSpace, Space, VectorSpace, first_by_distance, nearest
from swiftreid.reranking.reciprocal import Ids, Inverted, Reciprocal, average, encode
from swiftreid.search.codes import check_packed
from swiftreid.search.table import CodeTable

POOL = 1000
"""Results of a query that a search re-ranks among themselves where nothing else is stated."""


def rerank_codes(
    name: str,
    query: NDArray[np.uint8],
    gallery: NDArray[np.uint8],
    settings: Reciprocal | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Rank the whole gallery for each query by k-reciprocal re-ranking of Hamming distances.

    As in the paper, queries are neighbours of each other too: a ranking depends on the other queries of the call.
    `GalleryGraph` re-ranks each query by itself.

    Args:
        name: name of the code, such as ``id2048``.
        query: packed codes, uint8 [q, row bytes].
        gallery: packed codes, uint8 [n, row bytes].
        settings: k1, k2 and lambda.

    Yields:
        Gallery positions, best first, int64 [n], one array per query.

    Raises:
        UsageError: codes of another type or width.
    """
    return _rankings(CodeSpace(name, [query, gallery]), len(query), settings)


def rerank_embeddings(
    query: NDArray[np.float32], gallery: NDArray[np.float32], settings: Reciprocal | None = None
) -> Iterator[NDArray[np.int64]]:
    """The same as `rerank_codes` with cosine distances of float embeddings, float32 [q, d] and [n, d].

    Raises:
        UsageError: shapes that do not fit together, or values that are not finite.
    """
    return _rankings(VectorSpace([query, gallery]), len(query), settings)


def rerank_results(
    table: CodeTable,
    name: str,
    queries: NDArray[np.uint8],
    indices: Ids,
    settings: Reciprocal | None = None,
) -> Reordered:
    """Re-rank each query's results among themselves, as if they were the whole gallery.

    This is what a search can afford whatever the size of the gallery: time and memory depend on how many results there
    are, nothing is made ahead, and nothing goes stale. Neighbours that are not among the results are not seen. If all
    entries are, the distances are those of `GalleryGraph.rerank`, within rounding.

    Args:
        table: codes of n entries.
        name: which code to compare, best the longest.
        queries: packed codes, uint8 [q, row bytes].
        indices: positions in the table, int64 [q, m], such as a search's ``indices``; negative ones are padding. Best
            several hundred, many more than are shown.
        settings: k1, k2 and lambda.

    Returns:
        The same results by their final distance (0 to 1), equal ones by position.

    Raises:
        UsageError: arrays that do not fit together, no such code, or positions out of range.
    """
    check_packed(name, queries)
    if indices.ndim != 2 or len(indices) != len(queries):
        raise UsageError(f"indices must be [q, m] for {len(queries)} queries, got the shape {indices.shape}")
    out = Reordered.empty(*indices.shape)
    for row, found in enumerate(indices):
        entries = np.unique(found[found >= 0])
        if not len(entries):
            continue
        space = CodeSpace(name, [queries[row : row + 1], table.rows(name, entries)])
        final = np.concatenate(list(_distances(space, 1, settings or Reciprocal())))[0]
        order = np.argsort(final, kind="stable")
        out.put(row, entries[order], final[order])
    return out


def reranked_distances(space: Space, queries: int, settings: Reciprocal | None = None) -> Iterator[NDArray[np.float32]]:
    """Final distances of the first ``queries`` pictures of a space to all others, in blocks of queries.

    d* = (1 - lambda) d_Jaccard + lambda d / max d (equation 12), where max d is the query's largest distance to any
    picture, queries included. This is the released code's normalisation; it makes lambda mean the same for bits and
    cosines. Squared Euclidean distances are meant, to which Hamming and cosine distances are proportional. Unlike the
    released code, each picture is the first of its own neighbours also where others equal it.

    Memory: lists of k1 + 1 neighbours, two sparse encodings of a few times k1 weights for each picture, and blocks of
    fixed size. Time: all pairs of distances, once for the lists and once for the queries.

    Args:
        space: queries, then gallery.
        queries: how many of the pictures are queries.
        settings: k1, k2 and lambda.

    Yields:
        float32 [b, n]: distances of the next b queries.

    Raises:
        UsageError: more queries than pictures.
    """
    if not 0 <= queries <= len(space):
        raise UsageError(f"queries must be 0 to {len(space)}, the number of pictures, got {queries}")
    return _distances(space, queries, settings or Reciprocal())


def _distances(space: Space, queries: int, settings: Reciprocal) -> Iterator[NDArray[np.float32]]:
    if not queries:
        return
    everyone = np.arange(len(space))
    numbers, _, furthest = nearest(space, everyone, settings.neighbours)
    scale = np.where(furthest > 0, furthest, np.float32(1))

    def scaled(left: Ids, right: Ids) -> NDArray[np.float32]:
        return np.divide(space.pairs(left, right), scale[left], dtype=np.float32)

    encoded = encode(_Whole(numbers), everyone, scaled, settings)
    if settings.k2 > 1:
        encoded = average(encoded, numbers[:, : settings.k2].astype(np.int64))
    inverted = Inverted(encoded.rows(queries, len(space)))
    share = np.float32(settings.lambda_)
    step = max(1, BLOCK_BYTES // (32 * len(space)))
    for start in range(0, queries, step):
        rows = everyone[start : min(start + step, queries)]
        final = inverted.jaccard(encoded, rows) * (1 - share)
        # Equation 12.
        final += share * (space.block(rows)[:, queries:] / scale[rows][:, None])
        yield final


def _rankings(space: Space, queries: int, settings: Reciprocal | None) -> Iterator[NDArray[np.int64]]:
    for block in reranked_distances(space, queries, settings):
        yield from first_by_distance(block, block.shape[1])


class _Whole:
    """Lists of all pictures."""

    def __init__(self, numbers: NDArray[np.int32]) -> None:
        self._numbers = numbers

    def take(self, rows: Ids, count: int) -> Ids:
        return self._numbers[:, :count][rows].astype(np.int64)
