"""Distance threshold optimisation (DTO): which distances let a stage's entries go on (CtF paper, section 3.3).

For each code, relevant pairs (same person, other camera) and other pairs (different people) of *held-out* identities
give two distributions of distances with cumulative shares ``CDFr(t)`` and ``CDFn(t)``. The threshold is the ``t`` that
maximises ``F_beta``, which weighs recall ``beta`` times as much as precision.

**What CDFn means.** Both shares are normalised within their own kind of pair: ``CDFn = 1`` says "all other pairs
pass", and counts as many false positives as there are relevant pairs, although a gallery holds thousands of other
entries for each relevant one. With true counts the precision of short codes would be near zero at every useful
threshold, and its optimum would throw away most relevant entries. The normalised form is the paper's; ``beta`` is
therefore a dial between speed and accuracy, not a statement about real precision: choose it with `choose_beta`.

**Decisions** (methods.md, section 2): the printed Eq. 8 does not follow from Eq. 6; ``formula="derived"`` is what
does, ``(1 + b^2) CDFr / (CDFr + CDFn + b^2)``, and ``"printed"`` is there for comparison. The Gaussians are fitted by
the mean and standard deviation of exact distances. Least-squares fitting of a curve to the histogram, as in the
released code, collapses on long codes, with nearly empty bins. Distances are whole numbers, so a
Gaussian is read at ``t + 1/2``. Among equal scores the smallest threshold wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.pairs import PairHistogram
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of
from swiftreid.search.results import SearchResult
from swiftreid.search.stages import Stage
from swiftreid.search.table import CodeTable

Formula = Literal["derived", "printed"]
Method = Literal["gaussian", "empirical"]

PAPER_BETA = 2.0
"""From the CtF paper's cross-validation (section 4.2)."""

BETAS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Thresholds:
    """Fitted thresholds, with what they were fitted by.

    Attributes:
        values: for each code, shortest first, the largest distance in bits that goes on.
        beta: weight of recall against precision.
        method: how the distributions were estimated.
        formula: which form of F_beta was maximised.

    Raises:
        UsageError: a value is out of range.
    """

    values: dict[str, int]
    beta: float = PAPER_BETA
    method: Method = "gaussian"
    formula: Formula = "derived"

    def __post_init__(self) -> None:
        _check(self.beta, self.method, self.formula)
        for code, value in self.values.items():
            Stage(code, threshold=value)

    def cascade(self, final: str = "id2048") -> Cascade:
        """The cascade with these thresholds that ends in the code ``final``, which needs none."""
        return Cascade([*(Stage(c, threshold=t) for c, t in self.values.items() if c != final), Stage(final)])


def f_beta(
    relevant: NDArray[np.float64], other: NDArray[np.float64], beta: float, formula: Formula = "derived"
) -> NDArray[np.float64]:
    """F_beta from the two cumulative shares, ``CDFr`` and ``CDFn``, float64 [t] each; float64 [t]."""
    weight = beta * beta
    if formula == "derived":
        return (1 + weight) * relevant / (relevant + other + weight)  # from Eq. 6
    return (1 + weight) * relevant / (other + relevant + weight * (1 - other + relevant))  # Eq. 8


def cumulative_shares(counts: NDArray[np.int64], method: Method) -> NDArray[np.float64]:
    """Share of pairs at distance t or less, for t = 0..bits: counted, or of a Gaussian of equal mean and deviation.

    Args:
        counts: pairs at each distance, int64 [bits + 1].
        method: ``empirical`` or ``gaussian``.

    Returns:
        float64 [bits + 1].
    """
    total, at = float(counts.sum()), np.arange(len(counts))
    if method == "empirical":
        return np.cumsum(counts) / total
    mean = float((counts * at).sum()) / total
    # A deviation of zero (all pairs at one distance) would divide by zero; far below one bit it makes the same step.
    deviation = max(math.sqrt(float((counts * (at - mean) ** 2).sum()) / total), 1e-3)
    # The integral of Eq. 7, with the square that it lacks in print.
    return np.array([0.5 * math.erfc((mean - t - 0.5) / (deviation * math.sqrt(2))) for t in at])


def fit_thresholds(
    histograms: Mapping[str, PairHistogram],
    *,
    beta: float = PAPER_BETA,
    method: Method = "gaussian",
    formula: Formula = "derived",
) -> Thresholds:
    """For each code the threshold with the highest F_beta.

    Args:
        histograms: distances of pairs of held-out identities (see `pairs.pair_histograms`).
        beta: weight of recall; above 0.
        method: ``gaussian`` (paper) or ``empirical`` (the distances as counted).
        formula: ``derived`` or ``printed`` (see this module).

    Raises:
        UsageError: an argument is out of range.
    """
    _check(beta, method, formula)
    values = {}
    for code in sorted(histograms, key=bits_of):
        pair = histograms[code]
        scores = f_beta(cumulative_shares(pair.relevant, method), cumulative_shares(pair.other, method), beta, formula)
        values[code] = int(np.argmax(scores))
    return Thresholds(values, beta, method, formula)


@dataclass(frozen=True)
class BetaTrial:
    """One beta as tried on held-out identities.

    Attributes:
        thresholds: what it led to.
        score: the score of the full coarse-to-fine ranking, for example mAP.
        loss: score of the exhaustive ranking less this score.
        bytes_per_query: bytes of codes compared for a query: the cost, whatever the machine.
    """

    thresholds: Thresholds
    score: float
    loss: float
    bytes_per_query: float


@dataclass(frozen=True)
class BetaChoice:
    """The chosen beta and everything tried.

    Attributes:
        best: the cheapest trial within the loss allowed; if none is, the one with the smallest loss.
        met: whether its loss is within what was allowed.
        exhaustive: the score of the exhaustive ranking by the final code.
        trials: all trials, by rising beta.
    """

    best: BetaTrial
    met: bool
    exhaustive: float
    trials: tuple[BetaTrial, ...]


@dataclass(frozen=True)
class BetaSweep:
    """What each beta leads to on held-out identities.

    Attributes:
        exhaustive: the score of the exhaustive ranking by the final code.
        trials: one for each beta, rising.
    """

    exhaustive: float
    trials: tuple[BetaTrial, ...]

    def choose(self, max_loss: float = 0.01) -> BetaChoice:
        """The trial with the fewest bytes compared among those that lose at most ``max_loss``."""
        within = [trial for trial in self.trials if trial.loss <= max_loss]
        best = min(within, key=lambda t: t.bytes_per_query) if within else min(self.trials, key=lambda t: t.loss)
        return BetaChoice(best, bool(within), self.exhaustive, self.trials)


def sweep_betas(
    histograms: Mapping[str, PairHistogram],
    table: CodeTable,
    queries: Mapping[str, NDArray[np.uint8]],
    score: Callable[[SearchResult], float],
    *,
    final: str = "id2048",
    codes: Sequence[str] | None = None,
    betas: Iterable[float] = BETAS,
    method: Method = "gaussian",
    formula: Formula = "derived",
    threads: int = 1,
) -> BetaSweep:
    """Score and cost of the coarse-to-fine ranking at every beta; arguments and errors as for `choose_beta`."""
    names = list(codes) if codes is not None else [c for c in sorted(histograms, key=bits_of) if c != final]
    missing = [name for name in names if name not in histograms]
    if missing:
        raise UsageError(f"there is no histogram for {', '.join(missing)}; there is for: {', '.join(histograms)}")
    chosen = {name: histograms[name] for name in names}
    exhaustive = score(Cascade([Stage(final)]).rank(table, queries, threads=threads))
    trials: list[BetaTrial] = []
    for beta in sorted(betas):
        thresholds = fit_thresholds(chosen, beta=beta, method=method, formula=formula)
        same = next((trial for trial in trials if trial.thresholds.values == thresholds.values), None)
        if same is not None:
            trials.append(BetaTrial(thresholds, same.score, same.loss, same.bytes_per_query))
            continue
        ranking = thresholds.cascade(final).rank(table, queries, threads=threads)
        reached = score(ranking)
        trials.append(BetaTrial(thresholds, reached, exhaustive - reached, ranking.report.bytes_per_query))
    if not trials:
        raise UsageError("a sweep needs at least one beta to try")
    return BetaSweep(exhaustive, tuple(trials))


def choose_beta(
    histograms: Mapping[str, PairHistogram],
    table: CodeTable,
    queries: Mapping[str, NDArray[np.uint8]],
    score: Callable[[SearchResult], float],
    *,
    final: str = "id2048",
    codes: Sequence[str] | None = None,
    max_loss: float = 0.01,
    betas: Iterable[float] = BETAS,
    method: Method = "gaussian",
    formula: Formula = "derived",
    threads: int = 1,
) -> BetaChoice:
    """The cheapest beta with a coarse-to-fine ranking that scores at most ``max_loss`` below exhaustive search.

    Everything here must come from held-out identities, never from the test set.

    Args:
        histograms: as for `fit_thresholds`.
        table: codes of the held-out gallery.
        queries: codes of the held-out queries.
        score: what a full ranking is worth, for example its mAP by the evaluation protocol (0..1).
        final: the last code, and that of the exhaustive ranking.
        codes: the codes before it, shortest first; by default all others that have a histogram.
        max_loss: largest absolute loss of score; 0.01 is one point.
        betas: what to try.
        method: as for `fit_thresholds`.
        formula: as for `fit_thresholds`.
        threads: as for `Cascade.rank`.

    Raises:
        UsageError: a code has no histogram, or there is no beta to try.
    """
    sweep = sweep_betas(
        histograms,
        table,
        queries,
        score,
        final=final,
        codes=codes,
        betas=betas,
        method=method,
        formula=formula,
        threads=threads,
    )
    return sweep.choose(max_loss)


def _check(beta: float, method: str, formula: str) -> None:
    if not (math.isfinite(beta) and beta > 0):
        raise UsageError(f"beta must be above 0, got {beta}")
    for name, value, known in (("method", method, get_args(Method)), ("formula", formula, get_args(Formula))):
        if value not in known:
            raise UsageError(f"{name} must be {' or '.join(known)}, got {value!r}")
