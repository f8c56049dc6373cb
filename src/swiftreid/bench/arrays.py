"""What one would write without an index: NumPy on the codes, matrix products of floats in FAISS and torch."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from swiftreid.bench.codes import Population, SyntheticCodes
from swiftreid.bench.contender import Contender, Offer, Ranked
from swiftreid.bench.ours import CTF
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import row_bytes_of

NUMPY = "numpy exhaustive"
"""The baseline of all ratios where FAISS is not installed."""

_BLOCK = 16384
_WIDTHS = (512, 2048)


def array_offers(data: SyntheticCodes, k: int) -> list[Offer]:
    """NumPy on the codes; FAISS and torch on the floats that the 512 and 2048-bit codes were made of."""
    n = len(data.table)
    offers = [Offer("numpy", 16 * n, lambda: _numpy(data, k))]
    for width in _WIDTHS:
        offers += [
            Offer(f"faiss IndexFlatIP {width}", 2 * 4 * width * n, partial(_inner_product, data, k, width)),
            Offer(f"torch float32 {width}", 4 * width * n, partial(_torch, data, k, width)),
        ]
    return offers


def numpy_exhaustive(column: NDArray[np.uint8], query: NDArray[np.uint8], k: int) -> NDArray[np.int64]:
    """Vectorised NumPy: distances of one query to all rows in blocks that fit the cache, then the k best in order."""
    words, query_words = words_of(column), words_of(query)
    distances = np.empty(len(words), np.uint16)
    for at in range(0, len(words), _BLOCK):
        distances[at : at + _BLOCK] = np.bitwise_count(words[at : at + _BLOCK] ^ query_words).sum(
            axis=1, dtype=np.uint16
        )
    k = min(k, len(distances))
    best = np.argpartition(distances, k - 1)[:k]
    return best[np.argsort(distances[best], kind="stable")]


def numpy_cascade(data: SyntheticCodes, query: int, cascade: Cascade, k: int) -> NDArray[np.int64]:
    """Vectorised NumPy: a cascade of thresholds, without the rule of minimum candidates."""
    left = np.arange(len(data.table))
    distances = np.zeros(0, np.uint16)
    for stage in cascade.stages:
        column = words_of(data.table.column(stage.code)[0])
        rows = column if len(left) == len(column) else column[left]
        distances = np.bitwise_count(rows ^ words_of(data.queries[stage.code][query])).sum(axis=1, dtype=np.uint16)
        if stage.threshold is not None:
            going = distances <= stage.threshold
            left, distances = left[going], distances[going]
    return left[np.argsort(distances, kind="stable")[:k]]


def words_of(packed: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
    """Packed rows as words of 8 bytes, or of 4 where rows end in a half."""
    return packed.view(np.uint32 if packed.shape[-1] % 8 else np.uint64)


def _numpy(data: SyntheticCodes, k: int) -> list[Contender]:
    cascade = Cascade.parse(CTF)
    column, queries = data.table.column("id2048")[0], data.queries["id2048"]

    def exhaustive(first: int, count: int) -> Ranked:
        return _padded([numpy_exhaustive(column, queries[i], k) for i in range(first, first + count)], k)

    def coarse_to_fine(first: int, count: int) -> Ranked:
        return _padded([numpy_cascade(data, i, cascade, k) for i in range(first, first + count)], k)

    return [
        Contender(NUMPY, exhaustive, 256),
        Contender("numpy CtF 11/45/195", coarse_to_fine, sum(row_bytes_of(name) for name in cascade.codes)),
    ]


def _padded(rows: list[NDArray[np.int64]], k: int) -> Ranked:
    out = np.full((len(rows), k), -1, np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _inner_product(data: SyntheticCodes, k: int, width: int) -> list[Contender]:
    import faiss

    entries, queries = _embeddings(data, width)
    index = faiss.IndexFlatIP(width)
    index.add(entries)
    faiss.omp_set_num_threads(1)

    def answer(first: int, count: int) -> Ranked:
        found: NDArray[np.int64] = index.search(queries[first : first + count], k)[1]
        return found

    return [Contender(f"faiss IndexFlatIP {width}", answer, 4 * width, by_id2048=False)]


def _torch(data: SyntheticCodes, k: int, width: int) -> list[Contender]:
    import torch

    entries, queries = map(torch.from_numpy, _embeddings(data, width))
    torch.set_num_threads(1)

    def answer(first: int, count: int) -> Ranked:
        best = torch.topk(queries[first : first + count] @ entries.T, min(k, len(entries)))
        found: NDArray[np.int64] = best.indices.numpy()
        return found

    return [Contender(f"torch float32 {width}", answer, 4 * width, by_id2048=False)]


def _embeddings(data: SyntheticCodes, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Gallery and query floats of unit length, float32 [rows, width]."""
    population = Population(len(data.table), len(data.positives), data.seed)
    sides = []
    for rows, of_queries in ((population.entries, False), (population.queries, True)):
        floats, at = np.empty((rows, width), np.float32), 0
        for chunk in population.floats(f"id{width}", of_queries=of_queries):
            floats[at : at + len(chunk)] = chunk / np.linalg.norm(chunk, axis=1, keepdims=True)
            at += len(chunk)
        sides.append(floats)
    return sides[0], sides[1]
