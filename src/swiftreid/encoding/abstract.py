"""What every encoder does: uint8 pictures in, or float vectors, an encoding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.artefact import save_artefact
from swiftreid.encoding.card import EncoderCard, Tensors, fingerprint_of
from swiftreid.encoding.crops import Colour, Inputs, pictures_of
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.runtimes.blas import blas_threads
from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions
from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, pack_bits

Cameras = Sequence[str | None]
"""The camera of each picture; None where it is not known."""

_DEFAULTS = RunOptions()
_ROWS = 4096  # embeddings multiplied at a time: bounds the memory that thousands of numbers a row need


class Encoder(ABC):
    """Turns person crops into codes; made from a card and tensors, both of which its file holds.

    An encoder can be pickled, to send it to another process. It is not opened from pickles: its file is safetensors.
    Several threads may encode with one encoder at once.

    Args:
        card: what it is; a fingerprint that it lacks is filled in.
        tensors: by name.
        options: where it computes, and on how many processors.

    Raises:
        SwiftReIDError: the card or the tensors are not what this kind needs.
    """

    kind: ClassVar[str]

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        self.tensors = dict(tensors)
        self.card = card if card.fingerprint else card.model_copy(update={"fingerprint": fingerprint_of(card, tensors)})
        self.options = options
        """Where it computes, and on how many processors."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.card, self.tensors, self.options)

    @property
    def spec(self) -> CodeSpec:
        """Names and lengths of the codes, shortest first."""
        return self.card.code_spec

    @property
    def fingerprint(self) -> str:
        """Identity of the codes: equal fingerprints mean comparable codes."""
        return self.card.fingerprint

    @property
    def takes(self) -> Literal["pictures", "vectors"]:
        """What `encode` takes: pictures, or float vectors that another program made of them."""
        return "pictures" if self.card.preprocessing else "vectors"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that the encoder sees; `encode` scales others to it.

        Raises:
            UsageError: it takes vectors, no pictures.
        """
        if self.card.preprocessing is None:
            raise UsageError(f"encoder {self.card.name} takes float vectors, not pictures: give it vectors")
        return self.card.preprocessing.height, self.card.preprocessing.width

    @property
    def network(self) -> NetworkFile | None:
        """The network that gives the embedding, as its file; None where there is none."""
        return None

    @property
    def base(self) -> Encoder:
        """What gives the embedding: the encoder itself, or the one below learned codes."""
        return self

    @property
    def knows_cameras(self) -> frozenset[str]:
        """Cameras of which it has statistics (`swiftreid.encoding.camera_statistics`); of most encoders none."""
        return frozenset()

    @property
    def cameras_from(self) -> str:
        """Fingerprint of the data set whose cameras it knows; empty where they are of none."""
        return ""

    @property
    def pyramid(self) -> dict[str, NDArray[Any]]:
        """The arrays of learned codes (`swiftreid.encoding.pyramid.PyramidCodes`); empty where none are learned."""
        return {}

    @property
    def attribute_layer(self) -> dict[str, NDArray[Any]]:
        """The arrays of `swiftreid.encoding.attribute_bits.AttributeBits`; empty where it predicts none."""
        return {}

    def encode(self, crops: Inputs, colour: Colour = "rgb", cameras: Cameras | None = None) -> Encoding:
        """Encode crops of any size; they are scaled to `size` as picture files are.

        Args:
            crops: uint8 arrays [h, w, 3] in a list, or one array [n, h, w, 3]. No crops give an empty encoding. An
                encoder that takes vectors is given one float array [n, d] instead.
            colour: order of the channels: ``rgb``, or ``bgr`` as OpenCV has it.
            cameras: the camera of each, None where it is not known; for encoders that know cameras (`knows_cameras`),
                others take no notice. None if none is known.

        Raises:
            UsageError: a crop has another type or shape, or no pixels, or there are not as many cameras.
            SwiftReIDError: the encoder's runtime is not installed, or its network cannot be run.

        Example:
            >>> import numpy as np
            >>> from swiftreid import open_encoder
            >>> frame = np.zeros((480, 640, 3), np.uint8)  # as cv2.VideoCapture.read() gives it
            >>> crops = [frame[100:300, 50:130], frame[90:310, 400:500]]
            >>> encoding = open_encoder("stripes").encode(crops, colour="bgr")
            >>> encoding.codes["id128"].shape
            (2, 16)
        """
        inputs = self._inputs(crops, colour)
        if not len(inputs):
            empty = {code: np.zeros((0, width), np.uint8) for code, width in self.spec.row_bytes.items()}
            return Encoding(
                empty, None if self.card.embedding is None else np.zeros((0, self.card.embedding), np.float32)
            )
        with blas_threads(self.options.threads_per_network_call):
            embedding = self.normalise(self._embed(inputs), cameras)
            return Encoding(self._codes(embedding), None if self.card.embedding is None else embedding)

    def embed(self, crops: Inputs, colour: Colour = "rgb", cameras: Cameras | None = None) -> NDArray[np.float32]:
        """The embedding alone, float32 [n, d], of what `encode` takes; `encode_embedding` makes codes of it.

        Raises:
            UsageError: the encoder gives no embedding, or as `encode` raises.
            SwiftReIDError: as `encode` raises.
        """
        if self.card.embedding is None:
            raise UsageError(f"encoder {self.card.name} gives no float embedding")
        inputs = self._inputs(crops, colour)
        if not len(inputs):
            return np.zeros((0, self.card.embedding), np.float32)
        with blas_threads(self.options.threads_per_network_call):
            return self.normalise(self._embed(inputs), cameras)

    def normalise(self, embedding: NDArray[np.float32], cameras: Cameras | None) -> NDArray[np.float32]:
        """The embedding that codes are made of, from what `base` gives: without what is the cameras', if that is known.

        Args:
            embedding: float32 [n, d].
            cameras: of each, None where it is not known; None if none is.

        Raises:
            UsageError: there are not as many cameras as embeddings.
        """
        return embedding

    def encode_embedding(self, embedding: NDArray[np.float32]) -> Encoding:
        """The encoding of embeddings that `encode` gave, float32 [n, d]: the same codes again, without the pictures.

        Raises:
            UsageError: the encoder gives no embedding, or one of another length.
        """
        self._check_embedding(embedding)
        with blas_threads(self.options.threads_per_network_call):
            return Encoding(self._codes(embedding), embedding)

    def values_of(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The real values behind the bits of embeddings that `encode` gave: for each code float32 [n, bits].

        A bit is 1 where its value is above 0. Several pictures of one person are pooled by the mean of these, which
        gives another code than the majority of their bits.

        Args:
            embedding: float32 [n, d].

        Raises:
            UsageError: the encoder gives no embedding, or one of another length.
        """
        self._check_embedding(embedding)
        with blas_threads(self.options.threads_per_network_call):
            return self._values(embedding)

    def with_card(self, card: EncoderCard) -> Encoder:
        """The same encoder with another card, such as one that holds a calibration."""
        return type(self)(card, self.tensors, self.options)

    def save(self, path: Path | str) -> None:
        """Write the encoder to one safetensors file, atomically."""
        save_artefact(Path(path), self.card, self.tensors)

    def _inputs(self, crops: Inputs, colour: Colour) -> NDArray[Any]:
        """What `encode` was given, checked, and scaled where it is pictures."""
        return pictures_of(crops, *self.size, colour)

    def _check_embedding(self, embedding: NDArray[np.float32]) -> None:
        if embedding.ndim != 2 or embedding.shape[1] != self.card.embedding:
            raise UsageError(
                f"encoder {self.card.name} gives embeddings [n, {self.card.embedding}], got shape {embedding.shape}"
            )

    def _codes(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
        parts: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in self.spec}
        for start in range(0, max(1, len(embedding)), _ROWS):
            for name, values in self._values(embedding[start : start + _ROWS]).items():
                parts[name].append(pack_bits(values))
        return {name: np.concatenate(part) for name, part in parts.items()}

    @abstractmethod
    def _embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings, float32 [n, d], of at least one input that was checked."""

    @abstractmethod
    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The values behind the bits of embeddings whose shape was checked, by the codes of `spec`, in its order."""
