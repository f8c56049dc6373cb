"""The encoder's card: what an encoder is, where it came from and how its distances are to be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swiftreid.calibration.recall import RecallThresholds
from swiftreid.calibration.same_person import SamePerson
from swiftreid.calibration.short_list import ShortList
from swiftreid.calibration.thresholds import PAPER_BETA
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import CodeSpec

Tensors = Mapping[str, NDArray[Any]]

ENOUGH = 20
"""Pictures with an attribute, and without it, from which a calibration's figures of it are taken for the card's own."""

SHORT_LIST = "short_list"
"""Method of a calibration whose cascade is the short list of the w rule, by attributes, and the one identity code."""


class Preprocessing(BaseModel):
    """How a uint8 RGB picture becomes the network's input.

    The picture is resized to ``height`` x ``width``, its channels put in ``colour`` order, then
    ``(pixel * scale - mean) / std`` is applied per channel (in that order of channels).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flip: bool = False
    """Average the embedding with that of the mirrored picture (twice the work)."""

    @field_validator("std")
    @classmethod
    def _divisible(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if 0 in std:
            raise ValueError(f"pixels are divided by std, so none may be 0: {std}")
        return std

    def apply(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB [n, height, width, 3] -> float32 [n, 3, height, width] as the network expects it."""
        values = pictures[..., ::-1] if self.colour == "bgr" else pictures
        scaled = values.astype(np.float32) * np.float32(self.scale)
        normalised = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))


class Calibration(BaseModel):
    """How an encoder's distances are to be read, fitted on held-out identities of one data set."""

    model_config = ConfigDict(extra="forbid")

    cascade: str
    """Text form of the calibrated cascade, as `swiftreid.search.cascade.Cascade.parse` reads it."""
    method: str
    """How its thresholds were fitted: ``gaussian``, ``empirical`` or ``recall``; or ``short_list``: it has none."""
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
    """Fingerprint of the encoder whose distances these are; empty in cards of earlier versions."""
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
    """How well each attribute was told; those that were not known of these people are left out."""

    @property
    def cascades(self) -> dict[str, Cascade]:
        """All calibrated cascades, by a label for tables."""
        texts = {} if self.method == SHORT_LIST else {f"CtF, DTO beta {PAPER_BETA:g}": self.default_cascade}
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


class EncoderCard(BaseModel):
    """Everything about an encoder except its tensors."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    kind: str
    name: str
    architecture: dict[str, Any]
    spec: str
    embedding: int | None = None
    """Width of the float embedding, or None when there is none."""
    attributes: list[str] = Field(default_factory=list)
    """Names of the attribute bits in order; empty when the spec has no attribute code."""
    attribute_scores: list[AttributeScore] = Field(default_factory=list)
    """How well they are told of people whom it did not learn from; a calibration says it of the user's own."""
    preprocessing: Preprocessing
    provenance: str
    """What data the encoder was trained or fitted on, and how it may be checked."""
    licence: str
    metrics: list[dict[str, Any]] = Field(default_factory=list)
    calibration: Calibration | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    """The run that made it: recipe, seed, versions, duration."""
    fingerprint: str = ""

    @model_validator(mode="after")
    def _own_calibration(self) -> EncoderCard:
        owner = self.calibration.encoder if self.calibration else ""
        if owner and self.fingerprint and owner != self.fingerprint:
            raise ValueError(
                f"its calibration is for the encoder {owner[:12]}, not for {self.short_fingerprint}: calibrate it again"
            )
        return self

    @property
    def code_spec(self) -> CodeSpec:
        """The code spec, parsed."""
        return CodeSpec.parse(self.spec)

    @property
    def told(self) -> list[AttributeScore]:
        """How well attributes are told: each by the calibration, if that saw enough of it, else by the card."""
        scores = {score.name: score for score in self.attribute_scores}
        for score in self.calibration.attributes if self.calibration else []:
            if score.name not in scores or min(score.positives, score.known - score.positives) >= ENOUGH:
                scores[score.name] = score
        return [scores[name] for name in self.attributes if name in scores]

    @property
    def reliability(self) -> dict[str, float]:
        """How surely each attribute bit tells (`AttributeScore.reliability`), where it is known."""
        return {bit: sureness for score in self.told for bit, sureness in score.reliability.items()}

    @property
    def short_fingerprint(self) -> str:
        """The first 12 hexadecimal digits, for messages."""
        return self.fingerprint[:12]


def fingerprint_of(card: EncoderCard, tensors: Tensors) -> str:
    """SHA-256 over everything that decides the codes: the tensors and the parts of the card that shape them.

    Name, licence, provenance, metrics, scores and calibration are left out, so that calibrating an encoder does not
    orphan the galleries made with it.
    """
    identity = {
        "kind": card.kind,
        "architecture": card.architecture,
        "spec": card.spec,
        "embedding": card.embedding,
        "attributes": card.attributes,
        "preprocessing": card.preprocessing.model_dump(),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
