"""Self-similarity against its equations, spelt out, its two stages and its options."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods import build_method
from swiftreid.methods.self_similarity import (
    SelfSimilarity,
    SelfSimilarityConfig,
    pairs_across,
    pseudo_pairs_of,
)
from swiftreid.nn.losses.similarity_distillation import similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.non_local import NonLocal

LABELS = torch.tensor(
    [  # pseudo label, view, row, two surrogate classes
        [2, 0, 10, 0, 1],
        [2, 1, 11, 0, 0],
        [-1, 0, 12, 2, 3],
        [-1, 1, 13, 3, 3],
        [0, 0, 14, 4, 1],
        [0, 1, 15, 4, 4],
    ]
)
SMALL: dict[str, Any] = {"trunk": "resnet18_half", "length": 16, "parts": 2, "alignment_channels": 8}


def made(*, epoch: int = 40, **settings: Any) -> SelfSimilarity:
    torch.manual_seed(0)
    method = build_method("self_similarity", 4, **{**SMALL, **settings})
    assert isinstance(method, SelfSimilarity)
    started(method, epoch)
    return method


def started(method: SelfSimilarity, epoch: int) -> None:
    centres = torch.randn(5, method.embedding_length, generator=torch.Generator().manual_seed(6))
    method.start_epoch(2, {"centres": functional.normalize(centres), "epoch": torch.tensor(epoch)})


def pictures() -> Tensor:
    return torch.randn(6, 3, 64, 32, generator=torch.Generator().manual_seed(5))


def feature(method: SelfSimilarity, dense: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
    """x, the last map and the parts."""
    maps = method.trunk.stages(pictures())
    parts = method.parts(maps[-1])
    pooled = [value.mean(dim=(2, 3)) for value in (maps if dense else maps[-1:])]
    value = torch.cat([*pooled, *parts], dim=1) @ method.projection.weight.T
    value = (value - value.mean(dim=0)) / (value.var(dim=0, unbiased=False) + 1e-5).sqrt()
    return functional.normalize(value), maps[-1], parts


@pytest.mark.parametrize("dense", [True, False])
def test_it_is_its_objective(dense: bool) -> None:
    settings = {"separation_weight": 0.5, "slope": 3.0, "threshold": 0.1, "adversarial_weight": 0.2}
    method = made(dense=dense, **settings, proximal_weight=4.0, alignment_weight=0.7, part_norm_weight=0.3)
    with torch.no_grad():
        method.similarity.copy_(torch.randn(16, 16))
        method.parts.attentions[0].W1.weight.add_(0.01)  # type: ignore[union-attr, operator]
    got = method.loss(pictures(), LABELS)
    x, value, parts = feature(method, dense)
    v = method._centres
    p = torch.softmax(x @ method.similarity @ v.T, dim=1)
    q = functional.one_hot(LABELS[:, 3:], 5).float().mean(dim=1)
    g = torch.stack([torch.outer(x[i], (p[i] - q[i]) @ v).flatten() for i in range(6)])
    d = functional.normalize(g) @ functional.normalize(g).T
    across = [1 - 1.5 * (d[s, t] - 0.1) ** 2 for s in range(6) for t in range(6) if LABELS[s, 1] != LABELS[t, 1]]
    assert method.adversary is not None
    a = [method.adversary(part) for part in parts]
    # Two of the pictures have no pair. The reference of each other one is its pair.
    attended = torch.stack([attention(value) for attention in method.parts.attentions]).mean(dim=0)
    assert method.alignment is not None
    scores = method.alignment(attended[[0, 1, 4, 5]], attended[[1, 0, 5, 4]])
    want = {
        "surrogate": -(q * p.log()).sum(dim=1).mean(),
        "separation": 0.5 * torch.stack(across).mean(),
        "adversarial": 0.2 * (a[0] - a[1]).square().sum(dim=1).mean(),
        "proximal": torch.tensor(0.2 * 4.0 * 0.01**2 / 2 * method.parts.attentions[0].W1.weight.numel()),  # type: ignore[union-attr, operator]
        "part_norm": 0.3 * (parts[0].square().sum(dim=1) + parts[1].square().sum(dim=1)).mean(),
        "alignment": 0.7 * functional.cross_entropy(scores, LABELS[[0, 1, 4, 5], 0]),
    }
    assert got.keys() == {*want, "total"}
    for name, each in want.items():
        torch.testing.assert_close(got[name], each, rtol=1e-3, atol=1e-5, msg=name)


def test_the_first_stage_has_the_separation_alone() -> None:
    for epoch, terms in ((0, 2), (39, 2), (40, 5)):
        assert len(made(epoch=epoch).loss(pictures(), LABELS)) - 1 == terms, epoch
    assert set(made(epoch=0).loss(pictures(), LABELS)) == {"surrogate", "separation", "total"}
    assert "alignment" in made(epoch=0, separation_epochs=0).loss(pictures(), LABELS)


def test_the_prior_is_of_the_epochs_start() -> None:
    method = made(epoch=0)
    with torch.no_grad():
        for weight in method.parts.parameters():
            weight.add_(0.1)
    started(method, 0)  # a run that resumes within the epoch
    assert method.parts.proximity() > 0
    started(method, 1)
    assert method.parts.proximity() == 0


def test_terms_with_a_weight_of_0_have_no_weights() -> None:
    bare = made(adversarial_weight=0, alignment_weight=0, separation_weight=0)
    assert (bare.adversary, bare.alignment) == (None, None)
    assert set(bare.loss(pictures(), LABELS)) == {"surrogate", "total"}
    assert made(parts_by="average").adversary is None
    assert {"adversarial", "proximal"}.isdisjoint(made(parts_by="average").loss(pictures(), LABELS))
    assert not any(isinstance(part, NonLocal) for part in made(alignment_non_local=False).modules())


def test_the_distance_of_gradients_is_of_pseudo_pairs() -> None:
    method = made(separation="distance")
    got = method.loss(pictures(), LABELS)["separation"]
    x, _, _ = feature(method, False)
    v = method._centres
    p = torch.softmax(x @ v.T, dim=1)
    q = functional.one_hot(LABELS[:, 3:], 5).float().mean(dim=1)
    g = torch.stack([torch.outer(x[i], (p[i] - q[i]) @ v).flatten() for i in range(6)])
    want = ((g[0] - g[1]).square().sum() + (g[4] - g[5]).square().sum()) / 2
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-6)


def test_pairs_are_of_two_views() -> None:
    assert pairs_across(LABELS)[0].tolist() == [False, True, False, True, False, True]
    one_view = LABELS.clone()
    one_view[:, 1] = 0
    assert (~pairs_across(one_view)).sum() == 6, "then all but a picture with itself"
    assert pseudo_pairs_of(LABELS).nonzero().tolist() == [[0, 1], [1, 0], [4, 5], [5, 4]]
    assert not pseudo_pairs_of(one_view).any()


def test_a_batch_without_pairs_gives_every_weight_a_gradient_all_the_same() -> None:
    method, alone = made(), LABELS.clone()
    alone[:, 0] = -1
    terms = method.loss(pictures(), alone)
    assert terms["alignment"].item() == 0
    terms["total"].backward()
    assert all(weight.grad is not None for weight in method.parameters() if weight.requires_grad)


def test_the_classifier_starts_again_after_n_batches() -> None:
    method = made(restart_every=3)
    assert method.alignment is not None
    weights = []
    for _ in range(7):
        method.loss(pictures(), LABELS)
        weights.append(method.alignment.classifier.weight.detach().clone())
    changed = [not torch.equal(a, b) for a, b in itertools.pairwise(weights)]
    assert changed == [False, False, True, False, False, True]
    assert weights[2].shape == (4, 16)
    method.eval().loss(pictures(), LABELS)
    assert int(method.aligned) == 7, "training alone counts"


def test_codes_learn_from_the_feature_and_change_nothing_of_it() -> None:
    method = made(lengths=(12, 6), code_similarity_weight=5.0)
    terms = method.loss(pictures(), LABELS)
    x, _, _ = feature(method, False)
    assert method.pyramid is not None
    long, short = method.pyramid.codes(x)  # type: ignore[union-attr, operator]
    groups = torch.tensor([2, 2, 16, 17, 0, 0])
    triplet = batch_hard_triplet(long / 12**0.5, groups) + batch_hard_triplet(short / 6**0.5, groups)
    torch.testing.assert_close(terms["code_triplet"], triplet, rtol=1e-3, atol=1e-4)
    similarity = similarity_distillation(long, 4 * x) + similarity_distillation(short, long)
    torch.testing.assert_close(terms["code_similarity"], 5 * similarity / 2, rtol=1e-3, atol=1e-4)
    (terms["code_triplet"] + terms["code_similarity"]).backward()
    reached = {name for name, weight in method.named_parameters() if weight.grad is not None}
    assert reached == {name for name, _ in method.named_parameters() if name.startswith("pyramid.levels")} | {
        f"pyramid.norms.{k}.weight" for k in (0, 1)
    }


def test_without_surrogate_classes_nothing_is_learned() -> None:
    method = build_method("self_similarity", 4, **SMALL)
    with pytest.raises(UsageError, match="call start_epoch with their centres"):
        method.loss(pictures(), LABELS)


@pytest.mark.parametrize("trunk", ["resnet18_half", "googlenet", "osnet_x0_25"])
def test_any_trunk_gives_dense_features(trunk: str) -> None:
    method = made(trunk=trunk, dense=True).eval()
    assert method.embed(pictures()).shape == (6, 16)


def test_it_runs_in_mixed_precision() -> None:
    method = made(dense=True, lengths=(12, 6))
    with torch.autocast("cpu", torch.bfloat16):
        terms = method.loss(pictures(), LABELS)
    terms["total"].backward()
    assert torch.isfinite(terms["total"])


def test_the_defaults_are_the_papers() -> None:
    config = SelfSimilarityConfig()
    assert (config.trunk, config.length, config.dense) == ("resnet50", 512, False)
    assert (config.slope, config.threshold, config.separation_weight) == (2, 0.25, 1)
    assert (config.adversarial_weight, config.alignment_weight) == (0.015, 2.5)
    assert (config.surrogates, config.surrogate_classes, config.transforms) == ("patches", 8000, 64)
    assert config.lengths is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.0}, "threshold must be above 0 and below 1, got 1.0"),
        ({"slope": 0}, "slope must be above 0, got 0"),
        ({"surrogate_classes": 1}, "surrogate_classes must be from 2 to 65,536, got 1"),
        ({"restart_every": 0}, "restart_every must be from 1 to 65,536, got 0"),
        ({"parts": 0}, "parts must be from 1 to 64, got 0"),
        ({"adversarial_weight": -1}, "adversarial_weight must be 0 or more, got -1"),
        ({"lengths": [8, 16]}, "longest to shortest"),
        ({"surrogates": "people"}, "setting surrogates: .*'patches' or 'features'"),
        ({"separation": "l2"}, "setting separation: .*'formula', 'slope' or 'distance'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_method("self_similarity", 4, **settings)


def test_a_config_of_its_own_is_checked_too() -> None:
    with pytest.raises(UsageError, match="centring must be one of none, all, cameras, got 'place'"):
        SelfSimilarityConfig(centring="place")  # type: ignore[arg-type]
