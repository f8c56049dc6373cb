"""The reading side of a gallery: snapshots, entries, figures, verification. Never waits for the writer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from swiftreid.gallery.catalogue import Catalogue, CatalogueView, Token
from swiftreid.gallery.chunks import decode_chunk
from swiftreid.gallery.entries import Entry, StoredEntry, check_thumbnail, from_row
from swiftreid.gallery.errors import EntryNotFound, GalleryReencoded, damaged, plain_errors
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.info import GalleryInfo, read_info
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.snapshot import Snapshot, make_snapshot
from swiftreid.gallery.verify import VerifyReport, verify_gallery
from swiftreid.gallery.versions import VersionInfo, version_infos
from swiftreid.gallery.view import Cache, GalleryView, look, read_view
from swiftreid.search.stages import EMBEDDING

T = TypeVar("T")
_PAGE = 1000


class GalleryReader:
    """Reads a gallery over its catalogue and segment store; threads may share one.

    Each call takes a view of its own, so that calls wait neither for each other nor for a writer.
    """

    def __init__(self, catalogue: Catalogue, store: SegmentStore, gallery: Path, cache: Cache) -> None:
        self._catalogue = catalogue
        self._store = store
        self._gallery = gallery
        self._cache = cache

    @contextmanager
    def _view(self, doing: str) -> Iterator[CatalogueView]:
        with plain_errors(self._gallery, doing):
            view = self._catalogue.view(doing)
            try:
                yield view
            finally:
                view.close()

    def _look(self, doing: str, read: Callable[[CatalogueView], T]) -> T:
        with plain_errors(self._gallery, doing):
            view, found = look(self._catalogue, self._gallery, doing, read)
            view.close()
            return found

    def _read_view(self, view: CatalogueView) -> GalleryView:
        return read_view(view, self._catalogue.meta.layout, self._cache)

    def snapshot(self, chosen: Filters, exclude_ids: Collection[str], after: Token) -> Snapshot:
        """See `Gallery.snapshot`."""
        with plain_errors(self._gallery, "reading"):
            catalogue, view = look(self._catalogue, self._gallery, "reading", self._read_view, after)
        try:
            return make_snapshot(catalogue, self._gallery, view, self._cache, chosen=chosen, exclude_ids=exclude_ids)
        except BaseException:
            catalogue.close()
            raise

    def count(self) -> int:
        """How many entries there are."""
        with self._view("counting entries") as view:
            return view.tail_rows() + sum(row.rows - row.deleted for row in view.segments())

    def known_ids(self, ids: Collection[str]) -> set[str]:
        """See `Gallery.existing`."""
        with self._view("reading ids") as view:
            return view.known_ids(ids)

    def cameras(self) -> list[str]:
        """See `Gallery.cameras`."""
        with self._view("reading cameras") as view:
            return [camera.name for camera in view.cameras()]

    def held(self) -> dict[str, str]:
        """See `Gallery.held`."""
        with self._view("reading holds") as view:
            return view.held()

    def page(self, chosen: Filters, *, limit: int | None, offset: int = 0, after_id: str | None = None) -> list[Entry]:
        """See `Gallery.list`."""
        with self._view("listing entries") as view:
            past = 0
            if after_id is not None:
                found = view.seqs_of([after_id])
                if not len(found):
                    raise EntryNotFound(
                        f"gallery {self._gallery} has no entry with id {after_id!r} to continue after: it was deleted "
                        "since, or never there; start again from the beginning"
                    )
                past = int(found[0])
            rows = view.page(chosen, past=past, limit=-1 if limit is None else limit, offset=offset)
            return [from_row(self._gallery, row) for row in rows]

    def ids(self, chosen: Filters) -> list[str]:
        """See `Gallery.ids`."""
        with self._view("reading ids") as view:
            return [row[1] for row in view.page(chosen, past=0, limit=-1)]

    def each(self) -> Iterator[Entry]:
        """See `Gallery.__iter__`."""
        past = 0
        while True:
            with self._view("listing entries") as view:
                rows = view.page(Filters(), past=past, limit=_PAGE)
                entries = [from_row(self._gallery, row) for row in rows]
            yield from entries
            if len(rows) < _PAGE:
                return
            past = rows[-1][0]

    def get(self, entry_id: str) -> StoredEntry:
        """See `Gallery.get`."""
        return self._look("reading an entry", lambda view: self._get(view, entry_id))

    def _get(self, view: CatalogueView, entry_id: str) -> StoredEntry:
        seqs = view.seqs_of([entry_id])
        if not len(seqs):
            raise EntryNotFound(f"gallery {self._gallery} has no entry with id {entry_id!r}: check the id")
        seq = int(seqs[0])
        found, picture = view.entries([seq]), view.thumbnail(seq)
        if not found or picture is None:
            raise damaged(self._gallery, f"the camera of entry {entry_id!r} is missing")
        entry = from_row(self._gallery, found[0], check_thumbnail(self._gallery, *picture))
        for seqs, codes in self._around(view, seq):
            place = int(np.searchsorted(seqs, seq))
            if place < len(seqs) and seqs[place] == seq:
                copies = {name: column[place].copy() for name, column in codes.items()}
                return StoredEntry(entry, {n: copies[n] for n in self._catalogue.meta.spec}, copies.get(EMBEDDING))
        raise damaged(self._gallery, f"the codes of entry {entry_id!r} are missing")

    def _around(self, view: CatalogueView, seq: int) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """Sequence numbers and codes of the segment or chunk with ``seq`` in its range."""
        for row in view.segments():
            if row.first <= seq <= row.last:
                file = self._cache.file(row)
                yield file.seqs, file.codes
        for chunk in view.chunks():
            if chunk.first <= seq <= chunk.last:
                for stored in view.read_chunks(chunk.first, chunk.first):
                    rows = decode_chunk(self._gallery, self._catalogue.meta.layout, stored)
                    yield rows.seqs, rows.codes

    def info(self) -> GalleryInfo:
        """See `Gallery.info`."""

        def read(catalogue: CatalogueView) -> GalleryInfo:
            view = self._read_view(catalogue)
            versions = version_infos(catalogue, self._store, self._gallery)
            return read_info(catalogue, self._gallery, self._catalogue.meta, view, self._cache, versions=versions)

        return self._look("reading", read)

    def versions(self) -> tuple[VersionInfo, ...]:
        """See `Gallery.versions`."""
        return self._look("reading versions", lambda view: version_infos(view, self._store, self._gallery))

    def reencoded(self) -> bool:
        """See `Gallery.reencoded`."""
        try:
            self._catalogue.view("reading").close()
        except GalleryReencoded:
            return True
        return False

    def verify(self) -> tuple[VerifyReport, dict[int, str]]:
        """See `Gallery.verify`."""
        with plain_errors(self._gallery, "verifying"):
            return verify_gallery(self._catalogue, self._store, self._gallery)
