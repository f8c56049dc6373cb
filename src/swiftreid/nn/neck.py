"""The BN neck: a batch normalisation without bias between the feature of metric losses and the classifier."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class BatchNormNeck(nn.BatchNorm1d):
    """BN over features [n, channels] whose bias stays 0 (Luo et al., 'Bag of Tricks', 2019, section 3.5).

    Without a bias the features lie about the origin, where cosine distance and a classifier without bias see them
    alike. The scale is learned. Entries are named as those of any BN, so that public files load; a bias that a file has
    is not taken.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.bias.requires_grad_(False)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        with torch.no_grad():
            self.bias.zero_()
