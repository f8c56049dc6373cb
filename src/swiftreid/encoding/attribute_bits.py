"""Attribute bits from embeddings, in NumPy: one linear layer, learned by `swiftreid train` or `swiftreid hash`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits
from swiftreid.search.description import SURELY

SURE: Final = 0.9
"""Probability above which an attribute's second bit is set."""


class AttributeBits:
    """Bit i says that attribute i is more likely than not (SSR paper, Eq. 5): its logit is above 0.

    Args:
        tensors: ``weight`` [a, d] and ``bias`` [a]; matrices may be float16.

    Raises:
        UsageError: an array is missing, has the wrong shape or holds a number that is not finite.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        if set(tensors) != {"weight", "bias"}:
            raise UsageError(f"the attribute layer has a weight and a bias, not {', '.join(sorted(tensors)) or '-'}")
        if any(value.dtype.kind != "f" for value in tensors.values()):
            raise UsageError("the attribute layer must be float32 or float16")
        self._weight, self._bias = (np.ascontiguousarray(tensors[name], np.float32) for name in ("weight", "bias"))
        shapes = self._weight.shape, self._bias.shape
        if self._weight.ndim != 2 or not len(self._bias) or shapes[1] != shapes[0][:1]:
            raise UsageError(f"the attribute layer has a weight [a, d] and a bias [a], not the shapes {shapes}")
        if not (np.isfinite(self._weight).all() and np.isfinite(self._bias).all()):
            raise UsageError("the attribute layer contains a number that is not finite")
        self.code = f"attr{len(self._bias)}"
        """Name of the code."""
        self.width = int(self._weight.shape[1])
        """Length of the embeddings taken."""

    def values(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits, float32 [n, a].

        Raises:
            UsageError: the embeddings have another shape than [n, d].
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self._weight.shape[1]:
            raise UsageError(
                f"the attribute layer takes embeddings of {self._weight.shape[1]} numbers, not {embeddings.shape}"
            )
        logits: NDArray[np.float32] = embeddings @ self._weight.T + self._bias
        return logits

    def __call__(self, embeddings: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
        """Packed bits by the code's name, uint8 [n, row bytes]."""
        return {self.code: pack_bits(self.values(embeddings))}


def with_second_bits(
    layer: Mapping[str, NDArray[np.float32]], names: Sequence[str]
) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """The layer and the names of its bits with a second bit for each, which is set where the attribute is sure.

    One bit puts all who probably have an attribute on a level. With two, a search by description finds those first
    who surely have it, and attributes tell people apart better. It is the same logit, less that of `SURE`.
    """
    weight, bias = layer["weight"], layer["bias"]
    doubt = np.float32(np.log(SURE / (1 - SURE)))
    both = {"weight": np.concatenate([weight, weight]), "bias": np.concatenate([bias, bias - doubt])}
    return both, [*names, *(SURELY + name for name in names)]
