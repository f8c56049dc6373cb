"""Embeddings by a network while it is still a network: for evaluation on held-out people, targets and the export."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from swiftreid.methods.method import Method
from swiftreid.progress import Progress, no_progress
from swiftreid.training.network.augmentation import floats, normalised
from swiftreid.training.pictures import TrainingPictures

DECODED: Final = 1024
"""Pictures decoded at a time."""


@torch.no_grad()
def embeddings_of(
    method: Method, pictures: NDArray[np.uint8], batch: int = 256, *, mirror: bool = False
) -> NDArray[np.float32]:
    """Embeddings of uint8 pictures [n, h, w, 3] as the method gives them in its present mode, float32 [n, d].

    With ``mirror`` each is the mean of the picture's and the mirrored picture's, which first have length 1 where the
    method's do.
    """
    device = next(method.parameters()).device

    def embedded(values: Tensor) -> Tensor:
        embedding = method.embed(values).float()
        return functional.normalize(embedding) if mirror and method.unit else embedding

    parts = []
    for start in range(0, len(pictures), batch):
        values = normalised(floats(torch.from_numpy(pictures[start : start + batch]).to(device)))
        embedding = embedded(values)
        if mirror:
            embedding = (embedding + embedded(values.flip(3))) / 2
        parts.append(embedding.cpu().numpy())
    return np.concatenate(parts)


def embed_pictures(
    method: Method, pictures: TrainingPictures, *, mirror: bool = False, progress: Progress = no_progress
) -> NDArray[np.float32]:
    """Embeddings of all pictures by the method in its present mode, float32 [n, d]; ``mirror`` as `embeddings_of`."""
    parts = []
    for start in range(0, len(pictures), DECODED):
        end = min(start + DECODED, len(pictures))
        parts.append(embeddings_of(method, pictures.read(np.arange(start, end)), mirror=mirror))
        progress("embedding training pictures", end, len(pictures))
    return np.concatenate(parts)
