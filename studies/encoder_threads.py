"""Processor time and wall time of encoding: one picture, a batch of 16 and a stream, per runtime and thread setting.

Every setting runs in a process of its own, so that no setting sees the threads of another; settings take turns, so that
a busy machine disturbs all alike. Times are per picture, medians over the rounds; a pause of 20 ms after each call
shows what threads cost that spin while they wait. ``spinning`` is ONNX Runtime as it comes, for comparison.

    python studies/encoder_threads.py
    python studies/encoder_threads.py --encoder mine.safetensors --devices cpu openvino --rounds 9 --json threads.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.runtimes.contract import processors
from swiftreid.encoding.runtimes.formats import ONNX
from swiftreid.errors import SwiftReIDError

WORK = {"one picture": 1, "batch of 16": 16, "stream": 256}
PAUSE = 0.02
SPINNING = "spinning"


@dataclass(frozen=True)
class Cost:
    """Milliseconds a picture of one setting."""

    device: str
    threads: str
    work: str
    wall: float
    processor: float


def spin() -> None:
    """Make ONNX Runtime start its sessions as it does unless told otherwise."""
    import onnxruntime

    made = onnxruntime.InferenceSession
    onnxruntime.InferenceSession = lambda model, _options, providers: made(model, providers=["CPUExecutionProvider"])


def measure(name: str, device: str, threads: str, calls: int) -> dict[str, tuple[float, float]]:
    """Wall and processor milliseconds a picture of each kind of work."""
    if threads == SPINNING:
        spin()
    # With one call at a time: the session as it comes spreads over the processors by itself.
    own = None if threads == "default" else processors() if threads == SPINNING else int(threads)
    encoder = open_encoder(name, threads=own, device=device)
    pictures = np.random.default_rng(0).integers(0, 256, (max(WORK.values()), *encoder.size, 3), np.uint8)
    found = {}
    for work, count in WORK.items():
        some = pictures[:count]
        encoder.encode(some)  # the runtime starts, memory is taken
        repeats = max(1, calls // count)
        wall, processor = 0.0, time.process_time()
        for _ in range(repeats):
            start = time.perf_counter()
            encoder.encode(some)
            wall += time.perf_counter() - start
            time.sleep(PAUSE)
        pictures_seen = repeats * count
        found[work] = (1e3 * wall / pictures_seen, 1e3 * (time.process_time() - processor) / pictures_seen)
    return found


def in_process(arguments: argparse.Namespace, device: str, threads: str) -> dict[str, tuple[float, float]]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--encoder", arguments.encoder, "--calls", str(arguments.calls)]
    ran = subprocess.run(
        [*command, "--measure", device, threads],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    if ran.returncode:
        raise SystemExit(ran.stderr.strip().splitlines()[-1])
    found: dict[str, tuple[float, float]] = json.loads(ran.stdout)
    return found


def settings(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Devices and thread settings that this machine has."""
    found = []
    for device in arguments.devices:
        try:
            network = open_encoder(arguments.encoder, device=device).network
        except SwiftReIDError as error:
            print(f"{device} is left out: {error}", file=sys.stderr)
            continue
        found += [(device, threads) for threads in arguments.threads]
        if device == "cpu" and network is not None and network.format == ONNX:
            found.append((device, SPINNING))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="rendered", help="File or name.")
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    several = sorted({1, 2, processors()})
    parser.add_argument("--threads", nargs="+", default=["default", *map(str, several)], help="Numbers, or default.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=64, help="Pictures of each kind of work in a round, at least.")
    parser.add_argument("--json", type=Path, help="Where to write the figures.")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        device, threads = arguments.measure
        print(json.dumps(measure(arguments.encoder, device, threads, arguments.calls)))
        return
    if arguments.rounds < 1 or arguments.calls < 1:
        parser.error("--rounds and --calls must be 1 or more")
    chosen = settings(arguments)
    seen: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for device, threads in chosen:
            for work, times in in_process(arguments, device, threads).items():
                seen[device, threads, work].append(times)
    costs = [
        Cost(*setting, wall=median(wall for wall, _ in values), processor=median(used for _, used in values))
        for setting, values in seen.items()
    ]
    print(
        f"{arguments.encoder}, {processors()} processors ({platform.machine()}), {arguments.rounds} rounds; "
        "milliseconds a picture"
    )
    print(f"{'work':14}{'device':12}{'threads':10}{'wall':>9}{'processor':>11}")
    for work in WORK:
        for cost in (cost for cost in costs if cost.work == work):
            print(f"{work:14}{cost.device:12}{cost.threads:10}{cost.wall:9.2f}{cost.processor:11.2f}")
    if arguments.json:
        document: dict[str, Any] = {
            "encoder": arguments.encoder, "processors": processors(), "machine": platform.machine(),
            "rounds": arguments.rounds, "costs": [asdict(cost) for cost in costs],
        }  # fmt: skip
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
