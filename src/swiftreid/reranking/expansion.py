"""Query expansion: a new query made of the query and its best results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, bits_of, check_packed, pack_bits, unpack_bits
from swiftreid.search.table import CodeTable

Ties = Literal["first", "turn"]


def expand_embeddings(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    indices: NDArray[np.int64],
    *,
    alpha: float = 0.0,
    within: float | None = None,
) -> NDArray[np.float32]:
    """New queries: the sum of each query and its results, all of length 1, weighted and again of length 1.

    With ``alpha`` 0 all have equal weight (AQE: Chum et al., ICCV 2007). Otherwise the weight of a result is its cosine
    with the query to the power of alpha, that of the query is 1 (alpha-QE: Radenovic et al., TPAMI 2019, who take 3).
    Results at a negative cosine never count.

    Args:
        query: float32 [q, d].
        gallery: float32 [n, d].
        indices: int64 [q, m], positions of each query's best results; negative ones are padding.
        alpha: 0 or more.
        within: leave out results further from the query than this cosine distance (1 - cosine).

    Returns:
        float32 [q, d].

    Raises:
        UsageError: arrays that do not fit together, or arguments out of range.
    """
    _check_indices(indices, len(query), len(gallery))
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise UsageError(f"embeddings must be [q, d] and [n, d], got {query.shape} and {gallery.shape}")
    out = np.empty(query.shape, np.float32)
    units = unit_vectors(query)
    for row, (unit, found) in enumerate(zip(units, indices, strict=True)):
        results = unit_vectors(gallery[found[found >= 0]])
        weights = _weights(results @ unit, alpha, within)
        out[row] = unit + weights @ results
    return unit_vectors(out)


def expand_codes(
    queries: Mapping[str, NDArray[np.uint8]],
    table: CodeTable,
    indices: NDArray[np.int64],
    *,
    weigh_by: str | None = None,
    alpha: float = 0.0,
    within: int | None = None,
) -> dict[str, NDArray[np.uint8]]:
    """New query codes: each bit as the weighted majority of the query and its results has it; ties as the query.

    This is `expand_embeddings` for vectors of +1 and -1 (cosine 1 - 2 h / bits at Hamming distance h), followed by the
    sign. All codes take the weights of one of them: coarse codes follow the results of the fine one.

    Args:
        queries: for each code uint8 [q, row bytes].
        table: codes of n entries, those of the queries at least.
        indices: int64 [q, m], positions of each query's best results, such as a search's ``indices[:, :5]``; negative
            ones are padding.
        weigh_by: code with the distances that make the weights; by default the longest of the queries' codes.
        alpha: a result votes with its cosine to the power of alpha, the query with 1; 0 gives everyone one vote. A
            result further than half of the bits never votes.
        within: leave out results further from the query than this many bits.

    Returns:
        The same codes, uint8 [q, row bytes].

    Raises:
        UsageError: arrays that do not fit together, or arguments out of range.
    """
    spec = CodeSpec(tuple(queries))
    count = spec.check(queries)
    _check_indices(indices, count, len(table))
    by = weigh_by or max(spec, key=bits_of, default="")
    if by not in queries:
        raise UsageError(f"the queries have no code {by!r} to weigh by; they have: {spec}")
    bits = bits_of(by)
    limit = None if within is None else 2 * within / bits
    out = {name: np.empty_like(code) for name, code in queries.items()}
    for row, found in enumerate(indices):
        chosen = found[found >= 0]
        apart = np.bitwise_count(table.rows(by, chosen) ^ queries[by][row]).sum(axis=1, dtype=np.int64)
        weights = _weights(1 - 2 * apart / bits, alpha, limit)
        for name, code in queries.items():
            own = code[row : row + 1]
            out[name][row] = vote(name, np.concatenate([own, table.rows(name, chosen)]), np.append(1.0, weights))
    return out


def vote(
    name: str, codes: NDArray[np.uint8], weights: NDArray[np.float64] | None = None, *, ties: Ties = "first"
) -> NDArray[np.uint8]:
    """The weighted majority of each bit of some codes.

    Args:
        name: name of the code, such as ``id2048``.
        codes: uint8 [m, row bytes], at least one.
        weights: float64 [m], not negative; by default one vote each.
        ties: which bit counts where votes are equal: the ``first`` code's, or the codes' in ``turn``: the first such
            bit is the first code's, the next the second's, and so on. Of two codes every bit that differs is tied.

    Returns:
        uint8 [row bytes].

    Raises:
        UsageError: no code, or codes of another width.
    """
    if not check_packed(name, codes):
        raise UsageError(f"no codes {name} to vote")
    signs = np.where(unpack_bits(codes, bits_of(name)), 1.0, -1.0)
    votes = (np.ones(len(codes)) if weights is None else weights) @ signs
    # Sums of equal votes that differ in rounding are still equal.
    tied = np.abs(votes) <= 1e-12 * len(codes)
    turn = np.cumsum(tied) - 1 if ties == "turn" else np.zeros(len(tied), np.int64)
    chosen = signs[turn % len(codes), np.arange(len(tied))]
    majority: NDArray[np.uint8] = pack_bits(np.where(tied, chosen, votes)[None])[0]
    return majority


def _weights(cosines: NDArray[np.generic], alpha: float, within: float | None) -> NDArray[np.float64]:
    if not 0 <= alpha < np.inf:
        raise UsageError(f"alpha must be 0 or more, got {alpha!r}")
    if within is not None and not within >= 0:
        raise UsageError(f"within must be a distance of 0 or more, got {within!r}")
    similarity = np.asarray(cosines, np.float64)
    weights = np.where(similarity > 0, np.maximum(similarity, 0) ** alpha, 0.0)
    return weights if within is None else np.where(1 - similarity <= within + 1e-9, weights, 0.0)


def unit_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [n, d] divided by their lengths; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, np.where(norms > 0, norms, 1), dtype=np.float32)


def _check_indices(indices: NDArray[np.int64], queries: int, entries: int) -> None:
    if indices.ndim != 2 or len(indices) != queries or not np.issubdtype(indices.dtype, np.integer):
        raise UsageError(
            f"indices must be whole numbers [q, m] for {queries} queries, got {indices.dtype} {indices.shape}"
        )
    if indices.size and int(indices.max()) >= entries:
        raise UsageError(f"indices name position {int(indices.max())} of a gallery of {entries} entries")
