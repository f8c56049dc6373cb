"""A process that re-encodes a gallery, makes every batch durable, and says so; killed by a test.

Usage: reencoding_process.py GALLERY ENCODER
"""

from __future__ import annotations

import sys
from pathlib import Path

import swiftreid
from swiftreid.gallery import reencoding

reencoding._ROWS = 1


def progress(task: str, done: int, total: int, detail: str = "") -> None:
    print(done, flush=True)


with swiftreid.open_gallery(Path(sys.argv[1])) as people:
    people.reencode(sys.argv[2], progress=progress)
