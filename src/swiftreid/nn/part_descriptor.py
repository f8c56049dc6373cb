"""Seven vectors of one map: six stripes, and the whole map behind attention."""

from __future__ import annotations

from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.nn.attention import AttributeAttention
from swiftreid.nn.pooling import Pooling, make_pooling
from swiftreid.nn.pyramid import check_length
from swiftreid.nn.stripes import check_parts, stripes


def shares(bits: int, parts: int) -> tuple[int, int]:
    """Bits of each stripe's vector and of the global one, which has twice as many (SSR paper, section 7.1.3).

    Raises:
        UsageError: the bits cannot be shared out so.

    Example:
        >>> [shares(bits, 6) for bits in (2048, 512, 256, 128)]
        [(256, 512), (64, 128), (32, 64), (16, 32)]
    """
    check_parts(parts)
    check_length("bits", bits)
    local, left = divmod(bits, parts + 2)
    if left or local < 1:
        raise UsageError(f"bits must be a multiple of {parts + 2} (parts + 2), got {bits}")
    return local, 2 * local


class PartDescriptor(nn.Module):
    """Stripes and the whole map, each pooled, reduced to its share of the bits and normalised (SSR paper, section 4.1).

    Args:
        channels: of the map.
        bits: numbers in all vectors together.
        parts: stripes.
        attention: whether the global vector is of the map refined by `AttributeAttention`.
        norm: whether vectors pass a BN.
        pooling: of each stripe and of the whole map.

    Raises:
        UsageError: as for `shares`.
    """

    def __init__(
        self,
        channels: int,
        bits: int,
        *,
        parts: int = 6,
        attention: bool = True,
        norm: bool = True,
        pooling: Pooling = "average",
    ) -> None:
        super().__init__()
        local, whole = shares(bits, parts)
        self.parts = parts
        self.lengths = (*[local] * parts, whole)
        """Lengths of the vectors, the global one last."""
        self.pooling = make_pooling(pooling)
        self.attention = AttributeAttention(channels) if attention else None
        # The paper's 1x1 convolutions; of pooled maps they are linear. A BN behind would take a bias away again.
        self.reductions = nn.ModuleList(nn.Linear(channels, length, bias=not norm) for length in self.lengths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(length) if norm else nn.Identity() for length in self.lengths)
        for reduction in self.reductions:
            assert isinstance(reduction, nn.Linear)
            nn.init.kaiming_normal_(reduction.weight, mode="fan_out")
            if reduction.bias is not None:
                nn.init.zeros_(reduction.bias)

    def forward(self, value: Tensor) -> list[Tensor]:
        """Vectors float [n, length], stripes from the top first, the global one last.

        Args:
            value: map, float [n, channels, h, w] with h at least ``parts``.

        Raises:
            UsageError: the map has fewer rows than there are stripes.
        """
        refined = value if self.attention is None else self.attention(value)
        pooled = [self.pooling(part) for part in (*stripes(value, self.parts), refined)]
        layers = zip(pooled, self.reductions, self.norms, strict=True)
        return [norm(reduction(vector)) for vector, reduction, norm in layers]
