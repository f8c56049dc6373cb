"""SwiftReID finds a person across cameras: binary codes, a durable gallery, coarse-to-fine search.

Public names are imported on first use, so that ``import swiftreid`` is quick and never needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CodeSpec": "swiftreid.search.codes",
    "pack_bits": "swiftreid.search.codes",
    "unpack_bits": "swiftreid.search.codes",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'swiftreid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
