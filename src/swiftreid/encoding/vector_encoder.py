"""Codes of float vectors that another program made: no picture and no network is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Tensors
from swiftreid.encoding.checks import architecture_of, check_finite, float_tensor, refuse
from swiftreid.encoding.crops import Colour, Inputs
from swiftreid.encoding.hyperplanes import DEFAULT_SPEC, RandomHyperplanes
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.vectors import Vectors
from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec

_DEFAULTS = RunOptions()


class _Architecture(BaseModel):
    dimension: int = Field(ge=2, le=1 << 20)
    seed: int = Field(ge=0)
    unit: bool


class VectorEncoder(Encoder):
    """Random-hyperplane codes of float vectors, until `swiftreid hash` learns better ones.

    Tensors: ``mean`` float32 [d], which is subtracted before the hyperplanes are applied.
    """

    kind = "vectors"

    def __init__(self, card: EncoderCard, tensors: Tensors, options: RunOptions = _DEFAULTS) -> None:
        super().__init__(card, tensors, options)
        self._architecture = architecture_of(card, _Architecture)
        dimension = self._architecture.dimension
        if card.preprocessing is not None or card.embedding != dimension:
            raise refuse(card, f"it takes vectors of {dimension} numbers, and states {card.embedding} or pictures")
        self._mean = float_tensor(card, tensors, "mean", (dimension,))
        self._planes = RandomHyperplanes(dimension, self.spec, seed=self._architecture.seed)

    def _inputs(self, crops: Inputs, colour: Colour) -> NDArray[Any]:
        dimension = self._architecture.dimension
        vectors = np.asarray(crops)
        if not vectors.size and vectors.ndim < 2:
            return np.zeros((0, dimension), np.float32)
        if vectors.dtype.kind != "f" or vectors.ndim != 2 or vectors.shape[1] != dimension:
            raise UsageError(
                f"encoder {self.card.name} takes float vectors [n, {dimension}], got {vectors.dtype} {vectors.shape}: "
                "give it vectors of the network that it was made for, one a row"
            )
        check_finite(vectors)
        return vectors.astype(np.float32, copy=False)

    def _embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        if not self._architecture.unit:
            return inputs
        unit: NDArray[np.float32] = inputs / np.maximum(
            np.linalg.norm(inputs, axis=1, keepdims=True), np.float32(1e-12)
        )
        return unit

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return self._planes.values(embedding - self._mean)


def vector_encoder(
    vectors: NDArray[np.floating[Any]] | Vectors,
    *,
    name: str,
    spec: str | CodeSpec = DEFAULT_SPEC,
    seed: int = 0,
    unit: bool = True,
    provenance: str = "not stated",
    licence: str = "not stated",
) -> VectorEncoder:
    """An encoder of float vectors, with random-hyperplane codes around their mean; no labels are needed.

    The angle between two vectors decides how many bits differ. `swiftreid.training.frozen.hashing.learn_vectors`
    learns better codes if the persons of the vectors are known.

    Args:
        vectors: some of those that will be encoded, float [n, d] or `Vectors`; a few hundred show their mean.
        name: on the card.
        spec: names and lengths of the codes.
        seed: of the hyperplanes.
        unit: whether vectors are compared by their angle (scaled to length 1 first), as embeddings of re-identification
            usually are.
        provenance: what made the vectors.
        licence: of the result.

    Raises:
        UsageError: the vectors are not float [n, d] with d of at least 2, or hold numbers that are not finite.

    Example:
        >>> import numpy as np
        >>> vectors = np.random.default_rng(0).standard_normal((100, 512)).astype(np.float32)
        >>> encoder = vector_encoder(vectors, name="mine")
        >>> encoder.encode(vectors).codes["id128"].shape
        (100, 16)
    """
    vectors = vectors.vectors if isinstance(vectors, Vectors) else np.asarray(vectors)
    if vectors.dtype.kind != "f" or vectors.ndim != 2 or not len(vectors) or vectors.shape[1] < 2:
        raise UsageError(f"vectors are a float array [n, d], not {vectors.dtype} {vectors.shape}")
    dimension = vectors.shape[1]
    spec = spec if isinstance(spec, CodeSpec) else CodeSpec.parse(spec)
    card = EncoderCard(
        kind=VectorEncoder.kind,
        name=name,
        architecture={"dimension": dimension, "seed": seed, "unit": unit},
        spec=str(spec),
        embedding=dimension,
        preprocessing=None,
        provenance=provenance,
        licence=licence,
    )
    plain = VectorEncoder(card, {"mean": np.zeros(dimension, np.float32)})
    embedding = plain.encode(vectors).embedding
    assert embedding is not None
    return VectorEncoder(card, {"mean": embedding.mean(axis=0, dtype=np.float64).astype(np.float32)})
