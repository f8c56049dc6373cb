"""A calibration: what an encoder's distances mean, as the encoder's card stores it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from swiftreid.calibration.recall import RecallThresholds
from swiftreid.calibration.same_person import SamePerson
from swiftreid.calibration.short_list import ShortList
from swiftreid.calibration.thresholds import PAPER_BETA
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.search.cascade import Cascade

SHORT_LIST = "short_list"
"""Method of a calibration with a short-list cascade: the w rule by attributes, then the one identity code."""


UNLABELLED = "unlabelled"
"""Method of a calibration that was fitted without labels: same person only, and every entry is compared."""


class Calibration(BaseModel):
    """What an encoder's distances mean, fitted on held-out identities of one data set."""

    model_config = ConfigDict(extra="forbid")

    cascade: str
    """Text form of the calibrated cascade, as `swiftreid.search.cascade.Cascade.parse` reads it."""
    method: str
    """How its thresholds were fitted: ``gaussian``, ``empirical`` or ``recall``; ``short_list`` and ``unlabelled`` have
    none."""
    beta: float | None
    """Weight of recall in DTO; None with ``recall``, which has none."""
    default_cascade: str
    """The same with the paper's beta of 2, for comparison; equal to ``cascade`` when that is the beta."""
    data: str
    data_fingerprint: str
    rendered: bool | None = None
    """Whether nobody in these pictures exists; None in cards of earlier versions. Distances of rendered people say
    little of real ones, so such a calibration decides who is the same person only in galleries of rendered people."""
    persons: int
    pictures: int
    details: dict[str, Any] = Field(default_factory=dict)
    encoder: str = ""
    """Fingerprint of the calibrated encoder; empty in cards of earlier versions."""
    recall: RecallThresholds | None = None
    """Certified thresholds, or None when there were too few people for the promise."""
    recall_note: str = ""
    """Why there is no promise, and how many people one takes."""
    short_list: ShortList | None = None
    """The w rule of AFR."""
    same_person: SamePerson | None = None
    """The decision threshold on the final code."""
    same_person_embedding: SamePerson | None = None
    """That on the cosine distance of float embeddings; None when the encoder gives none."""
    attributes: list[AttributeScore] = Field(default_factory=list)
    """How well each attribute was predicted; those that were not known of these people are left out."""

    @property
    def cascades(self) -> dict[str, Cascade]:
        """All calibrated cascades, by a label for tables."""
        texts = (
            {} if self.method in (SHORT_LIST, UNLABELLED) else {f"CtF, DTO beta {PAPER_BETA:g}": self.default_cascade}
        )
        if self.beta is not None:
            texts[f"CtF, DTO beta {self.beta:g}"] = self.cascade
        found = {label: Cascade.parse(text) for label, text in texts.items()}
        if self.recall is not None:
            found[f"CtF, recall {100 * self.recall.share:g} %"] = self.recall.cascade()
        if self.short_list is not None:
            found[f"AFR, {self.short_list.code} rank-w {100 * self.short_list.rank_share:g} %"] = (
                self.short_list.cascade()
            )
        default = Cascade.parse(self.cascade)
        if self.method == SHORT_LIST and len(default.stages) > 1 and default not in found.values():
            found["AFR, calibrated"] = default
        return found
