"""Files with the same content, found by size first, so that few need to be read."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def find_duplicates(files: Mapping[Path, T]) -> list[list[T]]:
    """Group what belongs to files of the same content; only groups of two and more, in the order of ``files``.

    Empty files are left out, and so are files that cannot be read: decoding will say why.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in files:
        try:
            by_size[path.stat().st_size].append(path)
        except OSError:
            continue
    by_content: dict[bytes, list[T]] = defaultdict(list)
    for size, paths in by_size.items():
        if size == 0 or len(paths) < 2:
            continue
        for path in paths:
            try:
                with path.open("rb") as file:
                    by_content[hashlib.file_digest(file, "sha256").digest()].append(files[path])
            except OSError:
                continue
    return [group for group in by_content.values() if len(group) > 1]
