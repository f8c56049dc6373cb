"""Random searches for Hypothesis: few bits set and few distinct rows, so that ties are everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of, pack_bits
from swiftreid.search.stages import Stage
from swiftreid.search.table import CodeTable

# 4, 12, 16, 20, 32, 48, 64, 128 and 256 bytes; attr30 has padding; 48 bytes take the kernels' general loops.
NAMES = ("id32", "attr30", "id72", "id128", "id160", "id256", "id384", "id512", "id1024", "id2048")


@dataclass(frozen=True)
class Case:
    cascade: Cascade
    codes: dict[str, np.ndarray]
    cuts: tuple[int, ...]
    queries: dict[str, np.ndarray]
    mask: np.ndarray | None
    least: int | None
    k: int
    threads: int
    weights: dict[str, np.ndarray]

    @property
    def table(self) -> CodeTable:
        edges = [0, *self.cuts, len(next(iter(self.codes.values())))]
        return CodeTable.from_segments(
            [CodeTable({n: c[a:b] for n, c in self.codes.items()}) for a, b in pairwise(edges)]
        )


@st.composite
def stages(draw, name: str, last: bool) -> Stage:
    bits = bits_of(name)
    rule = draw(st.sampled_from(["all", "threshold", "threshold", "top", "share"]))
    if rule == "threshold":
        # Around where the rows of `codes` lie, with the ends now and then.
        return Stage(name, threshold=draw(st.integers(0, bits) | st.integers(bits // 8, bits // 2)))
    if rule == "top":
        return Stage(name, top=draw(st.integers(1, 60)), whole_ties=not last and draw(st.booleans()))
    if rule == "share":
        share = draw(st.sampled_from([0.001, 0.05, 0.07, 0.1, 0.25, 0.3, 0.5, 0.9, 1.0]))
        return Stage(name, share=share, whole_ties=not last and draw(st.booleans()))
    return Stage(name)


def codes_like(rng: np.random.Generator, n: int, bits: int, spread: float) -> np.ndarray:
    """Rows that differ from one centre in some bits; half of them are copies of other rows."""
    if n == 0:
        return pack_bits(np.zeros((0, bits)))
    centre = rng.random(bits) < 0.5
    rows = centre ^ (rng.random((n, bits)) < spread * rng.random((n, 1)))
    copies = rng.random(n) < 0.5
    rows[copies] = rows[rng.integers(n, size=int(copies.sum()))]
    return pack_bits(rows)


def in_two(rng: np.random.Generator, name: str, rows: np.ndarray) -> CodeTable:
    """A table of one code in two segments, cut somewhere."""
    cut = int(rng.integers(len(rows) + 1))
    return CodeTable.from_segments([CodeTable({name: rows[:cut]}), CodeTable({name: rows[cut:]})])


@st.composite
def cases(draw, most: int = 400, names: tuple[str, ...] = NAMES) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = draw(st.integers(1, 4))
    cascade = Cascade([draw(stages(draw(st.sampled_from(names)), i == depth - 1)) for i in range(depth)])
    n = draw(st.sampled_from([0, 1, 2, 31, 32, 33, 64, 100]) | st.integers(0, most))
    q = draw(st.sampled_from([0, 1, 1, 2, 3]))
    spread = draw(st.sampled_from([0.05, 0.5, 1.0]))
    both = {name: codes_like(rng, n + q, bits_of(name), spread) for name in cascade.codes}
    cuts = tuple(sorted(draw(st.lists(st.integers(0, n), max_size=3))))
    share = draw(st.sampled_from([None, None, 0.0, 0.05, 0.3, 0.9]))
    most_weight = draw(st.sampled_from([0, 0, 1, 15, 255]))  # 0: bits count alike
    ruled = {stage.code for stage in cascade.stages if stage.threshold is not None}
    weighted = {name for name in cascade.codes if bits_of(name) <= 128 and name not in ruled} if most_weight else ()
    return Case(
        cascade=cascade,
        codes={name: code[:n] for name, code in both.items()},
        cuts=cuts,
        queries={name: code[n:] for name, code in both.items()},
        mask=None if share is None else rng.random(n) < share,
        least=draw(st.sampled_from([None, 0, 1, 7, 1000])),
        k=draw(st.sampled_from([1, 2, 5, 20, 100, 1000])),
        threads=draw(st.sampled_from([1, 2])),
        weights={name: some_weights(rng, q, bits_of(name), most_weight) for name in weighted},
    )


def some_weights(rng: np.random.Generator, queries: int, bits: int, most: int) -> np.ndarray:
    """Of few bits or of many; of none now and then."""
    stated = rng.random((queries, bits)) < rng.choice([0.0, 0.05, 0.5, 1.0])
    return np.where(stated, rng.integers(1, most + 1, (queries, bits)), 0).astype(np.uint8)
