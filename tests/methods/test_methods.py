"""What all methods have in common, and each network against its paper's figure, spelt out."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from swiftreid.errors import UsageError
from swiftreid.methods import METHODS, Method, build_method
from swiftreid.methods.all_in_one import AllInOneMethod, AllInOneMethodConfig
from swiftreid.methods.baseline import Baseline, BaselineConfig
from swiftreid.methods.catalogue import check_embedding
from swiftreid.methods.ranking import Ranking, RankingConfig
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.lin import lin_loss
from swiftreid.nn.losses.probability_distillation import probability_distillation, symmetric_divergence
from swiftreid.nn.losses.similarity_distillation import row_similarity_distillation, similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet

SMALL: dict[str, dict[str, Any]] = {
    "all_in_one": {"lengths": (64, 16, 8)},
    "smooth_relaxation": {"trunk": "resnet18_half", "bits": 64, "parts": 2, "attribute_weight": 0},
    "pcb": {"parts": 2, "length": 64},
    "mgn": {"trunk": "resnet18_half", "length": 16},
    "abd_net": {"trunk": "resnet18_half", "length": 32, "dropout": 0.0},
    "self_similarity": {"length": 32, "parts": 2, "alignment_channels": 8, "lengths": (16, 8)},
    "cluster_memory": {"length": 16},
    "hybrid_memory": {"length": 16},
}
"""Settings that make a method quick; one that is not named here has a small trunk alone."""


def small_settings(name: str) -> dict[str, Any]:
    return {"trunk": "osnet_x0_25", **SMALL.get(name, {})}


PERSONS = torch.tensor([0, 0, 1, 1, 2, 2])
TAUGHT = torch.tensor([[3.0, 0, 1], [2, 0, 1], [0, -1, 0], [0, -2, 1], [0.5, 0.5, 0], [0, 0, 4]])


VIEWS = torch.tensor([0, 1, 0, 1, 0, 1])
SURROGATES = torch.tensor([[0, 1], [0, 0], [2, 3], [3, 3], [4, 1], [4, 4]])
PAIRED = torch.cat([torch.stack([PERSONS, VIEWS, torch.arange(6)], dim=1), SURROGATES], dim=1)
CLUSTERED = torch.stack([PERSONS, torch.arange(6)], dim=1)
"""Every picture is a proxy of its own, by one of two cameras."""
ENTRIES = torch.tensor([0, 0, 1, 1, 2, 3])


def cluster_memory(length: int) -> dict[str, Tensor]:
    centroids = torch.nn.functional.normalize(torch.randn(9, length, generator=torch.Generator().manual_seed(6)))
    return {
        "clusters": centroids[:3].clone(),
        "proxies": centroids[3:].clone(),
        "proxy_cluster": PERSONS,
        "proxy_camera": torch.tensor([0, 1, 0, 1, 0, 1]),
        "doubtful": torch.tensor([[0, 3]]),
    }


def hybrid_memory(length: int) -> dict[str, Tensor]:
    """Two people of a source, of whom the first four pictures are, and a target's cluster of three pictures."""
    entries = torch.nn.functional.normalize(torch.randn(5, length, generator=torch.Generator().manual_seed(6)))
    return {"entries": entries, "group": torch.tensor([0, 1, 2, 2, 2]), "sources": torch.tensor(2)}


def small(name: str, **settings: Any) -> Method:
    torch.manual_seed(0)
    method = build_method(name, 3, **{**small_settings(name), **settings})
    if method.learns_from == "pseudo_pairs":
        centres = torch.randn(5, method.embedding_length, generator=torch.Generator().manual_seed(6))
        method.start_epoch(3, {"centres": centres, "epoch": torch.tensor(1000)})
    if method.learns_from == "clusters":
        method.start_epoch(3, cluster_memory(method.embedding_length))
    if method.learns_from == "hybrid":
        method.start_epoch(3, hybrid_memory(method.embedding_length))
    return method


def labels(method: Method) -> Tensor:
    given = {"teacher": TAUGHT, "clusters": CLUSTERED, "pseudo_pairs": PAIRED, "hybrid": ENTRIES}
    return given.get(method.learns_from, PERSONS)


def pictures(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 64, 32, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns(name: str) -> None:
    method = small(name)
    optimizer = torch.optim.Adam(method.parameters(), lr=2e-3)
    totals = []
    for _ in range(12):
        terms = method.loss(pictures(), labels(method))
        parts = [value for term, value in terms.items() if term != "total"]
        torch.testing.assert_close(terms["total"], torch.stack(parts).sum())
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        totals.append(terms["total"].item())
    assert totals[-1] < 0.85 * totals[0]


@pytest.mark.parametrize("name", METHODS)
def test_every_weight_of_a_method_is_used(name: str) -> None:
    method = small(name, trunk="resnet18_half")
    method(pictures(), labels(method))["total"].backward()
    still = {entry for entry, p in method.named_parameters() if p.requires_grad and p.grad is None}
    assert still == set()
    fixed = [entry for entry, p in method.named_parameters() if not p.requires_grad]
    assert all(entry == "neck.bias" or re.fullmatch(r"pyramid\.norms\.\d\.bias", entry) for entry in fixed)


@pytest.mark.parametrize("name", METHODS)
def test_embeddings_do_not_depend_on_the_batch(name: str) -> None:
    method = small(name)
    method.loss(pictures(), labels(method))
    method.eval().double()  # how single precision rounds depends on the processor and on the batch
    with torch.no_grad():
        together = method.embed(pictures().double())
        alone = torch.cat([method.embed(picture[None]) for picture in pictures().double()])
    assert together.shape == (6, method.embedding_length)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)
    if method.pyramid is not None:
        lengths = method.pyramid.lengths
        assert [tuple(v.shape) for v in method.pyramid(together)] == [(6, length) for length in lengths]


@pytest.mark.parametrize("name", METHODS)
def test_a_saved_method_is_the_same_method(name: str) -> None:
    method = small(name)
    method.loss(pictures(), labels(method))
    torch.manual_seed(9)
    other = build_method(name, 3, **small_settings(name))
    other.load_state_dict(method.state_dict())
    with torch.no_grad():
        assert torch.equal(other.eval().embed(pictures()), method.eval().embed(pictures()))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("baseline", True),
        ("ranking", True),
        ("all_in_one", False),
        ("smooth_relaxation", False),
        ("distilled", True),
        ("pcb", True),
        ("mgn", True),
        ("abd_net", True),
        ("self_similarity", True),
        ("cluster_memory", True),
        ("hybrid_memory", True),
    ],
)
def test_which_embeddings_are_divided_by_their_norm(name: str, unit: bool) -> None:
    method = small(name)
    assert method.unit is unit
    assert (method.pyramid is not None) == (name in ("all_in_one", "smooth_relaxation", "self_similarity"))


def test_distillation_is_angles_to_the_teacher_and_among_pictures() -> None:
    method = small("distilled", feature_weight=2.0, similarity_weight=3.0)
    got = method.loss(pictures(), TAUGHT)
    ours = method._projected(pictures()).detach().numpy()  # type: ignore[operator]
    theirs = TAUGHT.numpy()
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(ours, theirs, strict=True)]
    assert got["feature"].item() == pytest.approx(2 * (1 - np.mean(cosines)), abs=1e-5)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (ours, theirs)]
    apart = [(unit[0][i] @ unit[0][j] - unit[1][i] @ unit[1][j]) ** 2 for i in range(6) for j in range(6)]
    assert got["similarity"].item() == pytest.approx(3 * np.mean(apart), abs=1e-5)


def test_the_baseline_is_its_figure() -> None:
    method = small("baseline", margin=0.5, smoothing=0.2, centre_weight=0.01)
    assert isinstance(method, Baseline)
    got = method.loss(pictures(), PERSONS)
    pooled = method.trunk(pictures()).mean(dim=(2, 3))
    normed = (pooled - pooled.mean(dim=0)) / (pooled.var(dim=0, unbiased=False) + 1e-5).sqrt()
    logits = normed @ method.classifier.weight.T
    assert method.classifier.bias is None
    want = cross_entropy(logits, PERSONS, smoothing=0.2)
    torch.testing.assert_close(got["cross_entropy"], want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got["triplet"], batch_hard_triplet(pooled, PERSONS, margin=0.5), rtol=1e-4, atol=1e-5)
    means = torch.stack([pooled[person == PERSONS].mean(dim=0) for person in range(3)])
    centre = (pooled - means[PERSONS]).square().sum(dim=1).mean() / 2
    torch.testing.assert_close(got["centre"], 0.01 * centre, rtol=1e-4, atol=1e-6)
    method.eval()
    torch.testing.assert_close(method.embed(pictures()), method.neck(method.trunk(pictures()).mean(dim=(2, 3))))


def test_the_baseline_has_no_centre_loss_unless_asked() -> None:
    assert set(small("baseline").loss(pictures(), PERSONS)) == {"cross_entropy", "triplet", "total"}


@pytest.mark.parametrize("neck", [True, False])
def test_ranking_is_its_figure(neck: bool) -> None:
    method = small("ranking", radius=0.4, temperature=2.0, smoothing=0.2, lin_weight=0.6, neck=neck)
    assert isinstance(method, Ranking)
    got = method.loss(pictures(), PERSONS)
    feature = method.trunk(pictures()).mean(dim=(2, 3))
    if neck:
        feature = (feature - feature.mean(dim=0)) / (feature.var(dim=0, unbiased=False) + 1e-5).sqrt()
    logits = feature @ method.classifier.weight.T
    torch.testing.assert_close(
        got["cross_entropy"], cross_entropy(logits, PERSONS, smoothing=0.2), rtol=1e-4, atol=1e-5
    )
    lin = lin_loss(feature, PERSONS, radius=0.4, temperature=2.0)
    torch.testing.assert_close(got["lin"], 0.6 * lin, rtol=1e-4, atol=1e-5)
    embedded = method.eval().embed(pictures())
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(6))


def test_ranking_lets_gradients_through_its_weights_if_asked() -> None:
    grads = []
    for detach in (True, False):
        method = small("ranking", detach_weights=detach, classification_weight=0.0)
        method.loss(pictures(), PERSONS)["total"].backward()
        grads.append(method.neck.weight.grad)
    assert not torch.allclose(grads[0], grads[1])


@pytest.mark.parametrize("pyramid", [True, False])
@pytest.mark.parametrize("variant", ["paper", "released"])
def test_all_in_one_is_its_figure(variant: str, pyramid: bool) -> None:
    settings = {"probability_weight": 2.0, "similarity_weight": 50.0, "temperature": 3.0}
    method = small("all_in_one", variant=variant, pyramid=pyramid, **settings)
    assert isinstance(method, AllInOneMethod)
    assert method.pyramid is not None
    got = method.loss(pictures(), PERSONS)
    source = method.trunk(pictures()).mean(dim=(2, 3))
    codes = []
    for level in method.pyramid.levels:
        value = source @ level.weight.T
        codes.append(torch.tanh((value - value.mean(dim=0)) / (value.var(dim=0, unbiased=False) + 1e-5).sqrt()))
        source = value if pyramid else source
    z = [code @ classifier.weight.T for code, classifier in zip(codes, method.objective.classifiers, strict=True)]
    if variant == "paper":
        probability = sum(probability_distillation(z[k + 1], z[k], temperature=3.0) for k in (0, 1)) / 2
        similarity = sum(similarity_distillation(codes[k + 1], codes[k]) for k in (0, 1)) / 2
    else:
        probability = sum(symmetric_divergence(z[k], z[0], temperature=3.0) for k in (1, 2))
        similarity = sum(row_similarity_distillation(codes[k], codes[0]) for k in (1, 2))
    want = {
        "cross_entropy": sum(cross_entropy(v, PERSONS) for v in z),
        "triplet": sum(batch_hard_triplet(b / b.shape[1] ** 0.5, PERSONS) for b in codes),
        "probability": 2 * probability,
        "similarity": 50 * similarity,
    }
    for name, value in want.items():
        torch.testing.assert_close(got[name], torch.as_tensor(value), rtol=1e-3, atol=1e-4)


def test_distillations_can_be_switched_off_one_at_a_time() -> None:
    for off in ("probability", "similarity"):
        terms = small("all_in_one", **{f"{off}_weight": 0.0}).loss(pictures(), PERSONS)
        assert terms[off].item() == 0
        assert all(value.item() > 0 for name, value in terms.items() if name != off)


def test_the_released_variant_teaches_the_trunk_by_the_longest_code_alone() -> None:
    method = small("all_in_one", variant="released")
    assert method.pyramid is not None
    codes = method.pyramid.codes(method.embed(pictures()))
    sum(code.pow(3).sum() for code in codes[1:]).backward()  # type: ignore[union-attr]
    assert all(p.grad is None for p in method.trunk.parameters())
    codes[0].pow(3).sum().backward()
    assert all(p.grad is not None for p in method.trunk.parameters())


def test_lengths_follow_the_variant() -> None:
    assert AllInOneMethodConfig().code_lengths == (2048, 512, 128, 32)
    assert AllInOneMethodConfig(variant="released").code_lengths == (2048, 1024, 512, 256, 128, 64, 32)
    assert AllInOneMethodConfig(variant="released", lengths=(64, 8)).code_lengths == (64, 8)


def test_the_defaults_are_the_papers() -> None:
    baseline, ranking, codes = BaselineConfig(), RankingConfig(), AllInOneMethodConfig()
    assert (baseline.trunk, baseline.last_stride, baseline.pooling) == ("resnet50", 1, "average")
    assert (baseline.margin, baseline.smoothing, baseline.centre_weight) == (0.3, 0.1, 0)
    assert (ranking.trunk, ranking.lin_weight, ranking.radius, ranking.temperature) == ("resnet50_ibn_a", 0.4, 0.7, 1)
    assert (codes.trunk, codes.probability_weight, codes.similarity_weight) == ("resnet50", 1, 1000)
    assert (codes.pyramid, codes.variant, codes.dropout) == (True, "paper", 0)


@pytest.mark.parametrize("name", METHODS)
def test_configurations_are_frozen_and_pydantic_checks_them(name: str) -> None:
    kind = METHODS[name].config_type
    assert is_dataclass(kind)
    config = TypeAdapter(kind).validate_python({"trunk": "resnet18", "pooling": "gem"})
    assert (config.trunk, config.pooling) == ("resnet18", "gem")
    with pytest.raises(AttributeError):
        config.trunk = "resnet34"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Unexpected keyword"):
        TypeAdapter(kind).validate_python({"trnk": "resnet18"})
    assert {"trunk", "last_stride", "pooling"} <= {field.name for field in fields(kind)}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("triplets", {}, "no method 'triplets'; there are baseline, ranking, all_in_one"),
        ("baseline", {"marging": 0.3}, "baseline has no setting 'marging'; it has trunk, "),
        ("baseline", {"margin": -1}, "method baseline: margin must be 0 or more, got -1"),
        ("baseline", {"centre_weight": float("inf")}, "centre_weight must be 0 or more, got inf"),
        ("baseline", {"smoothing": 2}, "smoothing must be from 0 to 1, got 2"),
        ("baseline", {"pooling": "mean"}, "method baseline, setting pooling: .*'average', 'gem' or 'max'"),
        ("baseline", {"last_stride": 4}, "last_stride must be 1 or 2, got 4"),
        ("baseline", {"trunk": "resnet51"}, "no trunk 'resnet51'"),
        ("ranking", {"radius": 2.5}, "radius must be from 0 to below 2.*got 2.5"),
        ("ranking", {"temperature": -1.1}, "temperature must be -1 or more"),
        ("ranking", {"lin_weight": 0, "classification_weight": 0}, "nothing would be learned"),
        ("all_in_one", {"lengths": [8, 16]}, "longest to shortest"),
        ("all_in_one", {"lengths": ["x"]}, r"setting lengths\.0: .*integer"),
        ("all_in_one", {"variant": "mine"}, "setting variant: .*'paper' or 'released'"),
        ("all_in_one", {"dropout": 1.0}, "dropout must be from 0 to below 1, got 1.0"),
        ("all_in_one", {"temperature": 0}, "temperature must be above 0, got 0"),
        ("distilled", {"similarity_weight": -1}, "similarity_weight must be 0 or more, got -1"),
        ("distilled", {"similarity_weight": 0, "feature_weight": 0}, "nothing would be learned"),
    ],
)
def test_impossible_methods_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_method(name, 3, **{"trunk": "osnet_x0_25", **settings})


@pytest.mark.parametrize("name", [name for name, kind in METHODS.items() if kind.learns_from == "persons"])
def test_one_person_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="at least 2 persons, got 1"):
        build_method(name, 1, **small_settings(name))


def test_an_embedding_of_another_length_is_refused_before_training() -> None:
    method = build_method("baseline", 4, **small_settings("baseline"))
    check_embedding(method, (64, 32))
    assert method.training
    method.embedding_length += 1
    with pytest.raises(UsageError, match=r"set self\.embedding_length = \d+ in its __init__"):
        check_embedding(method, (64, 32))
