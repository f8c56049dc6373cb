"""Where SQLite's errors become plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from swiftreid.gallery.errors import RIGHTS, GalleryBusy, GalleryPermission, damaged, no_room, plain_errors

_REFUSED_WRITES = {
    apsw.SQLITE_IOERR_WRITE,
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_TRUNCATE,
    apsw.SQLITE_IOERR_SHMSIZE,
}


@contextmanager
def sqlite_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite raises while ``doing`` something at ``path`` into errors that say what to do."""
    try:
        with plain_errors(path, doing):
            yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise GalleryBusy(
            f"gallery {path} is in use by another writer ({error}), so {doing} was not done: "
            "wait until that process has finished, then run the same command again"
        ) from error
    except apsw.FullError as error:
        raise no_room(path, doing, error) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError) as error:
        raise GalleryPermission(f"{doing} in gallery {path} was refused ({error}): {RIGHTS}") from error
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.ConstraintError, apsw.MismatchError) as error:
        raise damaged(path, f"gallery.db is not readable while {doing} ({error})") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) in _REFUSED_WRITES:
            raise no_room(path, doing, error) from error
        raise damaged(path, f"the disk failed while {doing} ({error})") from error
