"""Which pictures a figure was measured on, in one short text."""

from __future__ import annotations

import hashlib

from swiftreid.data.samples import SPLITS, ReidData
from swiftreid.errors import SwiftReIDError


def fingerprint_of(data: ReidData) -> str:
    """Hash of the split, relative path and size in bytes of every sample: 16 hexadecimal digits.

    It tells data sets apart (another subset, another crop, a missing file) without reading a picture; it does not prove
    that the pixels are the same. Where the folder lies does not matter.

    Raises:
        SwiftReIDError: a sample's file is gone or outside the data set's folder.
    """
    lines: list[str] = []
    for split in SPLITS:
        for sample in data.split(split):
            try:
                lines.append(f"{split}\t{sample.path.relative_to(data.root).as_posix()}\t{sample.path.stat().st_size}")
            except (OSError, ValueError) as error:
                raise SwiftReIDError(f"{sample.path} of data set {data.name} cannot be examined: {error}") from error
    content = "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()[:16]
