"""A nested chain of threshold vectors, from 'everything passes' downwards, and what is lost along it (see `recall`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swiftreid.search.codes import row_bytes_of

_ABOVE = 64
"""Places of the chain between 'everything passes' and 'nothing found on the shaping people is lost'."""

_STEP = 0.01
"""A step drops at least this share of the strangers that still pass: one stranger alone never decides it."""


def threshold_chain(
    bits: NDArray[np.int64],
    within: NDArray[np.int64],
    loads: NDArray[np.float64],
    between: NDArray[np.int64],
    *,
    until: float,
) -> NDArray[np.int64]:
    """Ever lower thresholds, each step taking what saves most bytes for what it loses.

    Args:
        bits: length of every code, the final one last, int64 [stages + 1].
        within: distances of relevant pairs by every code but the final, int64 [p, stages].
        loads: what losing each of these pairs counts, float64 [p], 1 in total for each person (see `pair_loads`).
        between: distances of pairs of strangers, int64 [s, stages].
        until: mean loss beyond which the chain need not go.

    Returns:
        int64 [places, stages]; no value grows from one place to the next, and at the first place everything passes.
    """
    top = within.max(axis=0)
    shares = np.linspace(1, 0, _ABOVE + 1)[:, None] ** 2
    chain = list(top + np.ceil(shares * (bits[:-1] - top)).astype(np.int64))
    loads = loads / loads.sum()
    kept = np.ones(len(within), np.bool_)
    passing = np.cumprod(between <= top, axis=1).astype(np.bool_)  # [s, stages]: passes this stage and those before
    lost = 0.0
    while lost <= until:
        best, gain = None, 0.0
        cost = _cost(bits, passing)
        for stage in range(len(top)):
            here = between[passing[:, stage], stage]
            if not len(here):
                continue
            dropped = max(1, int(_STEP * len(here)))
            lower = int(np.partition(here, -dropped)[-dropped]) - 1
            if lower < 0:
                continue
            loss = float(loads[kept & (within[:, stage] > lower)].sum())
            saved = cost - _cost(bits, _without(passing, between[:, stage] > lower, stage))
            if saved / (loss + 1e-9) > gain:
                best, gain = (stage, lower, loss), saved / (loss + 1e-9)
        if best is None:
            break
        stage, lower, loss = best
        passing = _without(passing, between[:, stage] > lower, stage)
        kept &= within[:, stage] <= lower
        lost += loss
        chain.append(chain[-1].copy())
        chain[-1][stage] = lower
    return np.unique(np.stack(chain), axis=0)[::-1]  # without repetitions; nested, so the order is the same


def losses_along(
    chain: NDArray[np.int64], within: NDArray[np.int64], persons: NDArray[np.int64], loads: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each person loses at each place of the chain: float64 [people, places], in 0..1."""
    last = np.full(len(within), len(chain) - 1)  # the farthest place at which a pair is kept
    for stage in range(chain.shape[1]):
        falling = chain[:, stage]
        last = np.minimum(last, len(falling) - np.searchsorted(falling[::-1], within[:, stage], side="left") - 1)
    names, who = np.unique(persons, return_inverse=True)
    places = len(chain) + 1
    ends = np.bincount(who * places + last + 1, weights=loads, minlength=len(names) * places)
    return np.minimum(np.cumsum(ends.reshape(len(names), places), axis=1)[:, :-1], 1.0)


def pair_loads(queries: NDArray[np.intp], persons: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of pairs: equal for the queries of a person, and for the pairs of a query.

    Args:
        queries: query of each pair, int [p].
        persons: its person, int64 [p].

    Returns:
        float64 [p], 1 in total for each person.
    """
    _, at, pairs = np.unique(queries, return_inverse=True, return_counts=True)
    unique, first = np.unique(queries, return_index=True)
    _, who, queries_of = np.unique(persons[first], return_inverse=True, return_counts=True)
    return np.asarray(1 / (pairs[at] * queries_of[who][at])) if len(unique) else np.empty(0)


def cost_per_entry(bits: NDArray[np.int64], thresholds: NDArray[np.int64], between: NDArray[np.int64]) -> float:
    """Mean bytes compared for each stranger: those of the first code, and of each next for those that pass.

    Args:
        bits: length of every code, the final one last, int64 [stages + 1].
        thresholds: int64 [stages].
        between: distances of pairs of strangers, int64 [s, stages].
    """
    return _cost(bits, np.cumprod(between <= thresholds, axis=1).astype(np.bool_))


def _cost(bits: NDArray[np.int64], passing: NDArray[np.bool_]) -> float:
    sizes = np.array([row_bytes_of(f"id{b}") for b in bits])
    return float(sizes[0] + (passing.mean(axis=0) * sizes[1:]).sum())


def _without(passing: NDArray[np.bool_], stopped: NDArray[np.bool_], stage: int) -> NDArray[np.bool_]:
    out = passing.copy()
    out[:, stage:] &= ~stopped[:, None]
    return out
