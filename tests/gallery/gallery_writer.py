"""A process that changes a gallery and says on stdout what was acknowledged; run by the tests, and killed by them.

Usage: gallery_writer.py GALLERY PREFIX MODE, where MODE is "add", or "all" for additions, deletions and compactions.
"""

from __future__ import annotations

import sys
from itertools import count

import numpy as np
from gallery_samples import add

from swiftreid.gallery import Gallery


def main(path: str, prefix: str, mode: str) -> None:
    rng = np.random.default_rng(list(prefix.encode()))
    mine: list[str] = []
    with Gallery.open(path) as gallery:
        print("open", flush=True)
        for step in count():
            batch = [f"{prefix}-{step}-{i}" for i in range(int(rng.integers(1, 9)))]
            print("adding", *batch, flush=True)
            add(gallery, batch)
            mine += batch
            print("added", *batch, flush=True)
            if mode == "all" and step % 3 == 2:
                gone = rng.choice(mine, min(len(mine), 4), replace=False).tolist()
                print("deleting", *gone, flush=True)
                gallery.delete(gone)
                mine = [id_ for id_ in mine if id_ not in gone]
                print("deleted", *gone, flush=True)
            if mode == "all" and step % 7 == 6:
                gallery.compact()


main(*sys.argv[1:])
