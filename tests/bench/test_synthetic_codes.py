"""Synthetic codes: distances as in real galleries, whatever the size and seed; the same seed gives the same codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swiftreid.bench import codes as codes_module
from swiftreid.bench.codes import NAMES, PICTURES_PER_PERSON, Population, kept_shares, synthetic_codes
from swiftreid.bench.ours import THRESHOLDS, TIGHT_THRESHOLDS
from swiftreid.errors import SwiftReIDError, UsageError


@pytest.mark.parametrize(("entries", "seed"), [(16_000, 0), (24_000, 1)])
def test_thresholds_keep_the_stated_shares(entries: int, seed: int) -> None:
    figures = kept_shares(synthetic_codes(entries, 512, seed), THRESHOLDS, queries=512)
    kept = {name: figures[name]["other_kept"] for name in THRESHOLDS}
    assert kept["id32"] == pytest.approx(0.064, rel=0.1)
    assert kept["id128"] == pytest.approx(0.0057, rel=0.1)
    assert kept["id512"] == pytest.approx(0.0011, rel=0.1)
    assert figures["id2048"]["positive_mean"] == pytest.approx(522, abs=12)
    assert figures["id2048"]["positive_deviation"] == pytest.approx(90, abs=6)
    assert figures["id2048"]["other_deviation"] == pytest.approx(85, abs=4)  # as real codes have it
    assert figures["id32"]["positive_mean"] == pytest.approx(5.5, abs=0.3)
    assert figures["id32"]["positive_deviation"] == pytest.approx(2.3, abs=0.2)
    assert figures["id2048"]["other_mean"] == pytest.approx(1024, rel=0.01)
    assert figures["id512"]["positive_kept"] > 0.95


def test_tight_thresholds_keep_less() -> None:
    data = synthetic_codes(16_000, 64)
    wide, tight = kept_shares(data, THRESHOLDS), kept_shares(data, TIGHT_THRESHOLDS)
    for name in THRESHOLDS:
        assert tight[name]["other_kept"] < wide[name]["other_kept"] / 3
        assert 0.85 < tight[name]["positive_kept"] < wide[name]["positive_kept"]


def test_shares_agree_with_counting_pair_by_pair() -> None:
    data = synthetic_codes(600, 3, seed=5)
    figures = kept_shares(data, THRESHOLDS, queries=3)
    passed: dict[str, list[bool]] = {"positive": [], "other": []}
    distances: dict[str, list[int]] = {"positive": [], "other": []}
    for i, right in enumerate(data.positives):
        for entry in range(600):
            apart = {
                name: sum(
                    int(a ^ b).bit_count()
                    for a, b in zip(data.table.column(name)[0][entry], data.queries[name][i], strict=True)
                )
                for name in NAMES
            }
            group = "positive" if entry in right else "other"
            passed[group].append(all(apart[name] <= limit for name, limit in THRESHOLDS.items()))
            distances[group].append(apart["id2048"])
    for group in ("positive", "other"):
        assert figures["id512"][f"{group}_kept"] == pytest.approx(np.mean(passed[group]))
        assert figures["id2048"][f"{group}_kept"] == figures["id512"][f"{group}_kept"]
        assert figures["id2048"][f"{group}_mean"] == pytest.approx(np.mean(distances[group]))
        assert figures["id2048"][f"{group}_deviation"] == pytest.approx(np.std(distances[group]))


def test_the_same_seed_gives_the_same_codes_and_another_gives_others() -> None:
    one, again, other = (synthetic_codes(4500, 5, seed) for seed in (3, 3, 4))
    for name in NAMES:
        assert np.array_equal(one.table.column(name)[0], again.table.column(name)[0])
        assert np.array_equal(one.queries[name], again.queries[name])
        assert (one.table.column(name)[0] != other.table.column(name)[0]).mean() > 0.5
    assert [list(found) for found in one.positives] == [list(found) for found in again.positives]


def test_positives_are_shuffled_and_of_the_expected_number() -> None:
    data = synthetic_codes(12_000, 40)
    assert all(len(found) == PICTURES_PER_PERSON for found in data.positives)
    positions = np.concatenate(data.positives)
    assert abs(positions.mean() - 6000) < 600
    assert all(list(found) == sorted(found) for found in data.positives)


def test_floats_have_the_signs_of_the_codes() -> None:
    population = Population(5000, 7, seed=1)
    data = population.codes()
    for of_queries, packed in ((False, data.table.column("id128")[0]), (True, data.queries["id128"])):
        floats = np.concatenate(list(population.floats("id128", of_queries=of_queries)))
        assert np.array_equal(np.packbits(floats > 0, axis=1, bitorder="little"), packed)


def test_first_entries_keep_their_positives() -> None:
    data = synthetic_codes(2000, 6)
    half = data.first(1000)
    assert len(half.table) == 1000
    for found, all_found in zip(half.positives, data.positives, strict=True):
        assert list(found) == [position for position in all_found if position < 1000]


def test_cached_codes_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = synthetic_codes(1500, 4, 9, cache_folder=tmp_path)
    monkeypatch.setattr(Population, "codes", lambda *_: pytest.fail("made again"))
    read = synthetic_codes(1500, 4, 9, cache_folder=tmp_path)
    for name in NAMES:
        assert np.array_equal(made.table.column(name)[0], read.table.column(name)[0])
        assert np.array_equal(made.queries[name], read.queries[name])
    assert [list(found) for found in made.positives] == [list(found) for found in read.positives]


def test_codes_cut_short_are_made_again_and_damage_is_named(tmp_path: Path) -> None:
    synthetic_codes(1500, 4, cache_folder=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert f"v{codes_module.VERSION}" in folder.name
    column = folder / "gallery-id128.npy"
    column.write_bytes(column.read_bytes()[:100])
    with pytest.raises(SwiftReIDError, match=folder.name):
        synthetic_codes(1500, 4, cache_folder=tmp_path)
    (folder / "complete").unlink()
    assert len(synthetic_codes(1500, 4, cache_folder=tmp_path).table) == 1500


@pytest.mark.parametrize("arguments", [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_impossible_numbers_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="at least"):
        synthetic_codes(*arguments)
