"""Which cascade a command searches by and why, and what the command line cannot search by."""

from __future__ import annotations

from collections.abc import Collection

from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING


def choose_cascade(encoder: Encoder, text: str | None, *, exact: bool = False) -> tuple[Cascade, str]:
    """The cascade asked for; else the encoder's calibrated one; else exhaustive search by its longest code; and why.

    Raises:
        UsageError: the text cannot be read, or cannot be searched by in a gallery of this encoder's codes.
    """
    if text is not None:
        return read_cascade(text, encoder.spec.names, "the gallery"), "given by --cascade"
    calibration = encoder.card.calibration
    exhaustive = Cascade([Stage(encoder.spec.final)])
    if exact:
        return exhaustive, "every entry, as --exact asks"
    if calibration is None:
        return exhaustive, (
            f"every entry: the encoder {encoder.card.name} has no calibration, which coarse-to-fine search needs; "
            "make a calibrated copy with `swiftreid calibrate ENCODER DATA -o COPY` and give it with --encoder COPY"
        )
    return Cascade.parse(calibration.cascade), f"calibrated on {calibration.data}"


def read_cascade(text: str, codes: Collection[str], whose: str) -> Cascade:
    """A cascade that a command was given.

    Args:
        text: the option's.
        codes: what there is to compare.
        whose: whose these codes are, for messages.

    Raises:
        UsageError: the text cannot be read, a code is not there, or the cascade probes inverted lists, which no
            command makes.
    """
    cascade = Cascade.parse(text)
    if cascade.stages[0].keep == "nprobe":
        raise UsageError(
            f"--cascade {text!r}: inverted lists exist in Python only, so no command can search by "
            f"{cascade.stages[0]}: "
            "leave that stage out, or see 'Millions of entries: inverted lists' in docs/search.md"
        )
    missing = [name for name in cascade.codes if name not in codes]
    if missing:
        floats = " (a gallery keeps no float embeddings)" if EMBEDDING in missing and whose == "the gallery" else ""
        raise UsageError(
            f"--cascade {text!r} compares {' and '.join(missing)}, which {whose} does not have{floats}; "
            f"{whose} has {', '.join(codes)}"
        )
    return cascade
