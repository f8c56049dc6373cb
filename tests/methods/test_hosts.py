"""PCB, MGN, AGW and ABD-Net against their papers' figures, spelt out, and as hosts of codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from swiftreid.errors import UsageError
from swiftreid.methods import Method, build_method
from swiftreid.methods.abd_net import AbdNet, AbdNetConfig
from swiftreid.methods.baseline import Baseline
from swiftreid.methods.mgn import Mgn, MgnConfig
from swiftreid.methods.pcb import Pcb, PcbConfig
from swiftreid.methods.smooth_relaxation import SmoothRelaxation
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.orthogonality import orthogonality
from swiftreid.nn.losses.triplet import batch_hard_triplet
from swiftreid.nn.losses.weighted_triplet import weighted_triplet
from swiftreid.nn.non_local import NonLocal
from swiftreid.nn.pooling import GeneralisedMeanPooling
from swiftreid.nn.pyramid import Signs
from swiftreid.training.network.export import embeddings_of, export_encoder

PERSONS = torch.tensor([0, 0, 1, 1, 2, 2])
AGW: dict[str, Any] = {"non_local": True, "pooling": "gem", "triplet": "weighted"}
SHOWN = {"none": torch.relu, "sigmoid": torch.sigmoid, "hardtanh": lambda value: value.clamp(-1, 1)}


def host(name: str, **settings: Any) -> Method:
    torch.manual_seed(0)
    method = build_method(name, 3, **{"trunk": "resnet18_half", **settings})
    for entry, value in method.named_parameters():
        if "classifier" in entry:
            nn.init.normal_(value, std=0.2)
    return method


def pictures(height: int = 96) -> Tensor:
    return torch.randn(6, 3, height, 32, generator=torch.Generator().manual_seed(5))


def normed(value: Tensor) -> Tensor:
    """A fresh BN in training."""
    return (value - value.mean(dim=0)) / (value.var(dim=0, unbiased=False) + 1e-5).sqrt()


def close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("relaxation", SHOWN)
def test_pcb_is_its_figure(relaxation: str) -> None:
    method = host("pcb", relaxation=relaxation, length=16, smoothing=0.2)
    assert isinstance(method, Pcb)
    value = method.trunk(pictures())
    assert value.shape == (6, 256, 6, 2)
    want = torch.zeros(())
    vectors = []
    for part in range(6):
        linear = method.reductions[part][0]  # type: ignore[index]
        vectors.append(normed(value[:, :, part].mean(dim=2) @ linear.weight.T))
        logits = SHOWN[relaxation](vectors[part]) @ method.classifiers[part].weight.T  # type: ignore[operator]
        want = want + cross_entropy(logits, PERSONS, smoothing=0.2)
    close(method.loss(pictures(), PERSONS)["total"], want)
    together = torch.cat(vectors, dim=1)
    close(method.embed(pictures()), together.relu() if relaxation == "none" else together)


@pytest.mark.parametrize("relaxation", SHOWN)
def test_mgn_is_its_figure(relaxation: str) -> None:
    method = host("mgn", relaxation=relaxation, length=16, smoothing=0.2, margin=0.7)
    assert isinstance(method, Mgn)
    for value in method.tails.parameters():  # branches that differ
        value.data.mul_(1.0 + 0.1 * torch.rand_like(value))
    shared = method.trunk.layer3[0](method.trunk.layer2(method.trunk._first(pictures())))  # type: ignore[operator, index]
    maps = [
        method.tails[0](shared),
        method.trunk.layer4(method.trunk.layer3[1](shared)),  # type: ignore[operator, index]
        method.tails[1](shared),
    ]
    assert [tuple(value.shape[2:]) for value in maps] == [(3, 1), (6, 2), (6, 2)]
    shown = SHOWN[relaxation]
    logits, wholes, vectors = [], [], []
    for value, head, rows in zip(maps, method.heads, ([], [3, 3], [2, 2, 2]), strict=True):
        pooled = [value.amax(dim=(2, 3))] + [part.amax(dim=(2, 3)) for part in (value.split(rows, 2) if rows else [])]
        reduced = [normed(p @ r[0].weight.T) for p, r in zip(pooled, head.reductions, strict=True)]  # type: ignore[arg-type, index]
        vectors += reduced
        wholes.append(shown(reduced[0]))
        logits.append(pooled[0] @ head.whole_classifier.weight.T)  # type: ignore[operator, union-attr]
        for part, classifier in zip(reduced[1:], head.classifiers, strict=True):  # type: ignore[arg-type]
            logits.append(shown(part) @ classifier.weight.T)
    assert (len(logits), len(wholes)) == (8, 3)
    got = method.loss(pictures(), PERSONS)
    close(got["cross_entropy"], torch.stack([cross_entropy(z, PERSONS, smoothing=0.2) for z in logits]).mean())
    close(got["triplet"], torch.stack([batch_hard_triplet(v, PERSONS, margin=0.7) for v in wholes]).mean())
    together = torch.cat(vectors, dim=1)
    close(method.embed(pictures()), together.relu() if relaxation == "none" else together)


@pytest.mark.parametrize("name", ["pcb", "mgn"])
def test_hashed_hosts_keep_the_signs(name: str) -> None:
    hashed, plain = host(name, relaxation="hardtanh", length=16), host(name, length=16)
    assert plain.pyramid is None
    assert isinstance(hashed.pyramid, Signs)
    assert hashed.pyramid.lengths == (hashed.embedding_length,)
    assert hashed.embedding_length == {"pcb": 6, "mgn": 8}[name] * 16
    assert (hashed.unit, plain.unit) == (False, True)
    with torch.no_grad():
        values = hashed(pictures(), PERSONS) and hashed.eval().embed(pictures())
    assert 0.2 < (values > 0).float().mean() < 0.8, "signs say something"
    with torch.no_grad():
        assert plain.eval().embed(pictures()).min() == 0


def test_abd_net_is_its_figure() -> None:
    settings = {"length": 32, "dropout": 0.0, "smoothing": 0.2, "margin": 0.7, "triplet_weight": 0.3}
    method = host("abd_net", feature_weight=0.01, filter_weight=0.02, **settings)
    assert isinstance(method, AbdNet)
    for gamma in (method.early.gamma, method.channels.gamma, method.places.gamma):
        nn.init.constant_(gamma, 0.5)
    for value in method.doubled.parameters():
        value.data.mul_(1.0 + 0.1 * torch.rand_like(value))
    early = method.early(method.trunk._first(pictures()))  # type: ignore[operator]
    deep = method.trunk.layer3(method.trunk.layer2(early))  # type: ignore[operator]
    linear, conv = method.reduction[0], method.map_reduction[0]
    assert isinstance(linear, nn.Linear)
    last = method.trunk.layer4(deep).mean(dim=(2, 3))  # type: ignore[operator]
    whole = normed(last @ linear.weight.T + linear.bias).relu()
    reduced = method.map_reduction[1](conv(method.doubled(deep))).relu()
    by_channel, by_place = method.channels(reduced), method.places(reduced)
    attentive = (reduced + by_channel + by_place).mean(dim=(2, 3))
    got = method.loss(pictures(), PERSONS)
    vectors = [whole, attentive]
    logits = [v @ c.weight.T for v, c in zip(vectors, method.classifiers, strict=True)]  # type: ignore[operator]
    close(got["cross_entropy"], torch.stack([cross_entropy(z, PERSONS, smoothing=0.2) for z in logits]).sum())
    close(got["triplet"], 0.3 * torch.stack([batch_hard_triplet(v, PERSONS, margin=0.7) for v in vectors]).sum())
    maps = [early, reduced, by_channel, by_place]
    close(got["features"], 0.01 * torch.stack([orthogonality(m.flatten(2)) for m in maps]).sum())
    filters = [p for module in (method.trunk, method.doubled) for p in module.parameters() if p.ndim == 4]
    assert len(filters) == 20 + 5
    close(got["filters"], 0.02 * torch.stack([orthogonality(f.flatten(1)) for f in filters]).sum())
    close(method.embed(pictures()), torch.cat(vectors, dim=1))


def test_abd_nets_diversity_can_be_switched_off_and_reaches_what_it_should() -> None:
    terms = host("abd_net", length=16, feature_weight=0, filter_weight=0).loss(pictures(), PERSONS)
    assert terms.keys() == {"cross_entropy", "triplet", "total"}
    method = host("abd_net", length=16)
    assert isinstance(method, AbdNet)
    method.loss(pictures(), PERSONS)["features"].backward()
    assert method.trunk.conv1.weight.grad.abs().max() > 0  # type: ignore[union-attr, operator]
    assert method.doubled.get_parameter("0.conv1.weight").grad is not None
    assert all(p.grad is None for p in method.trunk.get_submodule("layer4").parameters())


@pytest.mark.parametrize(("name", "part"), [("mgn", "tails"), ("abd_net", "doubled")])
def test_branches_begin_as_the_trunk_unless_given_their_own(name: str, part: str) -> None:
    method = host(name, length=16)
    entry = {"tails": ["0.1.conv1.weight", "1.1.conv1.weight"], "doubled": ["0.conv1.weight"]}[part]
    copies = [method.get_submodule(part).get_parameter(each) for each in entry]
    own = method.trunk.get_parameter("layer4.0.conv1.weight")
    assert all(torch.equal(own, each) for each in copies)
    own.data.fill_(0.5)
    method.weights_loaded({"heads.0.bias"})
    assert not any(torch.equal(own, each) for each in copies)
    method.weights_loaded({"heads.0.bias", f"{part}.{entry[0]}"})
    assert all(torch.equal(own, each) for each in copies)
    method.loss(pictures(), PERSONS)["total"].backward()
    assert all(each.grad is not None for each in copies)
    assert own.grad is not None


def test_agw_is_the_baseline_with_three_settings() -> None:
    method = host("baseline", **AGW)
    assert isinstance(method, Baseline)
    assert sum(isinstance(part, NonLocal) for part in method.trunk.modules()) == 4
    pooled = method.trunk(pictures()).clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
    got = method.loss(pictures(), PERSONS)
    close(got["triplet"], weighted_triplet(pooled, PERSONS))
    close(got["cross_entropy"], cross_entropy(normed(pooled) @ method.classifier.weight.T, PERSONS, smoothing=0.1))
    got["total"].backward()
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)


@pytest.mark.parametrize("attention", [True, False])
def test_smooth_relaxation_on_agw(attention: bool) -> None:
    method = host("smooth_relaxation", bits=64, attribute_weight=0, attention=attention, **AGW)
    assert isinstance(method, SmoothRelaxation)
    assert method.teacher is not None
    assert method.teacher.stages is not None
    # Layer 2's are shared, layer 3's exist twice.
    assert [sum(isinstance(m, NonLocal) for m in p.modules()) for p in (method.trunk, method.teacher.stages)] == [4, 2]
    powers = [m for m in method.modules() if isinstance(m, GeneralisedMeanPooling)]
    assert len(powers) == 2
    got = method.loss(pictures(), PERSONS)
    vectors = [vector for branch in method._vectors(pictures()).values() for vector in branch]
    assert len(vectors) == 14
    close(got["triplet"], sum((weighted_triplet(v, PERSONS) for v in vectors), torch.zeros(())) / 14)
    value = method.trunk(pictures())
    first = value[:, :, 0].clamp(min=1e-6).pow(3).mean(dim=2).pow(1 / 3)
    linear = method.student.descriptor.reductions[0]
    close(method._vectors(pictures())["student"][0], normed(first @ linear.weight.T))  # type: ignore[operator]
    got["total"].backward()
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)
    assert all(pooling.power.grad is not None and pooling.power.grad.abs() > 0 for pooling in powers)


EXPORTED: dict[str, tuple[str, dict[str, Any]]] = {
    "pcb": ("pcb", {"length": 16}),
    "pcb hashed": ("pcb", {"length": 16, "relaxation": "sigmoid"}),
    "mgn": ("mgn", {"length": 16}),
    "mgn hashed": ("mgn", {"length": 16, "relaxation": "hardtanh"}),
    "abd_net": ("abd_net", {"length": 32}),
    "agw": ("baseline", AGW),
    "ssr on agw": ("smooth_relaxation", {"bits": 64, "attribute_weight": 0, **AGW}),
}


@pytest.mark.parametrize(("name", "half"), [*((name, False) for name in EXPORTED), ("mgn", True), ("ssr on agw", True)])
def test_a_host_can_be_exported(name: str, half: bool) -> None:
    method = host(EXPORTED[name][0], **EXPORTED[name][1])
    for value in method.parameters():
        if not value.any():  # what starts at 0, so that attention is seen to be exported
            value.data.fill_(0.2)
    method.loss(pictures(), PERSONS)
    raw = np.random.default_rng(1).integers(0, 256, (5, 96, 32, 3), dtype=np.uint8)
    told = {"name": "x", "provenance": "", "licence": "", "training": {}}
    encoder = export_encoder(method.eval(), raw, **told, half=half)
    encoding = encoder.encode(raw)
    want = embeddings_of(method, raw)
    if method.unit:
        want = want / np.linalg.norm(want, axis=1, keepdims=True)
    assert encoding.embedding is not None
    np.testing.assert_allclose(encoding.embedding, want, atol=1e-4 * np.abs(want).max())
    if method.pyramid is not None:
        [bits] = encoding.codes.values()
        got = np.unpackbits(bits, axis=1, bitorder="little")[:, : method.embedding_length]
        assert (got == (want > 0)).mean() > 0.995


def test_a_host_takes_any_residual_trunk() -> None:
    for trunk in ("resnet18_ibn_a", "se_resnet50"):
        for name in ("mgn", "abd_net"):
            method = host(name, trunk=trunk, non_local=True).eval()
            with torch.no_grad():
                assert method.embed(pictures()[:1]).shape == (1, method.embedding_length)


def test_the_defaults_are_the_papers() -> None:
    pcb, mgn, abd = PcbConfig(), MgnConfig(), AbdNetConfig()
    assert (pcb.parts, pcb.length, pcb.relaxation, pcb.pooling) == (6, 256, "none", "average")
    assert (mgn.length, mgn.margin, mgn.pooling, mgn.smoothing) == (256, 1.2, "max", 0)
    assert (abd.length, abd.margin, abd.triplet_weight, abd.pooling) == (1024, 1.2, 0.1, "average")
    assert (abd.feature_weight, abd.filter_weight) == (1e-6, 1e-3)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pcb", {"parts": 0}, "parts must be from 1 to 64, got 0"),
        ("pcb", {"relaxation": "ssr"}, "relaxation"),
        ("pcb", {"smoothing": 2}, "smoothing must be from 0 to 1"),
        ("mgn", {"trunk": "osnet_x0_25"}, "osnet_x0_25 has no layers of residual blocks"),
        ("mgn", {"length": 0}, "length must be from 1 to 65,536, got 0"),
        ("mgn", {"margin": -1}, "margin must be 0 or more"),
        ("abd_net", {"dropout": 1.0}, "dropout must be from 0 to below 1, got 1.0"),
        ("abd_net", {"feature_weight": -1}, "feature_weight must be 0 or more"),
        ("abd_net", {"trunk": "osnet_x0_25"}, "osnet_x0_25 has no last layer"),
        ("baseline", {"trunk": "osnet_x0_25", "non_local": True}, "osnet_x0_25 has no layers of residual blocks"),
        ("baseline", {"triplet": "soft"}, "setting triplet"),
        ("smooth_relaxation", {"triplet": "soft"}, "setting triplet"),
    ],
)
def test_impossible_settings_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        host(name, **settings)


def test_too_few_rows_for_the_stripes_are_refused() -> None:
    with pytest.raises(UsageError, match="4 rows, fewer than 6 stripes"):
        host("pcb").embed(pictures(64))
