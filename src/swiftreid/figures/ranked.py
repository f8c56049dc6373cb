"""Ranked lists: queries with their first results, right, wrong and ignored shown by frame and mark."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.matches import Matches
from swiftreid.evaluation.protocol import Metrics, Protocol
from swiftreid.evaluation.ranking_metrics import metrics_of_cascade
from swiftreid.figures.ranking_picture import Candidate, RankedPictures, draw_rankings
from swiftreid.figures.style import TEXT_SIZES, TextSize
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

RANKED_SUFFIXES: Final = (".png", ".jpg", ".pdf", ".svg")
FIRST: Final = 10
SPREAD: Final = 6

_SCALE: Final = {"normal": 1.0, "large": 1.45}

Reader = Callable[[int], NDArray[np.uint8]]
"""Gives the picture at a position, uint8 [h, w, 3]."""


@dataclass(frozen=True)
class Listed:
    """One result.

    Attributes:
        position: in the gallery.
        distance: in bits of the code that ordered it.
        verdict: "right", "wrong" or "ignored".
    """

    position: int
    distance: int
    verdict: str


@dataclass(frozen=True)
class RankedList:
    """One query and its first results, ignored ones among them.

    Attributes:
        query: its position among the queries.
        ap: standard average precision of its whole ranking.
        first_match: rank of its first match, ignored results not counted; 0 where none was ranked.
        results: nearest first.
    """

    query: int
    ap: float
    first_match: int
    results: list[Listed]


def ranking_metrics(
    cascade: Cascade, query: LabelledCodes, gallery: LabelledCodes, *, protocol: Protocol | None = None
) -> Metrics:
    """Metrics of the whole rankings, by which queries are chosen."""
    return metrics_of_cascade(cascade, CodeTable(gallery.columns()), query, gallery, protocol=protocol)[0]


def choose_queries(
    metrics: Metrics, *, worst: int | None = None, best: int | None = None, spread: int = SPREAD
) -> list[int]:
    """Queries by their average precision: the lowest, the highest, or at even steps from highest to lowest.

    Queries of equal precision come in their own order. Those without a good match are never chosen.

    Args:
        metrics: of the ranking that is drawn.
        worst: how many of the lowest, lowest first.
        best: how many of the highest, highest first.
        spread: how many where neither is given.

    Raises:
        UsageError: both are given, or a number is below 1.
    """
    counted = np.flatnonzero(metrics.first_match > 0 if metrics.empty == "zero" else ~np.isnan(metrics.ap_standard))
    if worst is not None and best is not None:
        raise UsageError("choose the worst queries or the best, not both")
    for number in (worst, best, spread):
        if number is not None and number < 1:
            raise UsageError(f"at least 1 query must be drawn, not {number}")
    ap = metrics.ap_standard[counted]
    if worst is not None:
        order = np.argsort(ap, kind="stable")[:worst]
    elif best is not None:
        order = np.argsort(-ap, kind="stable")[:best]
    else:
        falling = np.argsort(-ap, kind="stable")
        order = falling[np.unique(np.linspace(0, len(falling) - 1, min(spread, len(falling))).round().astype(int))]
    return [int(i) for i in counted[order]]


def ranked_lists(
    chosen: Sequence[int],
    cascade: Cascade,
    query: LabelledCodes,
    gallery: LabelledCodes,
    metrics: Metrics,
    *,
    first: int = FIRST,
    protocol: Protocol | None = None,
) -> list[RankedList]:
    """The first results of the chosen queries, in the order of the ranking.

    Args:
        chosen: positions of the queries.
        cascade: how to rank.
        query: the queries.
        gallery: the entries.
        metrics: of the same ranking of all queries.
        first: how many results, ignored ones counted.
        protocol: how they are evaluated.
    """
    how = protocol or Protocol()
    rows = np.array(chosen, np.int64)
    found = cascade.rank(CodeTable(gallery.columns()), {name: query.codes[name][rows] for name in cascade.codes})
    matches = Matches(gallery.persons, gallery.cameras if how.cross_camera else None)
    own, lists = how.own(len(query)), []
    for row, number in enumerate(chosen):
        good, ignored = matches.of(int(query.persons[number]), int(query.cameras[number]), int(own[number]))
        right, out = set(good.tolist()), set(ignored.tolist())
        results = [
            Listed(position, distance, "ignored" if position in out else "right" if position in right else "wrong")
            for position, distance in zip(
                found.indices[row, :first].tolist(), found.distances[row, :first].tolist(), strict=True
            )
        ]
        ap = float(metrics.ap_standard[number])
        lists.append(RankedList(number, ap, int(metrics.first_match[number]), results))
    return lists


def draw_ranked(
    lists: Sequence[RankedList],
    query: LabelledCodes,
    gallery: LabelledCodes,
    *,
    read_query: Reader,
    read_entry: Reader,
    title: str,
    text: TextSize = "normal",
) -> Image.Image:
    """Draw the lists one under the other; see `draw_rankings` for the marks.

    Args:
        lists: from `ranked_lists`.
        query: the queries.
        gallery: the entries.
        read_query: gives a query's picture.
        read_entry: gives an entry's picture.
        title: lines above all.
        text: size of the text.

    Raises:
        UsageError: there is no such size, or no list.
    """
    if text not in TEXT_SIZES:
        raise UsageError(f"the size of text is {' or '.join(TEXT_SIZES)}, not {text!r}")
    drawn = []
    for ranked in lists:
        candidates = [
            Candidate(
                read_entry(r.position),
                str(r.distance),
                None if r.verdict == "ignored" else r.verdict == "right",
                f"{_who(int(gallery.persons[r.position]))}{_by(int(gallery.cameras[r.position]))}",
                ignored=r.verdict == "ignored",
            )
            for r in ranked.results
        ]
        caption = f"AP {100 * ranked.ap:.0f} %{_by(int(query.cameras[ranked.query]))}"
        drawn.append(RankedPictures(read_query(ranked.query), candidates, caption))
    return draw_rankings(drawn, title=title, columns=FIRST, text=_SCALE[text])


def _by(camera: int) -> str:
    return f"\ncamera {camera}" if camera else ""  # 0: not known


def _who(person: int) -> str:
    return {-1: "junk", 0: "distractor"}.get(person, f"person {person}")


def picture_bytes(picture: Image.Image, suffix: str) -> bytes:
    """The file's content, the same for the same picture; PDF and SVG hold the picture's pixels.

    Raises:
        UsageError: ``suffix`` is none of `RANKED_SUFFIXES`.
    """
    if suffix not in RANKED_SUFFIXES:
        raise UsageError(f"ranked lists are written as {', '.join(RANKED_SUFFIXES)}, not as {suffix!r}")
    buffer = io.BytesIO()
    if suffix == ".svg":
        import base64

        picture.save(buffer, "PNG")
        pixels, (width, height) = base64.b64encode(buffer.getvalue()).decode("ascii"), picture.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}"><image width="{width}" height="{height}" '
            f'href="data:image/png;base64,{pixels}"/></svg>\n'
        ).encode("ascii")
    if suffix == ".pdf":
        picture.save(buffer, "PDF", resolution=150, quality=95, creationDate=None, modDate=None, producer=None)
    else:
        picture.save(buffer, {".png": "PNG", ".jpg": "JPEG"}[suffix], **({"quality": 95} if suffix == ".jpg" else {}))
    return buffer.getvalue()
