"""How long a snapshot waits beside a verification, a compaction and additions of the same process.

One thread takes snapshots of a gallery, one after the other, while another thread verifies, compacts or adds. Written:
median and worst time of a snapshot, and how many there were. The gallery holds random codes (id32 id128 id512 id2048)
and no thumbnails. The calls are those that every version has, so an older version is measured by the same file:

    python studies/gallery_waits.py --entries 100000 --json new.json
    PYTHONPATH=/path/to/older/src python studies/gallery_waits.py --entries 100000 --json old.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from swiftreid.gallery import Entry, Gallery
from swiftreid.search.codes import CodeSpec

SPEC = CodeSpec.parse("id32 id128 id512 id2048")
FINGERPRINT = "f00d" * 4
BATCH = 8192


def add(gallery: Gallery, first: int, count: int) -> None:
    """Add ``count`` entries with random codes, in one call."""
    rng = np.random.default_rng(first)
    entries = [Entry(f"e{i:09d}", f"c{i % 6}", float(i), f"p{i // 12}") for i in range(first, first + count)]
    codes = {name: rng.integers(0, 256, (count, width), np.uint8) for name, width in SPEC.row_bytes.items()}
    gallery.add(entries, codes, fingerprint=FINGERPRINT)


def snapshots_beside(gallery: Gallery, work: Callable[[], object]) -> tuple[list[float], float]:
    """Seconds of each snapshot while ``work`` runs in another thread, and the seconds of the work."""
    taken: list[float] = []
    spent: list[float] = []
    begun, done = threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        start = time.perf_counter()
        try:
            work()
        finally:
            spent.append(time.perf_counter() - start)
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    while not done.is_set():
        start = time.perf_counter()
        gallery.snapshot().close()
        taken.append(time.perf_counter() - start)
        time.sleep(0.001)
    thread.join()
    return taken, spent[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--added", type=int, default=20_000, help="entries of the addition")
    parser.add_argument("--folder", type=Path, help="where the gallery is made; a temporary folder without")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="gallery-waits-", dir=args.folder) as folder:
        gallery = Gallery.create(Path(folder) / "gallery", encoder_name="random", fingerprint=FINGERPRINT, spec=SPEC)
        for first in range(0, args.entries, BATCH):
            add(gallery, first, min(BATCH, args.entries - first))
        gallery.snapshot().close()
        gallery.delete([f"e{i:09d}" for i in range(0, args.entries, 50)])
        works: dict[str, Callable[[], object]] = {
            "nothing": lambda: time.sleep(1),
            "verify": gallery.verify,
            f"addition of {args.added:,}": lambda: add(gallery, args.entries, args.added),
            "compact": gallery.compact,
        }
        for name, work in works.items():
            taken, seconds = snapshots_beside(gallery, work)
            rows[name] = {
                "median": statistics.median(taken),
                "worst": max(taken),
                "snapshots": len(taken),
                "work": seconds,
            }
        gallery.close()
    print(f"{args.entries:,} entries; milliseconds of a snapshot beside work in the same process")
    print(f"{'beside':24} {'median':>9} {'worst':>9} {'snapshots':>10} {'the work':>9}")
    for name, row in rows.items():
        print(
            f"{name:24} {row['median'] * 1e3:9.2f} {row['worst'] * 1e3:9.2f} {row['snapshots']:10.0f} "
            f"{row['work'] * 1e3:9.0f}"
        )
    if args.json:
        figures = {
            "entries": args.entries,
            "seconds": rows,
            "load": os.getloadavg()[0],
            "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        }
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
