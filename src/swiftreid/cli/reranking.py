"""Re-ranking as commands take it: its options, and how they are stated."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from swiftreid.errors import UsageError
from swiftreid.reranking.reciprocal import Reciprocal

_PAPER = Reciprocal()

# None where an option is not given, so that one without --rerank is noticed.
K1Option = Annotated[
    int | None,
    typer.Option("--k1", min=1, max=1000, show_default=f"{_PAPER.k1}", help="Neighbours that --rerank compares."),
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


def stated_reranking(settings: Reciprocal | None, pool: int) -> dict[str, Any] | None:
    """The settings for a JSON document."""
    if settings is None:
        return None
    return {"k1": settings.k1, "k2": settings.k2, "lambda": settings.lambda_, "pool": pool}
