"""Who may read a gallery's files: its owner alone, unless the operator gives others rights with chmod."""

from __future__ import annotations

import os
import shlex
import warnings
from pathlib import Path
from stat import S_IMODE

from swiftreid.errors import SwiftReIDWarning

OTHERS = 0o077
_SHOWN = 3


class GalleryOpenToOthers(SwiftReIDWarning):
    """Other users may read or change a gallery's pictures and metadata."""


def rights_of(file: Path) -> int:
    """The rights that new files take from one that is there, as SQLite's log takes those of the database."""
    return S_IMODE(file.stat().st_mode) & 0o666


def warn_if_open_to_others(gallery: Path) -> None:
    """Warn if users other than the owner have rights to the folder or to a file in it."""
    wide = [path for path in _all_paths(gallery) if _mode(path) & OTHERS]
    if not wide:
        return
    names = ", ".join(f"{path} ({_mode(path):04o})" for path in wide[:_SHOWN])
    more = f" and {len(wide) - _SHOWN} more" if len(wide) > _SHOWN else ""
    warnings.warn(
        f"gallery {gallery} shows people, and users other than its owner have rights to {names}{more}: remove them "
        f"with 'chmod -R go-rwx {shlex.quote(str(gallery))}'",
        GalleryOpenToOthers,
        stacklevel=4,  # whoever called Gallery.open
    )


def _all_paths(gallery: Path) -> list[Path]:
    paths = [gallery]
    for folder, _, names in os.walk(gallery):
        paths += [Path(folder, name) for name in names]
        if folder != str(gallery):
            paths.append(Path(folder))
    return paths


def _mode(path: Path) -> int:
    try:
        return S_IMODE(path.stat().st_mode)
    except OSError:
        return 0  # gone since the folder was listed
