"""Calibrating an encoder on a data set's held-out people: thresholds of its cascades, short list, same person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.fit import CascadeMethod, fit_calibration
from swiftreid.calibration.recall import CONFIDENCE, SHARE
from swiftreid.calibration.same_person import FALSE_ACCEPTS
from swiftreid.calibration.thresholds import Method
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData, Split, SplitName
from swiftreid.data.schemas import unusable
from swiftreid.encoding.calibrate import attribute_accuracy, calibrated
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.encoding.stream import OnBad
from swiftreid.encoding.vectors import Vectors, encode_labelled
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.experiments.held_out import learned_from
from swiftreid.experiments.inputs import Data, EncoderSource, data_set, encoder_of, warn
from swiftreid.experiments.places import cameras_of
from swiftreid.experiments.unreadable import Unreadable
from swiftreid.progress import Progress, no_progress

CalibrationSplit = Literal["train", "test"]
"""Whose pictures thresholds are fitted on: the train split's, or those of query and gallery together."""

MAX_LOSS: Final = 0.005
"""Of mAP, that the chosen beta may lose on the held-out people: half a point."""

NEEDED: dict[CalibrationSplit, Sequence[SplitName]] = {"train": ("train",), "test": ("query", "gallery")}
"""Splits that a data set must have, by the split that thresholds are fitted on."""


@dataclass(frozen=True)
class CalibrationSettings:
    """How thresholds are fitted; shares are of 1.

    Attributes:
        split: the split that they are fitted on.
        beta: weight of recall; None chooses the cheapest that loses at most ``max_loss``.
        max_loss: of mAP, on these people.
        method: how the cascade's thresholds are fitted: "gaussian" (the paper), "empirical", or "recall" (certified).
        recall: share of the exhaustive result that the certified thresholds keep.
        confidence: of that promise.
        false_accepts: share of the people who are not there that may be given an entry.
        gallery_size: entries for which that holds; None: as many as are held out.
        sweep: record what every beta loses and compares.

    Raises:
        UsageError: ``split`` or ``method`` is none of its values, or a beta is given with the method "recall".
    """

    split: CalibrationSplit = "train"
    beta: float | None = None
    max_loss: float = MAX_LOSS
    method: CascadeMethod = "gaussian"
    recall: float = SHARE
    confidence: float = CONFIDENCE
    false_accepts: float = FALSE_ACCEPTS
    gallery_size: int | None = None
    sweep: bool = False

    def __post_init__(self) -> None:
        if self.split not in get_args(CalibrationSplit):
            raise UsageError(f"split is train or test, not {self.split!r}")
        if self.method not in (*get_args(Method), "recall"):
            raise UsageError(f"method is gaussian, empirical or recall, not {self.method!r}")
        if self.method == "recall" and self.beta is not None:
            raise UsageError("beta chooses the thresholds of gaussian and empirical; the method recall has none")


def calibrate_encoder(
    encoder: EncoderSource,
    data: Data,
    settings: CalibrationSettings | None = None,
    *,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> Encoder:
    """A copy of an encoder, calibrated on people that it never saw; its ``card.calibration`` holds what was fitted.

    Nothing is written: see `Encoder.save`. The fingerprint stays, so galleries made with the encoder stay searchable.
    Warns (`SwiftReIDWarning`) where the encoder was trained on the same people: the thresholds are then too tight for
    others, and where their attributes cannot be used.

    Args:
        encoder: the encoder, its file, or the name of a shipped one.
        data: the data set, its folder or manifest, or the name of a published one.
        settings: how thresholds are fitted; None takes the defaults.
        on_bad: takes each picture that cannot be read; without it there is one warning for all.
        progress: takes how far encoding is.

    Raises:
        UsageError: there are too few people, or none seen by two cameras.
        SwiftReIDError: the data set or the encoder cannot be read.

    Example:
        >>> from swiftreid import CalibrationSettings, calibrate_encoder
        >>> stripes = calibrate_encoder("stripes", "examples/station", CalibrationSettings(beta=2))
        >>> stripes.card.calibration.data
        'station train'
    """
    settings = settings or CalibrationSettings()
    used, read = encoder_of(encoder), data_set(data, need=NEEDED[settings.split])
    samples, learned = samples_of(read, settings.split), was_learned(used, read, settings.split)
    if used.card.attributes and (why := unusable(samples)):
        warn(f"attributes are not measured: {why}")
    if learned:
        warn(
            "the encoder was trained on the same people, so the thresholds are too tight for other people"
            + ("; attributes are not measured on them" if used.card.attributes else "")
        )
    unreadable = Unreadable(on_bad)
    named = cameras_of(used, read)
    held_out = encode_samples(used, samples, cameras=named(samples), on_bad=unreadable, progress=progress)
    unreadable.warn()
    scores = used.card.known_scores if learned else attribute_accuracy(used, held_out, samples)
    people = _People(held_out, f"{read.name} {settings.split}", fingerprint_of(read), read.rendered)
    return calibrated(used, _fitted(used, people, settings, scores))


def calibrate_vectors(
    encoder: EncoderSource,
    vectors: Vectors,
    *,
    data: str,
    settings: CalibrationSettings | None = None,
    rendered: bool = False,
) -> Encoder:
    """A copy of an encoder of vectors, calibrated on vectors of people that it never saw, as `calibrate_encoder` does.

    Warns (`SwiftReIDWarning`) where the encoder learned from the same vectors.

    Args:
        encoder: the encoder, or its file.
        vectors: of people, each seen by at least two cameras.
        data: what the vectors are of, for the card.
        settings: how thresholds are fitted; None takes the defaults. ``split`` has no meaning here.
        rendered: whether these are people who never existed.

    Raises:
        UsageError: the encoder takes pictures, a person or camera is not known, or there are too few people.

    Example:
        ``calibrate_vectors(encoder, read_vectors("held_out.parquet"), data="our cameras, June")``
    """
    given: object = vectors  # whatever the annotation says
    if not isinstance(given, Vectors):
        raise UsageError(f"calibrate_vectors takes Vectors, with persons and cameras, not {type(given).__name__}")
    used = encoder_of(encoder)
    if used.card.training.get("data_fingerprint") == vectors.fingerprint:
        warn("the encoder learned from the same vectors, so the thresholds are too tight for other people")
    people = _People(encode_labelled(used, vectors), data, vectors.fingerprint, rendered)
    return calibrated(used, _fitted(used, people, settings or CalibrationSettings(), []))


@dataclass(frozen=True)
class _People:
    """Whom thresholds are fitted on, and what the calibration says of them."""

    codes: LabelledCodes
    data: str
    fingerprint: str
    rendered: bool


def _fitted(
    encoder: Encoder, people: _People, settings: CalibrationSettings, attributes: Sequence[AttributeScore]
) -> Calibration:
    return fit_calibration(
        people.codes,
        encoder.spec,
        data=people.data,
        data_fingerprint=people.fingerprint,
        rendered=people.rendered,
        beta=settings.beta,
        max_loss=settings.max_loss,
        method=settings.method,
        sweep=settings.sweep,
        share=settings.recall,
        confidence=settings.confidence,
        false_accepts=settings.false_accepts,
        gallery=settings.gallery_size,
        attributes=attributes,
    )


def samples_of(data: ReidData, split: CalibrationSplit) -> Split:
    """The pictures that thresholds are fitted on."""
    return data.train if split == "train" else [*data.query, *data.gallery]


def was_learned(encoder: Encoder, data: ReidData, split: CalibrationSplit) -> bool:
    """Whether the encoder was trained on the same people."""
    return split == "train" and learned_from(encoder, data)
