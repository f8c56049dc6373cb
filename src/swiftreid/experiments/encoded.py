"""A data set's queries and gallery, encoded: what figures and measurements beside the result card start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from swiftreid.data.samples import ReidData
from swiftreid.encoding.cache import EncodingCache
from swiftreid.encoding.encoder import DEFAULT, Encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.encoding.stream import OnBad
from swiftreid.evaluation.labelled import LabelledCodes, own_pictures
from swiftreid.evaluation.protocol import Protocol
from swiftreid.experiments.inputs import Data, EncoderSource, data_set, encoder_of
from swiftreid.experiments.places import cameras_of
from swiftreid.experiments.unreadable import Unreadable
from swiftreid.figures.cards import about
from swiftreid.progress import Progress, no_progress


@dataclass(frozen=True)
class EncodedData:
    """A data set's queries and gallery, encoded.

    Attributes:
        data: as it was read.
        encoder: what encoded it.
        query: the queries.
        gallery: the entries.
        protocol: how rankings are evaluated.
        unreadable: pictures that could not be read, and takes those met later.
    """

    data: ReidData
    encoder: Encoder
    query: LabelledCodes
    gallery: LabelledCodes
    protocol: Protocol
    unreadable: Unreadable = field(default_factory=Unreadable)

    @property
    def about(self) -> list[str]:
        """Data set, protocol and encoder in words."""
        line = about(
            self.data.name,
            queries=len(self.query),
            gallery=len(self.gallery),
            cross_camera=self.protocol.cross_camera,
        )
        return [line, f"encoder {self.encoder.card.name}"]

    def as_dict(self) -> dict[str, Any]:
        """What was measured on, as plain values for JSON."""
        return {
            "data": self.data.name,
            "encoder": self.encoder.card.name,
            "queries": len(self.query),
            "gallery": len(self.gallery),
            "cross_camera": self.protocol.cross_camera,
            **self.unreadable.as_dict(),
        }


def encode_test_set(
    data: Data,
    encoder: EncoderSource = DEFAULT,
    *,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
    cache: EncodingCache | None = None,
) -> EncodedData:
    """Encode a data set's queries and gallery.

    Args:
        data: the data set, its folder or manifest, or the name of a published one.
        encoder: the encoder, its file, or the name of a shipped one.
        on_bad: takes each picture that cannot be read; without it there is one warning for all.
        progress: takes how far encoding is.
        cache: where encodings are kept; None for the user's own.

    Raises:
        SwiftReIDError: the data set or the encoder cannot be read.

    Example:
        >>> from swiftreid.experiments.encoded import encode_test_set
        >>> station = encode_test_set("examples/station", "stripes")
        >>> len(station.query)
        150
    """
    used, read = encoder_of(encoder), data_set(data)
    unreadable = Unreadable(on_bad)

    named = cameras_of(used, read)
    encoded = partial(encode_samples, used, on_bad=unreadable, progress=progress, cache=cache)
    query = encoded(read.query, cameras=named(read.query), task="encoding queries")
    # Without splits every picture is a query and an entry: once is enough.
    same = read.gallery == read.query
    gallery = query if same else encoded(read.gallery, cameras=named(read.gallery), task="encoding gallery")
    unreadable.warn()
    protocol = Protocol(cross_camera=read.cross_camera, self_positions=own_pictures(query, gallery))
    return EncodedData(read, used, query, gallery, protocol, unreadable)
