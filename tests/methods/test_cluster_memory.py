"""Cluster memory against loops over pictures, and the settings of a network by its weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods.cluster_memory import ClusterMemory, ClusterMemoryConfig, embedding_settings
from swiftreid.nn.trunks.catalogue import make_trunk, trunk_with

CLUSTERS, LENGTH = 5, 8
PROXY_CLUSTER = [0, 0, 1, 2, 2, 3, 4]
PROXY_CAMERA = [1, 2, 1, 1, 2, 2, 1]
DOUBTFUL = [(2, 5), (0, 4)]  # clusters 1 and 3, and 0 and 2


def unit(*shape: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def method(**settings: float | bool) -> ClusterMemory:
    torch.manual_seed(0)
    made = ClusterMemory(0, ClusterMemoryConfig(trunk="resnet18_half", length=LENGTH, **settings))  # type: ignore[arg-type]
    made.start_epoch(
        CLUSTERS,
        {
            "clusters": unit(CLUSTERS, LENGTH, seed=1),
            "proxies": unit(len(PROXY_CLUSTER), LENGTH, seed=2),
            "proxy_cluster": torch.tensor(PROXY_CLUSTER),
            "proxy_camera": torch.tensor(PROXY_CAMERA),
            "doubtful": torch.tensor(DOUBTFUL),
        },
    )
    return made


@pytest.mark.parametrize("spare", [True, False])
@pytest.mark.parametrize("negatives", [2, 50])
def test_terms_equal_loops(spare: bool, negatives: int) -> None:
    learned = method(spare_doubtful=spare, negatives=negatives, momentum=0.3, proxy_weight=0.5)
    memory = {name: value.clone() for name, value in learned._memory.items()}
    pictures = torch.randn(4, 3, 32, 16)
    labels = torch.tensor([[0, 0], [2, 4], [1, 2], [3, 5]])
    learned.eval()
    with torch.no_grad():
        vectors = learned.embed(pictures)
        terms = learned.loss(pictures, labels)
    cluster_terms, within_terms, across_terms = [], [], []
    for vector, (cluster, proxy) in zip(vectors, labels.tolist(), strict=True):
        doubted = {b for a, b in DOUBTFUL if a == proxy} | {a for a, b in DOUBTFUL if b == proxy} if spare else set()
        spared = {PROXY_CLUSTER[other] for other in doubted}
        cosines = [float(vector @ centroid) / 0.05 for centroid in memory["clusters"]]
        rest = sum(math.exp(value - cosines[cluster]) for c, value in enumerate(cosines) if c not in spared)
        cluster_terms.append(math.log(rest))
        scores = [float(vector @ centroid) / 0.05 for centroid in memory["proxies"]]
        own = [p for p in range(len(scores)) if PROXY_CAMERA[p] == PROXY_CAMERA[proxy]]
        within_terms.append(math.log(sum(math.exp(scores[p] - scores[proxy]) for p in own)))
        positive = [
            p for p in range(len(scores)) if PROXY_CLUSTER[p] == cluster and PROXY_CAMERA[p] != PROXY_CAMERA[proxy]
        ]
        negative = [p for p in range(len(scores)) if PROXY_CLUSTER[p] != cluster and p not in doubted]
        hardest = sorted((scores[p] for p in negative), reverse=True)[:negatives]
        if positive:
            kept = [scores[p] for p in positive] + hardest
            across_terms.append(
                np.mean([math.log(sum(math.exp(value - scores[p]) for value in kept)) for p in positive])
            )
    assert float(terms["cluster"]) == pytest.approx(np.mean(cluster_terms), rel=1e-4)
    assert float(terms["within_camera"]) == pytest.approx(0.5 * np.mean(within_terms), rel=1e-4)
    assert float(terms["across_cameras"]) == pytest.approx(0.5 * np.mean(across_terms), rel=1e-4)
    assert float(terms["total"]) == pytest.approx(
        sum(float(terms[name]) for name in ("cluster", "within_camera", "across_cameras")), rel=1e-5
    )
    for name, column in (("clusters", 0), ("proxies", 1)):
        expected = memory[name].clone()
        for vector, label in zip(vectors, labels[:, column].tolist(), strict=True):
            expected[label] = functional.normalize(0.3 * expected[label] + 0.7 * vector, dim=0)
        torch.testing.assert_close(learned._memory[name], expected, rtol=1e-4, atol=1e-5)


def test_gradients_do_not_see_the_memory_that_followed() -> None:
    learned = method()
    terms = learned.loss(torch.randn(4, 3, 32, 16), torch.tensor([[0, 0], [0, 1], [2, 3], [2, 4]]))
    terms["total"].backward()  # type: ignore[no-untyped-call]
    assert learned.projection.weight.grad is not None
    assert torch.isfinite(learned.projection.weight.grad).all()


def test_without_proxies_there_is_one_term() -> None:
    terms = method(proxy_weight=0).loss(torch.randn(2, 3, 32, 16), torch.tensor([[0, 0], [1, 2]]))
    assert set(terms) == {"cluster", "total"}


def test_impossible_settings_are_refused() -> None:
    for wrong in ({"temperature": 0}, {"momentum": 1}, {"negatives": 0}, {"length": -1}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            ClusterMemoryConfig(**wrong)  # type: ignore[arg-type]


def test_a_trunk_is_known_by_its_weights() -> None:
    for name in ("resnet18_half_ibn_a", "resnet50", "osnet_x0_25"):
        weights = {f"trunk.{key}": value for key, value in make_trunk(name).state_dict().items()}
        assert embedding_settings(weights) == {"trunk": name, "length": 0}
        assert embedding_settings({**weights, "projection.weight": torch.zeros(256, 64)}) == {
            "trunk": name,
            "length": 256,
        }
    assert trunk_with({"conv1.weight": (1, 2)}) is None
    assert embedding_settings({}) is None
