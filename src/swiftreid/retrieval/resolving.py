"""From what a query gives to the codes that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import UsageError
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.reranking.multi_query import fuse_codes, fuse_embeddings
from swiftreid.retrieval.encoded import Codes, encode_pictures, encode_vectors
from swiftreid.retrieval.query import Picture, Query
from swiftreid.retrieval.samples import person_and_camera
from swiftreid.search.codes import check_packed
from swiftreid.search.stages import EMBEDDING


@dataclass(frozen=True)
class Resolved:
    """A query with its codes.

    Attributes:
        query: what was asked.
        name: what to call it.
        codes: for each code uint8 [1, row bytes]; none of a description alone, or where no picture could be used.
        ids: of the entries that it is made of.
        thumbnail: of its first picture or entry.
        person: who it is, where all its parts agree.
        camera: likewise.
        unplaced: cameras of pictures, None where none is known, of which an encoder that knows cameras has no
            statistics.
        placed: the cameras of which it has some.
    """

    query: Query
    name: str
    codes: Codes
    ids: tuple[str, ...] = ()
    thumbnail: bytes | None = None
    person: str | None = None
    camera: str | None = None
    unplaced: tuple[str | None, ...] = ()
    placed: tuple[str, ...] = ()


@dataclass
class _Parts:
    """What the parts of one query gave so far, in their order."""

    names: list[str] = field(default_factory=list)
    codes: list[Codes] = field(default_factory=list)
    thumbnail: bytes | None = None
    known: list[tuple[str | None, str | None]] = field(default_factory=list)
    unplaced: list[str | None] = field(default_factory=list)
    placed: tuple[str, ...] = ()

    def add(self, name: str, codes: Codes, person: str | None, camera: str | None, thumbnail: bytes | None) -> None:
        self.thumbnail = self.thumbnail if self.names else thumbnail
        self.names.append(name)
        self.codes.append(codes)
        self.known.append((person, camera))


def resolve(
    queries: Sequence[Query],
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    *,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> list[Resolved]:
    """The codes of queries; pictures of all of them are encoded in the same batches.

    Args:
        queries: what is asked.
        gallery: that the ids are of.
        encoder: called where pictures or vectors are to be encoded.
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        progress: takes pictures encoded and pictures in all.

    Raises:
        EntryNotFound: an id is not there.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
        UsageError: vectors or codes that the gallery's encoder could not have made.
    """
    parts = [_Parts() for _ in queries]
    for query, own in zip(queries, parts, strict=True):
        for id_ in query.ids:
            stored = gallery.get(id_)
            codes: dict[str, NDArray[Any]] = {name: np.atleast_2d(code) for name, code in stored.codes.items()}
            if stored.embedding is not None:
                codes[EMBEDDING] = np.atleast_2d(stored.embedding)
            own.add(id_, codes, stored.entry.person, stored.entry.camera, stored.thumbnail)
    _add_pictures(queries, parts, encoder, on_bad, progress)
    for query, own in zip(queries, parts, strict=True):
        if query.vectors is not None:
            _add_rows(own, encode_vectors(encoder(), query.vectors), "vector")
        if query.codes is not None:
            for name, code in query.codes.items():
                if name != EMBEDDING:
                    check_packed(name, code)
                elif not isinstance(code, np.ndarray) or code.dtype.kind != "f" or code.ndim != 2:
                    raise UsageError(f"embeddings of a query are a float array [n, d], not {code!r}")
            _add_rows(own, query.codes, "code")
    return [_resolved(query, own) for query, own in zip(queries, parts, strict=True)]


def _add_pictures(
    queries: Sequence[Query],
    parts: Sequence[_Parts],
    encoder: Callable[[], Encoder],
    on_bad: OnBad | None,
    progress: Progress,
) -> None:
    """Encode the pictures of all queries, those of one kind and order of channels together."""
    groups: dict[tuple[bool, str], list[tuple[int, Picture]]] = {}
    for number, query in enumerate(queries):
        for picture in cast(Sequence[Picture], query.pictures):
            file = isinstance(picture, (str, Path))
            groups.setdefault((file, "rgb" if file else query.colour), []).append((number, picture))
    for (file, _), members in groups.items():
        colour = queries[members[0][0]].colour
        pictures = [picture for _, picture in members]
        stated = [person_and_camera(Path(str(each))) if file else (None, None) for each in pictures]
        cameras = [queries[number].camera or camera for (number, _), (_, camera) in zip(members, stated, strict=True)]
        used = encoder()
        for (number, _), camera in zip(members, cameras, strict=True):
            if used.knows_cameras and camera not in used.knows_cameras:
                parts[number].unplaced.append(camera)
                parts[number].placed = tuple(sorted(used.knows_cameras))
        for batch in encode_pictures(used, pictures, colour, cameras=cameras, on_bad=on_bad, progress=progress):
            for row, (place, small) in enumerate(zip(batch.places.tolist(), batch.thumbnails, strict=True)):
                number, picture = members[place]
                name = str(picture) if file else f"picture {place}"
                codes = {code: rows[row : row + 1] for code, rows in batch.codes.items()}
                parts[number].add(name, codes, *stated[place], small)


def _add_rows(own: _Parts, codes: Codes, what: str) -> None:
    counts = {len(rows) for rows in codes.values()}
    if len(counts) != 1 or counts == {0}:
        rows = {name: len(rows) for name, rows in codes.items()}
        raise UsageError(f"a query has as many rows of each of its codes, at least one: it has {rows}")
    for row in range(counts.pop()):
        own.add(f"{what} {row}", {name: rows[row : row + 1] for name, rows in codes.items()}, None, None, None)


def _resolved(query: Query, own: _Parts) -> Resolved:
    persons, cameras = ({known[i] for known in own.known} for i in (0, 1))
    name = own.names[0] if own.names else "description"
    if len(own.names) > 1:
        name = f"{name} and {len(own.names) - 1} more"
    return Resolved(
        query=query,
        name=query.name or name,
        codes=_fused(own.codes),
        ids=tuple(query.ids),
        thumbnail=own.thumbnail,
        person=query.person or (persons.pop() if len(persons) == 1 else None),
        camera=query.camera or (cameras.pop() if len(cameras) == 1 else None),
        unplaced=tuple(own.unplaced),
        placed=own.placed,
    )


def _fused(parts: Sequence[Codes]) -> Codes:
    """One code of several: the majority of each bit, and the parts' bits in turn where votes are equal."""
    if len(parts) < 2:
        return parts[0] if parts else {}
    names = [name for name in parts[0] if all(name in part for part in parts)]
    if not names:
        raise UsageError("the parts of this query have no code in common")
    one = np.zeros(len(parts), int)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
    floats = joined.pop(EMBEDDING, None)
    fused: dict[str, NDArray[Any]] = dict(fuse_codes(joined, one)) if joined else {}
    return fused if floats is None else fused | {EMBEDDING: fuse_embeddings(floats.astype(np.float32), one)}
