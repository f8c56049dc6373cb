"""Pseudo pairs as labels: surrogate classes, their vectors, and the pictures whose gradients agree.

Wu et al., 'Pseudo-Pair Based Self-Similarity Learning for Unsupervised Person Re-Identification', TIP 2022, section
III-A and III-B; the method is `swiftreid.methods.self_similarity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swiftreid.data.pictures import resize
from swiftreid.errors import SwiftReIDError
from swiftreid.methods.self_similarity import SelfSimilarityConfig
from swiftreid.progress import Progress, no_progress
from swiftreid.training.pictures import TrainingPictures
from swiftreid.training.targets.k_means import k_means, means_by
from swiftreid.training.targets.mutual_pairs import Gradients, kept_labels, mutual_groups
from swiftreid.training.targets.patch_colours import PATCHES, SIZE, patch_colours
from swiftreid.training.targets.targets import Embed, EpochLabels, Reading, Targets, TargetsPlan

_AT_A_TIME: Final = 4_000_000  # scores in memory at a time
_DECODED: Final = 256  # pictures in memory at a time, where they are not kept


class PseudoPairs(Targets):
    """Surrogate classes and pseudo labels of all pictures, made again at every epoch; persons are not looked at.

    Surrogate classes group patches by colour, once; a picture is of the classes of its four patches. Their vectors v_c
    are the mean features of their pictures. With ``surrogates: features`` they are clusters of the features instead,
    found again at every epoch. The similarity d_st of two pictures is the cosine of the gradients of L_C (Eq. 3), by
    the network as it is now; pairs above the threshold share a pseudo label (`mutual_groups`), which lasts as long as
    the pair. All pictures are learned from; those without a pair are a group of their own in batches.

    **Decisions**: v_c in RGB cannot enter ``x^T W v_c``, so colours say only which patches belong together, and v_c is
    of the network from the first epoch on. A picture has the classes of all its patches in equal shares. Features are
    centred first (``centring``): before the first epoch the network's BN has seen nothing, and all its features point
    the same way.

    Args:
        plan: its ``config`` is of the method; None takes the defaults.
    """

    labelled: ClassVar[bool] = False

    def __init__(self, plan: TargetsPlan) -> None:
        super().__init__(plan)
        self.config = plan.config if isinstance(plan.config, SelfSimilarityConfig) else SelfSimilarityConfig()
        self.outputs = max(2, len(plan.samples) // 2)  # groups of two or more
        self._progress: Progress = no_progress
        self._patch_classes: NDArray[np.int64] | None = None
        self._labels: NDArray[np.int64] | None = None

    def read(self, reading: Reading) -> TrainingPictures:
        """As for `Targets.read`."""
        self._progress = reading.progress
        return super().read(reading)

    def labels(self, epoch: int, embed: Embed) -> EpochLabels:
        """Pseudo labels and surrogate classes; values are the columns of `swiftreid.methods.self_similarity`."""
        assert self.pictures is not None, "read comes first"
        x = _centred(embed(), self.pictures.cameras, self.config.centring)
        if self.config.surrogates == "features":
            rng = np.random.default_rng([self.plan.seed, 5, epoch])
            classes = k_means(x, self.config.surrogate_classes, rng)[0][:, None]
        else:
            classes = self._classes_of_patches()
        count = int(classes.max()) + 1
        centres = means_by(x, classes, count)
        weight = embed.weights()["similarity"].numpy()
        gradients = _gradients(x, weight, centres, classes)
        groups = mutual_groups(gradients, self.pictures.cameras, self.config.threshold)
        labels = groups if self._labels is None else kept_labels(groups, self._labels, self.outputs)
        self._labels = labels
        rows = np.arange(len(x))
        views = self.pictures.cameras if len(np.unique(self.pictures.cameras)) > 1 else rows
        values = np.concatenate([np.stack([labels, views, rows], axis=1), classes], axis=1)
        return EpochLabels(
            rows,
            np.where(labels >= 0, labels, self.outputs + rows),
            torch.from_numpy(values),
            int(groups.max(initial=-1)) + 1,
            {"centres": torch.from_numpy(centres), "epoch": torch.tensor(epoch)},
        )

    def state(self) -> Mapping[str, Tensor]:
        """The classes of patches, and the labels of the epoch under way."""
        kept = {"patch_classes": self._patch_classes, "labels": self._labels}
        return {name: torch.from_numpy(value) for name, value in kept.items() if value is not None}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave.

        Raises:
            SwiftReIDError: it is of other targets, or of other pictures.
        """
        assert self.pictures is not None, "read comes first"
        if unknown := sorted({*state} - {"patch_classes", "labels"}):
            raise SwiftReIDError(f"the checkpoint is of other targets, with a state ({', '.join(unknown)})")
        for name, value in state.items():
            if len(value) != len(self.pictures):
                raise SwiftReIDError(
                    f"the checkpoint's targets are of {len(value)} pictures, now {len(self.pictures)} can be read: "
                    "make the same pictures readable, or start a new run"
                )
            setattr(self, f"_{name}", value.numpy())

    def _classes_of_patches(self) -> NDArray[np.int64]:
        """Surrogate class of each of a picture's patches, int64 [n, 4]."""
        assert self.pictures is not None
        if self._patch_classes is None:
            colours, n = [], len(self.pictures)
            for start in range(0, n, _DECODED):
                places = np.arange(start, min(start + _DECODED, n))
                for place, picture in zip(places.tolist(), self.pictures.read(places), strict=True):
                    rng = np.random.default_rng([self.plan.seed, 4, place])
                    colours.append(patch_colours(resize(picture, *SIZE), self.config.transforms, rng))
                self._progress("colours of patches", int(places[-1]) + 1, n)
            rng = np.random.default_rng([self.plan.seed, 5])
            classes, _ = k_means(np.concatenate(colours), self.config.surrogate_classes, rng)
            self._patch_classes = classes.reshape(-1, PATCHES)
        return self._patch_classes


def _centred(embeddings: NDArray[np.float32], cameras: NDArray[np.int64], centring: str) -> NDArray[np.float32]:
    """Features less a mean, then divided by their norm."""
    if centring == "cameras":
        names, own = np.unique(cameras, return_inverse=True)
        embeddings = embeddings - means_by(embeddings, own, len(names))[own]
    elif centring == "all":
        embeddings = embeddings - embeddings.mean(axis=0)
    return _unit(embeddings)


def _gradients(
    x: NDArray[np.float32], weight: NDArray[np.float32], centres: NDArray[np.float32], classes: NDArray[np.int64]
) -> Gradients:
    """The factors of each picture's gradient of L_C by W, as `gradient_factors` has them, in bounded memory."""
    u = np.empty((len(x), centres.shape[1]), np.float32)
    turned, step = weight @ centres.T, max(1, _AT_A_TIME // len(centres))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        scores = x[part] @ turned
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        u[part] = p @ centres - centres[classes[part]].mean(axis=1)
    return Gradients(_unit(x), _unit(u))


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit
