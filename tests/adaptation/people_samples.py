"""Galleries of people who are points: each camera moves them, and every picture a little."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery import Embedding, Entry, Gallery
from swiftreid.retrieval.local import LocalGallery
from swiftreid.search.codes import CodeSpec, pack_bits

SIZE, PRINT = 24, "f00d" * 4


def id_of(person: int, camera: int, shot: int) -> str:
    return f"{person:03d}-{camera}-{shot}"


def ids_of(people: Sequence[int], cameras: Sequence[int] = (1, 2), shots: int = 2) -> list[str]:
    return [id_of(person, camera, shot) for person in people for camera in cameras for shot in range(shots)]


def person_of(id_: str) -> int:
    return int(id_.split("-", maxsplit=1)[0])


def embeddings_of(ids: Sequence[str], noise: float = 0.35) -> NDArray[np.float32]:
    """Depend on the ids alone."""
    rows = []
    for id_ in ids:
        person, camera, shot = map(int, id_.split("-"))
        point, place = (np.random.default_rng(seed).normal(size=SIZE) for seed in ([1, person], [2, camera]))
        rows.append(point + 2 * place + noise * np.random.default_rng([person, camera, shot]).normal(size=SIZE))
    return np.array(rows, np.float32).reshape(-1, SIZE)


def create(path: Path, *, spec: str = "id32", embedding: bool = True) -> LocalGallery:
    kept = Embedding(SIZE, "float32") if embedding else None
    store = Gallery.create(
        path, encoder_name="points", fingerprint=PRINT, spec=CodeSpec.parse(spec), embedding=kept, segment_size=64
    )
    return LocalGallery(store)


def codes_of(embeddings: NDArray[np.float32], spec: CodeSpec) -> dict[str, NDArray[np.uint8]]:
    """Random hyperplanes."""
    planes = {name: np.random.default_rng(0).normal(size=(SIZE, int(name[2:]))) for name in spec.names}
    return {name: pack_bits(embeddings @ plane > 0) for name, plane in planes.items()}


def add(
    gallery: LocalGallery,
    ids: Sequence[str],
    *,
    persons: dict[str, str] | None = None,
    tracks: dict[str, str] | None = None,
    thumbnails: dict[str, bytes] | None = None,
    times: dict[str, float] | None = None,
) -> None:
    persons, tracks, thumbnails, times = persons or {}, tracks or {}, thumbnails or {}, times or {}
    entries = [
        Entry(
            id_,
            f"c{id_.split('-')[1]}",
            times.get(id_),
            persons.get(id_),
            track=tracks.get(id_),
            thumbnail=thumbnails.get(id_),
        )
        for id_ in ids
    ]
    store, embeddings = gallery.store, embeddings_of(ids)
    kept = embeddings if store.embedding is not None else None
    store.add(entries, codes_of(embeddings, store.spec), fingerprint=PRINT, embeddings=kept)
