"""`swiftreid explain`: which regions of two pictures made them near or far, drawn over both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.sources import BadPictures
from swiftreid.data.pictures import BadPicture, read_picture
from swiftreid.encoding.covering import Covering, Fill, Windows
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.match_maps import PictureMap, attribute_maps, dependence_map, match_maps
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.figures.match_picture import Legend, Panel, draw_maps
from swiftreid.gallery.store import Gallery
from swiftreid.search.codes import bits_of

_MOST = 24
_AT = "at, %"
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


@dataclass(frozen=True)
class _Shown:
    """A picture and what to call it."""

    name: str
    picture: NDArray[np.uint8]

    @property
    def short(self) -> str:
        return Path(self.name).name


@dataclass(frozen=True)
class _Explained:
    """What is drawn, and what goes into the JSON document."""

    rows: list[list[Panel]]
    legend: Legend
    title: str
    windows: Windows
    document: dict[str, Any] = field(default_factory=dict)


def explain(
    encoder: Annotated[str, typer.Argument(help="Encoder file, or a shipped one: rendered or stripes.")],
    query: Annotated[Path, typer.Argument(help="A picture.")],
    candidates: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures to compare it with. Without any: what its own code depends on."),
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
        typer.Option("--fine", help="Compare the numbers behind the bits: for short codes, few of whose bits turn."),
    ] = False,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Show what this attribute was read off instead, such as hat; may be repeated."),
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
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw where two pictures agree and where they differ, for any encoder.

    Patch by patch a picture is covered and encoded again. Where that moves the two pictures apart they agree, where it
    brings them closer they differ.
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
    used = open_encoder(encoder)
    covering.windows(*used.size)  # refused before pictures are read
    asked = _Shown(str(query), read_picture(query))
    bad = BadPictures(report)
    others = _readable(candidates or [], bad, alone=count == 1)
    if gallery is not None:
        others += _entries(gallery, entry or [], used)
        report.note("entries are encoded again from their thumbnails: distances differ somewhat from a search's")
    if candidates and not others:
        raise SwiftReIDError(f"none of the {len(candidates)} pictures to compare with could be read")
    if attribute:
        found = _attributes(used, [asked, *others], attribute, covering, report)
    elif others:
        found = _pairs(used, asked, others, code, fine, covering, report)
    else:
        found = _alone(used, asked, code, fine, covering, report)
    content = io.BytesIO()
    height, width, patch = found.windows.height, found.windows.width, found.windows.patch
    fills = {"mean": "their mean colour", "blur": "a blurred copy"}
    title = (
        f"{found.title}\nencoder {used.card.name}, pictures of {height} x {width} pixels\n"
        f"covered one by one: patches of {patch} x {patch}, with {fills[covering.fill]}"
    )
    draw_maps(found.rows, found.legend, title=title).save(content, _WRITABLE[output.suffix.lower()])
    report.text("at: the middle of the patch, in % of the picture down and across")
    report.text(f"picture: {written(output, content.getvalue(), shows_people=True)}")
    report.document(
        {
            "encoder": used.card.name,
            "fingerprint": used.fingerprint,
            "picture": str(output),
            "query": str(query),
            "fill": covering.fill,
            "patch": patch,
            "height": height,
            "width": width,
            "tops": list(found.windows.tops),
            "lefts": list(found.windows.lefts),
            **found.document,
            **bad.as_dict(),
        }
    )


def _pairs(
    encoder: Encoder,
    query: _Shown,
    others: Sequence[_Shown],
    code: str | None,
    fine: bool,
    covering: Covering,
    report: Report,
) -> _Explained:
    """The query beside each candidate."""
    maps = match_maps(
        encoder,
        query.picture,
        [other.picture for other in others],
        code=code,
        fine=fine,
        covering=covering,
        progress=report.progress,
    )
    unit = maps[0].unit
    name = code or encoder.spec.final
    rows, documents = [], []
    for other, found in zip(others, maps, strict=True):
        distance = _number(found.distance, unit)
        rows.append(
            [
                Panel(query.picture, label="query", caption=query.short),
                Panel(query.picture, found.query.pixels, label="query, covered", caption=_extremes(found.query, unit)),
                Panel(
                    other.picture,
                    found.candidate.pixels,
                    label="candidate, covered",
                    caption=_extremes(found.candidate, unit),
                ),
                Panel(
                    other.picture,
                    label=f"{distance} / {bits_of(name)}" if unit == "bits" else f"{distance} {unit}",
                    caption=other.short,
                ),
            ]
        )
        report.table(
            f"{query.name} and {other.name}: {distance} {_in_words(unit)}, by {name}",
            ["covered", "agree by up to", _AT, "differ by up to", _AT],
            [(which, *_most(one, unit)) for which, one in (("query", found.query), ("candidate", found.candidate))],
        )
        documents.append(
            {
                "candidate": other.name,
                "distance": found.distance,
                "query_changes": found.query.changes.tolist(),
                "candidate_changes": found.candidate.changes.tolist(),
            }
        )
    legend = Legend("agree: covering it moves the two apart", "differ: covering it brings the two closer")
    title = f"Where the pictures agree and differ, by {name}{' (fine)' if fine else ''}"
    document = {"code": name, "fine": fine, "unit": unit, "candidates": documents}
    return _Explained(rows, legend, title, maps[0].query.windows, document)


def _alone(
    encoder: Encoder, query: _Shown, code: str | None, fine: bool, covering: Covering, report: Report
) -> _Explained:
    """One picture: what its code depends on."""
    found = dependence_map(encoder, query.picture, code=code, fine=fine, covering=covering, progress=report.progress)
    name = code or encoder.spec.final
    unit = "cosine" if name not in encoder.spec.names else "bits"
    largest = _number(float(found.changes.max()), unit)
    rows = [
        [
            Panel(query.picture, label="picture", caption=query.short),
            Panel(query.picture, found.pixels, label="covered", caption=f"moves by up to {largest} {unit}"),
        ]
    ]
    report.table(query.name, ["code", f"moves by up to ({unit})", _AT], [(name, *_most(found, unit)[:2])])
    legend = Legend("matters: covering it moves the code")
    title = f"What {name}{' (fine)' if fine else ''} depends on"
    document = {"code": name, "fine": fine, "unit": unit, "changes": found.changes.tolist()}
    return _Explained(rows, legend, title, found.windows, document)


def _attributes(
    encoder: Encoder, pictures: Sequence[_Shown], names: Sequence[str], covering: Covering, report: Report
) -> _Explained:
    """What attributes of each picture were read off."""
    rows, documents = [], []
    windows = covering.windows(*encoder.size)
    for shown in pictures:
        maps = attribute_maps(encoder, shown.picture, names, covering=covering, progress=report.progress)
        row, table = [Panel(shown.picture, label="picture", caption=shown.short)], []
        for found in maps:
            answer = "yes" if found.value > 0 else "no"
            row.append(
                Panel(
                    shown.picture,
                    found.map.pixels,
                    label=f"{found.name}: {answer}",
                    caption=f"logit {found.value:.2f}\n{_extremes(found.map, 'logit', 'for', 'against')}",
                )
            )
            table.append((found.name, answer, f"{found.value:.2f}", *_most(found.map, "logit")))
            documents.append(
                {
                    "picture": shown.name,
                    "attribute": found.name,
                    "logit": found.value,
                    "changes": found.map.changes.tolist(),
                }
            )
        rows.append(row)
        columns = ["attribute", "answer", "logit", "for it by up to", _AT, "against it by up to", _AT]
        report.table(f"{shown.name}: what attributes were read off", columns, table)
    legend = Legend("for the answer: covering it makes it less sure", "against the answer: covering it makes it surer")
    document = {"unit": "logit", "attributes": documents}
    return _Explained(rows, legend, f"Regions that decide {', '.join(found.name for found in maps)}", windows, document)


def _readable(paths: Sequence[Path], bad: BadPictures, *, alone: bool) -> list[_Shown]:
    """The pictures that can be read; one that cannot is an error when it is the only one, else it is skipped."""
    shown = []
    for path in paths:
        try:
            shown.append(_Shown(str(path), read_picture(path)))
        except BadPicture as error:
            if alone:
                raise
            bad(error)
    return shown


def _entries(path: Path, ids: Sequence[str], encoder: Encoder) -> list[_Shown]:
    """The thumbnails of some entries of a gallery that was made with this encoder."""
    with Gallery.open(path, read_only=True) as opened:
        opened.check_encoder(encoder.fingerprint, encoder.card.name)
        stored = [(id_, opened.get(id_).thumbnail) for id_ in ids]
    if lacking := [id_ for id_, thumbnail in stored if thumbnail is None]:
        raise SwiftReIDError(f"entry {lacking[0]} of {path} has no thumbnail: give its picture's file instead")
    return [_Shown(id_, read_picture(thumbnail, name=id_)) for id_, thumbnail in stored if thumbnail is not None]


def _fill(text: str) -> Fill:
    if text == "mean":
        return "mean"
    if text == "blur":
        return "blur"
    raise UsageError(f"--fill is mean or blur, not {text!r}")


def _most(found: PictureMap, unit: str) -> tuple[str, str, str, str]:
    """The strongest change above 0 and below, each with the place of its patch; a dash where there is none."""
    told: list[str] = []
    for sign in (1, -1):
        signed = sign * found.changes
        row, column = np.unravel_index(int(signed.argmax()), signed.shape)
        largest = float(signed[row, column])
        told += [_number(largest, unit), _place(found.windows, int(row), int(column))] if largest > 0 else ["-", "-"]
    return told[0], told[1], told[2], told[3]


def _extremes(found: PictureMap, unit: str, above: str = "agree", below: str = "differ") -> str:
    most = _most(found, unit)
    return f"{above} {most[0]}, {below} {most[2]} {'' if unit == 'logit' else unit}".rstrip()


def _place(windows: Windows, row: int, column: int) -> str:
    """The middle of a patch, as shares of the picture."""
    down = (windows.tops[row] + windows.patch / 2) / windows.height
    across = (windows.lefts[column] + windows.patch / 2) / windows.width
    return f"{100 * down:.0f}, {100 * across:.0f}"


def _number(value: float, unit: str) -> str:
    return f"{value:.1f}".removesuffix(".0") if unit == "bits" else f"{value:.3f}"


def _in_words(unit: str) -> str:
    return "bits" if unit == "bits" else "cosine distance"
