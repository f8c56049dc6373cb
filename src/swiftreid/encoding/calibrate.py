"""An encoder and held-out people: how accurate its attributes are, and the calibration on its card."""

from __future__ import annotations

import numpy as np

from swiftreid.calibration.calibration import Calibration
from swiftreid.data.samples import Split
from swiftreid.data.schemas import attribute_bits, schema_of, unusable
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScore, score_bits
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.search.codes import unpack_bits


def attribute_accuracy(encoder: Encoder, people: LabelledCodes, samples: Split) -> list[AttributeScore]:
    """The accuracy of an encoder's attributes on people with known attributes.

    Only attributes that both the encoder and these people have are scored.

    Args:
        encoder: it, or one with its codes, encoded the people.
        people: their codes and embeddings, and their paths.
        samples: among which these paths are.

    Returns:
        In the order of the encoder's attributes; empty where it has none, or none of theirs is known, or they are not
        as a schema has them (`swiftreid.data.schemas.unusable`).
    """
    names, schema = encoder.card.attributes, schema_of(samples)
    if not names or schema is None or not people.paths or unusable(samples):
        return []
    sample_of = {sample.path: sample for sample in samples}
    bits, known = attribute_bits([sample_of[path] for path in people.paths], schema)
    code = f"attr{len(names)}"
    bits_found = unpack_bits(people.codes[code], len(names)).astype(np.bool_)
    logits = None if people.embedding is None else encoder.values_of(people.embedding)[code]
    return score_bits(names, bits_found, logits, np.where(known, bits, np.nan), schema.names)


def calibrated(encoder: Encoder, calibration: Calibration) -> Encoder:
    """The same encoder, its fingerprint unchanged, with this calibration on its card and bound to it.

    Raises:
        UsageError: the calibration is bound to another encoder; its distances are different.
    """
    if calibration.encoder not in ("", encoder.fingerprint):
        raise UsageError(
            f"this calibration is for the encoder {calibration.encoder[:12]}; the distances of {encoder.card.name} "
            f"({encoder.card.short_fingerprint}) mean something else: calibrate it on held-out people"
        )
    bound = calibration.model_copy(update={"encoder": encoder.fingerprint})
    return encoder.with_card(encoder.card.model_copy(update={"calibration": bound}))
