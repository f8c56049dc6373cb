"""Which regions of pictures make them close or far, as panels to draw, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swiftreid.data.pictures import read_picture
from swiftreid.encoding.covering import Covering, Windows
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.match_maps import PictureMap, attribute_maps, dependence_map, match_maps
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.figures.match_picture import Legend, Panel, draw_maps
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.searchable import Searchable
from swiftreid.search.codes import bits_of

_AT = "at, %"
_FILLS = {"mean": "their mean colour", "blur": "a blurred copy"}
_DEFAULT = Covering()


@dataclass(frozen=True)
class NamedPicture:
    """A picture, uint8 [h, w, 3], and what to call it."""

    name: str
    picture: NDArray[np.uint8]

    @property
    def short(self) -> str:
        """The last part of its name."""
        return Path(self.name).name


@dataclass(frozen=True)
class ExplanationTable:
    """Figures of one picture or pair, for people."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Explanation:
    """What was found.

    Attributes:
        rows: of panels, one row a picture or pair.
        legend: of the colours.
        title: what is drawn, and how it was found.
        windows: the patches that were covered.
        tables: the strongest changes.
        facts: all figures, for programs.
    """

    rows: list[list[Panel]]
    legend: Legend
    title: str
    windows: Windows
    tables: list[ExplanationTable]
    facts: dict[str, Any]

    def draw(self) -> Image.Image:
        """One picture of all of it."""
        return draw_maps(self.rows, self.legend, title=self.title)


def entry_pictures(people: Searchable, ids: Sequence[str]) -> list[NamedPicture]:
    """The thumbnails of some entries.

    Raises:
        EntryNotFound: one of them is not there.
        SwiftReIDError: one has no thumbnail.
    """
    stored = people.entries(ids)
    if lacking := [entry.id for entry in stored if entry.thumbnail is None]:
        raise SwiftReIDError(f"entry {lacking[0]} has no thumbnail: give its picture's file instead")
    return [
        NamedPicture(entry.id, read_picture(entry.thumbnail, name=entry.id))
        for entry in stored
        if entry.thumbnail is not None
    ]


def _about(title: str, encoder: Encoder, windows: Windows, covering: Covering) -> str:
    return (
        f"{title}\nencoder {encoder.card.name}, pictures of {windows.height} x {windows.width} pixels\n"
        f"covered one by one: patches of {windows.patch} x {windows.patch}, with {_FILLS[covering.fill]}"
    )


def explain_pairs(
    encoder: Encoder,
    query: NamedPicture,
    others: Sequence[NamedPicture],
    *,
    code: str | None = None,
    fine: bool = False,
    covering: Covering = _DEFAULT,
    progress: Progress = no_progress,
) -> Explanation:
    """Where a query agrees with each of some pictures, and where they differ.

    Args:
        encoder: that compares them.
        query: the one picture.
        others: at least one.
        code: to compare by, or ``embedding``; by default the one that hits are ordered by.
        fine: compare the numbers behind the bits.
        covering: how patches are covered.
        progress: takes patches covered and patches in all.

    Raises:
        UsageError: there are no others, the encoder has no such code, or patches do not fit.

    Example:
        ``explain_pairs(encoder, query, entry_pictures(people, ["a.jpg"])).draw().save("why.png")``
    """
    if not others:
        raise UsageError("explain_pairs compares a query with at least one other picture: explain_code takes it alone")
    maps = match_maps(
        encoder,
        query.picture,
        [other.picture for other in others],
        code=code,
        fine=fine,
        covering=covering,
        progress=progress,
    )
    unit = maps[0].unit
    name = code or encoder.spec.final
    rows, tables, documents = [], [], []
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
        table = ExplanationTable(
            f"{query.name} and {other.name}: {distance} {_in_words(unit)}, by {name}",
            ["covered", "agree by up to", _AT, "differ by up to", _AT],
            [(which, *_most(one, unit)) for which, one in (("query", found.query), ("candidate", found.candidate))],
        )
        tables.append(table)
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
    facts = {"code": name, "fine": fine, "unit": unit, "candidates": documents}
    windows = maps[0].query.windows
    return Explanation(rows, legend, _about(title, encoder, windows, covering), windows, tables, facts)


def explain_code(
    encoder: Encoder,
    query: NamedPicture,
    *,
    code: str | None = None,
    fine: bool = False,
    covering: Covering = _DEFAULT,
    progress: Progress = no_progress,
) -> Explanation:
    """What one picture's code depends on; arguments as for `explain_pairs`."""
    found = dependence_map(encoder, query.picture, code=code, fine=fine, covering=covering, progress=progress)
    name = code or encoder.spec.final
    unit = "cosine" if name not in encoder.spec.names else "bits"
    largest = _number(float(found.changes.max()), unit)
    rows = [
        [
            Panel(query.picture, label="picture", caption=query.short),
            Panel(query.picture, found.pixels, label="covered", caption=f"moves by up to {largest} {unit}"),
        ]
    ]
    table = ExplanationTable(query.name, ["code", f"moves by up to ({unit})", _AT], [(name, *_most(found, unit)[:2])])
    legend = Legend("matters: covering it moves the code")
    title = f"What {name}{' (fine)' if fine else ''} depends on"
    facts = {"code": name, "fine": fine, "unit": unit, "changes": found.changes.tolist()}
    windows = found.windows
    return Explanation(rows, legend, _about(title, encoder, windows, covering), windows, [table], facts)


def explain_attributes(
    encoder: Encoder,
    pictures: Sequence[NamedPicture],
    names: Sequence[str],
    *,
    covering: Covering = _DEFAULT,
    progress: Progress = no_progress,
) -> Explanation:
    """Which regions of each picture decide its attributes.

    Args:
        encoder: that predicts them.
        pictures: at least one.
        names: of the attributes.
        covering: how patches are covered.
        progress: takes patches covered and patches in all.

    Raises:
        UsageError: there is no picture or name, the encoder has no such attribute, or patches do not fit.
    """
    if not pictures or not names:
        raise UsageError("explain_attributes needs at least one picture and the name of one attribute")
    rows, tables, documents = [], [], []
    windows = covering.windows(*encoder.size)
    for named in pictures:
        maps = attribute_maps(encoder, named.picture, names, covering=covering, progress=progress)
        row, table = [Panel(named.picture, label="picture", caption=named.short)], []
        for found in maps:
            answer = "yes" if found.value > 0 else "no"
            row.append(
                Panel(
                    named.picture,
                    found.map.pixels,
                    label=f"{found.name}: {answer}",
                    caption=f"logit {found.value:.2f}\n{_extremes(found.map, 'logit', 'for', 'against')}",
                )
            )
            table.append((found.name, answer, f"{found.value:.2f}", *_most(found.map, "logit")))
            documents.append(
                {
                    "picture": named.name,
                    "attribute": found.name,
                    "logit": found.value,
                    "changes": found.map.changes.tolist(),
                }
            )
        rows.append(row)
        columns = ["attribute", "answer", "logit", "for it by up to", _AT, "against it by up to", _AT]
        tables.append(ExplanationTable(f"{named.name}: regions that decide attributes", columns, table))
    legend = Legend("for the answer: covering it makes it less sure", "against the answer: covering it makes it surer")
    facts = {"unit": "logit", "attributes": documents}
    title = f"Regions that decide {', '.join(found.name for found in maps)}"
    return Explanation(rows, legend, _about(title, encoder, windows, covering), windows, tables, facts)


def _most(found: PictureMap, unit: str) -> tuple[str, str, str, str]:
    """The strongest change above 0 and below, each with the place of its patch; a dash where there is none."""
    strongest: list[str] = []
    for sign in (1, -1):
        signed = sign * found.changes
        row, column = np.unravel_index(int(signed.argmax()), signed.shape)
        largest = float(signed[row, column])
        strongest += (
            [_number(largest, unit), _place(found.windows, int(row), int(column))] if largest > 0 else ["-", "-"]
        )
    return strongest[0], strongest[1], strongest[2], strongest[3]


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
