"""How many pictures a second encoders take, from files to codes, in one run.

All encoders see the same picture files, in rounds: one pass of each in every round, so that a busy machine disturbs all
alike. Reading the files is part of it and is also shown alone. Threads are as many as each runtime takes by itself;
`taskset` and OMP_NUM_THREADS limit them.

    python studies/encoding.py examples/station --encoder rendered stripes
    python studies/encoding.py crops --encoder rendered teacher.safetensors --rounds 7 --json speeds.json
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from program import run

from swiftreid.data.pictures import find_pictures, read_batches
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.stream import encode_paths


@dataclass(frozen=True)
class EncoderSpeed:
    """Pictures a second of one encoder, or of reading for it alone."""

    encoder: str
    size: str
    median: float
    best: float
    reading: float


def passes(paths: Sequence[Path], encoder: Encoder) -> tuple[Callable[[], None], Callable[[], None]]:
    """One pass over the files: with encoding, and reading alone."""

    def encode() -> None:
        for _ in encode_paths(encoder, paths):
            pass

    def read() -> None:
        for _ in read_batches(paths, *encoder.size, batch=64):
            pass

    return encode, read


def rate(work: Callable[[], None], pictures: int) -> float:
    start = time.perf_counter()
    work()
    return pictures / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="Folder of pictures.")
    parser.add_argument("--encoder", nargs="+", default=["rendered", "stripes"], help="Files or names.")
    parser.add_argument("--limit", type=int, default=512, help="Pictures of a pass, at most.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="Where to write the figures.")
    args = parser.parse_args()
    paths = find_pictures(args.pictures)[: args.limit]
    if args.rounds < 1 or args.limit < 1:
        parser.error("--rounds and --limit must be 1 or more")
    encoders = {name: open_encoder(name) for name in args.encoder}
    works = {name: passes(paths, encoder) for name, encoder in encoders.items()}
    for encode, _ in works.values():
        encode()  # the runtime starts, files come into memory
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(args.rounds):
        for name, (encode, read) in works.items():
            found[name].append((rate(encode, len(paths)), rate(read, len(paths))))
    speeds = []
    for name, rates in found.items():
        encoding, reading = zip(*rates, strict=True)
        height, width = encoders[name].size
        speeds.append(
            EncoderSpeed(
                encoders[name].card.name, f"{height}x{width}", median(encoding), max(encoding), median(reading)
            )
        )
    print(f"{len(paths)} pictures, {args.rounds} rounds, {platform.machine()}; pictures a second")
    print(f"{'encoder':40}{'size':>9}{'median':>9}{'best':>9}{'reading':>9}{'ratio':>8}")
    for speed in speeds:
        ratio = speed.median / speeds[-1].median
        print(f"{speed.encoder:40}{speed.size:>9}{speed.median:9.0f}{speed.best:9.0f}{speed.reading:9.0f}{ratio:8.2f}")
    print(f"ratio: of the medians, to {speeds[-1].encoder}")
    if args.json:
        args.json.write_text(json.dumps([asdict(speed) for speed in speeds], indent=1) + "\n")


if __name__ == "__main__":
    run(main)
