"""Which pictures a figure was measured on, in one short text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from swiftreid.data.market import parse_name
from swiftreid.data.samples import SPLITS, ReidData
from swiftreid.errors import SwiftReIDError


def fingerprint_of(data: ReidData, *, distractors: bool = False, multi_query: bool = False) -> str:
    """Hash of the split, relative path and size in bytes of every sample: 16 hexadecimal digits.

    It distinguishes data sets (another subset, another crop, a missing file) without reading a picture. It does not
    prove that the pixels are the same. Where the folder lies does not matter. Person and camera count where the
    pictures' names do not state them in Market-1501's way: corrected labels in a manifest make another data set.

    Args:
        data: a data set.
        distractors: whether a figure used ``data.distractors``; they count by name and size, wherever they lie.
        multi_query: whether a figure used ``data.multi_query``.

    A file that cannot be examined (a link to nothing) counts with the size "?".

    Raises:
        SwiftReIDError: a sample's file is outside the data set's folder.
    """
    parts = [(str(name), data.split(name), False) for name in SPLITS]
    parts += [("distractors", data.distractors, True)] if distractors else []
    parts += [("multi_query", data.multi_query, False)] if multi_query else []
    lines: list[str] = []
    for split, samples, by_name in parts:
        for sample in samples:
            path = sample.path
            try:
                where = path.name if by_name else path.relative_to(data.root).as_posix()
            except ValueError as error:
                raise SwiftReIDError(f"{path} is outside the folder of data set {data.name}: {error}") from error
            line = f"{split}\t{where}\t{_size(path)}"
            stated = (sample.person, sample.camera)
            lines.append(line if parse_name(path.stem) == stated else f"{line}\t{stated[0]}\t{stated[1]}")
    content = "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:16]


def _size(path: Path) -> str:
    try:
        return str(path.stat().st_size)
    except OSError:
        return "?"
