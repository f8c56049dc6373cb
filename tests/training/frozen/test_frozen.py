from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal

import numpy as np
import pytest
import torch

from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods.all_in_one import AllInOne, AllInOneConfig
from swiftreid.nn.pyramid import CodePyramid
from swiftreid.search.codes import unpack_bits
from swiftreid.training.frozen import pyramid as frozen
from swiftreid.training.frozen.pyramid import FrozenConfig, fit_pyramid

QUICK = FrozenConfig(lengths=(64, 16), epochs=3, persons_per_batch=8, pictures_per_person=4)


def people(rng: np.random.Generator, count: int = 12, each: int = 8, noise: float = 0.5) -> tuple[np.ndarray, ...]:
    """Persons as points, pictures as noise around them, in a part of the space that matters less than the rest."""
    persons = np.repeat(np.arange(count), each)
    centres = rng.normal(size=(count, 10))
    signal = centres[persons] + noise * rng.normal(size=(len(persons), 10))
    nuisance = 3.0 * rng.normal(size=(len(persons), 10))
    return np.concatenate([signal, nuisance], axis=1).astype(np.float32), persons, np.tile([1, 2], len(persons) // 2)


def first_right(bits: np.ndarray, persons: np.ndarray) -> float:
    distances = (bits[:, None] != bits[None]).sum(axis=2).astype(float)
    np.fill_diagonal(distances, np.inf)
    return float((persons[distances.argmin(axis=1)] == persons).mean())


@pytest.mark.parametrize("start", ["discriminant", "random"])
@pytest.mark.parametrize("unit", [False, True])
def test_numpy_codes_equal_the_torch_head(
    monkeypatch: pytest.MonkeyPatch, start: Literal["discriminant", "random"], unit: bool
) -> None:
    """The congruence test: same signs, except for values too near the cut for float32 to decide."""
    kept: list[tuple[CodePyramid, np.ndarray, np.ndarray]] = []
    fold = frozen.folded

    def keep(head: CodePyramid, mean: np.ndarray, spread: np.ndarray, *, unit: bool) -> dict[str, np.ndarray]:
        kept.append((head, mean, spread))
        return fold(head, mean, spread, unit=unit)

    monkeypatch.setattr(frozen, "folded", keep)
    embeddings, persons, cameras = people(np.random.default_rng(0))
    config = FrozenConfig(
        lengths=(64, 16),
        epochs=3,
        persons_per_batch=8,
        start=start,
        unit=unit,
    )
    fitted = fit_pyramid(embeddings, persons, cameras, seed=1, config=config)
    head, mean, spread = kept[0]
    x = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True) if unit else embeddings
    with torch.no_grad():
        values = head(torch.from_numpy((x - mean) / spread))
    codes = PyramidCodes(fitted.tensors)(embeddings)
    for length, value in zip((64, 16), values, strict=True):
        sure = value.abs().numpy() >= 1e-4
        assert sure.mean() > 0.99
        bits = unpack_bits(codes[f"id{length}"], length)
        np.testing.assert_array_equal(bits[sure], (value.numpy() > 0)[sure])


@pytest.mark.parametrize(("start", "rate"), [("discriminant", 5e-5), ("random", 4e-3)])
def test_learning_finds_the_persons(start: Literal["discriminant", "random"], rate: float) -> None:
    rng = np.random.default_rng(3)
    embeddings, persons, cameras = people(rng, noise=0.3)
    config = FrozenConfig(
        lengths=(64, 16), epochs=60, persons_per_batch=8, unit=False, start=start, learning_rate=rate, dropout=0.0
    )
    fitted = fit_pyramid(embeddings, persons, cameras, seed=0, config=config)
    bits = unpack_bits(PyramidCodes(fitted.tensors)(embeddings)["id64"], 64)
    centred = embeddings - embeddings.mean(axis=0)
    hyperplanes = centred @ rng.normal(size=(20, 64)) > 0
    assert first_right(bits, persons) > 0.95 > 0.6 > first_right(hyperplanes, persons)
    losses = fitted.record["losses"]
    assert losses[-1] < losses[0]


def test_the_seed_decides_everything_and_leaves_torch_alone() -> None:
    embeddings, persons, cameras = people(np.random.default_rng(0))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = fit_pyramid(embeddings, persons, cameras, seed=1, config=QUICK)
    torch.testing.assert_close(torch.rand(3), expected)
    again = fit_pyramid(embeddings, persons, cameras, seed=1, config=QUICK)
    other = fit_pyramid(embeddings, persons, cameras, seed=2, config=QUICK)
    for name, array in first.tensors.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, again.tensors[name])
    assert (first.tensors["pyramid.16.weight"] != other.tensors["pyramid.16.weight"]).any()


def test_views_take_part() -> None:
    embeddings, persons, cameras = people(np.random.default_rng(0))
    shifted = np.stack([embeddings, embeddings + 1, embeddings - 1])
    one = fit_pyramid(embeddings, persons, cameras, seed=1, config=QUICK)
    three = fit_pyramid(shifted, persons, cameras, seed=1, config=QUICK)
    assert (one.record["views"], three.record["views"]) == (1, 3)
    assert (one.tensors["pyramid.16.weight"] != three.tensors["pyramid.16.weight"]).any()


def test_progress_and_record() -> None:
    embeddings, persons, _ = people(np.random.default_rng(0))
    seen: list[tuple[str, int, int, str]] = []
    fitted = fit_pyramid(embeddings, persons + 100, seed=1, config=QUICK, progress=lambda *now: seen.append(now))
    assert [(done, of) for _, done, of, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [detail for *_, detail in seen] == [f"loss {loss:.3f}" for loss in fitted.record["losses"]]
    record = json.loads(json.dumps(fitted.record))
    assert (record["pictures"], record["persons"], record["cameras"], record["seed"]) == (96, 12, None, 1)
    assert record["config"]["objective"]["similarity_weight"] == QUICK.objective.similarity_weight


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11])
def test_short_runs_have_a_schedule(epochs: int) -> None:
    """One batch an epoch: ten steps once divided by zero."""
    embeddings, persons, _ = people(np.random.default_rng(0), count=8, each=4)
    config = FrozenConfig(lengths=(64, 16), epochs=epochs, persons_per_batch=8, start="random")
    assert len(fit_pyramid(embeddings, persons, seed=1, config=config).record["losses"]) == epochs


def test_a_constant_feature_does_no_harm() -> None:
    embeddings, persons, _ = people(np.random.default_rng(0))
    embeddings[:, 4] = 7.0
    config = FrozenConfig(lengths=(64, 16), epochs=1, persons_per_batch=8, unit=False)
    fitted = fit_pyramid(embeddings, persons, seed=1, config=config)
    assert all(np.isfinite(array).all() for array in fitted.tensors.values())


def test_broken_loss_stops_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, persons, _ = people(np.random.default_rng(0))
    forward = AllInOne.forward

    def broken(self: AllInOne, codes: list[torch.Tensor], labels: torch.Tensor) -> dict[str, torch.Tensor]:
        terms = forward(self, codes, labels)
        return terms | {"triplet": terms["triplet"] * torch.nan, "total": terms["total"] * torch.nan}

    monkeypatch.setattr(AllInOne, "forward", broken)
    with pytest.raises(SwiftReIDError, match=r"epoch 1, batch 1 \(terms: triplet, total\): lower the learning rate"):
        fit_pyramid(embeddings, persons, seed=1, config=QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, p, c: (e, np.zeros_like(p), c), "at least 2 persons, got 1"),
        (lambda e, p, c: (e, p[:-1], c), "persons must have one entry"),
        (lambda e, p, c: (e, p, c[:-1]), "cameras must have one entry"),
        (lambda e, p, c: (e[0], p, c), r"\[n, d\] or \[views, n, d\]"),
        (lambda e, p, c: (np.zeros((0, 20)), p, c), r"\[n, d\] or \[views, n, d\]"),
        (lambda e, p, c: (np.where(np.arange(96)[:, None] == 5, np.nan, e), p, c), "picture 5 "),
    ],
)
def test_bad_input_is_refused(change, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_pyramid(*change(*people(np.random.default_rng(0))), seed=0, config=QUICK)


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"start": "warm"},
        {"shrinkage": 0.0},
        {"dropout": 1.0},
        {"lengths": (16, 64)},
    ],
)
def test_bad_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        FrozenConfig(**setting)


def test_only_documented_departure_from_the_papers_objective_is_a_weight() -> None:
    paper, here = asdict(AllInOneConfig()), asdict(FrozenConfig().objective)
    assert {name for name in paper if paper[name] != here[name]} == {"similarity_weight"}
