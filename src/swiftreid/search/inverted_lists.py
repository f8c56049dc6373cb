"""Inverted lists (IVF): a first stage that does not compare every entry.

Each entry is in the list of its closest centre; a query probes the closest lists only. An arranged table keeps a second
copy of the codes that the next stages compare, ordered by list: a list is read in one go. It takes 4 bytes for a place,
and the bytes of the two codes compared there (24 an entry with id32 and id128, of 340).

Lists are made for *groups* of segments, and groups are joined as they grow, the way a binary counter carries: a new
segment costs a constant amount of work for each doubling of the gallery. The newest entries, until they fill a segment,
are in no list and are all compared. Nothing has to be learned again when entries come or go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.codes import bits_of, check_packed, pack_bits, unpack_bits
from swiftreid.search.list_groups import ListGroup, TableLists
from swiftreid.search.numbers import whole_number
from swiftreid.search.segment import Segment
from swiftreid.search.table import CodeTable

SMALLEST_SEGMENT = 16_384
LARGEST_GROUP = 1 << 22
SAMPLE_PER_LIST = 16


@dataclass(frozen=True, eq=False)
class InvertedLists:
    """The centres of inverted lists, in the space of one code (FAISS: the coarse quantizer).

    Attributes:
        code: name of the code.
        centres: uint8 [nlist, row bytes].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> code = rng.integers(0, 256, (20_000, 16), np.uint8)
        >>> table = InvertedLists.fit("id128", code, nlist=16).arrange(CodeTable({"id128": code}))
        >>> table.lists.centres.shape
        (16, 16)
    """

    code: str
    centres: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_packed(self.code, self.centres)
        if not len(self.centres):
            raise UsageError("inverted lists need at least one centre")

    @classmethod
    def fit(
        cls, code: str, rows: NDArray[np.uint8], *, nlist: int | None = None, rounds: int = 3, seed: int = 0
    ) -> Self:
        """Learn centres from entries: a few rounds of k-majority, which is k-means for bits.

        Args:
            code: name of the code.
            rows: uint8 [n, row bytes], codes of some entries; a random sample of them is used.
            nlist: how many; by default `suggested_nlist` of n.
            rounds: how often centres are moved to the majority of their entries' bits.
            seed: of the sample and the first centres.

        Raises:
            UsageError: fewer rows than lists, codes of another width, or a number that is not whole or too small.
        """
        check_packed(code, rows)
        nlist = suggested_nlist(len(rows)) if nlist is None else whole_number("nlist", nlist, 1)
        rounds, seed = whole_number("rounds", rounds, 0), whole_number("seed", seed, 0)
        if nlist > len(rows):
            raise UsageError(f"{len(rows)} entries can't have {nlist} inverted lists")
        rng = np.random.default_rng(seed)
        sample = rows[np.sort(rng.permutation(len(rows))[: SAMPLE_PER_LIST * nlist])]
        centres = sample[np.sort(rng.permutation(len(sample))[:nlist])]
        bits = unpack_bits(sample, bits_of(code)).astype(np.int32)
        for _ in range(rounds):
            nearest = kernels.nearest(sample, centres)
            order = np.argsort(nearest, kind="stable")
            used, starts = np.unique(nearest[order], return_index=True)
            # Bits set, less half the entries: positive where most have the bit; ties fall to zero.
            votes = 2 * np.add.reduceat(bits[order], starts, axis=0) - np.diff([*starts, len(order)])[:, None]
            moved = centres.copy()
            moved[used] = pack_bits(votes)
            if np.array_equal(moved, centres):
                break
            centres = moved
        # Numbered so that lists near one query are mostly neighbours, and are read in one go.
        regions = kernels.nearest(centres, np.ascontiguousarray(centres[:: max(1, round(nlist**0.5))]))
        return cls(code, np.ascontiguousarray(centres[np.argsort(regions, kind="stable")]))

    def arrange(self, table: CodeTable) -> CodeTable:
        """The same table with inverted lists: what stages such as ``id128:nprobe=0.1`` probe.

        Segments that were arranged before are not arranged again, also in another table that shares them.

        Raises:
            UsageError: the table lacks this code.
        """
        if not isinstance(table, CodeTable):
            raise UsageError(f"arrange takes a CodeTable, not a {type(table).__name__}: CodeTable(codes) makes one")
        table.column(self.code)
        segments = list(table.segments)
        while segments and segments[-1].rows < SMALLEST_SEGMENT:
            segments.pop()
        groups = tuple(self._group(group) for group in _groups(segments))
        return table.with_lists(TableLists(self.code, self.centres, groups, len(segments)))

    def lists_of(self, segment: Segment) -> NDArray[np.uint32]:
        """The list of each entry of a segment, uint32 [rows]; found once."""
        known: NDArray[np.uint32] | None = segment.notes.get((self, "lists"))
        if known is None:
            known = segment.notes[self, "lists"] = kernels.nearest(segment.codes[self.code], self.centres)
        return known

    def _group(self, segments: tuple[Segment, ...]) -> ListGroup:
        key = (self, "group")
        known: ListGroup | None = segments[0].notes.get(key)
        if known is None or known.segments != segments:
            lists = np.concatenate([self.lists_of(segment) for segment in segments])
            known = segments[0].notes[key] = ListGroup(segments, lists, len(self.centres))
        return known


def suggested_nlist(entries: int) -> int:
    """How many inverted lists suit a gallery: about three times the root of its entries, a power of two, 16 to 16,384.

    More lists follow the entries more closely, but each takes some time to probe.
    """
    return int(np.clip(1 << round(np.log2(3 * max(entries, 1) ** 0.5)), 16, 16_384))


def _groups(segments: Sequence[Segment]) -> list[tuple[Segment, ...]]:
    """Neighbours joined whenever the last two groups are of like size, up to the largest group.

    How the first n segments are grouped depends on them alone, except in the last few groups: a growing gallery keeps
    its large groups.
    """
    groups: list[tuple[int, tuple[Segment, ...]]] = []
    for segment in segments:
        groups.append((segment.rows, (segment,)))
        while len(groups) > 1 and groups[-2][0] < 2 * groups[-1][0] and groups[-2][0] + groups[-1][0] <= LARGEST_GROUP:
            last = groups.pop()
            groups[-1] = (groups[-1][0] + last[0], groups[-1][1] + last[1])
    return [group for _, group in groups]
