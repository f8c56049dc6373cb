"""Several pictures of one person as one query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swiftreid.errors import UsageError
from swiftreid.reranking.expansion import unit_vectors, vote
from swiftreid.reranking.gallery_graph import Reordered
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec
from swiftreid.search.table import CodeTable

Fusion = Literal["mean", "nearest", "vote"]


def search_together(
    cascade: Cascade,
    table: CodeTable,
    queries: Mapping[str, NDArray[np.uint8]],
    people: ArrayLike,
    k: int = 100,
    *,
    fusion: Fusion = "mean",
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
) -> Reordered:
    """Search once for each person with all pictures of theirs.

    Args:
        cascade: how to search.
        table: codes of n entries.
        queries: for each code of the cascade uint8 [q, row bytes].
        people: int [q], which person each picture shows; pictures of one need not stand together.
        k: how many results for each person.
        fusion: ``mean`` orders entries by the mean of their distances to the person's pictures, by the code of the
            last stage; ``nearest`` by the smallest of them; ``vote`` searches once with the majority of each bit (the
            pictures' in turn where votes are equal), which costs one search instead of one a picture. For ``mean`` and
            ``nearest`` the entries considered are the k best of each picture.
        threads: as for `Cascade.search`.
        mask: as for `Cascade.search`.

    Returns:
        One row for each different person, in ascending order of ``people``; distances in bits, of the voted code for
        ``vote``. Equal distances are ordered by position.

    Raises:
        UsageError: as for `Cascade.search`; ``people`` of another length; an unknown fusion.
    """
    if fusion not in ("mean", "nearest", "vote"):
        raise UsageError(f"fusion must be 'mean', 'nearest' or 'vote', got {fusion!r}")
    if missing := [name for name in cascade.codes if name not in queries]:
        raise UsageError(
            f"the cascade {cascade} needs the code {missing[0]} of the queries; given: {', '.join(queries)}"
        )
    codes = {name: queries[name] for name in cascade.codes}
    person_of, count = _people(codes, people)
    if fusion == "vote":
        codes, person_of = fuse_codes(codes, person_of), np.arange(count)
    found = cascade.search(table, codes, k, threads=threads, mask=mask).indices
    last = cascade.stages[-1].code
    out = Reordered.empty(count, k)
    for person in range(count):
        pictures = person_of == person
        entries = np.unique(found[pictures])
        entries = entries[entries >= 0]
        apart = kernels.hamming(table.rows(last, entries), np.ascontiguousarray(codes[last][pictures]))
        fused = apart.min(axis=0) if fusion == "nearest" else apart.sum(axis=0)  # sums are ordered exactly
        order = np.argsort(fused, kind="stable")[:k]
        distances = fused[order] / (1 if fusion == "nearest" else len(apart))
        out.put(person, entries[order], distances.astype(np.float32))
    return out


def fuse_codes(codes: Mapping[str, NDArray[np.uint8]], people: ArrayLike) -> dict[str, NDArray[np.uint8]]:
    """One code for each person by majority of each bit; where votes are equal, the pictures' bits in turn.

    So of two pictures neither counts more: the code lies between them (`swiftreid.reranking.expansion.vote`).

    Args:
        codes: for each code uint8 [q, row bytes].
        people: int [q], which person each picture shows.

    Returns:
        For each code uint8 [p, row bytes], people ascending.

    Raises:
        UsageError: arrays that do not fit together.
    """
    person_of, count = _people(codes, people)
    return {
        name: np.array(
            [vote(name, code[person_of == person], ties="turn") for person in range(count)], np.uint8
        ).reshape(count, code.shape[1])
        for name, code in codes.items()
    }


def fuse_embeddings(embeddings: NDArray[np.float32], people: ArrayLike) -> NDArray[np.float32]:
    """One embedding for each person: the mean of their pictures' embeddings of length 1, again of length 1.

    Ordering by cosine with it is ordering by the mean cosine with the pictures.

    Args:
        embeddings: float32 [q, d].
        people: int [q], which person each picture shows.

    Returns:
        float32 [p, d], people ascending.

    Raises:
        UsageError: arrays that do not fit together.
    """
    if embeddings.ndim != 2:
        raise UsageError(f"embeddings must be [q, d], got {embeddings.shape}")
    person_of, count = _person_of(people, len(embeddings))
    sums = np.zeros((count, embeddings.shape[1]), np.float32)
    np.add.at(sums, person_of, unit_vectors(embeddings))
    return unit_vectors(sums)


def _people(codes: Mapping[str, NDArray[np.uint8]], people: ArrayLike) -> tuple[NDArray[np.int64], int]:
    if not isinstance(codes, Mapping):
        raise UsageError(f"codes map code names to arrays; got a {type(codes).__name__}")
    return _person_of(people, CodeSpec(tuple(codes)).check(codes))


def _person_of(people: ArrayLike, pictures: int) -> tuple[NDArray[np.int64], int]:
    numbers = np.asarray(people)
    if numbers.shape != (pictures,):
        raise UsageError(f"people must name one person for each of {pictures} pictures, got shape {numbers.shape}")
    different, person_of = np.unique(numbers, return_inverse=True)
    return person_of, len(different)
