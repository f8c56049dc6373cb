"""Queries with their first results: those named, the worst, the best, or some from best to worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swiftreid.errors import UsageError
from swiftreid.experiments.encoded import EncodedData
from swiftreid.experiments.unreadable import relative_name
from swiftreid.figures.ranked import RankedList, choose_queries, ranked_lists, ranking_metrics
from swiftreid.search.cascade import Cascade, Stage


def rank_queries(
    test: EncodedData,
    cascade: Cascade | None = None,
    *,
    names: Sequence[str] = (),
    worst: int | None = None,
    best: int | None = None,
) -> list[RankedList]:
    """The first results of some queries; by default of six, at even steps from the highest average precision down.

    Args:
        test: queries and gallery.
        cascade: how to rank; None takes exhaustive search by the longest code.
        names: of the queries: paths relative to the data set's folder, or file names.
        worst: so many of the lowest average precision instead.
        best: so many of the highest instead.

    Raises:
        UsageError: a name is of no query or of several, more than one choice is given, or the cascade has no full
            ranking.
    """
    if sum(bool(given) for given in (names, worst, best)) > 1:
        raise UsageError("choose queries by name, or the worst, or the best")
    used = cascade or Cascade([Stage(test.encoder.spec.final)])
    if used.stages[0].keep == "certified":
        raise UsageError(f"cascade {used} has no full ranking to draw from: use a cascade without miss")
    metrics = ranking_metrics(used, test.query, test.gallery, protocol=test.protocol)
    chosen = named_queries(names, test) if names else choose_queries(metrics, worst=worst, best=best)
    return ranked_lists(chosen, used, test.query, test.gallery, metrics, protocol=test.protocol)


def named_queries(names: Sequence[str], test: EncodedData) -> list[int]:
    """Positions of the queries of these names: paths relative to the data set's folder, or file names.

    Raises:
        UsageError: a name is of no query, or of several.
    """
    paths, root = list(test.query.paths or []), test.data.root
    chosen = []
    for name in names:
        found = [i for i, path in enumerate(paths) if name in (path.name, path.stem, relative_name(path, root))]
        if len(found) != 1:
            what = "no query" if not found else f"{len(found)} queries"
            raise UsageError(
                f"{name!r} is the name of {what} of {test.data.name}; write a path such as "
                f"{relative_name(paths[0], root)}"
            )
        chosen += found
    return chosen


def lists_as_dicts(lists: Sequence[RankedList], test: EncodedData) -> list[dict[str, Any]]:
    """Ranked lists as plain values for JSON, with the pictures' names."""
    queries, entries, root = list(test.query.paths or []), list(test.gallery.paths or []), test.data.root
    return [
        {
            "query": relative_name(queries[ranked.query], root),
            "ap": ranked.ap,
            "first_match": ranked.first_match,
            "results": [
                {
                    "entry": relative_name(entries[result.position], root),
                    "distance": result.distance,
                    "verdict": result.verdict,
                }
                for result in ranked.results
            ],
        }
        for ranked in lists
    ]
