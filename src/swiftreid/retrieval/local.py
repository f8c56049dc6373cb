"""A gallery on this machine with the encoder that made it: add pictures, search, read hits."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import NamedSample
from swiftreid.encoding.artefact import load_artefact
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.crops import Colour
from swiftreid.encoding.encoder import DEFAULT, Encoder, encoder_path, open_encoder
from swiftreid.encoding.encodings_file import Encodings
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.info import GalleryInfo
from swiftreid.gallery.meta import FloatName
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.answer import Answer, Answers, Token
from swiftreid.retrieval.encoded import Codes, columns_for, encode_vectors
from swiftreid.retrieval.filters import Filters
from swiftreid.retrieval.ingest import Ingested, OnAdded, add_codes, add_pictures, add_samples, entries_of
from swiftreid.retrieval.query import Picture, Query, QueryOptions
from swiftreid.retrieval.samples import samples_in
from swiftreid.retrieval.searchable import Added, Deleted, OnBad, OnExisting
from swiftreid.retrieval.searching import Searcher, token_of
from swiftreid.search.stages import EMBEDDING

EncoderSource = str | Path | Encoder
"""An encoder, its file, or the name of a shipped one."""


def open_gallery(
    path: Path | str,
    *,
    encoder: EncoderSource | None = None,
    create: bool = False,
    rendered: bool = False,
    embedding: FloatName | None = None,
    read_only: bool = False,
    threads: int = 1,
) -> LocalGallery:
    """Open a gallery to add pictures to and to search.

    Args:
        path: its folder.
        encoder: an encoder, its file, or the name of a shipped one. A new gallery keeps a copy, and by default that of
            the shipped encoder ``rendered``. For a gallery that is there it is only needed to use another calibration.
        create: make the gallery if it is not there.
        rendered: for a new gallery: nobody in it exists, so that a calibration on rendered people decides there.
        embedding: for a new gallery: keep the float embeddings beside the codes, as this type.
        read_only: refuse every change; needs no writer lock.
        threads: that search.

    Raises:
        NotAGallery: nothing is there, and it is not to be created.
        OtherEncoder: the gallery holds codes of another encoder.
        SwiftReIDError: the encoder cannot be opened.

    Example:
        >>> import tempfile
        >>> people = open_gallery(tempfile.mkdtemp() + "/people", encoder="stripes", create=True)
        >>> people.add("examples/station/query", progress=no_progress).ids[0]
        '0004_c1s3_052497_01.jpg'
        >>> answer = people.search("examples/station/query/0004_c1s3_052497_01.jpg", k=1)
        >>> [(hit.id, hit.distance) for hit in answer.hits]
        [('0004_c1s3_052497_01.jpg', 0)]
    """
    path = Path(path)
    if create and not path.exists():
        store = create_gallery(path, DEFAULT if encoder is None else encoder, rendered=rendered, embedding=embedding)
        if read_only:
            store.close()
            store = Gallery.open(path, read_only=True)
    else:
        store = Gallery.open(path, read_only=read_only)
    try:
        return LocalGallery(store, encoder, threads=threads)
    except BaseException:
        store.close()
        raise


def create_gallery(
    path: Path, source: EncoderSource = DEFAULT, *, rendered: bool = False, embedding: FloatName | None = None
) -> Gallery:
    """Create an empty gallery with a copy of an encoder, and open it for writing.

    Args:
        path: the new folder.
        source: an encoder, its file, or the name of a shipped one.
        rendered: nobody in it exists, so that a calibration on rendered people decides there.
        embedding: keep the float embeddings beside the codes, as this type.

    Raises:
        UsageError: something is there, or the encoder makes no codes.
        SwiftReIDError: the encoder cannot be opened, or the gallery cannot be written.
    """
    encoder = source if isinstance(source, Encoder) else open_encoder(source)
    if not encoder.spec.names and embedding is None:
        raise UsageError(f"encoder {encoder.card.name} makes no codes: learn some with `swiftreid hash`")
    return Gallery.create(path, encoder, rendered=rendered, embedding=embedding)


class LocalGallery:
    """A gallery on this machine, with the encoder that made its codes; `swiftreid.open_gallery` opens one.

    It keeps the contract of `swiftreid.retrieval.searchable.Searchable`. The encoder is opened when it is first needed:
    searches by entries or by codes do without. Threads may share one; so may processes, each with its own.

    Attributes:
        store: the gallery itself.
        threads: that search.
    """

    def __init__(self, store: Gallery, encoder: EncoderSource | None = None, *, threads: int = 1) -> None:
        self.store = store
        self.threads = threads
        self._source = encoder
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None
        self._card: EncoderCard | None = None
        if isinstance(encoder, Encoder):
            self._encoder, self._card = encoder, encoder.card
        if encoder is not None:
            self._check(self.card)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the gallery."""
        self.store.close()

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
        with self._lock:
            if self._encoder is None:
                file = self._encoder_file()
                if file is None:
                    raise SwiftReIDError(
                        f"{self.store.path} carries no encoder file, only codes of {self.store.encoder_name}: open it "
                        "with that encoder, or add and search codes that were made elsewhere"
                    )
                opened = open_encoder(file)
                self._check(opened.card)
                self._encoder, self._card = opened, opened.card
            return self._encoder

    @property
    def card(self) -> EncoderCard | None:
        """The encoder's card, which says how distances are to be read; None where the gallery has no encoder."""
        with self._lock:
            if self._card is None and (file := self._encoder_file()) is not None:
                card = load_artefact(file)[0]
                self._check(card)
                self._card = card
            return self._card

    def _encoder_file(self) -> Path | None:
        if isinstance(self._source, (str, Path)):
            return encoder_path(self._source)
        file = self.store.encoder_file
        return file if file is not None and file.is_file() else None

    def _check(self, card: EncoderCard | None) -> None:
        if card is not None:
            self.store.check_encoder(card.fingerprint, card.name)

    def search(
        self,
        query: Query | Picture | None = None,
        *,
        after: Token | None = None,
        deadline: float | None = None,
        **options: Unpack[QueryOptions],
    ) -> Answer:
        """The answer to one query: a `Query`, or a picture and the fields of one.

        Args:
            query: a `Query`; or a picture, its file or its pixels; or nothing, where the options say whom to search.
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
        return self.search_batch([_query(query, options)], after=after, deadline=deadline)[0]

    def search_batch(
        self,
        queries: Sequence[Query | Picture],
        *,
        after: Token | None = None,
        deadline: float | None = None,
        on_bad: OnBad | None = None,
        progress: Progress = no_progress,
        **options: Unpack[QueryOptions],
    ) -> Answers:
        """The answers to several queries, one each; their pictures are encoded, and codes compared, together.

        Args:
            queries: each as for `search`.
            after: as for `search`.
            deadline: as for `search`.
            on_bad: takes pictures that cannot be used, which are left out. A query without any that can gets an answer
                without hits and a note of the kind ``unreadable``. Without it the first such picture raises.
            progress: takes pictures encoded, and queries re-ranked, of all.
            **options: the fields of a `Query`, for those that are pictures.

        Raises:
            UsageError, BadPicture, EntryNotFound: as for `search`.
        """
        parsed = [_query(query, options if not isinstance(query, Query) else {}) for query in queries]
        searcher = Searcher(self.store, lambda: self.encoder, lambda: self.card, self.threads)
        return searcher.answers(parsed, after=after, deadline=deadline, on_bad=on_bad, progress=progress)

    def add(
        self,
        pictures: Path | str | Sequence[Picture] | None = None,
        *,
        entries: Sequence[Entry] | None = None,
        vectors: NDArray[np.floating[Any]] | None = None,
        codes: Mapping[str, NDArray[np.uint8]] | None = None,
        ids: Sequence[str] | None = None,
        camera: str | None = None,
        manifest: Path | str | None = None,
        colour: Colour = "rgb",
        on_existing: OnExisting = "refuse",
        on_bad: OnBad | None = None,
        on_added: OnAdded | None = None,
        progress: Progress = no_progress,
    ) -> Added:
        """Add pictures, rows of vectors, or rows of packed codes.

        Each batch is durable before the next is encoded. To go on after an interruption, call it again with
        ``on_existing="skip"``.

        Args:
            pictures: a file, a folder, or a list of these; or a list of pixels, uint8 [height, width, 3] each.
            entries: one for each picture or row, with its id, camera and whatever else is known. Without them files get
                ids from their paths, and person and camera from names such as ``0844_c3s2_107328_01.jpg``.
            vectors: embeddings as the encoder's network gives them, float [n, d].
            codes: for each code uint8 [n, row bytes].
            ids: in place of entries: one for each picture or row.
            camera: of all of them, where their names do not say it.
            manifest: in place of pictures: a CSV or Parquet table that lists files, with columns path, and any of id,
                camera, time, person, track, frame; others become labels.
            colour: order of the channels of pixels.
            on_existing: ``"refuse"`` ids that are there, ``"skip"`` them, or ``"replace"`` their entries.
            on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
            on_added: takes the ids of each batch once it is durable.
            progress: takes pictures encoded and pictures in all.

        Raises:
            UsageError: what was given does not go together; ids are there or come twice; an entry cannot be stored.
            BadPicture: a picture cannot be used, and there is no ``on_bad``; what was added before it stays.
            GalleryBusy, GalleryFull, GalleryPermission: says what to do.
        """
        rows = [given for given in (pictures, vectors, codes, manifest) if given is not None]
        if len(rows) != 1:
            raise UsageError("give one of these: pictures, vectors, codes, or a manifest")
        if codes is not None or vectors is not None:
            made: Codes = dict(codes or {})
            if vectors is not None:
                made = columns_for(self.store, encode_vectors(self.encoder, vectors))
            count = max((len(code) for code in made.values()), default=0)
            done = add_codes(
                self.store,
                _entries(entries, ids, camera, count),
                made,
                fingerprint=self.store.fingerprint,
                on_existing=on_existing,
                on_added=on_added,
                progress=progress,
            )
            return self._added(done)
        listed = _listed(pictures)
        if entries is not None or ids is not None or any(isinstance(picture, np.ndarray) for picture in listed):
            done = add_pictures(
                self.store,
                lambda: self.encoder,
                listed,
                _entries(entries, ids, camera, len(listed)),
                colour=colour,
                on_existing=on_existing,
                on_bad=on_bad,
                on_added=on_added,
                progress=progress,
            )
            return self._added(done)
        files = [Path(cast(str | Path, picture)) for picture in listed]
        samples = samples_in(files, manifest=None if manifest is None else Path(manifest), camera=camera)
        return self.add_samples(samples, on_existing=on_existing, on_bad=on_bad, on_added=on_added, progress=progress)

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
            lambda: self.encoder,
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

    def delete(self, ids: Collection[str]) -> Deleted:
        """Delete entries in one durable transaction; ids that are not there are passed over."""
        written = self.store.delete(ids)
        return Deleted(token_of(self.store, written.token), int(written))

    def entries(self, ids: Sequence[str]) -> list[Entry]:
        """Some entries, with their thumbnails, in that order.

        Raises:
            EntryNotFound: one of them is not there.
            UsageError: ids are one text.
        """
        if isinstance(ids, str):
            raise UsageError(f"entries takes a list of ids, got the text {ids!r}: pass [{ids!r}]")
        return [self.store.get(id_).entry for id_ in ids]

    def ids(self, filters: Filters | None = None) -> list[str]:
        """The ids of all entries that pass, in the order in which they were added."""
        wanted = filters or Filters()
        if wanted.other_cameras:
            raise UsageError("other_cameras is about the camera of a query: list entries by not_cameras")
        wanted.check(self.store)
        with wanted.snapshot(self.store, None) as snapshot:
            mask = np.ones(len(snapshot), bool) if snapshot.mask is None else snapshot.mask
            return snapshot.ids(np.flatnonzero(mask).tolist())

    def info(self) -> GalleryInfo:
        """Figures: entries, cameras, times, codes, encoder."""
        return self.store.info()


def _query(query: Query | Picture | None, options: QueryOptions) -> Query:
    if isinstance(query, Query):
        if options:
            raise UsageError(f"{', '.join(options)}: give them to the Query")
        return query
    return Query(pictures=() if query is None else query, **options)


def _listed(pictures: Path | str | Sequence[Picture] | None) -> list[Picture]:
    if pictures is None:
        return []
    given: object = pictures  # whatever the annotation says
    if isinstance(given, np.ndarray) and given.ndim != 4:
        raise UsageError("pixels are given in a list, one array [height, width, 3] for each picture: write [crop]")
    return [pictures] if isinstance(pictures, (str, Path)) else list(pictures)


def _entries(
    entries: Sequence[Entry] | None, ids: Sequence[str] | None, camera: str | None, count: int
) -> Sequence[Entry]:
    """The entries that were given, or those of ids by one camera."""
    if entries is not None:
        if ids is not None or camera is not None:
            raise UsageError("entries have ids and cameras of their own: leave out ids and camera")
        return entries
    if ids is None or camera is None:
        raise UsageError("what has no file name needs entries, or ids and a camera: one id for each picture or row")
    if isinstance(ids, str):
        raise UsageError(f"ids must be a list, got the text {ids!r}: pass [{ids!r}]")
    if len(ids) != count:
        raise UsageError(f"{len(ids)} ids came with {count} pictures or rows: give one id for each")
    return [Entry(id=id_, camera=camera) for id_ in ids]
