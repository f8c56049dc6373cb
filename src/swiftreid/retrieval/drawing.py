"""A picture of answers: each query with its first hits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import read_picture
from swiftreid.errors import UsageError
from swiftreid.figures.ranking_picture import Candidate, RankedPictures
from swiftreid.retrieval.answer import Answer, Hit
from swiftreid.search.codes import bits_of
from swiftreid.search.stages import EMBEDDING

HITS = 8
"""Hits that are drawn of each query, by default."""

_GREY = np.full((128, 64, 3), 200, np.uint8)


def rankings_of(answers: Sequence[Answer], *, hits: int = HITS) -> list[RankedPictures]:
    """Answers as `swiftreid.draw_rankings` draws them; grey where a query or an entry has no thumbnail.

    Args:
        answers: to queries that asked for at least as many thumbnails (`Query.thumbnails`).
        hits: how many to draw of each.

    Example:
        ``draw_rankings(rankings_of([people.search("who.jpg", thumbnails=8)])).save("ranking.png")``
    """
    given: object = answers  # whatever the annotation says
    if isinstance(given, Answer):
        raise UsageError("rankings_of takes a list of answers: write [answer]")
    return [
        RankedPictures(
            query=_picture(answer.thumbnail, answer.name),
            caption=_about_query(answer),
            candidates=[
                Candidate(
                    picture=_picture(hit.entry.thumbnail, hit.id),
                    distance=_distance(hit),
                    verdict=hit.right,
                    caption=_about_hit(hit),
                )
                for hit in answer.hits[:hits]
            ],
        )
        for answer in answers
    ]


def _about_query(answer: Answer) -> str:
    """Its name, and the description that it was searched with besides."""
    alone = answer.origin == "description"
    return Path(answer.name).name + ("" if alone or answer.description is None else f", {answer.description}")


def _distance(hit: Hit) -> str:
    """How far an entry is, in a few words below its picture."""
    by_description = hit.fit is not None and hit.code.startswith("attr")
    if hit.fit is not None and by_description:
        return hit.fit.verdict
    return f"{hit.distance:.3f}" if hit.code == EMBEDDING else f"{hit.distance} / {bits_of(hit.code)}"


def _about_hit(hit: Hit) -> str:
    """Its camera, and how the description fits where it is not what entries are ordered by."""
    also = f", {hit.fit.verdict}" if hit.fit and not hit.code.startswith("attr") else ""
    return f"camera {hit.entry.camera}{also}"


def _picture(thumbnail: bytes | None, name: str) -> NDArray[np.uint8]:
    return _GREY if thumbnail is None else read_picture(thumbnail, name=name)
