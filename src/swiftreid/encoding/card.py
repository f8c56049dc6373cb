"""The encoder's card: what an encoder is, where it came from and how its distances are to be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swiftreid.calibration.calibration import Calibration
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.search.codes import CodeSpec

Tensors = Mapping[str, NDArray[Any]]

ENOUGH = 20
"""Pictures with an attribute, and without it, from which a calibration's figures of it are taken for the card's own."""


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
    """Their accuracy on people who were not used for training; a calibration has that on the user's own people."""
    preprocessing: Preprocessing | None
    """Of pictures; None for an encoder that takes float vectors."""
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
    def known_scores(self) -> list[AttributeScore]:
        """How accurate each attribute is: by the calibration, if it saw enough of it, else by the card."""
        scores = {score.name: score for score in self.attribute_scores}
        for score in self.calibration.attributes if self.calibration else []:
            if score.name not in scores or min(score.positives, score.known - score.positives) >= ENOUGH:
                scores[score.name] = score
        return [scores[name] for name in self.attributes if name in scores]

    @property
    def reliability(self) -> dict[str, float]:
        """How reliable each attribute bit is (`AttributeScore.reliability`), where it is known."""
        return {bit: sureness for score in self.known_scores for bit, sureness in score.reliability.items()}

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
        "preprocessing": card.preprocessing.model_dump() if card.preprocessing else None,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
