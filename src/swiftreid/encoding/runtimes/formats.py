"""The formats of networks, by name. A new format is one line in `FORMATS`, and a runtime that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ONNX, OPENVINO_IR = "onnx", "openvino"


@dataclass(frozen=True)
class NetworkFormat:
    """How a network of a format lies on disk.

    Attributes:
        title: for messages and help texts.
        parts: suffixes of its files, without the dot. The first is of the file that users name; others lie beside it.
    """

    title: str
    parts: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """Suffix of the file that users name, such as ``.onnx``."""
        return f".{self.parts[0]}"

    @property
    def words(self) -> str:
        """Title and files, as in ``OpenVINO IR (.xml with .bin beside it)``."""
        beside = " and ".join(f".{part}" for part in self.parts[1:])
        return f"{self.title} ({self.suffix}{f' with {beside} beside it' if beside else ''})"


FORMATS: Final[dict[str, NetworkFormat]] = {
    ONNX: NetworkFormat("ONNX", ("onnx",)),
    OPENVINO_IR: NetworkFormat("OpenVINO IR", ("xml", "bin")),
}
"""Name of each format, as `Runtime.formats` and `NetworkFile.format` have it -> its files."""


def format_words() -> str:
    """All formats, as in ``ONNX (.onnx) or OpenVINO IR (.xml with .bin beside it)``."""
    return " or ".join(format.words for format in FORMATS.values())
