"""The durable gallery: its reader and its writer behind one class."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.bound_encoder import BoundEncoder
from swiftreid.gallery.catalogue import Token, VersionState
from swiftreid.gallery.changes import EntryChanges, check_changes
from swiftreid.gallery.compaction import CompactReport
from swiftreid.gallery.creation import SEGMENT_SIZE, EncoderLike, create_gallery
from swiftreid.gallery.entries import Entry, StoredEntry, text_problem
from swiftreid.gallery.errors import GalleryReencoded
from swiftreid.gallery.filters import FilterFields, Filters, stored_filters
from swiftreid.gallery.ids import listed_ids
from swiftreid.gallery.info import GalleryInfo
from swiftreid.gallery.local_segments import LocalSegments
from swiftreid.gallery.meta import SEGMENTS, Embedding, FloatName
from swiftreid.gallery.reader import GalleryReader
from swiftreid.gallery.reencoding import Reencoding
from swiftreid.gallery.rights import warn_if_open_to_others
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.sqlite import DATABASE, SqliteCatalogue
from swiftreid.gallery.verify import VerifyReport
from swiftreid.gallery.versions import VersionInfo, listed
from swiftreid.gallery.view import Cache
from swiftreid.gallery.writer import Discarded, GalleryWriter, Written
from swiftreid.search.codes import CodeSpec
from swiftreid.search.numbers import whole_number
from swiftreid.search.stages import EMBEDDING

WRITER_WAIT = 5.0


class Gallery:
    """A durable set of entries with their codes, bound to one encoder. Make one with `create` or `open`.

    One writer at a time, many readers, in several threads and processes. A writer waits for those of other processes
    for up to ``wait`` seconds an operation, and, unless that is 0, for threads that share the gallery until they are
    done; readers never wait.

    Example:
        >>> import numpy as np, tempfile
        >>> from swiftreid.search.codes import CodeSpec
        >>> folder = Path(tempfile.mkdtemp()) / "people"
        >>> gallery = Gallery.create(folder, encoder_name="stripes", fingerprint="f00d", spec=CodeSpec.parse("id32"))
        >>> gallery.add([Entry("a.jpg", "c1")], {"id32": np.zeros((1, 4), np.uint8)}, fingerprint="f00d")
        1
        >>> len(gallery)
        1
        >>> with gallery.snapshot() as view:
        ...     view.ids([0])
        ['a.jpg']
    """

    def __init__(self, path: Path, *, read_only: bool, wait: float) -> None:
        self.path = path
        self.read_only = read_only
        self.wait = wait
        self._catalogue = SqliteCatalogue(path, read_only=read_only, wait=wait)
        self._meta = self._catalogue.meta
        store = LocalSegments(path / SEGMENTS, path / DATABASE)
        self._cache = Cache(store, path, self._meta.layout)
        self._reader = GalleryReader(self._catalogue, store, path, self._cache)
        self._writer = GalleryWriter(self._catalogue, store, path, self._cache, wait=wait)
        self._encoder = BoundEncoder(path, self._meta)
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path | str,
        encoder: EncoderLike | None = None,
        *,
        encoder_name: str | None = None,
        fingerprint: str | None = None,
        spec: CodeSpec | None = None,
        encoder_file: Path | str | None = None,
        embedding: Embedding | FloatName | None = None,
        segment_size: int = SEGMENT_SIZE,
        rendered: bool = False,
    ) -> Gallery:
        """Create an empty gallery and open it for writing; it is there whole or not at all.

        The folder and its files belong to their owner alone, whatever the umask.

        Args:
            path: the new folder, made with those above it that are missing; an empty folder may be there already.
            encoder: the encoder of its codes; a copy goes into the gallery. Or give name, fingerprint and spec.
            encoder_name: the encoder's name.
            fingerprint: its fingerprint.
            spec: its codes; none of them in a gallery that keeps only embeddings.
            encoder_file: its artefact, copied into the gallery.
            embedding: keep float embeddings beside the codes: their size and type, or with ``encoder`` the type alone.
            segment_size: entries to a sealed segment.
            rendered: its people do not exist, so a calibration on rendered people decides.

        Raises:
            UsageError: something is there, or an argument makes no sense.
            GalleryFull, GalleryPermission: the disk or the system refused.

        Example:
            >>> import tempfile
            >>> from swiftreid import open_encoder
            >>> folder = Path(tempfile.mkdtemp()) / "people"
            >>> Gallery.create(folder, open_encoder("stripes")).encoder_name
            'stripes'
        """
        create_gallery(
            Path(path),
            encoder,
            encoder_name=encoder_name,
            fingerprint=fingerprint,
            spec=spec,
            encoder_file=None if encoder_file is None else Path(encoder_file),
            embedding=embedding,
            segment_size=segment_size,
            rendered=rendered,
        )
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False, wait: float = WRITER_WAIT) -> Gallery:
        """Open a gallery. One of an older format is brought up to date when it is opened for writing.

        Warns with `GalleryOpenToOthers` if other users have rights to its files.

        Args:
            path: its folder.
            read_only: refuse every change; needs no writer lock.
            wait: seconds that an operation waits for another writer.

        Raises:
            NotAGallery: nothing there, or something else.
            NewerFormat: written by a newer SwiftReID.
            OlderFormat: written by an older SwiftReID, and ``read_only``.
            GalleryDamaged: its database is not readable.
            GalleryPermission: this user may not read it, or not write it while ``read_only`` is False.
        """
        path = Path(path)
        gallery = cls(path, read_only=read_only, wait=wait)
        try:
            warn_if_open_to_others(path)
            if not read_only:
                gallery._writer.tidy()
        except GalleryReencoded:  # it took another encoder in this instant
            gallery.close()
            return cls.open(path, read_only=read_only, wait=wait)
        except BaseException:
            gallery.close()
            raise
        return gallery

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; snapshots stay usable."""
        self._closed = True
        self._catalogue.close()

    @property
    def encoder_name(self) -> str:
        """Name of the encoder the gallery is bound to."""
        return self._meta.encoder_name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder the gallery is bound to."""
        return self._meta.fingerprint

    @property
    def spec(self) -> CodeSpec:
        """The codes of every entry."""
        return self._meta.spec

    @property
    def rendered(self) -> bool:
        """Whether the gallery was declared, when it was created, to hold people who do not exist."""
        return self._meta.rendered

    @property
    def created(self) -> str:
        """When the gallery was created, ISO 8601, UTC."""
        return self._meta.created

    @property
    def embedding(self) -> Embedding | None:
        """Size and type of the float embeddings that it keeps; None without."""
        return self._meta.embedding

    @property
    def encoder_file(self) -> Path | None:
        """The stored copy of the encoder's artefact, if one was given; compared with its checksum.

        Raises:
            GalleryDamaged: the copy was altered or is missing.
        """
        return self._encoder.file()

    @property
    def identity(self) -> str:
        """The same for the gallery's whole life, and another for every gallery."""
        return self._meta.identity

    @property
    def reencoded(self) -> bool:
        """Whether the gallery took another encoder since it was opened: open it again."""
        return not self._closed and self._reader.reencoded()

    @property
    def versions(self) -> tuple[VersionInfo, ...]:
        """Codes by other encoders beside those that searches compare, in figures."""
        self._check_open()
        return self._reader.versions()

    @property
    def encoder_file_before(self) -> Path | None:
        """The stored copy of the encoder of the codes that are kept to go back to; None without codes or copy.

        Raises:
            GalleryDamaged: the copy was altered or is missing.
        """
        self._check_open()
        kept = [one.meta for one in listed(self._catalogue) if one.state == "kept"]
        return BoundEncoder(self.path, kept[0]).file() if kept else None

    def reencoding(self, encoder: EncoderLike | None = None, *, by_camera: bool = False) -> Reencoding:
        """Begin, or go on, to fill codes by another encoder; `swiftreid.retrieval.reencode.reencode` encodes pictures.

        Args:
            encoder: a copy of it goes into the gallery. None for that of the codes that are kept to go back to.
            by_camera: codes depend on the camera, so entries that are moved to another one are encoded again.

        Raises:
            UsageError: the gallery has codes of this encoder already or keeps no codes to go back to; or the encoder
                does not give what the gallery keeps.
            UnfinishedReencoding: codes of a third encoder are half filled.
            GalleryBusy: another process is re-encoding.
        """
        self._check_writable("re-encoding")
        return self._writer.reencoding(encoder, by_camera=by_camera)

    def discard_versions(
        self, states: Collection[VersionState] = ("filling", "kept"), *, timeout: float = 0.0
    ) -> Discarded:
        """Remove codes by other encoders, and the copies of these, for good.

        Args:
            states: of which versions.
            timeout: seconds to wait for readers that hold older snapshots.

        Raises:
            GalleryBusy: another process is re-encoding.
        """
        self._check_writable("discarding codes")
        return self._writer.discard(states, timeout)

    def check_encoder(self, fingerprint: str, encoder_name: str | None = None) -> None:
        """Refuse an encoder that is not the gallery's; call it before a long encoding run, or before a search.

        Raises:
            OtherEncoder: names both encoders.
        """
        self._encoder.check(fingerprint, encoder_name)

    def add(
        self,
        entries: Iterable[Entry],
        codes: Mapping[str, NDArray[np.uint8]],
        *,
        fingerprint: str,
        encoder_name: str | None = None,
        embeddings: NDArray[Any] | None = None,
        replace: bool = False,
        statistics: int = 0,
    ) -> Written:
        """Add entries in one durable transaction; once this returns they survive a kill and a power cut.

        Args:
            entries: n entries, in the order they shall have in the gallery.
            codes: for each code of the spec, packed uint8 [n, row bytes].
            fingerprint: fingerprint of the encoder that made the codes.
            encoder_name: its name, for the error message.
            embeddings: float16 or float32 [n, size], where the gallery keeps them; rounded to its type.
            replace: entries take the place of those with the same ids, in the same transaction; they move to the end.
            statistics: version of the camera statistics that the codes were made with; 0 without any.

        Returns:
            n, with the write's token.

        Raises:
            OtherEncoder: the codes come from another encoder.
            UsageError: codes of a wrong name, width or number; BadEntry for a bad field.
            DuplicateIds: ids that come twice or, without ``replace``, are in the gallery already.
            EntriesHeld: entries to be replaced must not be deleted.
            GalleryBusy, GalleryFull, GalleryPermission: nothing was written; says what to do.
        """
        self.check_encoder(fingerprint, encoder_name)
        batch = builtins.list(entries)
        self._check_writable("adding")
        columns: dict[str, NDArray[Any]] = dict(codes)
        if embeddings is not None:
            columns[EMBEDDING] = embeddings
        return self._writer.add(batch, columns, replacing=replace, statistics=statistics)

    def existing(self, ids: Collection[str]) -> set[str]:
        """Which of these ids are in the gallery.

        Raises:
            UsageError: ids are one text, or one of them is no text.
        """
        self._check_open()
        return self._reader.known_ids(listed_ids(ids, "existing"))

    def __len__(self) -> int:
        """How many entries there are."""
        self._check_open()
        return self._reader.count()

    def __bool__(self) -> bool:
        """True, also for an empty gallery."""
        return True

    def __contains__(self, entry_id: object) -> bool:
        """Whether there is an entry with this id."""
        return isinstance(entry_id, str) and bool(self.existing([entry_id]))

    def __iter__(self) -> Iterator[Entry]:
        """All entries in gallery order, without thumbnails; what others add meanwhile comes too."""
        self._check_open()
        return self._reader.each()

    def list(
        self,
        filters: Filters | None = None,
        *,
        limit: int | None = None,
        offset: int = 0,
        after_id: str | None = None,
        **fields: Unpack[FilterFields],
    ) -> builtins.list[Entry]:
        """Entries in gallery order, without thumbnails.

        Args:
            filters: which entries; by default all.
            limit: how many at most.
            offset: how many to leave out at the beginning.
            after_id: begin after this entry, such as the last one of the page before; quicker than ``offset``.
            **fields: in place of filters, their fields.

        Raises:
            UsageError: filters that make no sense, or a limit or offset that is no whole number from 0 on.
            EntryNotFound: there is no entry ``after_id``.

        Example:
            ``gallery.list(cameras=["door"], after="2026-11-20", limit=100)``
        """
        self._check_open()
        limit = None if limit is None else whole_number("limit", limit, 0)
        offset = whole_number("offset", offset, 0)
        return self._reader.page(stored_filters(filters, fields), limit=limit, offset=offset, after_id=after_id)

    def cameras(self) -> builtins.list[str]:
        """Names of the cameras of all entries, sorted."""
        self._check_open()
        return self._reader.cameras()

    def ids(self, filters: Filters | None = None, **fields: Unpack[FilterFields]) -> builtins.list[str]:
        """Ids of all entries that pass, in gallery order; those of damaged entries too, so that they can be deleted.

        Args:
            filters: which entries; by default all.
            **fields: in place of filters, their fields.

        Raises:
            UsageError: filters that make no sense.
        """
        self._check_open()
        return self._reader.ids(stored_filters(filters, fields))

    def ids_of_person(self, person: str) -> builtins.list[str]:
        """Ids of all entries of one person, in gallery order; empty when there is none."""
        return self.ids(persons=[person])

    def get(self, entry_id: str) -> StoredEntry:
        """One entry with its codes and thumbnail.

        Raises:
            EntryNotFound: there is none with this id.
        """
        self._check_open()
        return self._reader.get(entry_id)

    def update(self, ids: str | Collection[str], **fields: Unpack[EntryChanges]) -> Written:
        """Set fields of one entry or several in one durable transaction; codes and thumbnails stay as they are.

        What was there is overwritten; `compact` erases what is left of it.

        Args:
            ids: one id, or several.
            **fields: new values, as `swiftreid.gallery.changes.EntryChanges` has them. Labels that are given are set,
                those that are None go, and others stay.

        Returns:
            How many entries were changed, with the write's token.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
            UsageError: no field, or one that can't be changed; BadEntry for a value that can't be stored.

        Example:
            >>> import numpy as np, tempfile
            >>> folder = Path(tempfile.mkdtemp()) / "people"
            >>> gallery = Gallery.create(folder, encoder_name="own", fingerprint="f00d", spec=CodeSpec.parse("id32"))
            >>> gallery.add([Entry("a.jpg", "c1")], {"id32": np.zeros((1, 4), np.uint8)}, fingerprint="f00d")
            1
            >>> gallery.update("a.jpg", person="p7", labels={"bag": "yes"})
            1
            >>> [entry.person for entry in gallery.list(labels={"bag": "yes"})]
            ['p7']
        """
        self._check_writable("updating")
        changes = check_changes(fields)
        return self._writer.update(dict.fromkeys([ids] if isinstance(ids, str) else listed_ids(ids, "update"), changes))

    def update_each(
        self, changes: Mapping[str, EntryChanges], *, expected: Mapping[str, Entry] | None = None
    ) -> Written:
        """Set other fields of each of several entries, all in one durable transaction; as `update` does.

        Args:
            changes: new values of each entry's fields, by its id.
            expected: some of them, by id, as they were read without thumbnails: change nothing if one is another now.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was changed.
            EntriesChanged: an entry is not as expected; nothing was changed.
            UsageError: no field, or one that can't be changed; BadEntry for a value that can't be stored.

        Example:
            ``gallery.update_each({"a.jpg": {"person": "mia"}, "b.jpg": {"labels": {"bag": None}}})``
        """
        self._check_writable("updating")
        checked = {id_: check_changes(fields) for id_, fields in changes.items()}
        named = dict(zip(listed_ids(checked, "update_each"), checked.values(), strict=True))
        return self._writer.update(named, expected)

    def delete(self, ids: Collection[str]) -> Written:
        """Delete entries in one durable transaction; ids that are not there are passed over.

        Metadata, thumbnails and unsealed codes are overwritten; sealed codes are masked at once, and `compact` erases
        them, any copy that SQLite left in unused space, and the space itself. A snapshot taken before still
        shows the entries until it is closed.

        Returns:
            How many entries were deleted, with the write's token.

        Raises:
            EntriesHeld: some must not be deleted; none was.
            UsageError: ids are one text, or one of them is no text.
        """
        self._check_writable("deleting")
        return self._writer.delete(listed_ids(ids, "delete"))

    def hold(self, ids: Collection[str], reason: str) -> Written:
        """Keep entries from being deleted or replaced until `release`.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was done.
            UsageError: there is no reason, or ids are one text.
        """
        problem = text_problem(reason) or ("is empty" if not reason.strip() else None)
        if problem is not None:
            raise UsageError(f"hold needs a reason: it {problem}")
        self._check_writable("holding")
        return self._writer.hold(listed_ids(ids, "hold"), reason)

    def release(self, ids: Collection[str]) -> Written:
        """Let entries be deleted again.

        Raises:
            EntryNotFound: one of the ids is not there; nothing was done.
        """
        self._check_writable("releasing")
        return self._writer.hold(listed_ids(ids, "release"), None)

    def held(self) -> dict[str, str]:
        """Ids of the entries that must not be deleted, in gallery order, with the reasons."""
        self._check_open()
        return self._reader.held()

    def compact(self, *, timeout: float = 0.0) -> CompactReport:
        """Rewrite segments without deleted entries, which erases their codes, and give back their space.

        Readers with an older snapshot keep working; a killed compaction loses nothing. The database is rewritten too,
        which needs free space of twice its size for a while (a part of it where SQLITE_TMPDIR points, by default
        /var/tmp).

        As long as a reader of this or another process holds an older snapshot, what was deleted stays in the database,
        its log or a removed segment file. Others may write while this call waits for them.

        Args:
            timeout: seconds to wait for such readers.

        Returns:
            What was done; `CompactReport.remaining` names what still holds deleted content once the time is over.
        """
        self._check_writable("compacting")
        return self._writer.compact(timeout)

    def info(self) -> GalleryInfo:
        """Figures: entries, cameras, time range, size, encoder."""
        self._check_open()
        return self._reader.info()

    def verify(self) -> VerifyReport:
        """Check every checksum and every relation between files and tables; reads the whole gallery.

        Damage is listed in the report, not raised.
        """
        self._check_open()
        report, states = self._reader.verify()
        if not self.read_only:
            self._writer.note_checked(states)
        return report

    def snapshot(
        self,
        filters: Filters | None = None,
        *,
        exclude_ids: Collection[str] | None = None,
        after_token: Token = 0,
        **fields: Unpack[FilterFields],
    ) -> Snapshot:
        """A consistent view to search in, of one moment, with a mask for the filters; never waits for a writer.

        Args:
            filters: which entries may be searched; by default all.
            exclude_ids: not these entries; unknown ids are fine.
            after_token: a write that must show, by the token it returned.
            **fields: in place of filters, their fields.

        Raises:
            UsageError: filters or ids that make no sense, or there was no such write.

        Example:
            ``gallery.snapshot(labels={"bag": ["yes", "big"]})``
        """
        self._check_open()
        excluded = [] if exclude_ids is None else listed_ids(exclude_ids, "exclude_ids")
        after = whole_number("after_token", after_token, 0)
        return self._reader.snapshot(stored_filters(filters, fields), excluded, after)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"gallery {self.path} is closed: open it again")

    def _check_writable(self, doing: str) -> None:
        self._check_open()
        if self.read_only:
            raise UsageError(f"gallery {self.path} was opened read-only, so {doing} is refused: open it for writing")
