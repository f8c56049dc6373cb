"""Re-ranking as commands take it: its options, and what a search does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from swiftreid.cli.console import Report
from swiftreid.errors import UsageError
from swiftreid.progress import Progress
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import POOL, rerank_results
from swiftreid.search.results import SearchResult
from swiftreid.search.table import CodeTable

_PAPER = Reciprocal()

# None where an option is not given, so that one without --rerank is noticed.
K1Option = Annotated[
    int | None,
    typer.Option("--k1", min=1, max=1000, show_default=f"{_PAPER.k1}", help="Neighbours that --rerank looks at."),
]
K2Option = Annotated[
    int | None,
    typer.Option("--k2", min=1, max=1000, show_default=f"{_PAPER.k2}", help="Neighbours that --rerank averages over."),
]
LambdaOption = Annotated[
    float | None,
    typer.Option(
        "--lambda",
        min=0,
        max=1,
        show_default=f"{_PAPER.lambda_}",
        help="Share of the original distance after --rerank.",
    ),
]


def settings_of(*, rerank: bool, k1: int | None, k2: int | None, lambda_: float | None) -> Reciprocal | None:
    """The settings of re-ranking, where it is asked for.

    Raises:
        UsageError: a setting is given without --rerank, or they cannot be.
    """
    given: dict[str, Any] = {
        name: value for name, value in (("k1", k1), ("k2", k2), ("lambda_", lambda_)) if value is not None
    }
    if rerank:
        return replace(_PAPER, **given)
    if given:
        options = " and ".join(f"--{name.rstrip('_')}" for name in given)
        raise UsageError(f"{options} without --rerank would do nothing: give --rerank too, or leave {options} out")
    return None


def pool_of(k: int, settings: Reciprocal | None) -> int:
    """How many results a search is asked for: as many as are shown, or those that are re-ranked among themselves."""
    return k if settings is None else max(k, POOL)


@dataclass(frozen=True)
class Ranked:
    """One query's results in the order to show them in.

    Attributes:
        columns: where they are in the query's row of the search's result, int64 [m].
        distances: what re-ranking orders by, for each; None without it.
    """

    columns: NDArray[np.int64]
    distances: list[float] | None = None

    def first(self, k: int) -> Ranked:
        """The best k."""
        return Ranked(self.columns[:k], None if self.distances is None else self.distances[:k])


def reorder(
    result: SearchResult,
    rows: Sequence[Ranked],
    table: CodeTable,
    code: str,
    queries: NDArray[np.uint8],
    settings: Reciprocal,
    progress: Progress,
) -> list[Ranked]:
    """Each row's results re-ranked among themselves.

    Args:
        result: what a search found.
        rows: for each of its rows, those of the results that count.
        table: what was searched.
        code: the code of the last stage.
        queries: the queries' codes of that name, uint8 [q, row bytes].
        settings: k1, k2 and lambda.
        progress: takes queries done and queries in all.
    """
    out = []
    for row, ranked in enumerate(rows):
        positions = result.indices[row, ranked.columns]
        again = rerank_results(table, code, queries[row : row + 1], positions[None], settings)
        by_position = np.argsort(positions)
        places = by_position[np.searchsorted(positions[by_position], again.indices[0])]
        out.append(Ranked(ranked.columns[places], again.distances[0].tolist()))
        progress("re-ranking", row + 1, len(rows))
    return out


def note_pool(settings: Reciprocal | None, pool: int, entries: int, report: Report) -> None:
    """Say what re-ranking did not look at."""
    if settings is not None and entries > pool:
        report.note(
            f"re-ranked among the first {pool:,} results of each query; neighbours among the other "
            f"{entries - pool:,} entries do not count"
        )


def stated_reranking(settings: Reciprocal | None, pool: int) -> dict[str, Any] | None:
    """The settings for a JSON document."""
    if settings is None:
        return None
    return {"k1": settings.k1, "k2": settings.k2, "lambda": settings.lambda_, "pool": pool}
