"""Speed and size of every trunk: which fits a small encoder, which a CPU can train.

For each trunk, without its pooling and heads: parameters, multiply-adds of convolutions for one picture, and pictures
per second of the forward pass in torch (in torch's own layout and channels last) and in ONNX Runtime, if it is
installed, and of a training step's forward and backward passes (the same two layouts). Each figure is the best of the
runs that fit into ``--seconds``, at least two after one to warm up: on a shared machine the best disturbs least.

    python studies/trunks.py
    python studies/trunks.py --trunks resnet18 osnet_x0_5 --sizes 128x64 --threads 2 --json trunks.json
    python studies/trunks.py --trunks resnet18_half_ibn_a --sizes 128x64 --batch 64 --amp bf16
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from swiftreid.nn.trunks import TRUNKS, Trunk, make_trunk
from swiftreid.training.network.loop import FORMATS


@dataclass(frozen=True)
class TrunkSpeed:
    """One trunk at one size; pictures per second, None where it was not measured."""

    trunk: str
    size: str
    channels: int
    parameters: int
    multiply_adds: int
    forward: float
    forward_channels_last: float
    onnx: float | None
    training: float | None
    training_channels_last: float | None


def multiply_adds(trunk: nn.Module, height: int, width: int) -> int:
    """Multiplications of all convolutions for one picture; additions go with them, all else is left out."""
    total = 0

    def count(part: nn.Conv2d, _: Any, made: torch.Tensor) -> None:
        nonlocal total
        kernel = part.kernel_size[0] * part.kernel_size[1]
        total += made[0].numel() * kernel * part.in_channels // part.groups

    hooks = [part.register_forward_hook(count) for part in trunk.modules() if isinstance(part, nn.Conv2d)]
    with torch.no_grad():
        trunk.eval()(torch.zeros(1, 3, height, width))
    for hook in hooks:
        hook.remove()
    return total


def rate(run: Callable[[], object], pictures: int, seconds: float) -> float:
    """Pictures per second of the fastest run."""
    run()
    best, runs, started = float("inf"), 0, time.perf_counter()
    while runs < 2 or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        run()
        best, runs = min(best, time.perf_counter() - before), runs + 1
    return pictures / best


def measured(
    trunk: Trunk, pictures: torch.Tensor, layout: torch.memory_format, seconds: float, *, learn: bool, amp: str
) -> float:
    """Pictures per second of the forward pass, or of forward and backward, the forward pass in the format ``amp``."""
    trunk.to(memory_format=layout)  # type: ignore[call-overload]
    pictures = pictures.contiguous(memory_format=layout)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", FORMATS[amp], enabled=amp != "off"):
            found: torch.Tensor = trunk(pictures)
            return found

    def step() -> None:
        trunk.zero_grad(set_to_none=True)
        forward().float().mean().backward()  # type: ignore[no-untyped-call]

    if learn:
        trunk.train()
        return rate(step, len(pictures), seconds)
    trunk.eval()
    with torch.inference_mode():
        return rate(forward, len(pictures), seconds)


def measured_in_onnx(trunk: Trunk, pictures: torch.Tensor, threads: int, seconds: float) -> float | None:
    """Pictures per second in ONNX Runtime, which folds normalisations into convolutions."""
    try:
        import onnxruntime
    except ImportError:
        return None
    stream = io.BytesIO()
    trunk.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            trunk,
            (pictures[:2],),
            stream,  # type: ignore[arg-type]
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(stream.getvalue(), options, providers=["CPUExecutionProvider"])
    array = pictures.numpy()
    return rate(lambda: session.run(None, {"x": array}), len(pictures), seconds)


def speed(name: str, size: str, batch: int, threads: int, seconds: float, *, train: bool, amp: str) -> TrunkSpeed:
    """All figures of a trunk at a size."""
    height, width = map(int, size.split("x"))
    torch.manual_seed(0)
    trunk = make_trunk(name)
    pictures = torch.randn(batch, 3, height, width)
    layouts = (torch.contiguous_format, torch.channels_last)
    forward = [measured(trunk, pictures, layout, seconds, learn=False, amp=amp) for layout in layouts]
    learning = [
        measured(trunk, pictures, layout, seconds, learn=True, amp=amp) if train else None for layout in layouts
    ]
    return TrunkSpeed(
        trunk=name,
        size=size,
        channels=trunk.channels,
        parameters=sum(p.numel() for p in trunk.parameters()),
        multiply_adds=multiply_adds(trunk, height, width),
        forward=forward[0],
        forward_channels_last=forward[1],
        onnx=measured_in_onnx(trunk, pictures, threads, seconds),
        training=learning[0],
        training_channels_last=learning[1],
    )


def line(one: TrunkSpeed) -> str:
    rates = (one.forward, one.forward_channels_last, one.onnx, one.training, one.training_channels_last)
    cells = " ".join("       -" if value is None else f"{value:8.1f}" for value in rates)
    sizes = f"{one.parameters / 1e6:7.2f} {one.multiply_adds / 1e9:7.3f}"
    return f"{one.trunk:20} {one.size:>8} {one.channels:5} {sizes}  {cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trunks", nargs="+", default=list(TRUNKS), metavar="NAME")
    parser.add_argument("--sizes", nargs="+", default=["128x64", "256x128"], metavar="HxW")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=0.5, help="For each figure.")
    parser.add_argument("--amp", choices=list(FORMATS), default="off", help="Number format of passes in torch.")
    parser.add_argument("--no-training", action="store_true", help="Leave out forward and backward.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    machine = f"{platform.machine()}, torch {torch.__version__}, {given.threads} thread(s), batches of {given.batch}"
    print(f"{machine}, amp {given.amp}; pictures per second, best of {given.seconds:g} s")
    print(f"{'':35} {'':7} {'':7}  {'--- forward ---':^26} {'- with backward -':>17}")
    print(f"{'trunk':20} {'size':>8} {'chan':>5} {'params':>7} {'GMACs':>7}  ", end="")
    print(f"{'torch':>8} {'ch.last':>8} {'ONNX':>8} {'torch':>8} {'ch.last':>8}")
    found: list[TrunkSpeed] = []
    for size in given.sizes:
        for name in given.trunks:
            one = speed(
                name, size, given.batch, given.threads, given.seconds, train=not given.no_training, amp=given.amp
            )
            found.append(one)
            print(line(one), flush=True)
    if given.json:
        given.json.write_text(
            json.dumps(
                {
                    "torch": torch.__version__,
                    "threads": given.threads,
                    "machine": platform.machine(),
                    "batch": given.batch,
                    "amp": given.amp,
                    "command": " ".join(sys.argv),
                    "trunks": [asdict(one) for one in found],
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
