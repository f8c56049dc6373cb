"""An encoding: what an encoder makes of n pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Encoding:
    """Packed codes by name, uint8 [n, row bytes], and optionally the float embedding, float32 [n, d].

    Attribute bits are a code like any other, named ``attrN``.
    """

    codes: Mapping[str, NDArray[np.uint8]]
    embedding: NDArray[np.float32] | None = None
