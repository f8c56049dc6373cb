"""Embeddings of picture files, kept from one command to the next: encoding is what takes long, and rarely changes.

What is kept is biometric data. It lies in a folder that only its owner can enter, and ``clear`` deletes it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from swiftreid.encoding.headed_file import load_headed
from swiftreid.errors import SwiftReIDError, UsageError

VARIABLE: Final = "SWIFTREID_CACHE"
"""Environment variable that names the cache's folder; empty: nothing is kept."""

LIMIT_VARIABLE: Final = "SWIFTREID_CACHE_GIB"
"""Environment variable with the size that the cache may have, in GiB."""

LIMIT: Final = 4.0
"""Default size limit of the cache, in GiB."""

_SUFFIX, _PARTIAL = ".embeddings", ".partial"
_LOG = logging.getLogger(__name__)


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    key: str
    encoder: str
    """Name of the encoder, for `EncodingCache.info`."""
    unreadable: list[tuple[str, str]]
    """Files that could not be read, and why."""
    digest: str = ""
    """SHA-256 of the header without this field, and of the arrays."""


@dataclass(frozen=True)
class KeptEmbeddings:
    """Embeddings of a list of picture files.

    Attributes:
        rows: places in the list of those that could be read, int64 [n].
        embeddings: float32 [views, n, d].
        unreadable: name of each file that could not be read, and why, in the list's order.
    """

    rows: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    unreadable: list[tuple[str, str]]


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds.

    Attributes:
        folder: where it lies; None where nothing is kept.
        lists: lists of pictures whose embeddings are kept.
        bytes: their size.
        limit: the size from which the longest unused go.
        encoders: lists by the name of the encoder.
    """

    folder: Path | None
    lists: int
    bytes: int
    limit: int
    encoders: dict[str, int]


class EncodingCache:
    """Embeddings by key. What is damaged is not there; what cannot be written is not kept: no work fails of it.

    Args:
        folder: is made for its owner alone; None keeps nothing.
        limit: bytes in all; the longest unused go first.
    """

    def __init__(self, folder: Path | None, limit: int = int(LIMIT * 2**30)) -> None:
        self.folder = folder
        self.limit = limit

    @classmethod
    def default(cls) -> EncodingCache:
        """The user's own: in ``SWIFTREID_CACHE``, or where the system keeps caches.

        Raises:
            UsageError: ``SWIFTREID_CACHE_GIB`` is no number above 0.
        """
        text = os.environ.get(LIMIT_VARIABLE, str(LIMIT))
        try:
            limit = float(text)
        except ValueError:
            limit = 0.0
        if not 0 < limit < float("inf"):
            raise UsageError(f"{LIMIT_VARIABLE} is a number of GiB above 0, not {text!r}")
        return cls(_usual_folder(), int(limit * 2**30))

    def get(self, key: str) -> KeptEmbeddings | None:
        """What was kept under a key; None where nothing is, or it is damaged, which deletes it."""
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            header, arrays = load_headed(path, _Header, key="embeddings", kind="cached", remedy="it is deleted")
            whole = set(arrays) == {"rows", "embeddings"} and header.key == key
            if not whole or header.digest != _digest(header, arrays["rows"], arrays["embeddings"]):
                raise SwiftReIDError(f"{path} is damaged: it is deleted")
        except SwiftReIDError as error:
            _LOG.warning("%s", error)
            _remove(path)
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return KeptEmbeddings(arrays["rows"], arrays["embeddings"], header.unreadable)

    def put(self, key: str, kept: KeptEmbeddings, *, encoder: str) -> None:
        """Keep embeddings under a key, if they fit."""
        path = self._path(key)
        if path is None or kept.embeddings.nbytes > self.limit:
            return
        rows, embeddings = np.ascontiguousarray(kept.rows), np.ascontiguousarray(kept.embeddings)
        header = _Header(key=key, encoder=encoder, unreadable=kept.unreadable)
        header = header.model_copy(update={"digest": _digest(header, rows, embeddings)})
        content = save({"rows": rows, "embeddings": embeddings}, metadata={"embeddings": header.model_dump_json()})
        try:
            _make_private(path.parent)
            _write_private(path, content)
        except (OSError, SwiftReIDError) as error:
            _LOG.warning("encodings could not be kept: %s", error)
            return
        self._shrink(path)

    def info(self) -> CacheInfo:
        """How much is kept, and of which encoders."""
        files = list(self._files())
        names = Counter(_encoder_of(path) for path in files)
        return CacheInfo(self.folder, len(files), sum(map(_size, files)), self.limit, dict(names))

    def clear(self) -> int:
        """Delete all that is kept, unfinished files too.

        Returns:
            Bytes that were freed.

        Raises:
            SwiftReIDError: a file could not be deleted.
        """
        freed = 0
        for path in [*self._files(), *self._files(_PARTIAL)]:
            size = _size(path)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SwiftReIDError(
                    f"{path} could not be deleted: {error.strerror}; it holds biometric data"
                ) from error
            freed += size
        return freed

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}{_SUFFIX}"

    def _files(self, suffix: str = _SUFFIX) -> Iterator[Path]:
        if self.folder is not None and self.folder.is_dir():
            yield from self.folder.glob(f"*{suffix}")

    def _shrink(self, newest: Path) -> None:
        """Delete the longest unused until the rest is within the limit."""
        files = sorted((path for path in self._files() if path != newest), key=_used)
        total = sum(map(_size, files)) + _size(newest)
        for path in files:
            if total <= self.limit:
                return
            total -= _size(path)
            _remove(path)


def _usual_folder() -> Path | None:
    """The cache's folder as the environment has it."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).expanduser() / "encodings" if named else None
    above = os.environ.get("XDG_CACHE_HOME")
    try:
        usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError:  # nobody's home
        return Path(above) / "swiftreid" / "encodings" if above else None
    return (Path(above) if above else usual) / "swiftreid" / "encodings"


def _make_private(folder: Path) -> None:
    """Make the folder for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise SwiftReIDError(f"{folder} belongs to another user: name a folder of your own in {VARIABLE}")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)


def _write_private(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{_PARTIAL}")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _digest(header: _Header, rows: NDArray[Any], embeddings: NDArray[Any]) -> str:
    stated = header.model_dump(mode="json", exclude={"digest"})
    digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode())
    for array in (rows, embeddings):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _encoder_of(path: Path) -> str:
    try:
        with safe_open(path, framework="numpy") as stored:  # the header alone
            return _Header.model_validate_json((stored.metadata() or {}).get("embeddings", "")).encoder
    except (SafetensorError, OSError, ValueError):
        return "damaged"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # another process has just deleted it
        return 0


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
