from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.calibration.pairs import PairHistogram, pair_histograms
from swiftreid.calibration.thresholds import Thresholds, choose_beta, cumulative_shares, fit_thresholds, sweep_betas
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits
from swiftreid.search.results import SearchResult
from swiftreid.search.table import CodeTable

counts = st.lists(st.integers(0, 30), min_size=17, max_size=17).filter(any)


def naive_f(r: float, n: float, beta: float, formula: str) -> float:
    if formula == "derived":  # from precision and recall, as Eq. 6 has them
        precision, recall = (r / (r + n) if r + n else 0.0), r
        bottom = beta**2 * precision + recall
        return (1 + beta**2) * precision * recall / bottom if bottom else 0.0
    return (1 + beta**2) * r / (n + r + beta**2 * (1 - n + r))


@given(
    counts,
    counts,
    st.floats(0.1, 20),
    st.sampled_from(["derived", "printed"]),
    st.sampled_from(["gaussian", "empirical"]),
)
def test_no_threshold_scores_higher(relevant, other, beta, formula, method) -> None:
    pair = PairHistogram("id16", np.array(relevant), np.array(other))

    def share(histogram: list[int], t: int) -> float:
        distances = [d for d, count in enumerate(histogram) for _ in range(count)]
        if method == "empirical":
            return sum(d <= t for d in distances) / len(distances)
        mean = sum(distances) / len(distances)
        deviation = max(math.sqrt(sum((d - mean) ** 2 for d in distances) / len(distances)), 1e-3)
        return 0.5 * (1 + math.erf((t + 0.5 - mean) / (deviation * math.sqrt(2))))

    scores = [naive_f(share(relevant, t), share(other, t), beta, formula) for t in range(17)]
    chosen = fit_thresholds({"id16": pair}, beta=beta, formula=formula, method=method).values["id16"]
    assert scores[chosen] >= max(scores) - 1e-9
    assert all(score < scores[chosen] + 1e-9 for score in scores[:chosen])


def gaussian_counts(bits: int, mean: float, deviation: float, total: float) -> np.ndarray:
    at = np.arange(bits + 1)
    return np.round(total * np.exp(-0.5 * ((at - mean) / deviation) ** 2) / deviation).astype(np.int64)


@pytest.mark.parametrize("bits", [32, 128, 512, 2048, 4096])
def test_synthetic_gaussians_of_any_length_are_found_again(bits: int) -> None:
    """Long codes spread few pairs over many distances, most of them empty or 1: the fit must not mind."""
    scale = bits / 2048
    rng = np.random.default_rng(bits)

    def sampled(mean: float, deviation: float, count: int) -> np.ndarray:
        drawn = np.clip(np.round(rng.normal(mean * scale, deviation * scale, count)), 0, bits).astype(int)
        return np.bincount(drawn, minlength=bits + 1)

    few = PairHistogram(f"id{bits}", sampled(522, 84, 150), sampled(1024, 70, 3000))
    exact = PairHistogram(
        f"id{bits}",
        gaussian_counts(bits, 522 * scale, 84 * scale, 1e6),
        gaussian_counts(bits, 1024 * scale, 70 * scale, 1e8),
    )
    chosen = {
        (name, method): fit_thresholds({f"id{bits}": pair}, method=method).values[f"id{bits}"] / bits
        for name, pair in (("few", few), ("exact", exact))
        for method in ("gaussian", "empirical")
    }
    # Between the two means, clear of most positives, whatever the length and however few the pairs.
    best = chosen["exact", "empirical"]
    assert 522 / 2048 < best < 1024 / 2048
    # One bit of the shortest code, or 2 % of a long one; counting so few pairs is rougher than fitting them.
    for (name, method), value in chosen.items():
        allowed = 0.06 if (name, method) == ("few", "empirical") else 0.02
        assert abs(value - best) <= max(allowed, 1.01 / bits), chosen


def test_long_codes_do_not_collapse() -> None:
    """From codes, not from drawn distances: thresholds keep about the same share at 32 and at 2048 bits."""
    rng = np.random.default_rng(2)
    people, per, latent = 30, 4, 64
    persons, cameras = np.repeat(np.arange(people), per), np.tile(np.arange(per), people)
    vectors = rng.standard_normal((people, latent))[persons] + 0.6 * rng.standard_normal((people * per, latent))
    codes = {f"id{bits}": pack_bits(vectors @ rng.standard_normal((latent, bits))) for bits in (32, 128, 512, 2048)}
    histograms = pair_histograms(codes, persons, cameras)
    for method in ("gaussian", "empirical"):
        thresholds = fit_thresholds(histograms, method=method).values
        assert list(thresholds) == ["id32", "id128", "id512", "id2048"]
        for code, threshold in thresholds.items():
            recall = cumulative_shares(histograms[code].relevant, "empirical")[threshold]
            passed = cumulative_shares(histograms[code].other, "empirical")[threshold]
            assert recall > 0.85, (code, method, threshold)
            assert passed < 0.3, (code, method, threshold)
        allowed = 0.03 if method == "gaussian" else 0.06
        assert thresholds["id2048"] / 2048 == pytest.approx(thresholds["id512"] / 512, abs=allowed)


def test_more_weight_on_recall_raises_thresholds() -> None:
    pair = PairHistogram("id2048", gaussian_counts(2048, 522, 84, 1e6), gaussian_counts(2048, 1024, 70, 1e8))
    values = [fit_thresholds({"id2048": pair}, beta=beta).values["id2048"] for beta in (0.5, 1, 2, 4, 8, 32)]
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_cascades_leave_the_final_code_out() -> None:
    thresholds = Thresholds({"id32": 11, "id128": 45, "id2048": 700}, beta=4.0, method="empirical", formula="printed")
    assert str(thresholds.cascade()) == "id32<=11 > id128<=45 > id2048"
    assert str(thresholds.cascade("id512")) == "id32<=11 > id128<=45 > id2048<=700 > id512"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"values": {"id32": 40}}, "0 to 32"),
        ({"values": {"id32": 4}, "beta": 0.0}, "beta"),
        ({"values": {"id32": 4}, "beta": float("nan")}, "beta"),
        ({"values": {"id32": 4}, "method": "guess"}, "method must be gaussian or empirical"),
        ({"values": {"id32": 4}, "formula": "guess"}, "formula must be derived or printed"),
    ],
)
def test_broken_thresholds(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Thresholds(**values)


def test_choose_beta_takes_the_cheapest_within_the_loss() -> None:
    rng = np.random.default_rng(4)
    people, per, latent = 40, 4, 48
    persons, cameras = np.repeat(np.arange(people), per), np.tile(np.arange(per), people)
    vectors = rng.standard_normal((people, latent))[persons] + 0.9 * rng.standard_normal((people * per, latent))
    codes = {f"id{bits}": pack_bits(vectors @ rng.standard_normal((latent, bits))) for bits in (32, 128, 2048)}
    asked = np.flatnonzero(cameras == 0)
    queries = {name: code[asked] for name, code in codes.items()}

    def score(result: SearchResult) -> float:
        """Mean average precision over other cameras, by hand."""
        total = 0.0
        for row, query in enumerate(asked):
            ranked = [i for i in result.indices[row] if not (persons[i] == persons[query] and cameras[i] == 0)]
            hits = [place for place, i in enumerate(ranked, 1) if persons[i] == persons[query]]
            total += sum(n / place for n, place in enumerate(hits, 1)) / len(hits)
        return total / len(asked)

    choice = choose_beta(pair_histograms(codes, persons, cameras), CodeTable(codes), queries, score, max_loss=0.02)
    assert choice.met
    assert choice.best.loss <= 0.02
    assert list(choice.best.thresholds.values) == ["id32", "id128"]
    for trial in choice.trials:
        assert trial.loss == pytest.approx(choice.exhaustive - trial.score)
        assert trial.loss > 0.02 or trial.bytes_per_query >= choice.best.bytes_per_query
    costs = [trial.bytes_per_query for trial in choice.trials]
    assert costs == sorted(costs)  # thresholds rise with beta, and so does what is compared
    assert costs[0] < costs[-1]
    sweep = sweep_betas(pair_histograms(codes, persons, cameras), CodeTable(codes), queries, score)
    assert (sweep.trials, sweep.exhaustive) == (choice.trials, choice.exhaustive)
    assert sweep.choose(0.02) == choice
    assert sweep.choose(1.0).best.bytes_per_query == min(costs)
    none = choose_beta(
        pair_histograms(codes, persons, cameras), CodeTable(codes), queries, score, max_loss=-1.0, betas=[0.1, 1.0]
    )
    assert not none.met
    assert none.best.loss == min(trial.loss for trial in none.trials)
    with pytest.raises(UsageError, match="no histogram for id64"):
        choose_beta(pair_histograms(codes, persons, cameras), CodeTable(codes), queries, score, codes=["id64"])
