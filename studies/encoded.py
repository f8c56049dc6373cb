"""Encoded data sets for the other scripts of this folder, kept in a file once encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.market import read_market
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.measure import LabelledCodes

_LABELS = ("persons", "cameras", "embedding")


def encoded(folder: Path, encoder: Encoder, cache: Path | None) -> tuple[LabelledCodes, LabelledCodes]:
    """Queries and gallery of a data set in Market-1501 layout.

    Args:
        folder: the data set.
        encoder: what encodes it.
        cache: a folder to keep the encodings in, by data set and encoder; None for none.
    """
    data = read_market(folder, need=("query", "gallery"))
    whose = f"{data.name}-{fingerprint_of(data)[:8]}-{encoder.fingerprint[:8]}"
    parts = []
    for name, samples in (("query", data.query), ("gallery", data.gallery)):
        kept = None if cache is None else cache / f"{whose}-{name}.npz"
        if kept is not None and kept.exists():
            parts.append(_load(kept))
            continue
        part = encode_samples(encoder, samples)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            columns: dict[str, Any] = part.columns(embedding=part.embedding is not None)
            np.savez(kept, persons=part.persons, cameras=part.cameras, **columns)
        parts.append(part)
    return parts[0], parts[1]


def together(first: LabelledCodes, second: LabelledCodes) -> LabelledCodes:
    """Both as one set of pictures."""
    embeddings = None
    if first.embedding is not None and second.embedding is not None:
        embeddings = np.concatenate([first.embedding, second.embedding])
    return LabelledCodes(
        {name: np.concatenate([code, second.codes[name]]) for name, code in first.codes.items()},
        np.concatenate([first.persons, second.persons]),
        np.concatenate([first.cameras, second.cameras]),
        embeddings,
    )


def _load(path: Path) -> LabelledCodes:
    with np.load(path) as kept:
        codes = {name: kept[name] for name in kept.files if name not in _LABELS}
        return LabelledCodes(codes, kept["persons"], kept["cameras"], kept.get("embedding"))
