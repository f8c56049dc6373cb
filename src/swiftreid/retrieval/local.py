"""A gallery on this machine with the encoder that made it: add pictures, search, read hits."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import NamedSample
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.crops import Colour
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.encodings_file import Encodings
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.vectors import Vectors
from swiftreid.errors import UsageError
from swiftreid.gallery.catalogue import VersionState
from swiftreid.gallery.changes import EntryChanges
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import GalleryReencoded
from swiftreid.gallery.export import Exported, export
from swiftreid.gallery.filters import FilterFields, Filters
from swiftreid.gallery.ids import listed_ids
from swiftreid.gallery.info import GalleryInfo
from swiftreid.gallery.store import Gallery
from swiftreid.gallery.writer import Discarded
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.additions import EntryColumns, Rows, Samples, addition_of
from swiftreid.retrieval.answer import Answer, Answers, Token
from swiftreid.retrieval.encoded import columns_for, encode_vectors
from swiftreid.retrieval.gallery_encoder import EncoderSource, GalleryEncoder
from swiftreid.retrieval.ingest import Ingested, OnAdded, add_codes, add_pictures, add_samples, entries_of
from swiftreid.retrieval.query import AnyQuery, Picture, Query, QueryOptions, query_of
from swiftreid.retrieval.reencode import Reencoded, go_back, reencode
from swiftreid.retrieval.searchable import Added, Deleted, OnBad, OnExisting, Updated
from swiftreid.retrieval.searching import Searcher, token_of
from swiftreid.search.stages import EMBEDDING

_ATTEMPTS = 3


class LocalGallery:
    """A gallery on this machine, with the encoder that made its codes; `swiftreid.open_gallery` opens one.

    It keeps the contract of `swiftreid.retrieval.searchable.Searchable`. The encoder is opened when it is first needed:
    searches by entries or by codes do without. Threads may share one; so may processes, each with its own.

    Where a re-encoding gives the gallery another encoder, in whatever process, the next call uses that.

    Attributes:
        threads: that search.
    """

    def __init__(
        self,
        store: Gallery,
        encoder: EncoderSource | None = None,
        *,
        threads: int = 1,
        encoder_options: RunOptions | None = None,
    ) -> None:
        self.threads = threads
        self._source = encoder
        self._options = encoder_options or RunOptions()
        self._current = store, GalleryEncoder(store, encoder, self._options)
        self._following = threading.Lock()

    def __repr__(self) -> str:
        store = self._current[0]
        return f"<LocalGallery {str(store.path)!r}, encoder {store.encoder_name!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the gallery."""
        self._current[0].close()

    @property
    def store(self) -> Gallery:
        """The gallery itself."""
        return self._follow()[0]

    @property
    def _encoder(self) -> GalleryEncoder:
        return self._follow()[1]

    def _follow(self) -> tuple[Gallery, GalleryEncoder]:
        """Gallery and encoder, opened again where the gallery took another encoder since.

        Raises:
            OtherEncoder: it did, and an encoder was given when it was opened.
        """
        with self._following:
            store, _ = self._current
            if store.reencoded:  # threads that still use the old one are let finish
                fresh = Gallery.open(store.path, read_only=store.read_only, wait=store.wait)
                try:
                    self._current = fresh, GalleryEncoder(fresh, self._source, self._options)
                except BaseException:
                    fresh.close()
                    raise
            return self._current

    def __len__(self) -> int:
        return len(self.store)

    def __bool__(self) -> bool:
        """True, also for an empty gallery."""
        return True

    @property
    def encoder(self) -> Encoder:
        """The encoder that was given, or the gallery's own copy.

        Raises:
            SwiftReIDError: there is none, or it cannot be opened.
            OtherEncoder: it is not the gallery's.
        """
        return self._encoder.encoder()

    @property
    def card(self) -> EncoderCard | None:
        """The encoder's card, with its calibration; None where the gallery has no encoder."""
        return self._encoder.card()

    def search(
        self,
        query: AnyQuery = None,
        *,
        after: Token | None = None,
        deadline: float | None = None,
        **options: Unpack[QueryOptions],
    ) -> Answer:
        """The answer to one query: a `Query`, or a picture and the fields of one.

        Args:
            query: a `Query`; or a picture, its file or its pixels, or a list of pictures of one person; or a vector,
                float [d]; or nothing, where the options give the query.
            after: a token: the answer sees that write. Here every search sees every write that has returned.
            deadline: seconds that the call may take. A search that has not begun by then is not made, and its answer is
                partial.
            **options: the fields of a `Query`.

        Raises:
            UsageError: the query cannot be answered here, such as by a code that the entries do not have.
            BadPicture: a picture of the query cannot be used.
            EntryNotFound: an id of the query is not there.

        Example:
            ``people.search(frame[top:bottom, left:right], colour="bgr", k=5, filters=Filters(not_cameras=["door"]))``
        """
        return self.search_batch([query_of(query, options)], after=after, deadline=deadline)[0]

    def search_batch(
        self,
        queries: Sequence[AnyQuery] | NDArray[np.floating[Any]],
        *,
        after: Token | None = None,
        deadline: float | None = None,
        on_bad: OnBad | None = None,
        progress: Progress = no_progress,
        **options: Unpack[QueryOptions],
    ) -> Answers:
        """The answers to several queries, one each; their pictures are encoded, and codes compared, together.

        Args:
            queries: each as for `search`; of float [n, d], n queries by a vector each.
            after: as for `search`.
            deadline: as for `search`.
            on_bad: takes pictures that cannot be used, which are left out. A query without any that can gets an answer
                without hits and a note of the kind ``unreadable``. Without it the first such picture raises.
            progress: takes pictures encoded, and queries re-ranked, of all.
            **options: the fields of a `Query`, for those that are pictures.

        Raises:
            UsageError, BadPicture, EntryNotFound: as for `search`; or ``queries`` is one query and no list.
        """
        one: object = queries
        if isinstance(one, (str, Path, Query)) or not isinstance(one, Iterable):
            raise UsageError(f"search_batch takes a list of queries, got {type(one).__name__}: write [query]")
        queries = builtins.list(queries)
        if options and queries and all(isinstance(query, Query) for query in queries):
            raise UsageError(f"{', '.join(options)}: give them to each Query")
        parsed = [query_of(query, options if not isinstance(query, Query) else {}) for query in queries]
        for _ in range(_ATTEMPTS):
            store, encoder = self._follow()
            searcher = Searcher(store, encoder.encoder, encoder.card, self.threads)
            with suppress(GalleryReencoded):  # between encoding the query and searching: once more
                return searcher.answers(parsed, after=after, deadline=deadline, on_bad=on_bad, progress=progress)
        raise GalleryReencoded(f"gallery {self._current[0].path} takes one encoder after the other: search again later")

    def add(
        self,
        pictures: Path | str | Sequence[Picture] | None = None,
        *,
        entries: Sequence[Entry] | None = None,
        vectors: NDArray[np.floating[Any]] | Vectors | None = None,
        codes: Mapping[str, NDArray[np.uint8]] | None = None,
        manifest: Path | str | None = None,
        camera: str | None = None,
        colour: Colour = "rgb",
        on_existing: OnExisting = "refuse",
        on_bad: OnBad | None = None,
        on_added: OnAdded | None = None,
        progress: Progress = no_progress,
        **columns: Unpack[EntryColumns],
    ) -> Added:
        """Add pictures, rows of vectors, or rows of packed codes.

        Each batch is durable before the next is encoded. To go on after an interruption, call it again with
        ``on_existing="skip"``.

        Args:
            pictures: a file, a folder, or a list of these; or a list of pixels, uint8 [height, width, 3] each.
            entries: one for each picture or row, with its id, camera and whatever else is known. Without them files get
                ids from their paths, and person and camera from names such as ``0844_c3s2_107328_01.jpg``.
            vectors: embeddings as the encoder's network gives them, float [n, d]; or `Vectors`, with what they know.
            codes: for each code uint8 [n, row bytes].
            manifest: in place of pictures: a CSV or Parquet table that lists files, with columns path, and any of id,
                camera, time, person, track, frame; others become labels.
            camera: of all of them, where nothing else gives one.
            colour: order of the channels of pixels.
            on_existing: ``"refuse"`` ids that are there, ``"skip"`` them, or ``"replace"`` their entries.
            on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
            on_added: takes the ids of each batch once it is durable.
            progress: takes pictures encoded and pictures in all.
            **columns: in place of entries: ``ids``, ``cameras``, ``times``, ``persons``, ``tracks`` and ``labels``,
                lists with one for each picture or row (see `swiftreid.retrieval.additions.EntryColumns`).

        Raises:
            UsageError: what was given does not go together; ids are there or come twice; an entry cannot be stored.
            BadPicture: a picture cannot be used, and there is no ``on_bad``; what was added before it stays.
            GalleryBusy, GalleryFull, GalleryPermission: says what to do.

        Example:
            ``people.add(crops, ids=ids, camera="door", times=times, colour="bgr")``
        """
        addition = addition_of(
            pictures,
            entries=entries,
            vectors=vectors,
            codes=codes,
            manifest=manifest,
            camera=camera,
            colour=colour,
            columns=columns,
            encode=lambda rows: columns_for(self.store, encode_vectors(self.encoder, rows)),
        )
        if isinstance(addition, Samples):
            return self.add_samples(
                addition.samples, on_existing=on_existing, on_bad=on_bad, on_added=on_added, progress=progress
            )
        if isinstance(addition, Rows):
            done = add_codes(
                self.store,
                addition.entries,
                addition.codes,
                fingerprint=self.store.fingerprint,
                on_existing=on_existing,
                on_added=on_added,
                progress=progress,
            )
        else:
            done = add_pictures(
                self.store,
                self._encoder.encoder,
                addition.pictures,
                addition.entries,
                colour=colour,
                on_existing=on_existing,
                on_bad=on_bad,
                on_added=on_added,
                progress=progress,
            )
        return self._added(done)

    def add_samples(
        self,
        samples: Sequence[NamedSample],
        *,
        on_existing: OnExisting = "refuse",
        on_bad: OnBad | None = None,
        on_added: OnAdded | None = None,
        progress: Progress = no_progress,
    ) -> Added:
        """Add picture files that were read with `swiftreid.retrieval.samples.samples_in`; arguments as for `add`."""
        done = add_samples(
            self.store,
            self._encoder.encoder,
            samples,
            on_existing=on_existing,
            on_bad=on_bad,
            on_added=on_added,
            progress=progress,
        )
        return self._added(done)

    def add_encodings(
        self,
        encodings: Encodings,
        *,
        camera: str | None = None,
        id_prefix: str = "",
        on_existing: OnExisting = "refuse",
        progress: Progress = no_progress,
    ) -> Added:
        """Add what `swiftreid.encoding.encodings_file.load_encodings` read; needs no encoder.

        Args:
            encodings: by the gallery's encoder.
            camera: of those that state none.
            id_prefix: goes before every id.
            on_existing: as for `add`.
            progress: takes entries added and entries in all.

        Raises:
            OtherEncoder: the encodings are of another encoder.
            UsageError: some have no camera, or ids are there.
        """
        header, floats = encodings.header, encodings.encoding.embedding
        columns = dict(encodings.encoding.codes) | ({} if floats is None else {EMBEDDING: floats})
        self.store.check_encoder(header.fingerprint, header.encoder)
        done = add_codes(
            self.store,
            entries_of(encodings, camera=camera, id_prefix=id_prefix),
            columns_for(self.store, columns),
            fingerprint=header.fingerprint,
            encoder_name=header.encoder,
            on_existing=on_existing,
            progress=progress,
        )
        return self._added(done)

    def _added(self, done: Ingested) -> Added:
        unreadable: tuple[BadPicture, ...] = tuple(done.unreadable)
        token = token_of(self.store, done.write) if done.write else self._token()
        return Added(token, tuple(done.ids), tuple(done.existing), unreadable)

    def _token(self) -> Token:
        """Of the last write there was."""
        with self.store.snapshot() as snapshot:
            return token_of(self.store, snapshot.token)

    def update(self, ids: str | Collection[str], **fields: Unpack[EntryChanges]) -> Updated:
        """Set fields of entries in one durable transaction; codes and thumbnails stay as they are.

        Args:
            ids: one id, or several.
            **fields: new values: ``camera``, ``time``, ``person``, ``track``, ``labels`` and the others of
                `swiftreid.gallery.changes.EntryChanges`. Labels that are given are set, those that are None go, and
                others stay.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
            UsageError: there is no such field, or a value cannot be stored.

        Example:
            ``people.update("visit-17", person="mia", labels={"coat": "red", "bag": None})``
        """
        written = self.store.update(ids, **fields)
        return Updated(token_of(self.store, written.token), int(written))

    def delete(self, ids: Collection[str]) -> Deleted:
        """Delete entries in one durable transaction; ids that are not there are passed over.

        Raises:
            UsageError: ids are one text, or `Filters` (``people.ids(filters)`` lists their ids).
        """
        given: object = ids
        if isinstance(given, Filters):
            raise UsageError("delete takes ids: write people.delete(people.ids(filters))")
        written = self.store.delete(ids)
        return Deleted(token_of(self.store, written.token), int(written))

    def __contains__(self, entry_id: object) -> bool:
        """Whether there is an entry with this id."""
        return entry_id in self.store

    def __iter__(self) -> Iterator[Entry]:
        """All entries, in the order in which they were added, without thumbnails."""
        return iter(self.store)

    def get(self, entry_id: str) -> Entry:
        """One entry, with its thumbnail.

        Raises:
            EntryNotFound: it is not there.
        """
        return self.store.get(entry_id).entry

    def entries(self, ids: Sequence[str]) -> list[Entry]:
        """Some entries, with their thumbnails, in that order.

        Raises:
            EntryNotFound: one of them is not there.
            UsageError: ids are one text, or one of them is no text.
        """
        return [self.get(id_) for id_ in listed_ids(ids, "entries")]

    def list(
        self,
        filters: Filters | None = None,
        *,
        limit: int | None = None,
        after_id: str | None = None,
        **fields: Unpack[FilterFields],
    ) -> builtins.list[Entry]:
        """Entries that pass, in the order in which they were added, without thumbnails.

        Args:
            filters: which entries; by default all.
            limit: at most so many.
            after_id: begin after this entry, the last one of the page before.
            **fields: in place of filters, their fields.

        Raises:
            UsageError: filters that make no sense.
            EntryNotFound: there is no entry ``after_id``.

        Example:
            ``people.list(cameras=["door"], labels={"coat": "red"}, limit=100)``
        """
        return self.store.list(filters, limit=limit, after_id=after_id, **fields)

    def ids(self, filters: Filters | None = None, **fields: Unpack[FilterFields]) -> builtins.list[str]:
        """The ids of all entries that pass, in the order in which they were added.

        Ids of damaged entries come too, so that they can be deleted.

        Args:
            filters: which entries; by default all.
            **fields: in place of filters, their fields.

        Raises:
            UsageError: filters that make no sense.
        """
        return self.store.ids(filters, **fields)

    def export(
        self,
        target: Path | str,
        filters: Filters | None = None,
        *,
        code: str | None = None,
        **fields: Unpack[FilterFields],
    ) -> Exported:
        """Write entries with their codes for other programs: see `swiftreid.gallery.export.export`."""
        with self.store.snapshot(filters, **fields) as snapshot:
            return export(snapshot, target, code=code)

    def reencode(
        self,
        encoder: EncoderSource,
        *,
        from_thumbnails: bool = False,
        drop_missing: bool = False,
        progress: Progress = no_progress,
    ) -> Reencoded:
        """Move to another encoder: see `swiftreid.retrieval.reencode.reencode`.

        Args:
            encoder: the encoder, its file, or the name of a shipped one.
            from_thumbnails: encode entries with a missing or changed source from their thumbnails.
            drop_missing: delete entries that cannot be encoded, for good.
            progress: takes entries with new codes, and all entries.

        Example:
            ``people.reencode("adapted/encoder.safetensors")``
        """
        opened = self._open(encoder)
        done = reencode(
            self.store, opened, from_thumbnails=from_thumbnails, drop_missing=drop_missing, progress=progress
        )
        return self._moved(done)

    def go_back(
        self, *, from_thumbnails: bool = False, drop_missing: bool = False, progress: Progress = no_progress
    ) -> Reencoded:
        """Go back to the encoder before, whose codes are kept: see `swiftreid.retrieval.reencode.go_back`."""
        done = go_back(
            self.store,
            from_thumbnails=from_thumbnails,
            drop_missing=drop_missing,
            options=self._options,
            progress=progress,
        )
        return self._moved(done)

    def discard_versions(
        self, states: Collection[VersionState] = ("filling", "kept"), *, timeout: float = 0.0
    ) -> Discarded:
        """Remove the kept codes of the encoder before, and half-filled ones: see `Gallery.discard_versions`."""
        return self.store.discard_versions(states, timeout=timeout)

    def _open(self, source: EncoderSource) -> Encoder:
        if isinstance(source, Encoder):
            return source
        return open_encoder(source, threads=self._options.threads, device=self._options.device)

    def _moved(self, done: Reencoded) -> Reencoded:
        if done.switched:
            self._source = None  # from now on the gallery's own copy
        self._follow()
        return done

    def info(self) -> GalleryInfo:
        """Figures: entries, cameras, times, codes, encoder."""
        return self.store.info()
