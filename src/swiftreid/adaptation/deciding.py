"""The same-person threshold of an encoder, from unlabelled pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swiftreid.adaptation.pictures import UnlabelledPictures
from swiftreid.calibration.calibration import UNLABELLED, Calibration
from swiftreid.calibration.same_person import EMBEDDING, FALSE_ACCEPTS
from swiftreid.calibration.unlabelled import UnlabelledThreshold, Vectors, fit_unlabelled
from swiftreid.clustering.answers import PairAnswer
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.calibrate import calibrated
from swiftreid.errors import UsageError


def calibrate_unlabelled(
    encoder: Encoder,
    pictures: UnlabelledPictures,
    *,
    data: str,
    answers: Sequence[PairAnswer] = (),
    rendered: bool = False,
    data_fingerprint: str = "",
    false_accepts: float = FALSE_ACCEPTS,
    gallery_size: int | None = None,
    seed: int = 0,
) -> Encoder:
    """A copy of an encoder whose card has a same-person threshold that was fitted without labels.

    Cascades and short lists are not fitted, and a calibration that the encoder has is replaced: searches compare every
    entry. ``details`` of the calibration have what the threshold rests on (`swiftreid.calibration.unlabelled`).

    Args:
        encoder: with the network that embedded the pictures.
        pictures: best of many people, by the gallery's cameras, and none that the encoder learned from: its distances
            on those are too good to be true.
        data: what they are of, for the card.
        answers: about pairs of them by their ids, given by people or certain (`UnlabelledPictures.apart`).
        rendered: whether nobody in them exists.
        data_fingerprint: of the data set that they are of, where they are of one.
        false_accepts: share of the people who are not in a gallery that may be given an entry, above 0 and below 1.
        gallery_size: entries for which that is to hold; None: as many as the pictures.
        seed: of what is drawn at random.

    Raises:
        NotCalibrated: too few people are found by two cameras.
        UsageError: the encoder gives no embedding, or an argument is out of range.

    Example:
        ::

            pictures = embed_pictures(encoder, samples)
            calibrate_unlabelled(encoder, pictures, data="our cameras").save("encoder.safetensors")
    """
    if encoder.card.embedding is None:
        raise UsageError(f"encoder {encoder.card.name} gives no embeddings: give another")
    names = [sample.camera for sample in pictures.samples]
    encoding = encoder.encode_embedding(encoder.normalise(pictures.raw, names))
    final = next((name for name in reversed(encoder.spec.names) if name.startswith("id")), None)
    vectors: dict[str, Vectors] = {EMBEDDING: np.asarray(encoding.embedding, np.float32)}
    if final is not None:
        vectors[final] = encoding.codes[final]
    known = pictures.known(answers)
    found = fit_unlabelled(
        pictures.embeddings,
        pictures.cameras,
        vectors,
        tracks=pictures.tracks,
        known=known,
        false_accepts=false_accepts,
        gallery=gallery_size,
        seed=seed,
    )
    cascade = final or EMBEDDING
    calibration = Calibration(
        cascade=cascade,
        method=UNLABELLED,
        beta=None,
        default_cascade=cascade,
        data=f"{data}, without labels",
        data_fingerprint=data_fingerprint,
        rendered=rendered,
        persons=found[EMBEDDING].same_person.persons,
        pictures=len(pictures.samples),
        details={
            "known_apart": len(known.apart),
            "known_together": len(known.together),
            **{code: _details(each) for code, each in found.items()},
        },
        recall_note="it takes labelled people",
        same_person=found[final].same_person if final is not None else None,
        same_person_embedding=found[EMBEDDING].same_person,
    )
    return calibrated(encoder, calibration)


def _details(found: UnlabelledThreshold) -> dict[str, object]:
    return {"resampled": list(found.resampled), "apart": found.apart, "together": found.together}
