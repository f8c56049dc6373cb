"""Encoders from files, and those that come with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.artefact import load_artefact
from swiftreid.encoding.kinds import build_encoder
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.runtimes.registry import devices, runtime_for
from swiftreid.errors import UsageError

__all__ = ["DEFAULT", "SHIPPED", "Encoder", "build_encoder", "encoder_path", "open_encoder"]

SHIPPED: Mapping[str, Path] = {
    name: Path(__file__).with_name(f"{name}.safetensors") for name in ("rendered", "stripes")
}
"""Encoders that come with the package, by name."""

DEFAULT: Final = "rendered"
"""The shipped encoder that is taken where none is named: a network that learned from rendered people."""


def open_encoder(source: str | Path, *, threads: int | None = None, device: str = "cpu") -> Encoder:
    """Open an encoder by file path, or a shipped one by its name.

    Args:
        source: the file, or the name of a shipped encoder.
        threads: processors that one call of ``encode`` may use. None: one for one picture; for several pictures all
            that the process may run on. Give 1 in a server, whose requests run side by side already; give more to have
            one picture sooner, at the price of more processor time.
        device: ``cpu``; ``cuda`` (needs onnxruntime-gpu); ``openvino``, ``openvino-gpu``, ``openvino-npu`` (need the
            extra ``openvino``). Codes differ in a few bits from device to device: fill and search a gallery on one.

    Raises:
        SwiftReIDError: there is no such encoder, its file is damaged, or the device needs what is not installed.
        UsageError: there is no such device, or the encoder has no network to run on it.

    Example:
        >>> from swiftreid import open_encoder
        >>> open_encoder("rendered", threads=1).size
        (128, 64)
    """
    if not isinstance(source, (str, Path)):
        raise UsageError(f"an encoder is given by its file or name, not by {type(source).__name__}")
    options = RunOptions(threads, device)
    if device not in devices():
        raise UsageError(f"there is no device {device!r}: encoders run on {', '.join(devices())}")
    encoder = build_encoder(*load_artefact(encoder_path(source)), options)
    if device != "cpu":  # on the processor its card can be read without any runtime
        if encoder.network is None:
            raise UsageError(f"encoder {encoder.card.name} has no network to run on {device!r}: leave the device out")
        runtime_for(encoder.network.format, device).check(device)
    return encoder


def encoder_path(source: str | Path) -> Path:
    """The file of an encoder given by path or by the name of a shipped one; it need not exist."""
    return SHIPPED.get(str(source), Path(source))
