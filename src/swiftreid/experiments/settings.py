"""What an evaluation measures, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import AP_RULES, ApRule
from swiftreid.evaluation.protocol import EmptyRule, Protocol
from swiftreid.experiments.distractors import DISTRACTOR_SEED
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation measures, and how.

    Attributes:
        cascades: measured beside exhaustive searches, calibrated cascades and the float embedding.
        cameras: False counts matches by the same camera too, for data with unknown or wrong cameras.
        multi_query: pool the pictures of a query's person by its camera.
        empty: what queries without a good match count: left out ("skip") or 0 ("zero").
        ap: definition of the headline mAP; cards hold all.
        timed: whether to take times.
        per_query: whether cards keep the figures of each query.
        rerank: settings of re-ranking, which is then measured too; None for none.
        values: whether to rank by the real values behind each code's bits too, by cosine: what a code of that length
            loses by its bits (CtF paper, Table 5, "upper bound").

    Raises:
        UsageError: ``ap`` or ``empty`` is none of its values.
    """

    cascades: Sequence[Cascade | str] = ()
    cameras: bool = True
    multi_query: bool = False
    empty: EmptyRule = "skip"
    ap: ApRule = "standard"
    timed: bool = True
    per_query: bool = True
    rerank: Reciprocal | None = None
    values: bool = False

    def __post_init__(self) -> None:
        Protocol(self.empty)
        if self.ap not in AP_RULES:
            raise UsageError(f"ap is {' or '.join(AP_RULES)}, not {self.ap!r}")

    def as_run(self, recipe: object = None) -> dict[str, Any]:
        """What the card's ``run`` says, with the recipe of the encoder if it has one."""
        rerank = self.rerank and {"k1": self.rerank.k1, "k2": self.rerank.k2, "lambda": self.rerank.lambda_}
        return {
            "command": "evaluate",
            "cascades": [str(cascade) for cascade in self.cascades],
            "timed": self.timed,
            "distractor_seed": DISTRACTOR_SEED,
            "rerank": rerank,
            **({"values": True} if self.values else {}),
            **({"recipe": recipe} if recipe else {}),
        }
