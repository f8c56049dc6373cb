"""Options that say where an encoder computes and with how many threads; the same for every command that encodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.runtimes.registry import devices

CPU: Final = "cpu"

DeviceOption = Annotated[
    str,
    typer.Option("--device", help=f"Where the encoder computes: {', '.join(devices())}.", envvar="SWIFTREID_DEVICE"),
]
# `--threads` are those of a search: a server's queries may have other needs than its encoder.
EncoderThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--encoder-threads",
        min=1,
        help="Threads of the encoder. Default: one for one picture, all processors for several.",
        envvar="SWIFTREID_ENCODER_THREADS",
    ),
]


def gallery_encoder(
    gallery: Path, encoder: str | None = None, *, device: str, threads: int | None, read_only: bool = False
) -> Encoder | str | None:
    """What opens a gallery with its encoder on a device, as ``encoder`` of `swiftreid.open_gallery`.

    Args:
        gallery: its folder.
        encoder: file or name of the encoder that was asked for; None is the gallery's own copy.
        device: where it computes.
        threads: that it may use; None for the default.
        read_only: whether a gallery of an older format is left as it is.

    Returns:
        An open encoder; or what was given where device and threads are the defaults, and the gallery has the choice
        when to open it, or if at all.

    Raises:
        SwiftReIDError: the gallery or the encoder cannot be opened, or the device is missing.
        UsageError: there is no such device, or the encoder has no network to run on it.
    """
    if RunOptions(threads, device) == RunOptions():
        return encoder
    if encoder is not None:
        return open_encoder(encoder, threads=threads, device=device)
    from swiftreid.gallery.store import Gallery  # other commands that encode need no gallery

    with Gallery.open(gallery, read_only=read_only) as opened:
        file = opened.encoder_file
    return None if file is None else open_encoder(file, threads=threads, device=device)
