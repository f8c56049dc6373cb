"""Whether codes fit the entries that they come with, and the gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.meta import Embedding
from swiftreid.search.codes import CodeSpec
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable


def check_codes(
    spec: CodeSpec, codes: Mapping[str, NDArray[Any]], entries: Sequence[Entry], *, embedding: Embedding | None
) -> None:
    """Check that there is one row of each code, and of the embedding where one is kept, for every entry."""
    given = dict(codes)
    vectors = given.pop(EMBEDDING, None)
    counts = {"codes": spec.check(given)} if len(spec) or given else {}
    if (vectors is None) != (embedding is None):
        has = "keeps no embeddings" if embedding is None else f"keeps embeddings {embedding}"
        raise UsageError(f"this gallery {has}, and {'none' if vectors is None else 'some'} were given")
    if vectors is not None and embedding is not None:
        if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype not in (np.float16, np.float32):
            raise UsageError(f"embeddings must be a float16 or float32 array [n, {embedding.size}]")
        if vectors.shape[1] != embedding.size:
            raise UsageError(f"embeddings must have {embedding.size} dimensions, got {vectors.shape[1]}")
        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(vectors, embedding.dtype)
        CodeTable({EMBEDDING: kept})  # refuses what is not finite, also after rounding
        counts["embeddings"] = len(vectors)
    for what, rows in counts.items():
        if rows != len(entries):
            raise UsageError(
                f"{len(entries)} entries came with {rows} rows of {what}: pass one row of each code per entry"
            )
