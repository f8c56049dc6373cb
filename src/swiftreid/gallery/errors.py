"""Errors of the gallery, and the one place where SQLite's and the system's errors become plain words."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from swiftreid.errors import SwiftReIDError, UsageError


class GalleryError(SwiftReIDError):
    """Something about a gallery could not be done."""


class NotAGallery(GalleryError):
    """The path holds no gallery."""


class NewerFormat(GalleryError):
    """The gallery, or one of its files, was written by a newer SwiftReID."""


class GalleryDamaged(GalleryError):
    """A file of the gallery is missing, cut short or altered."""


class GalleryBusy(GalleryError):
    """Another process is writing to the gallery."""


class GalleryFull(GalleryError):
    """The disk, a quota or a limit on file size refused a write."""


class GalleryPermission(GalleryError):
    """The gallery may not be read or written by this user."""


class OtherEncoder(GalleryError):
    """Codes of another encoder than the gallery's were offered."""


class EntryNotFound(GalleryError):
    """The gallery has no entry with this id."""


class BadEntry(UsageError):
    """An entry that can never be stored."""


class DuplicateIds(UsageError):
    """Some of the ids are in the gallery already, or twice in the batch; nothing was written.

    `Gallery.existing` tells beforehand which ids are there.

    Attributes:
        ids: all the ids concerned, sorted.

    Args:
        ids: the ids concerned.
        gallery: the gallery that has them already; None when they come twice in the batch.
    """

    def __init__(self, ids: Sequence[str], gallery: Path | None = None) -> None:
        self.ids = sorted(ids)
        first = ", ".join(repr(id_) for id_ in self.ids[:5]) + (", ..." if len(self.ids) > 5 else "")
        if gallery is None:
            problem, advice = "come more than once in this batch", "give each entry an id of its own"
        else:
            problem = f"are already in gallery {gallery}"
            advice = "leave these entries out, give them other ids, or delete the stored ones first"
        super().__init__(f"{len(self.ids)} id(s) {problem}: {first}. Nothing of this batch was written; {advice}")


_REFUSED_WRITES = {
    apsw.SQLITE_IOERR_WRITE,
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_TRUNCATE,
    apsw.SQLITE_IOERR_SHMSIZE,
}
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_RIGHTS = (
    "check that this user may read and write the folder and every file in it (even reading needs that, for the "
    "database's log, unless the disk is mounted read-only)"
)


def _full(path: Path, doing: str, why: object) -> GalleryFull:
    return GalleryFull(
        f"no room while {doing} in gallery {path} ({why}): it was not done, and nothing acknowledged earlier was "
        "lost. Free space on that disk, or raise the quota or file-size limit, and run the same command again"
    )


@contextmanager
def plain_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the system raise while ``doing`` something at ``path`` into errors that say what to do."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise GalleryBusy(
            f"gallery {path} is in use by another writer ({error}), so {doing} was not done: "
            "wait until that process has finished, then run the same command again"
        ) from error
    except apsw.FullError as error:
        raise _full(path, doing, error) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as error:
        raise GalleryPermission(f"{doing} in gallery {path} was refused ({error}): {_RIGHTS}") from error
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.ConstraintError, apsw.MismatchError) as error:
        raise damaged(path, f"gallery.db is not readable while {doing} ({error})") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) in _REFUSED_WRITES:
            raise _full(path, doing, error) from error
        raise damaged(path, f"the disk failed while {doing} ({error})") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise damaged(path, f"gallery.db holds unreadable text ({error})") from error
    except FileNotFoundError as error:
        raise damaged(path, f"file {error.filename} is missing") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _full(path, doing, error.strerror) from error
        if error.errno in _FORBIDDEN:
            raise GalleryPermission(
                f"{doing} in gallery {path} was refused ({error.strerror}: {error.filename}): {_RIGHTS}"
            ) from error
        raise GalleryError(
            f"{doing} in gallery {path} failed: {error}; check the disk and run the command again"
        ) from error


def damaged(path: Path, what: str) -> GalleryDamaged:
    """The error for a gallery whose files are not as they were written."""
    return GalleryDamaged(
        f"gallery {path} is damaged: {what}. Run 'swiftreid gallery verify' for the whole list, and restore it "
        "from a backup or build it again from its pictures"
    )
