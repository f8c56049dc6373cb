"""The pyramid's inference in NumPy: float embeddings to packed codes, without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.checks import check_finite
from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, pack_bits

_WEIGHT = re.compile(r"pyramid\.([1-9]\d*)\.weight")

_CHAINED, _SIGNS = "input.chained", "input.signs"

ROWS = 4096
"""Embeddings multiplied at a time: bounds the memory that 2048 features a row need."""


class PyramidCodes:
    """Codes from embeddings with a fitted pyramid's arrays (`swiftreid.training.frozen.pyramid.FittedPyramid.tensors`).

    The standardisation of the embedding is folded into the first level, every BN into a scale and a shift. The
    arrays, float32 (matrices may be float16, and are computed with in float32):

    - ``input.unit`` [1]: 1 when embeddings are divided by their Euclidean norm first, else 0.
    - ``input.chained`` [1]: 0 where each length is made from the embedding itself; 1, or left out, for the pyramid.
    - ``input.signs`` [1]: where there, the longest code is the sign of the embedding itself, which has so many numbers.
    - ``pyramid.L.weight`` [L, m], ``pyramid.L.bias`` [L] for each length L: ``v_k = W v_{k-1} + b``.
    - ``pyramid.L.scale`` [L], ``pyramid.L.shift`` [L]: the bit is 1 where ``scale * v_k + shift > 0``.

    Args:
        tensors: the arrays above by name.

    Raises:
        UsageError: an array is missing, has the wrong shape or holds a number that is not finite.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        for name, value in tensors.items():
            if value.dtype.kind != "f":
                raise UsageError(f"the array {name!r} of this pyramid is {value.dtype}, not float32 or float16")
        self._tensors = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
        weights = [match for match in map(_WEIGHT.fullmatch, tensors) if match]
        self._signs = int(self._number(_SIGNS)) if _SIGNS in tensors else 0
        self._learned = tuple(sorted((int(match[1]) for match in weights), reverse=True))
        self.lengths = (self._signs, *self._learned) if self._signs else self._learned
        """Code lengths in bits, longest first."""
        self.spec = CodeSpec(tuple(f"id{length}" for length in reversed(self.lengths)))
        """Code names, shortest first."""
        self.embedding_length = self._check()
        """Length of the embeddings taken."""

    def values(self, embeddings: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Real values behind the bits, float32 [n, length], longest first.

        Args:
            embeddings: float [n, d].

        Raises:
            UsageError: the embeddings have another shape than [n, d] or hold a number that is not finite.
        """
        embeddings = np.asarray(embeddings, dtype=np.float32)
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embedding_length:
            raise UsageError(
                f"this pyramid takes embeddings of {self.embedding_length} numbers, got shape {embeddings.shape}: "
                "use the network that it was trained on"
            )
        check_finite(embeddings, "embedding")
        t = self._tensors
        source = embeddings
        if t["input.unit"][0]:
            source = source / np.maximum(np.linalg.norm(source, axis=1, keepdims=True), 1e-12)
        values: list[NDArray[np.float32]] = [source] if self._signs else []
        for length in self._learned:
            value = source @ t[f"pyramid.{length}.weight"].T + t[f"pyramid.{length}.bias"]
            values.append(value * t[f"pyramid.{length}.scale"] + t[f"pyramid.{length}.shift"])
            source = value if self._chained else source
        return values

    def __call__(self, embeddings: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
        """Packed codes by name, shortest first, uint8 [n, row bytes].

        Args:
            embeddings: float [n, d].

        Raises:
            UsageError: as for `values`.
        """
        embeddings = np.asarray(embeddings, dtype=np.float32)
        parts: list[list[NDArray[np.uint8]]] = [[] for _ in self.lengths]
        for start in range(0, max(1, len(embeddings)), ROWS):
            for part, value in zip(parts, self.values(embeddings[start : start + ROWS]), strict=True):
                part.append(pack_bits(value))
        codes = {f"id{n}": np.concatenate(part) for n, part in zip(self.lengths, parts, strict=True)}
        return {name: codes[name] for name in self.spec}

    def _check(self) -> int:
        """Check names, shapes and values of the arrays; return the embedding's length."""
        t = self._tensors
        if not self.lengths:
            raise UsageError("these arrays are not a pyramid: none is named 'pyramid.LENGTH.weight'")
        expected = {"input.unit"} | ({_CHAINED, _SIGNS} & set(t))
        for name in expected:
            self._number(name)
        self._chained = bool(t.get(_CHAINED, np.ones(1))[0])
        width: int | None = self._signs or None
        for rows in self._learned:
            layer = f"pyramid.{rows}"
            weight = self._array(f"{layer}.weight", 2)
            if weight.shape != (rows, weight.shape[1] if width is None else width):
                raise UsageError(f"{layer}.weight has shape {weight.shape}, expected ({rows}, {width})")
            width = rows if self._chained else weight.shape[1]
            ends = ("bias", "scale", "shift")
            for end in ends:
                if self._array(f"{layer}.{end}", 1).shape != (rows,):
                    raise UsageError(f"{layer}.{end} has shape {t[f'{layer}.{end}'].shape}, expected ({rows},)")
            expected |= {f"{layer}.{end}" for end in ("weight", *ends)}
        if set(t) != expected:
            raise UsageError(f"these arrays do not belong to a pyramid: {' '.join(sorted(set(t) - expected))}")
        return self._signs or int(t[f"pyramid.{self.lengths[0]}.weight"].shape[1])

    def _number(self, name: str) -> float:
        """The one number of an array."""
        if self._array(name, 1).shape != (1,):
            raise UsageError(f"{name} has shape {self._tensors[name].shape}, expected (1,)")
        return float(self._tensors[name][0])

    def _array(self, name: str, rank: int) -> NDArray[np.float32]:
        """One array, present, of the given rank, and finite."""
        if name not in self._tensors:
            raise UsageError(f"this pyramid lacks the array {name!r}: the file is damaged or of another kind")
        array = self._tensors[name]
        if array.ndim != rank or not np.isfinite(array).all():
            raise UsageError(
                f"the array {name!r} of this pyramid has shape {array.shape} or numbers that are not finite"
            )
        return array
