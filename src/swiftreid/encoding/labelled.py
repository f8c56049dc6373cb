"""Encode the samples of a data set, keeping who and where beside the codes."""

from __future__ import annotations

from swiftreid.data.samples import Split, cameras_of, persons_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.stream import OnBad, Progress, encode_all
from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.benchmark import LabelledCodes


def encode_samples(
    encoder: Encoder, samples: Split, *, on_bad: OnBad | None = None, progress: Progress | None = None
) -> LabelledCodes:
    """Codes, persons and cameras of every sample that can be read; the others go to ``on_bad``.

    Raises:
        SwiftReIDError: no sample could be read.
    """
    kept, encoding = encode_all(encoder, [sample.path for sample in samples], on_bad=on_bad, progress=progress)
    if not len(kept):
        raise SwiftReIDError(
            f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data folder"
        )
    return LabelledCodes(encoding.codes, persons_of(samples)[kept], cameras_of(samples)[kept], encoding.embedding)
