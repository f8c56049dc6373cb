"""Creating a gallery: the whole folder is built beside its place and appears with one rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from swiftreid.durable import flush_folder, write_file
from swiftreid.errors import UsageError
from swiftreid.gallery.errors import plain_errors
from swiftreid.gallery.locking import FILE_NAME as LOCK
from swiftreid.gallery.schema import ENCODER, SEGMENTS, Meta, create_database
from swiftreid.gallery.verify import file_digest
from swiftreid.search.codes import CodeSpec

SEGMENT_SIZE = 65_536


def create_gallery(
    path: Path, *, encoder_name: str, fingerprint: str, spec: CodeSpec, encoder_file: Path | None, segment_size: int
) -> None:
    """See `swiftreid.gallery.store.Gallery.create`."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already: choose another path, or open it if it is the gallery you want")
    if not fingerprint or not encoder_name or not len(spec) or segment_size < 1:
        raise UsageError(
            "a gallery needs an encoder name, a fingerprint, a code spec and a segment size of 1 or more, got "
            f"{encoder_name!r}, {fingerprint!r}, {str(spec)!r} and {segment_size}"
        )
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} for the new gallery does not exist: create it first")
    if encoder_file is not None and not encoder_file.is_file():
        raise UsageError(f"there is no encoder file {encoder_file}: check the path")
    with plain_errors(path, "creating"):
        beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.creating-", dir=path.parent))
        try:
            digest = "" if encoder_file is None else _copy_encoder(encoder_file, beside / ENCODER)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            (beside / SEGMENTS).mkdir()
            (beside / LOCK).touch()
            create_database(beside, Meta(encoder_name, fingerprint, spec, segment_size, created, digest))
            beside.chmod(0o777 & ~_umask())  # mkdtemp lets nobody else in, which a shared gallery must not inherit
            flush_folder(beside)
            beside.rename(path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        flush_folder(path.parent)


def _copy_encoder(source: Path, target: Path) -> str:
    with source.open("rb") as reader:
        write_file(target, lambda writer: shutil.copyfileobj(reader, writer))
    return file_digest(target)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
