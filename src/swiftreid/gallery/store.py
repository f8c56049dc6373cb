"""The durable gallery: add, get, delete, compact, verify, and snapshots to search in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import apsw
import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.gallery.addition import add_entries, known_ids
from swiftreid.gallery.compaction import CompactReport, compact_gallery, remaining_content, remove_orphans
from swiftreid.gallery.creation import SEGMENT_SIZE, create_gallery
from swiftreid.gallery.entries import Entry, StoredEntry
from swiftreid.gallery.errors import GalleryBusy, GalleryDamaged, GalleryError, OtherEncoder, damaged, plain_errors
from swiftreid.gallery.info import GalleryInfo, read_info
from swiftreid.gallery.locking import writer_lock
from swiftreid.gallery.lookup import get_entry
from swiftreid.gallery.removal import delete_entries, empty_log
from swiftreid.gallery.rights import warn_if_open_to_others
from swiftreid.gallery.schema import ENCODER, Meta, fetch, open_database
from swiftreid.gallery.segments import RemovedFiles
from swiftreid.gallery.snapshot import Snapshot, take_snapshot
from swiftreid.gallery.tail import seal
from swiftreid.gallery.verify import VerifyReport, file_digest, verify_gallery
from swiftreid.gallery.view import Cache, View, begin_read, read_view
from swiftreid.search.codes import CodeSpec

_log = logging.getLogger(__name__)

WRITER_WAIT = 5.0
_LOOK_AGAIN = 0.05


class Gallery:
    """A durable set of entries with their codes, bound to one encoder. Make one with `create` or `open`.

    One writer at a time, many readers, in several processes. Writers wait for each other for up to ``wait`` seconds an
    operation; readers never wait. Threads may share one gallery.

    Example:
        >>> import numpy as np, tempfile
        >>> from swiftreid.search.codes import CodeSpec
        >>> folder = Path(tempfile.mkdtemp()) / "people"
        >>> gallery = Gallery.create(folder, encoder_name="stripes", fingerprint="f00d", spec=CodeSpec.parse("id32"))
        >>> gallery.add([Entry("a.jpg", "c1")], {"id32": np.zeros((1, 4), np.uint8)}, fingerprint="f00d")
        1
        >>> with gallery.snapshot() as view:
        ...     view.ids([0])
        ['a.jpg']
    """

    def __init__(self, path: Path, db: apsw.Connection, meta: Meta, *, read_only: bool, wait: float) -> None:
        self.path = path
        self.read_only = read_only
        self.wait = wait
        self._db = db
        self._meta = meta
        self._cache = Cache()
        self._threads = threading.RLock()
        self._closed = False
        self._encoder_checked: tuple[int, ...] | None = None

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        encoder_name: str,
        fingerprint: str,
        spec: CodeSpec,
        encoder_file: Path | None = None,
        segment_size: int = SEGMENT_SIZE,
        rendered: bool = False,
    ) -> Gallery:
        """Create an empty gallery and open it for writing; it is there whole or not at all.

        Args:
            path: the new folder, made with those above it that are missing; an empty folder may be there already.
            encoder_name: name of the encoder whose codes it will hold.
            fingerprint: that encoder's fingerprint.
            spec: the encoder's codes.
            encoder_file: the encoder's artefact, copied into the gallery.
            segment_size: entries to a sealed segment.
            rendered: its people do not exist, so that a calibration on rendered people decides there.

        Raises:
            UsageError: something is there, or an argument makes no sense.
            GalleryFull, GalleryPermission: the disk or the system refused.
        """
        create_gallery(
            Path(path),
            encoder_name=encoder_name,
            fingerprint=fingerprint,
            spec=spec,
            encoder_file=encoder_file,
            segment_size=segment_size,
            rendered=rendered,
        )
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False, wait: float = WRITER_WAIT) -> Gallery:
        """Open a gallery.

        Args:
            path: its folder.
            read_only: refuse every change; needs no writer lock.
            wait: seconds that an operation waits for another writer.

        Raises:
            NotAGallery: nothing there, or something else.
            NewerFormat: written by a newer SwiftReID.
            GalleryDamaged: its database is not readable.
            GalleryPermission: this user may not read it, or not write it while ``read_only`` is False.
        """
        path = Path(path)
        db, meta = open_database(path, read_only=read_only)
        warn_if_open_to_others(path)
        gallery = cls(path, db, meta, read_only=read_only, wait=wait)
        try:
            if not read_only:
                gallery._tidy()
        except BaseException:
            gallery.close()
            raise
        return gallery

    def _tidy(self) -> None:
        """Finish what a killed process left: orphan files, and a log that may hold deleted bytes."""
        try:
            with plain_errors(self.path, "opening"), writer_lock(self.path, "opening", 0):
                for name in remove_orphans(self._db, self.path):
                    _log.info("removed %s, left in gallery %s by a process that was killed", name, self.path)
                empty_log(self._db, self.path)
        except GalleryBusy:
            return  # whoever is writing now has tidied up already

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; snapshots stay usable."""
        with self._threads:
            self._closed = True
            self._db.close()

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
    def encoder_file(self) -> Path | None:
        """The stored copy of the encoder's artefact, if one was given; compared with its checksum.

        Raises:
            GalleryDamaged: the copy was altered or is missing.
        """
        if not self._meta.encoder_digest:
            return None
        path = self.path / ENCODER
        with plain_errors(self.path, "reading the encoder"):
            state = path.stat()
            now = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            if now != self._encoder_checked and file_digest(path) != self._meta.encoder_digest:
                raise damaged(self.path, f"{ENCODER} does not match its checksum")
            self._encoder_checked = now
        return path

    def check_encoder(self, fingerprint: str, encoder_name: str | None = None) -> None:
        """Refuse an encoder that is not the gallery's; call it before a long encoding run, or before a search.

        Raises:
            OtherEncoder: names both encoders.
        """
        if fingerprint != self.fingerprint:
            other = "an encoder"
            if encoder_name:
                other = f"{'another ' if encoder_name == self.encoder_name else ''}encoder {encoder_name!r}"
            own = f"the encoder with fingerprint {self.fingerprint}"
            if self._meta.encoder_digest:
                own = f"the gallery's own copy, {self.path / ENCODER}"
            raise OtherEncoder(
                f"gallery {self.path} holds codes of encoder {self.encoder_name!r} (fingerprint {self.fingerprint}), "
                f"not of {other} (fingerprint {fingerprint}), and their codes can't be compared: encode with "
                f"{own}, or create another gallery for the other encoder"
            )

    def add(
        self,
        entries: Iterable[Entry],
        codes: Mapping[str, NDArray[np.uint8]],
        *,
        fingerprint: str,
        encoder_name: str | None = None,
    ) -> int:
        """Add entries in one durable transaction; once this returns they survive a kill and a power cut.

        Args:
            entries: n entries, in the order they shall have in the gallery.
            codes: for each code of the spec, packed uint8 [n, row bytes].
            fingerprint: fingerprint of the encoder that made the codes.
            encoder_name: its name, for the error message.

        Returns:
            n.

        Raises:
            OtherEncoder: the codes come from another encoder.
            UsageError: codes of a wrong name, width or number; BadEntry for a bad field.
            DuplicateIds: ids that come twice or are in the gallery already.
            GalleryBusy, GalleryFull, GalleryPermission: nothing was written; says what to do.
        """
        self.check_encoder(fingerprint, encoder_name)
        batch = list(entries)
        with self._writing("adding"):
            added = add_entries(self._db, self.path, self.spec, batch, codes)
            try:
                seal(self._db, self.path, self.spec, self._meta.segment_size)
            except (OSError, apsw.Error, GalleryDamaged) as error:
                # The entries are acknowledged by their own commit; sealing them is repeated by the next addition.
                _log.warning("gallery %s: sealing a segment failed and is put off: %s", self.path, error)
        return added

    def existing(self, ids: Collection[str]) -> set[str]:
        """Which of these ids are in the gallery."""
        with self._reading("reading ids"):
            return known_ids(self._db, ids)

    def cameras(self) -> list[str]:
        """Names of the cameras of all entries, sorted."""
        with self._reading("reading cameras"):
            return [row[0] for row in fetch(self._db, "SELECT name FROM camera ORDER BY name")]

    def ids_of_person(self, person: str) -> list[str]:
        """Ids of all entries of one person, in gallery order; empty when there is none."""
        with self._reading("reading ids"):
            query = "SELECT id FROM entry WHERE person = ? ORDER BY seq"
            return [row[0] for row in fetch(self._db, query, (person,))]

    def get(self, entry_id: str) -> StoredEntry:
        """One entry with its codes and thumbnail.

        Raises:
            EntryNotFound: there is none with this id.
        """
        with self._reading("reading an entry"):
            return get_entry(self._db, self.path, self.spec, self._cache, entry_id)

    def delete(self, ids: Collection[str]) -> int:
        """Delete entries in one durable transaction; ids that are not there are passed over.

        Metadata, thumbnails and unsealed codes are overwritten; sealed codes are masked at once, and `compact` erases
        them, any copy that SQLite left in unused space, and the space itself. A snapshot taken before still
        shows the entries until it is closed.

        Returns:
            How many entries were deleted.
        """
        if isinstance(ids, str):
            raise UsageError(f"delete needs a list of ids, got the text {ids!r}: pass [{ids!r}]")
        with self._writing("deleting"):
            count = delete_entries(self._db, self.path, self.spec, self._cache, ids)
            if count:
                empty_log(self._db, self.path)
            return count

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
        removed, deadline = RemovedFiles(), time.monotonic() + timeout
        try:
            with self._writing("compacting"):
                size = self._meta.segment_size
                report = compact_gallery(self._db, self.path, self.spec, self._cache, size=size, removed=removed)
            while True:
                with self._writing("compacting"):
                    remaining = remaining_content(self._db, self.path, removed)
                if not remaining or time.monotonic() >= deadline:
                    return replace(report, remaining=remaining)
                time.sleep(_LOOK_AGAIN)
        finally:
            removed.close()

    def info(self) -> GalleryInfo:
        """Figures: entries, cameras, time range, size, encoder."""
        with self._reading("reading"), self._looking() as view:
            return read_info(self._db, self.path, self._meta, view, self._cache)

    def verify(self) -> VerifyReport:
        """Check every checksum and every relation between files and tables; reads the whole gallery.

        Damage is listed in the report, not raised.
        """
        with self._reading("verifying"):
            fresh = Cache()  # a mapping kept from before could hide that a file is gone
            try:
                begin_read(self._db, self.path, lambda: read_view(self._db, self.path, self.spec, fresh, ()))
            except GalleryError:  # damage that shows as soon as files are opened: go on, to list all of it
                self._db.execute("BEGIN")
            try:
                return verify_gallery(self._db, self.path, self._meta, fresh)
            finally:
                self._db.execute("ROLLBACK")

    def snapshot(
        self,
        cameras: Collection[str] | None = None,
        not_cameras: Collection[str] | None = None,
        after: float | None = None,
        before: float | None = None,
        exclude_ids: Collection[str] | None = None,
    ) -> Snapshot:
        """A consistent view to search in, of one moment, with a mask for the filters.

        Args:
            cameras: only these cameras; each must be one of the gallery's.
            not_cameras: none of these cameras; unknown names are fine.
            after: only entries with a known time of at least this, in seconds since 1970 UTC.
            before: only entries with a known time below this.
            exclude_ids: not these entries; unknown ids are fine.
        """
        with self._threads:
            self._check_open()
            return take_snapshot(
                self.path,
                self.spec,
                self._cache,
                cameras=cameras,
                not_cameras=not_cameras,
                after=after,
                before=before,
                exclude_ids=exclude_ids,
            )

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(f"gallery {self.path} is closed: open it again")

    @contextmanager
    def _reading(self, doing: str) -> Iterator[None]:
        with self._threads, plain_errors(self.path, doing):
            self._check_open()
            yield

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        with self._threads:
            self._check_open()
            if self.read_only:
                raise UsageError(
                    f"gallery {self.path} was opened read-only, so {doing} is refused: open it for writing"
                )
            with plain_errors(self.path, doing), writer_lock(self.path, doing, self.wait):
                yield

    @contextmanager
    def _looking(self) -> Iterator[View]:
        view = begin_read(self._db, self.path, lambda: read_view(self._db, self.path, self.spec, self._cache))
        try:
            yield view
        finally:
            self._db.execute("ROLLBACK")
