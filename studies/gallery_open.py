"""How soon a gallery answers: import, open, snapshot and the first queries, in a fresh process.

The gallery holds random codes (id32 id128 id512 id2048, 340 bytes an entry) and no thumbnails, made through the public
calls. The searches are coarse to fine; at the thresholds below random codes keep about 5.5 % and 0.05 %. ``--cold``
asks the system to drop the gallery's pages from memory before each process, as after a restart of the machine.
``--unchecked`` touches the segment files before each, as if the gallery had been copied: what was noted of their
checksums holds no longer, and every column is read whole when it is first mapped. Beside
the time on the clock stands the processor's: where they differ much, the machine had other work or waited for the disk.

    python studies/gallery_open.py --n 1000000 --folder /scratch/million --json open.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

SPEC = "id32 id128 id512 id2048"
CASCADE = "id32<=11 > id128<=45 > id512<=195 > id2048"
FINGERPRINT = "f00d" * 4
CAMERAS = 6
BATCH = 8192

# What the fresh process does. Reading the clock is the first thing it does, and the time before that (the interpreter's
# own start) is taken from its parent's clock, which is the same one.
PROBE = """
import time
begun = time.time()
started = time.process_time()
laps, busy = {}, {"interpreter": started}
last, last_busy = time.perf_counter(), started
def lap(name):
    global last, last_busy
    laps[name], busy[name] = time.perf_counter() - last, time.process_time() - last_busy
    last, last_busy = time.perf_counter(), time.process_time()
import json, sys
import numpy as np
folder, cascade, begin = sys.argv[1], sys.argv[2], float(sys.argv[3])
lap("numpy")
from swiftreid import Cascade, Gallery
lap("import")
stages = Cascade.parse(cascade)
gallery = Gallery.open(folder, read_only=True)
lap("open")
rng = np.random.default_rng(1)
def ask():
    queries = {name: rng.integers(0, 256, (1, width), np.uint8) for name, width in gallery.spec.row_bytes.items()}
    result = stages.search(view.table, queries, k=10, mask=view.mask)
    return view.ids(result.indices[0, : result.counts[0]])
view = gallery.snapshot()
lap("snapshot")
found = [ask()]
lap("first query")
answered, answered_busy = time.time(), time.process_time()
found.append(ask())
lap("second query")
entries, live = len(view), view.live
view.close()
lap("close")
view = gallery.snapshot()
lap("second snapshot")
ask()
lap("its first query")
camera = gallery.snapshot(cameras=["c1"])
lap("snapshot of one camera")
camera.close()
camera = gallery.snapshot(cameras=["c1"])
lap("second snapshot of one camera")
assert all(len(ids) == 10 for ids in found)
opened = ("open", "snapshot", "first query")
laps = {"interpreter": begun - begin, **laps, "until the first answer": answered - begin,
        "open to first answer": sum(laps[name] for name in opened)}
busy |= {"until the first answer": answered_busy, "open to first answer": sum(busy[name] for name in opened)}
print(json.dumps({"wall": laps, "processor": busy, "entries": entries, "live": live}))
"""


def build(folder: Path, n: int) -> float:
    """Make the gallery; returns the seconds that adding took."""
    from swiftreid import CodeSpec, Gallery
    from swiftreid.gallery import Entry

    rng = np.random.default_rng(0)
    spec = CodeSpec.parse(SPEC)
    begun = time.perf_counter()
    with Gallery.create(folder, encoder_name="random", fingerprint=FINGERPRINT, spec=spec) as gallery:
        for first in range(0, n, BATCH):
            rows = range(first, min(first + BATCH, n))
            entries = [Entry(f"e{i:09d}", f"c{i % CAMERAS}", float(i), f"p{i // 12}") for i in rows]
            codes = {name: rng.integers(0, 256, (len(rows), width), np.uint8) for name, width in spec.row_bytes.items()}
            gallery.add(entries, codes, fingerprint=FINGERPRINT)
            if first % (16 * BATCH) == 0:
                print(f"{first:>10,} entries, {time.perf_counter() - begun:.1f} s", file=sys.stderr)
    return time.perf_counter() - begun


def drop_pages(folder: Path) -> None:
    """Ask the system to forget what it holds in memory of the gallery's files."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def forget_checks(folder: Path) -> None:
    """Bring every segment file into another state than that in which it was checked."""
    for path in (folder / "segments").iterdir():
        os.utime(path)


def probe(folder: Path, cold: bool, unchecked: bool) -> dict[str, Any]:
    """Seconds of each step in one fresh process, by the clock and of the processor."""
    if unchecked:
        forget_checks(folder)
    if cold:
        drop_pages(folder)
    command = [sys.executable, "-c", PROBE, str(folder), CASCADE, str(time.time())]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


@contextmanager
def place(folder: Path | None) -> Iterator[Path]:
    """The folder named, or a temporary one."""
    if folder is not None:
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="gallery-open-") as made:
            yield Path(made) / "gallery"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="entries")
    parser.add_argument("--folder", type=Path, help="the gallery; one that is there already is used as it is")
    parser.add_argument("--runs", type=int, default=5, help="fresh processes")
    parser.add_argument("--cold", action="store_true", help="drop the files' pages from memory before each")
    parser.add_argument("--unchecked", action="store_true", help="have every column checked again")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    with place(args.folder) as folder:
        made = None if (folder / "gallery.db").exists() else build(folder, args.n)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        runs = [probe(folder, args.cold, args.unchecked) for _ in range(args.runs)]
    entries = int(runs[0]["entries"])
    wall, processor = (median_steps([run[clock] for run in runs]) for clock in ("wall", "processor"))
    most = {name: max(run["wall"][name] for run in runs) for name in wall}
    print(
        f"{entries:,} entries, {size / 2**20:,.0f} MiB, pages {'dropped' if args.cold else 'in memory'}"
        + (", to be checked" if args.unchecked else "")
    )
    if made is not None:
        print(f"made in {made:.1f} s, {entries / made:,.0f} entries a second")
    print(f"{'milliseconds':32} {'median':>9} {'most':>9} {'processor':>9}")
    for name in wall:
        print(f"{name:32} {wall[name] * 1e3:9.2f} {most[name] * 1e3:9.2f} {processor[name] * 1e3:9.2f}")
    if args.json:
        figures = {
            "entries": entries, "bytes": size, "cold": args.cold, "unchecked": args.unchecked,
            "build_seconds": made, "cascade": CASCADE,
            "seconds": wall, "most_seconds": most, "processor_seconds": processor, "load": os.getloadavg()[0],
            "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        }  # fmt: skip
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def median_steps(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each step."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    main()
