"""`swiftreid gallery reencode`: another encoder for a gallery, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.advice import with_advice
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.errors import UsageError
from swiftreid.gallery.errors import UnfinishedReencoding
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.reencode import SourcesMissing

_WAIT = 10.0
_WAYS = "--from-thumbnails takes the thumbnails, --drop-missing deletes the entries; --json lists them"
_ADVICE: dict[type[UsageError], str] = {
    UnfinishedReencoding: "--discard discards it, and the codes kept to go back to",
}


def reencode(
    gallery: Annotated[Path, typer.Argument(help="The gallery's folder.")],
    encoder: Annotated[
        str | None, typer.Argument(help="The new encoder: a file, or a shipped one. A copy goes into the gallery.")
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Go back to the encoder before, whose codes the gallery keeps.")
    ] = False,
    discard: Annotated[
        bool,
        typer.Option("--discard", help="Remove kept codes of the encoder before, and half-filled ones, for good."),
    ] = False,
    from_thumbnails: Annotated[
        bool,
        typer.Option(
            "--from-thumbnails",
            help="Encode entries with a missing source from their thumbnails, which finds them less well.",
        ),
    ] = False,
    drop_missing: Annotated[
        bool,
        typer.Option("--drop-missing", help="Delete entries that cannot be encoded again, for good, --back or not."),
    ] = False,
    timeout: Annotated[
        float, typer.Option(help="With --discard: seconds to wait for readers that still use the old codes.", min=0)
    ] = _WAIT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Move a gallery to another encoder, beside the codes that searches use until all entries have new ones.

    Entries are encoded from their source pictures. Searches and additions go on; after an interruption, run it again.
    The codes of before are kept until the next re-encoding or --discard. Deleted entries are deleted from them too.
    """
    report = Report(as_json=as_json, quiet=quiet)
    if (encoder is not None) + back + discard != 1:
        raise UsageError("give a new encoder, or --back, or --discard, one of the three")
    if discard and (from_thumbnails or drop_missing):
        raise UsageError("--discard encodes nothing: leave --from-thumbnails and --drop-missing out")
    with open_gallery(gallery, device=device, encoder_threads=encoder_threads) as people, with_advice(_ADVICE):
        if discard:
            gone = people.discard_versions(timeout=timeout)
            summary = {"gallery": str(gallery), "discarded": list(gone.encoders), "remaining": list(gone.remaining)}
            names = ", ".join(gone.encoders)
            report.text(f"removed the codes by {names}" if names else "there were no codes by other encoders")
            if gone.remaining:
                report.fail(f"readers still use them: {'; '.join(gone.remaining)}. End those readers", summary)
            report.document(summary)
            return
        how = {"from_thumbnails": from_thumbnails, "drop_missing": drop_missing}
        try:
            if encoder is None:
                done = people.go_back(**how, progress=report.progress)
            else:
                done = people.reencode(encoder, **how, progress=report.progress)
        except SourcesMissing as error:
            report.fail(f"{error} ({_WAYS})", {"gallery": str(gallery), "ids": error.ids}, code=2)
    if not done.switched:
        report.text(f"{gallery} holds codes by {done.encoder_name} already")
    else:
        small = f", {done.from_thumbnails:,} of them from thumbnails" if done.from_thumbnails else ""
        report.text(
            f"{gallery} moved from {done.encoder_before} to {done.encoder_name} ({done.fingerprint[:12]}): "
            f"{done.entries:,} entries, {done.encoded:,} encoded now{small}"
        )
        if done.unchecked:
            report.warn(
                f"{done.unchecked:,} entries state no digest of their picture: their files were taken as they are"
            )
        if done.dropped:
            report.warn(f"{len(done.dropped):,} entries could not be encoded again and were deleted")
        report.note(
            f"the codes by {done.encoder_before} are kept: --back goes back to them, --discard removes them for good"
        )
    report.document({"gallery": str(gallery)} | asdict(done))
