"""The numbers behind each figure, computed again in the plainest way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from figure_samples import SPEC, card, people, split

from swiftreid.calibration.pairs import pair_histograms
from swiftreid.calibration.short_list import ShortList, fit_short_list
from swiftreid.calibration.thresholds import fit_thresholds
from swiftreid.errors import UsageError
from swiftreid.evaluation.confidence import bootstrap_intervals
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.figures.accuracy_time import kind_of, timed_rankings
from swiftreid.figures.beta import beta_figure, dto_cascades
from swiftreid.figures.cards import choose_pair, choose_rows
from swiftreid.figures.changes import rank_changes
from swiftreid.figures.cmc import cmc_curves, default_rankings
from swiftreid.figures.distances import distance_histograms
from swiftreid.figures.ranked import choose_queries, ranked_lists, ranking_metrics
from swiftreid.figures.short_lists import first_match_ranks, short_list_figure
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import unpack_bits
from swiftreid.search.table import CodeTable

QUERY, GALLERY = split(people(1))


def distance(a: LabelledCodes, i: int, b: LabelledCodes, j: int, code: str) -> int:
    bits = int(code[2:])
    one, other = unpack_bits(a.codes[code][i : i + 1], bits), unpack_bits(b.codes[code][j : j + 1], bits)
    return int((one != other).sum())


def verdict(i: int, j: int) -> str:
    person, same = int(GALLERY.persons[j]), GALLERY.persons[j] == QUERY.persons[i]
    if person == -1 or (same and GALLERY.cameras[j] == QUERY.cameras[i]):
        return "ignored"
    return "right" if same else "wrong"


def test_cmc_is_the_share_of_first_matches_within_k() -> None:
    made = card(1)
    [curve] = cmc_curves(choose_rows([made], ["id32"], []), ranks=7)
    first = [
        f
        for f, ap in zip(made.rows[0].per_query.first_match, made.rows[0].per_query.ap_standard, strict=True)
        if ap is not None
    ]  # type: ignore[union-attr]
    for k in range(1, 8):
        assert curve.cmc[k - 1] == pytest.approx(sum(0 < f <= k for f in first) / len(first), abs=1e-12)
    assert (curve.low[0], curve.high[0]) == pytest.approx(made.rows[0].confidence["rank1"], abs=1e-12)
    within3 = bootstrap_intervals([float(0 < f <= 3) for f in first])
    assert (curve.low[2], curve.high[2]) == pytest.approx(tuple(within3[0]), abs=1e-12)


def test_cmc_of_several_cards_takes_the_longest_code() -> None:
    cards = [card(1, "one"), card(2, "two")]
    chosen = choose_rows(cards, [], default_rankings(cards))
    assert [one.label for one in chosen] == ["one: id128 exhaustive", "two: id128 exhaustive"]


def test_a_part_of_a_ranking_name_must_be_of_one_only() -> None:
    with pytest.raises(UsageError, match="may be any of"):
        choose_rows([card(1)], ["exhaustive"], [])
    with pytest.raises(UsageError, match="no ranking 'id2048'"):
        choose_rows([card(1)], ["id2048"], [])


def test_cards_of_format_1_are_refused_where_they_lack_the_numbers() -> None:
    old = card(1).model_copy(update={"queries": []})
    bare = old.model_copy(update={"rows": [row.model_copy(update={"cmc": [], "per_query": None}) for row in old.rows]})
    with pytest.raises(UsageError, match="evaluate"):
        cmc_curves(choose_rows([bare], ["id32"], []))
    with pytest.raises(UsageError, match="figures of single queries"):
        rank_changes(*choose_pair([old], ["id32", "CtF"]))


def test_times_and_kinds() -> None:
    chosen = choose_rows([card(1)], ["id32", "id128", "CtF"], [])
    assert [kind_of(one) for one in chosen] == ["exhaustive", "exhaustive", "cascade"]
    points = timed_rankings(chosen)
    assert [point.microseconds for point in points] == [10, 100, 1000]
    assert [point.bytes_per_entry for point in points] == [4, 16, 24]
    with pytest.raises(UsageError, match="with times"):
        timed_rankings(choose_rows([card(1, timed=False)], ["id32"], []))


def test_rank_changes_count_every_query_once() -> None:
    first, second = card(1, "one"), card(2, "two")
    changes = rank_changes(*choose_pair([first, second], ["id32"]))
    a, b = (made.rows[0].per_query for made in (first, second))
    assert a is not None
    assert b is not None
    counted = [i for i, ap in enumerate(a.ap_standard) if ap is not None]
    assert changes.better == sum(b.first_match[i] < a.first_match[i] for i in counted)
    assert changes.worse == sum(b.first_match[i] > a.first_match[i] for i in counted)
    assert changes.better + changes.same + changes.worse == len(counted) == len(changes.changes)
    factors = [abs(math.log(c.before / c.after)) for c in changes.most(100)]
    assert factors == sorted(factors, reverse=True)
    assert all(factors)
    assert len(factors) == changes.better + changes.worse


def test_a_match_that_is_never_found_is_worse_than_any_rank() -> None:
    made = card(1)
    figures = made.rows[0].per_query
    assert figures is not None
    lost = figures.model_copy(update={"first_match": [0, *figures.first_match[1:]]})
    row = made.rows[0].model_copy(update={"per_query": lost})
    changes = rank_changes(*choose_pair([made, made.model_copy(update={"rows": [row]})], ["id32"]))
    assert (changes.better, changes.worse) == (0, 1)
    assert changes.most(1)[0].query == "query/000.jpg"


def test_rankings_of_other_queries_have_no_changes() -> None:
    made = card(1)
    other = made.model_copy(update={"queries": [f"x{name}" for name in made.queries]})
    with pytest.raises(UsageError, match="not of the same queries"):
        rank_changes(*choose_pair([made, other], []))


def test_cards_of_one_encoder_and_data_set_are_told_apart_by_their_files() -> None:
    files = [Path("before/h.json"), Path("after/h.json")]
    labels = [chosen.label for chosen in choose_rows([card(1), card(1)], ["id32"], [], files)]
    assert labels == ["before/h.json: id32 exhaustive", "after/h.json: id32 exhaustive"]
    first, _ = choose_pair([card(1), card(1)], ["id32"], [Path("a.json"), Path("b.json")])
    assert first.label == "a: id32 exhaustive"


@pytest.mark.parametrize("wanted", [[], ["id32"], ["id32", "id128", "CtF"]])
def test_one_card_needs_two_rankings_to_compare(wanted: list[str]) -> None:
    with pytest.raises(UsageError, match="two rankings of one card"):
        choose_pair([card(1)], wanted)


def test_distance_histograms_count_each_pair() -> None:
    histograms = distance_histograms(QUERY, GALLERY, {"id32": [(9, "goes on")]})
    for histogram in histograms:
        counts = {"right": [0] * len(histogram.same), "wrong": [0] * len(histogram.same)}
        for i in range(len(QUERY)):
            for j in range(len(GALLERY)):
                if verdict(i, j) != "ignored":
                    counts[verdict(i, j)][distance(QUERY, i, GALLERY, j, histogram.code)] += 1
        assert histogram.same == counts["right"]
        assert histogram.different == counts["wrong"]
    [threshold] = histograms[0].thresholds
    assert threshold.same == pytest.approx(sum(histograms[0].same[:10]) / sum(histograms[0].same))
    assert threshold.different == pytest.approx(sum(histograms[0].different[:10]) / sum(histograms[0].different))


def test_beta_is_fitted_on_the_held_out_and_measured_on_the_test_set() -> None:
    held_out = people(7, first=100)
    cascades = dto_cascades(held_out, [8, 0.5])
    real = held_out.take(held_out.persons > 0)
    fitted = fit_thresholds(pair_histograms(real.codes, real.persons, real.cameras), beta=0.5)
    assert list(cascades) == [0.5, 8]
    assert str(cascades[0.5]) == f"id32<={fitted.values['id32']} > id128"
    numbers = beta_figure(cascades, QUERY, GALLERY, fitted_on="others")
    for trial in [numbers.exhaustive, *numbers.trials]:
        metrics = ranked_metrics(trial.cascade)
        assert trial.map_standard == pytest.approx(metrics.map_standard, abs=1e-12)
        assert trial.rank1 == pytest.approx(metrics.rank1, abs=1e-12)
        assert trial.map_between[0] <= trial.map_standard <= trial.map_between[1]
    assert [trial.at for trial in numbers.trials] == [0.5, 8]
    kept = sum(
        distance(QUERY, i, GALLERY, j, "id32") <= fitted.values["id32"]
        for i in range(len(QUERY))
        for j in range(len(GALLERY))
    )
    assert numbers.trials[0].bytes_per_query == pytest.approx(4 * len(GALLERY) + 16 * kept / len(QUERY))


def ranked_metrics(text: str):  # type: ignore[no-untyped-def]
    result = Cascade.parse(text).rank(CodeTable(dict(GALLERY.codes)), dict(QUERY.codes))
    return evaluate_rankings(result.indices, QUERY.persons, QUERY.cameras, GALLERY.persons, GALLERY.cameras)


def naive_short_list_map(w: int) -> float:
    """Precision at each right entry of the w nearest by id32, in the order of id128; 0 where there is none."""
    figures = []
    for i in range(len(QUERY)):
        if not any(verdict(i, j) == "right" for j in range(len(GALLERY))):
            continue
        listed = sorted(range(len(GALLERY)), key=lambda j: (distance(QUERY, i, GALLERY, j, "id32"), j))[:w]
        listed = sorted(listed, key=lambda j: (distance(QUERY, i, GALLERY, j, "id128"), j))
        judged = [verdict(i, j) for j in listed if verdict(i, j) != "ignored"]
        places = [place for place, what in enumerate(judged, 1) if what == "right"]
        figures.append(float(np.mean([n / place for n, place in enumerate(places, 1)])) if places else 0.0)
    return float(np.mean(figures))


def test_short_lists_of_every_length_and_what_the_rule_chose() -> None:
    held_out = people(7, first=100)
    fitted = fit_short_list(held_out.codes, held_out.persons, held_out.cameras)
    numbers = short_list_figure(fitted, QUERY, GALLERY, fitted_on="others", widths=[1, 5, len(GALLERY)])
    assert numbers.rule == max(1, math.ceil(fitted.share * len(GALLERY)))
    assert [t.at for t in numbers.trials] == sorted({1, 5, len(GALLERY), numbers.rule})
    assert numbers.trials[-1].map_standard == pytest.approx(numbers.exhaustive.map_standard, abs=1e-12)
    for trial, matched in zip(numbers.trials, numbers.matched, strict=True):
        found, asked = 0, 0
        for i in range(len(QUERY)):
            order = sorted(range(len(GALLERY)), key=lambda j: (distance(QUERY, i, GALLERY, j, "id32"), j))
            rights = [place for place, j in enumerate(order) if verdict(i, j) == "right"]
            asked += bool(rights)
            found += bool(rights) and rights[0] < trial.at
        assert matched == pytest.approx(found / asked, abs=1e-12)
        assert trial.map_short_list == pytest.approx(naive_short_list_map(int(trial.at)), abs=1e-12)
    assert numbers.trials[-1].map_short_list == pytest.approx(numbers.exhaustive.map_standard, abs=1e-12)
    with pytest.raises(UsageError, match="entries of this gallery"):
        short_list_figure(fitted, QUERY, GALLERY, fitted_on="others", widths=[len(GALLERY) + 1])


def test_the_rules_length_is_as_many_as_a_search_keeps() -> None:
    entries = GALLERY.take(np.arange(25))
    rule = ShortList("id32", "id128", 0.97, 7, 0.28, 10, 25)  # 0.28 * 25 is 7.000000000000001
    numbers = short_list_figure(rule, QUERY, entries, fitted_on="others", widths=[1])
    kept = rule.cascade().search(CodeTable(dict(entries.codes)), QUERY.codes, k=1).report[0].kept_per_query
    assert numbers.rule == kept == 7


def test_first_match_ranks_are_those_of_the_whole_ranking() -> None:
    ranks = first_match_ranks("id128", QUERY, GALLERY)
    assert ranks.min() >= 1
    assert len(ranks) == sum(any(verdict(i, j) == "right" for j in range(len(GALLERY))) for i in range(len(QUERY)))


def test_ranked_lists_hold_the_nearest_and_judge_each() -> None:
    cascade = Cascade.parse("id128")
    metrics = ranking_metrics(cascade, QUERY, GALLERY)
    worst = choose_queries(metrics, worst=3)
    aps = [metrics.ap_standard[i] for i in worst]
    assert aps == sorted(metrics.ap_standard[~np.isnan(metrics.ap_standard)])[:3]
    spread = choose_queries(metrics, spread=5)
    assert metrics.ap_standard[spread[0]] == np.nanmax(metrics.ap_standard)
    assert metrics.ap_standard[spread[-1]] == np.nanmin(metrics.ap_standard)
    for ranked in ranked_lists(worst, cascade, QUERY, GALLERY, metrics):
        i = ranked.query
        order = sorted(range(len(GALLERY)), key=lambda j: (distance(QUERY, i, GALLERY, j, "id128"), j))[:10]
        assert [r.position for r in ranked.results] == order
        assert [r.distance for r in ranked.results] == [distance(QUERY, i, GALLERY, j, "id128") for j in order]
        assert [r.verdict for r in ranked.results] == [verdict(i, j) for j in order]
    with pytest.raises(UsageError, match="not both"):
        choose_queries(metrics, worst=1, best=1)
    assert set(SPEC) == set(QUERY.codes)
