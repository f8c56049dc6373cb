"""Creating a gallery: the whole folder is built beside its place and appears with one rename."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from swiftreid.durable import PRIVATE_FILE, PRIVATE_FOLDER, flush_folder, make_private_folder, open_new, write_file
from swiftreid.errors import UsageError
from swiftreid.gallery.digests import file_digest
from swiftreid.gallery.errors import NO_ROOM, GalleryPermission, plain_errors
from swiftreid.gallery.locking import FILE_NAME as LOCK
from swiftreid.gallery.meta import ENCODER, SEGMENTS, Embedding, FloatName, Meta
from swiftreid.gallery.sqlite import DATABASE, create_database
from swiftreid.search.codes import CodeSpec
from swiftreid.search.numbers import whole_number

SEGMENT_SIZE = 65_536


class EncoderLike(Protocol):
    """What creating a gallery needs of an encoder; `swiftreid.encoding.encoder.Encoder` has it."""

    @property
    def card(self) -> CardLike:
        """Its description."""

    @property
    def fingerprint(self) -> str:
        """Identity of its codes."""

    @property
    def spec(self) -> CodeSpec:
        """Names and lengths of its codes."""

    def save(self, path: Path) -> None:
        """Write it to one file."""


class CardLike(Protocol):
    """What creating a gallery needs of an encoder's description."""

    @property
    def name(self) -> str:
        """The encoder's name."""

    @property
    def embedding(self) -> int | None:
        """Size of its float embedding, if it gives one."""


def create_gallery(
    path: Path,
    encoder: EncoderLike | None,
    *,
    encoder_name: str | None,
    fingerprint: str | None,
    spec: CodeSpec | None,
    encoder_file: Path | None,
    embedding: Embedding | FloatName | None,
    segment_size: int,
    rendered: bool,
) -> None:
    """See `swiftreid.gallery.store.Gallery.create`."""
    _check_place(path)
    if encoder is not None:
        if not (encoder_name is None and fingerprint is None and spec is None):
            raise UsageError("an encoder has name, fingerprint and spec: give the encoder, or these three, not both")
        encoder_name, fingerprint, spec = encoder.card.name, encoder.fingerprint, encoder.spec
    if isinstance(embedding, str):
        size = None if encoder is None else encoder.card.embedding
        if size is None:
            raise UsageError(f"embedding {embedding!r} lacks its size: give Embedding(size, {embedding!r})")
        embedding = Embedding(size, embedding)
    kinds = ((encoder_name, str), (fingerprint, str), (spec, CodeSpec), (embedding, Embedding))
    for value, kind in kinds:
        if value is not None and not isinstance(value, kind):
            raise UsageError(f"creating a gallery takes a {kind.__name__}, not {value!r} ({type(value).__name__})")
    segment_size = whole_number("the segment size", segment_size, 1)
    if not fingerprint or not encoder_name or spec is None or not (len(spec) or embedding):
        raise UsageError(
            "a gallery needs an encoder name, a fingerprint, and a code spec or an embedding, got "
            f"{encoder_name!r}, {fingerprint!r}, {str(spec)!r} and {embedding}"
        )
    if encoder_file is not None and not encoder_file.is_file():
        raise UsageError(f"there is no encoder file {encoder_file}: check the path")
    place = path.resolve()  # an empty folder that a link names is used where it is
    with plain_errors(path, "creating"), _new_folders(place.parent):
        with _writable(place.parent, path):
            beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.creating-", dir=place.parent))
        try:
            digest = copy_encoder(encoder, encoder_file, beside / ENCODER)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            make_private_folder(beside / SEGMENTS)
            open_new(beside / LOCK, PRIVATE_FILE).close()
            meta = Meta(encoder_name, fingerprint, spec, segment_size, created, digest, embedding, rendered)
            create_database(beside, meta, path)
            beside.chmod(PRIVATE_FOLDER)  # a umask may have taken the owner's own rights
            flush_folder(beside)
            with _writable(place.parent, path):
                try:
                    beside.rename(place)  # takes the place of an empty folder, never of a filled one
                except OSError:
                    _check_place(path)  # another process may have been quicker
                    raise
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        flush_folder(place.parent)


def _check_place(path: Path) -> None:
    try:
        if path.is_symlink() and not path.exists():
            raise UsageError(f"{path} exists already, as a link to nothing: choose another path")
        if not path.exists():
            return
        if not path.is_dir():
            raise UsageError(f"{path} exists already and is not a folder: choose another path for the gallery")
        if (path / DATABASE).exists():
            raise UsageError(
                f"{path} exists already, and is a gallery: add to it, or choose another path for a new one"
            )
        if any(path.iterdir()):
            raise UsageError(
                f"{path} exists already, is not empty and is not a gallery: choose another path for the gallery"
            )
        if path.samefile(Path.cwd()):
            raise UsageError(f"{path} is the folder this command runs in: choose a path inside it, such as people")
    except OSError as error:
        raise _refused(path, path, error) from error


@contextmanager
def _new_folders(folder: Path) -> Iterator[None]:
    """Make ``folder`` and those above it that are missing; they go again if the block fails."""
    missing = [above for above in (folder, *folder.parents) if not above.exists()][::-1]
    made: list[Path] = []
    try:
        for above in missing:
            with _writable(above.parent, folder):
                above.mkdir(exist_ok=True)
            made.append(above)
            flush_folder(above.parent)
        yield
    except BaseException:
        for above in reversed(made):
            with suppress(OSError):  # something else is in it by now
                above.rmdir()
        raise


@contextmanager
def _writable(folder: Path, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise _refused(folder, path, error) from error


def _refused(folder: Path, path: Path, error: OSError) -> GalleryPermission:
    return GalleryPermission(
        f"gallery {path} was not created: the folder {folder} cannot be written ({error.strerror or error}). "
        "Choose another path, or get the right to write there"
    )


def copy_encoder(encoder: EncoderLike | None, source: Path | None, target: Path) -> str:
    """Put a copy of the encoder into the gallery; returns its checksum, empty without a copy."""
    if source is not None:
        with source.open("rb") as reader:
            write_file(target, lambda writer: shutil.copyfileobj(reader, writer), mode=PRIVATE_FILE)
    elif encoder is not None:
        encoder.save(target)  # into a folder that nobody else may enter
        target.chmod(PRIVATE_FILE)
    else:
        return ""
    return file_digest(target)
