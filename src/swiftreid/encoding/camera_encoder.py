"""An encoder that takes out of every embedding what is its camera's: another encoder, and statistics of cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from swiftreid.encoding.abstract import Cameras, Encoder
from swiftreid.encoding.camera_statistics import CameraStatistics
from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.checks import architecture_of, float_tensor, refuse
from swiftreid.encoding.composed import essentials
from swiftreid.encoding.crops import Colour, Inputs
from swiftreid.encoding.headed_file import without_prefix
from swiftreid.encoding.kinds import build_encoder
from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions
from swiftreid.errors import UsageError

_BASE, _CAMERAS = "base.", "cameras."
_BELOW = "; all else ("
_DEFAULTS = RunOptions()


class _Architecture(BaseModel):
    base: EncoderCard
    cameras: list[str] = Field(min_length=2, max_length=10_000)
    pictures: list[int]
    data_fingerprint: str


class CameraEncoder(Encoder):
    """Composes an encoder and `CameraStatistics` in one file: codes are of embeddings without what is the cameras'.

    Tensors: those of the base under ``base.``; ``cameras.means`` float32 [c, d], ``cameras.centre`` float32 [d] and, if
    covariances are moved, ``cameras.maps`` float32 [c, d, d].
    """

    kind = "cameras"

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        super().__init__(card, tensors, options)
        stated = architecture_of(card, _Architecture)
        named = stated.base.model_copy(update={"name": card.name})  # messages name the encoder that users know
        self._inner = build_encoder(named, without_prefix(_BASE, tensors), options)
        self._cameras_from = stated.data_fingerprint
        length, count = card.embedding or 0, len(stated.cameras)
        if (card.embedding, card.spec, card.attributes, card.preprocessing) != (
            stated.base.embedding,
            stated.base.spec,
            stated.base.attributes,
            stated.base.preprocessing,
        ):
            raise refuse(card, "card and base do not fit: their codes, embeddings or pictures differ")
        if len(set(stated.cameras)) < count or len(stated.pictures) != count:
            raise refuse(card, f"it has {count} cameras, which are not all different or not all counted")
        maps = f"{_CAMERAS}maps"
        self.statistics = CameraStatistics(
            tuple(stated.cameras),
            tuple(stated.pictures),
            float_tensor(card, tensors, f"{_CAMERAS}means", (count, length)),
            float_tensor(card, tensors, f"{_CAMERAS}centre", (length,)),
            float_tensor(card, tensors, maps, (count, length, length)) if maps in tensors else None,
        )

    @property
    def network(self) -> NetworkFile | None:
        """The network below."""
        return self._inner.network

    @property
    def cameras_from(self) -> str:
        """Fingerprint of the data set that its cameras are of: another's cameras of the same names are others."""
        return self._cameras_from

    @property
    def base(self) -> Encoder:
        """What gives the embedding, with what is the cameras' still in it."""
        return self._inner.base

    @property
    def knows_cameras(self) -> frozenset[str]:
        """Cameras of which it has statistics."""
        return frozenset(self.statistics.cameras)

    @property
    def pyramid(self) -> dict[str, NDArray[Any]]:
        """As the encoder below has it."""
        return self._inner.pyramid

    @property
    def attribute_layer(self) -> dict[str, NDArray[Any]]:
        """As the encoder below has it."""
        return self._inner.attribute_layer

    def normalise(self, embedding: NDArray[np.float32], cameras: Cameras | None) -> NDArray[np.float32]:
        """Without what is the cameras'; as it is where the camera is not known."""
        return embedding if cameras is None else self.statistics.normalise(embedding, cameras)

    def _inputs(self, crops: Inputs, colour: Colour) -> NDArray[Any]:
        return self._inner._inputs(crops, colour)

    def _embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        return self._inner._embed(inputs)

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._inner._values(embedding)


def with_cameras(
    encoder: Encoder, statistics: CameraStatistics, *, name: str, provenance: str, data_fingerprint: str = ""
) -> CameraEncoder:
    """Put statistics of cameras on an encoder, in place of those that it has.

    The calibration is left out: distances across cameras are others now.

    Args:
        encoder: gives an embedding.
        statistics: fitted on embeddings of ``encoder.base``.
        name: on the card.
        provenance: of the pictures that they were fitted on.
        data_fingerprint: of the data set that these are of, where they are of one.

    Raises:
        UsageError: the encoder gives no embedding, or one of another length.
    """
    inner = encoder._inner if isinstance(encoder, CameraEncoder) else encoder
    if inner.card.embedding != statistics.means.shape[1]:
        raise UsageError(
            f"encoder {encoder.card.name} gives embeddings of {inner.card.embedding} numbers, the statistics have "
            f"{statistics.means.shape[1]}"
        )
    arrays = {"means": statistics.means, "centre": statistics.centre}
    arrays |= {} if statistics.maps is None else {"maps": statistics.maps}
    # What is known of the encoder below is on the card above: `essentials` leaves it out there.
    about, below = encoder.card, f"{encoder.card.name}): {encoder.card.provenance}"
    if isinstance(encoder, CameraEncoder):
        below = about.provenance.partition(_BELOW)[2]
    card = about.model_copy(
        update={
            "kind": CameraEncoder.kind,
            "name": name,
            "architecture": {
                "base": essentials(inner.card),
                "cameras": list(statistics.cameras),
                "pictures": list(statistics.pictures),
                "data_fingerprint": data_fingerprint,
            },
            "calibration": None,
            "metrics": [],
            "provenance": f"cameras: {provenance}{_BELOW}{below}",
            "fingerprint": "",
        }
    )
    tensors = {f"{_BASE}{key}": value for key, value in inner.tensors.items()}
    return CameraEncoder(card, tensors | {f"{_CAMERAS}{key}": value for key, value in arrays.items()}, inner.options)
