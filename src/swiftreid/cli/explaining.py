"""`swiftreid explain`: which regions of two pictures made them close or far, drawn over both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.sources import BadPictures
from swiftreid.data.pictures import BadPicture, read_picture
from swiftreid.encoding.covering import Covering, Fill
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.retrieval.explanation import (
    NamedPicture,
    entry_pictures,
    explain_attributes,
    explain_code,
    explain_pairs,
)
from swiftreid.retrieval.opening import open_gallery

_MOST = 24
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


def explain(
    encoder: Annotated[str, typer.Argument(help="Encoder file, or a shipped one: rendered or stripes.")],
    query: Annotated[Path, typer.Argument(help="A picture.")],
    candidates: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures to compare it with. Without any: show what its own code depends on."),
    ] = None,
    gallery: Annotated[Path | None, typer.Option(help="Gallery of the entries that --entry names.")] = None,
    entry: Annotated[
        list[str] | None,
        typer.Option(help="Id of an entry of --gallery to compare with, by its thumbnail; may be repeated."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(help="Code to compare by, or 'embedding'. Default: the one that results are ordered by."),
    ] = None,
    fine: Annotated[
        bool,
        typer.Option("--fine", help="Compare the numbers behind the bits: for short codes, where few bits turn."),
    ] = False,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Show instead which regions decide this attribute, such as hat; may be repeated."),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side of a patch in pixels of the encoder's pictures. Default: a quarter of the width."
        ),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Pixels from one patch to the next. Default: half a patch.")
    ] = None,
    fill: Annotated[str, typer.Option(help="What covers a patch: mean (the mean colour) or blur.")] = "mean",
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .png, .jpg or .webp.")] = Path(
        "explain.png"
    ),
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw where two pictures agree and where they differ, for any encoder.

    The command covers a picture patch by patch and encodes it again. Where this moves the two pictures apart, they
    agree; where it brings them closer, they differ.
    """
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=tuple(_WRITABLE))
    if attribute and (code or fine):
        raise UsageError("--attribute has a code of its own: leave out --code and --fine")
    if bool(gallery) != bool(entry):
        raise UsageError("--gallery and --entry go together: give the gallery's folder and ids of its entries")
    if (count := len(candidates or []) + len(entry or [])) > _MOST:
        raise UsageError(f"{count} pictures are too many to compare with in one picture: give up to {_MOST}")
    covering = Covering(patch, stride, _fill(fill))
    used = open_encoder(encoder, threads=encoder_threads, device=device)
    covering.windows(*used.size)  # refused before pictures are read
    query_picture = NamedPicture(str(query), read_picture(query))
    bad = BadPictures(report)
    others = _readable(candidates or [], bad, alone=count == 1)
    if gallery is not None:
        with open_gallery(gallery, encoder=used, read_only=True) as people:
            others += entry_pictures(people, entry or [])
        report.note("entries are encoded again from their thumbnails: distances differ somewhat from a search's")
    if candidates and not others:
        raise SwiftReIDError(f"none of the {len(candidates)} pictures to compare with could be read")
    progress = report.progress
    if attribute:
        found = explain_attributes(used, [query_picture, *others], attribute, covering=covering, progress=progress)
    elif others:
        found = explain_pairs(used, query_picture, others, code=code, fine=fine, covering=covering, progress=progress)
    else:
        found = explain_code(used, query_picture, code=code, fine=fine, covering=covering, progress=progress)
    for table in found.tables:
        report.table(table.title, table.columns, table.rows)
    content = io.BytesIO()
    found.draw().save(content, _WRITABLE[output.suffix.lower()])
    report.text("at: the middle of the patch, in % of the picture down and across")
    report.text(f"picture: {written(output, content.getvalue(), shows_people=True)}")
    report.document(
        {
            "encoder": used.card.name,
            "fingerprint": used.fingerprint,
            "picture": str(output),
            "query": str(query),
            "fill": covering.fill,
            "patch": found.windows.patch,
            "height": found.windows.height,
            "width": found.windows.width,
            "tops": list(found.windows.tops),
            "lefts": list(found.windows.lefts),
            **found.facts,
            **bad.as_dict(),
        }
    )


def _readable(paths: Sequence[Path], bad: BadPictures, *, alone: bool) -> list[NamedPicture]:
    """The pictures that can be read; one that cannot is an error when it is the only one, else it is skipped."""
    readable = []
    for path in paths:
        try:
            readable.append(NamedPicture(str(path), read_picture(path)))
        except BadPicture as error:
            if alone:
                raise
            bad(error)
    return readable


def _fill(text: str) -> Fill:
    if text == "mean":
        return "mean"
    if text == "blur":
        return "blur"
    raise UsageError(f"--fill is mean or blur, not {text!r}")
