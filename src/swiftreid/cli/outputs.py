"""Files that a command writes for its user: checked before long work begins, then written whole."""

from __future__ import annotations

from pathlib import Path

from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.errors import UsageError

SAFETENSORS = (".safetensors",)
"""How the names of encoders and of encodings end."""


def output_file(option: str, path: Path, *, suffixes: tuple[str, ...]) -> Path:
    """The file itself, once it is known that it can be one.

    Args:
        option: that named it, for messages.
        path: may lie in folders that are not there yet, which are made when it is written.
        suffixes: how its name must end, for it tells people and programs what is in it.

    Raises:
        UsageError: its name ends otherwise, it is a folder, or what should be a folder on the way is none.
    """
    if path.is_dir() or path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path} must be a file name ending in {' or '.join(suffixes)}")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir():
        raise UsageError(f"{option} {path} can't be written: {there} is no folder")
    return path


def written(path: Path, content: bytes, *, shows_people: bool = False) -> str:
    """Write the file and its folder; say where it is, and that the folder is new if it is.

    A file that shows people can be read by its owner alone, whatever the umask.

    Raises:
        SwiftReIDError: it could not be written.
    """
    new = not path.parent.exists()
    save_bytes(path, content, mode=PRIVATE_FILE if shows_people else None)
    return f"{path} (in a new folder)" if new else str(path)
