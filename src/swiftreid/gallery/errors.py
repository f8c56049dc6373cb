"""Errors of the gallery, and where the system's errors become plain words (`gallery.sqlite.errors`: SQLite's)."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from swiftreid.errors import SwiftReIDError, UsageError


class GalleryError(SwiftReIDError):
    """Something about a gallery could not be done."""


class NotAGallery(GalleryError):
    """The path holds no gallery."""


class NewerFormat(GalleryError):
    """The gallery, or one of its files, was written by a newer SwiftReID."""


class OlderFormat(GalleryError):
    """The gallery was written by an older SwiftReID and must be brought up to date before it is only read."""


class GalleryDamaged(GalleryError):
    """A file of the gallery is missing, cut short or altered."""


class GalleryBusy(GalleryError):
    """Another process is writing to the gallery."""


class GalleryFull(GalleryError):
    """The disk, a quota or a limit on file size refused a write."""


class GalleryPermission(GalleryError):
    """The gallery may not be read or written by this user."""


class OtherEncoder(GalleryError):
    """Codes of another encoder than the gallery's."""


class GalleryReencoded(GalleryError):
    """The gallery took another encoder since it was opened."""


class UnfinishedReencoding(UsageError):
    """Codes by another encoder are half filled, and a third encoder is to be taken."""


class EntryNotFound(GalleryError):
    """The gallery has no entry with this id."""


class EntriesChanged(GalleryError):
    """Entries were changed since they were read; nothing was done."""


class EntriesHeld(GalleryError):
    """A call would delete or replace entries that must not be deleted; nothing was done.

    Attributes:
        ids: the ids concerned, sorted.

    Args:
        held: the ids concerned, with the reasons.
        gallery: the gallery.
    """

    def __init__(self, held: Mapping[str, str], gallery: Path) -> None:
        self.ids = sorted(held)
        first = ", ".join(f"{id_!r} ({held[id_]})" for id_ in self.ids[:5]) + (", ..." if len(self.ids) > 5 else "")
        super().__init__(
            f"{len(self.ids)} entries of gallery {gallery} are held and must not be deleted: {first}. Nothing was "
            "done; leave them out, or release them first"
        )


class BadEntry(UsageError):
    """An entry that can never be stored."""


class DuplicateIds(UsageError):
    """Some of the ids are in the gallery already, or twice in the batch; nothing was written.

    `Gallery.existing` lists the ids that are there.

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


NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
RIGHTS = (
    "check that this user may read and write the folder and every file in it (even reading needs that, for the "
    "database's log, unless the disk is mounted read-only)"
)


def no_room(path: Path, doing: str, why: object) -> GalleryFull:
    """The error for a write that the disk refused."""
    return GalleryFull(
        f"no room while {doing} in gallery {path} ({why}): it was not done, and nothing acknowledged earlier was "
        "lost. Free space on that disk, or raise the quota or file-size limit, and run the same command again"
    )


@contextmanager
def plain_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system raises while ``doing`` something at ``path`` into errors that say what to do."""
    try:
        yield
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise damaged(path, f"its database holds unreadable text ({error})") from error
    except FileNotFoundError as error:
        raise damaged(path, f"file {error.filename} is missing") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room(path, doing, error.strerror) from error
        if error.errno in _FORBIDDEN:
            raise GalleryPermission(
                f"{doing} in gallery {path} was refused ({error.strerror}: {error.filename}): {RIGHTS}"
            ) from error
        raise GalleryError(
            f"{doing} in gallery {path} failed: {error}; check the disk and run the command again"
        ) from error


def damaged(path: Path, what: str) -> GalleryDamaged:
    """The error for a gallery with files that are not as they were written."""
    return GalleryDamaged(
        f"gallery {path} is damaged: {what}. Run 'swiftreid gallery verify' for the whole list, and restore it "
        "from a backup or build it again from its pictures"
    )
