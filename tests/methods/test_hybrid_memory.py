"""The hybrid memory's loss and memory against loops over entries, and the source's own normalisations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from swiftreid.errors import UsageError
from swiftreid.methods.hybrid_memory import HybridMemory, HybridMemoryConfig

LENGTH = 8
GROUP = [0, 1, 2, 3, 3, 4, 3, 5]  # three people of the source, a cluster of three pictures, two pictures alone
SOURCES = 3


def method(**settings: Any) -> HybridMemory:
    torch.manual_seed(0)
    made = HybridMemory(0, HybridMemoryConfig(trunk="resnet18_half", length=LENGTH, **settings))
    entries = torch.randn(len(GROUP), LENGTH, generator=torch.Generator().manual_seed(1))
    memory = {"group": torch.tensor(GROUP), "sources": torch.tensor(SOURCES)}
    made.start_epoch(6, {"entries": functional.normalize(entries, dim=1), **memory})
    return made


def test_loss_and_memory_equal_loops() -> None:
    learned = method(temperature=0.07, momentum=0.3)
    before = learned._memory["entries"].clone()
    labels = torch.tensor([1, 3, 1, 5, 4, 0, 3])
    pictures = torch.randn(7, 3, 32, 16)
    learned.eval()
    with torch.no_grad():
        terms = learned.loss(pictures, labels)
        vectors = [
            learned._embedded(picture[None], source=entry < SOURCES)[0]
            for picture, entry in zip(pictures, labels.tolist(), strict=True)
        ]
    logits_of = []
    for vector in vectors:
        scores = []
        for group in range(6):
            cosines = [float(vector @ before[entry]) for entry in range(len(GROUP)) if GROUP[entry] == group]
            scores.append(sum(cosines) / len(cosines) / 0.07)
        logits_of.append(scores)
    losses = [
        math.log(sum(math.exp(score - scores[GROUP[entry]]) for score in scores))
        for scores, entry in zip(logits_of, labels.tolist(), strict=True)
    ]
    for name, places in (("source", [0, 2, 5]), ("target", [1, 3, 4, 6])):
        assert float(terms[name]) == pytest.approx(sum(losses[p] for p in places) / len(places), rel=1e-4)
    assert float(terms["total"]) == pytest.approx(float(terms["source"] + terms["target"]), rel=1e-6)
    after = before.clone()
    for entry in set(labels.tolist()):
        own = [vector for vector, label in zip(vectors, labels.tolist(), strict=True) if label == entry]
        mean = torch.stack(own).mean(dim=0)
        after[entry] = functional.normalize(0.3 * before[entry] + 0.7 * mean, dim=0)
    torch.testing.assert_close(learned._memory["entries"], after, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after[[2, 6, 7]], before[[2, 6, 7]], rtol=0, atol=0)


def test_without_a_source_there_is_one_term() -> None:
    learned = method()
    entries, group = learned._memory["entries"][SOURCES:], torch.tensor(GROUP[SOURCES:]) - SOURCES
    learned.start_epoch(3, {"entries": entries, "group": group, "sources": torch.tensor(0)})
    terms = learned.loss(torch.randn(4, 3, 32, 16), torch.tensor([0, 1, 2, 4]))
    assert set(terms) == {"target", "total"}
    terms["total"].backward()  # type: ignore[no-untyped-call]
    assert learned.projection.weight.grad is not None
    assert torch.isfinite(learned.projection.weight.grad).all()


def test_each_domain_has_its_own_statistics() -> None:
    learned = method().train()
    own, other = learned.trunk, learned.source_norms
    names = [name for name, _ in own.named_buffers() if name.endswith("running_mean")]
    assert len(names) == len(other.norms) > 5
    of_target = {name: dict(own.named_buffers())[name].clone() for name in names}
    dark, light = torch.randn(4, 3, 32, 16) - 2, torch.randn(4, 3, 32, 16) + 2
    learned._embedded(light, source=True)
    assert all(torch.equal(dict(own.named_buffers())[name], value) for name, value in of_target.items())
    of_source = [norm.running_mean.clone() for norm in other.norms]
    assert any(bool(mean.any()) for mean in of_source)
    learned._embedded(dark, source=False)
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(other.norms, of_source, strict=True))
    first = dict(own.named_buffers())[names[0]]
    assert not torch.equal(first, of_target[names[0]])
    assert not torch.allclose(first, of_source[0])
    # The encoder's embedding is that of the target's.
    learned.eval()
    torch.testing.assert_close(learned.embed(dark), learned._embedded(dark, source=False))
    assert not torch.allclose(learned.embed(dark), learned._embedded(dark, source=True), atol=1e-3)


def test_the_sources_norms_start_as_the_targets() -> None:
    learned = method()
    with torch.no_grad():
        for _, value in learned.trunk.named_buffers():
            value.add_(1)
        learned.neck.weight += 1
    learned.weights_loaded(["projection.weight"])  # as when a run of this method is given: it has both
    assert not torch.equal(learned.source_neck.weight, learned.neck.weight)
    learned.weights_loaded(["source_norms.norms.0.weight"])
    pictures = torch.randn(2, 3, 32, 16)
    learned.eval()
    torch.testing.assert_close(learned._embedded(pictures, source=True), learned.embed(pictures))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0}, {"momentum": 1}, {"length": -1}, {"k1": 0}, {"k2": 1001}, {"eps": 1.0}, {"gap": 0.7},
        {"least": 0}, {"independent": 1.1},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        HybridMemoryConfig(**wrong)  # type: ignore[arg-type]


def test_the_defaults_are_the_papers() -> None:
    config = HybridMemoryConfig()
    assert (config.trunk, config.length, config.temperature, config.momentum) == ("resnet50", 0, 0.05, 0.2)
    how = config.clustering
    assert (how.k1, how.k2, how.eps, how.least, how.gap, how.independent) == (30, 6, 0.6, 4, 0.02, 0.9)
