"""Options that say where an encoder computes and with how many threads; the same for every command that encodes."""

from __future__ import annotations

from typing import Annotated, Final

import typer

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
