"""What experiments start from: a data set and an encoder, given as such, by path or by name."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path

from swiftreid.data.samples import ReidData, SplitName
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.errors import SwiftReIDWarning

Data = ReidData | str | Path
"""A data set, its folder, its manifest, or the name of a published one."""

EncoderSource = Encoder | str | Path
"""An encoder, its file, or the name of a shipped one."""

TRAIN: tuple[SplitName, ...] = ("train",)
"""Splits that a data set needs to be learned from."""


def data_set(source: Data, *, need: Collection[SplitName] = ("query", "gallery")) -> ReidData:
    """The data set itself; one that is opened here warns of what its reader doubts.

    Args:
        source: the data set.
        need: splits that must be there, if it is opened here.

    Raises:
        SwiftReIDError: it cannot be read (see `open_data`).
    """
    if isinstance(source, ReidData):
        return source
    data = open_data(source, need=need)
    for doubt in data.doubts:
        warn(f"{data.name}: {doubt.message}. {doubt.advice}")
    return data


def encoder_of(source: EncoderSource) -> Encoder:
    """The encoder itself.

    Raises:
        SwiftReIDError: there is no such encoder (see `open_encoder`).
    """
    return source if isinstance(source, Encoder) else open_encoder(source)


def warn(message: str) -> None:
    """Warn the caller of the function that calls this."""
    warnings.warn(message, SwiftReIDWarning, stacklevel=3)
