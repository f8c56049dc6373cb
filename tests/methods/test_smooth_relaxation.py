"""SSR against Eq. 14 spelt out: which vector learns what, and what no gradient reaches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from swiftreid.errors import UsageError
from swiftreid.methods import build_method, learns_attributes
from swiftreid.methods.smooth_relaxation import SmoothRelaxation, SmoothRelaxationConfig
from swiftreid.nn.losses.attribute_entropy import attribute_entropy
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.self_distillation import self_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet

PERSONS = torch.tensor([0, 0, 1, 1, 2, 2])
ATTRIBUTES = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [torch.nan, 1], [torch.nan, 1]])


def network(attributes: int = 2, **settings: Any) -> SmoothRelaxation:
    torch.manual_seed(0)
    given = {"trunk": "resnet18_half", "bits": 64, **settings}
    method = build_method("smooth_relaxation", 3, attributes=[0.25] * attributes, **given)
    assert isinstance(method, SmoothRelaxation)
    for name, value in method.named_parameters():
        if ".classifiers." in name:
            torch.nn.init.normal_(value, std=0.2)
    return method


def pictures(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 96, 32, generator=torch.Generator().manual_seed(5))


def test_the_loss_is_equation_14() -> None:
    method = network(margin=0.4, distillation_weight=0.5, attribute_weight=0.2)
    got = method.loss(pictures(), PERSONS, ATTRIBUTES)
    shared = method.trunk.layer2(method.trunk._first(pictures()))  # type: ignore[operator]
    assert method.teacher is not None
    assert method.teacher.stages is not None
    maps = {
        "student": method.trunk.layer4(method.trunk.layer3(shared)),  # type: ignore[operator]
        "teacher": method.teacher.stages[1](method.teacher.stages[0](shared)),
    }
    vectors = {name: getattr(method, name).descriptor(value) for name, value in maps.items()}
    want = dict.fromkeys(("triplet", "cross_entropy", "distillation", "attributes"), torch.zeros(()))
    for name in ("student", "teacher"):
        branch = getattr(method, name)
        for vector, classifier in zip(vectors[name], branch.classifiers, strict=True):
            want["triplet"] = want["triplet"] + batch_hard_triplet(vector, PERSONS, margin=0.4) / 14
            classified = cross_entropy(vector @ classifier.weight.T, PERSONS, smoothing=0.0)
            want["cross_entropy"] = want["cross_entropy"] + classified / 14
        guess = branch.attributes(vectors[name][6])
        want["attributes"] = want["attributes"] + 0.2 / 2 * attribute_entropy(guess, ATTRIBUTES)
    for student, teacher in zip(vectors["student"], vectors["teacher"], strict=True):
        want["distillation"] = want["distillation"] + 0.5 / 7 * self_distillation(student, teacher)
    assert got.keys() == {*want, "total"}
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got["total"], sum(want.values()), rtol=1e-4, atol=1e-5)


def test_the_defaults_are_the_papers() -> None:
    config = SmoothRelaxationConfig()
    assert (config.bits, config.parts, config.alpha, config.attribute_weight) == (2048, 6, 0.3, 0.3)
    assert SmoothRelaxationConfig(norm=False).alpha == 0.7
    assert config.last_stride == 1


def test_distillation_reaches_only_the_student() -> None:
    method = network()
    method.loss(pictures(), PERSONS, ATTRIBUTES)["distillation"].backward()
    assert method.teacher is not None
    assert all(p.grad is None for p in method.teacher.parameters())
    assert method.trunk.layer4[0].conv1.weight.grad.abs().max() > 0  # type: ignore[index, union-attr, operator]


@pytest.mark.parametrize("codes", ["student", "teacher"])
def test_what_is_kept_is_the_branch_asked_for(codes: str) -> None:
    method = network(codes=codes).eval()
    with torch.no_grad():
        embedding = method.embed(pictures())
        vectors = method._vectors(pictures())
    assert embedding.shape == (6, 64)
    torch.testing.assert_close(embedding, torch.cat(vectors[codes], dim=1))
    assert method.pyramid is not None
    assert method.pyramid.lengths == (64,)
    other = "teacher" if codes == "student" else "student"
    assert not torch.allclose(embedding, torch.cat(vectors[other], dim=1))


@pytest.mark.parametrize("codes", ["student", "teacher"])
def test_attributes_follow_from_the_embedding(codes: str) -> None:
    method = network(codes=codes).eval()
    layer = method.attribute_layer()
    assert layer is not None
    with torch.no_grad():
        logits = method.embed(pictures()) @ layer[0].T + layer[1]
        branch = getattr(method, codes)
        torch.testing.assert_close(logits, branch.attributes(method._vectors(pictures())[codes][6]))


@pytest.mark.parametrize("relaxation", ["none", "sigmoid", "hardsigmoid", "tanh", "hardtanh", "dsh"])
def test_other_relaxations_have_one_branch(relaxation: str) -> None:
    method = network(relaxation=relaxation)
    assert method.teacher is None
    terms = method.loss(pictures(), PERSONS, ATTRIBUTES)
    extra = {"regulariser"} if relaxation == "dsh" else set()
    assert terms.keys() == {"triplet", "cross_entropy", "attributes", "total"} | extra
    assert method.embed(pictures()).shape == (6, 64)


def test_relaxed_values_are_what_classifiers_see() -> None:
    method = network(attributes=0, attribute_weight=0, relaxation="sigmoid", norm=False)
    got = method.loss(pictures(), PERSONS)
    shown = [torch.sigmoid(v) for v in method._vectors(pictures())["student"]]
    logits = [v @ c.weight.T for v, c in zip(shown, method.student.classifiers, strict=True)]
    want = sum(cross_entropy(z, PERSONS, smoothing=0.0) for z in logits) / 7
    torch.testing.assert_close(got["cross_entropy"], want)
    want = sum(batch_hard_triplet(v, PERSONS, margin=0.3) for v in shown) / 7
    torch.testing.assert_close(got["triplet"], want)


def test_the_teacher_begins_as_the_trunk() -> None:
    method = network()
    assert method.teacher is not None
    with torch.no_grad():
        method.trunk.layer4[0].conv1.weight.fill_(0.5)  # type: ignore[index, union-attr, operator]
    everything = {name.split(".")[0] for name in method.state_dict()}
    method.weights_loaded({"student"})  # the teacher was given weights of its own
    assert method.teacher.stages is not None
    assert (method.teacher.stages[1][0].conv1.weight != 0.5).all()
    method.weights_loaded(everything)
    assert (method.teacher.stages[1][0].conv1.weight == 0.5).all()


def test_a_pretrained_teacher_does_not_change() -> None:
    method = network(pretrained=True)
    with pytest.raises(UsageError, match="set init to the checkpoint"):
        method.weights_loaded({"teacher", "student"})
    method.weights_loaded({"student"})
    before = {name: value.clone() for name, value in method.state_dict().items()}
    learning = [p for p in method.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.1)
    method.train()
    method.loss(pictures(), PERSONS, ATTRIBUTES)["total"].backward()
    optimiser.step()
    moved = {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(("student.", "trunk.layer3.", "trunk.layer4.")) for name in moved)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 100}, "multiple of 8"),
        ({"relaxation": "relu"}, "relaxation"),
        ({"relaxation": "tanh", "codes": "teacher"}, "no teacher"),
        ({"trunk": "osnet_x0_25"}, "osnet_x0_25 has no last stages"),
        ({"distillation_weight": -1}, "distillation_weight"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        network(**settings)


def test_a_loss_without_the_attributes_is_refused() -> None:
    with pytest.raises(UsageError, match="learns attributes"):
        network().loss(pictures(), PERSONS)


def test_attributes_start_as_rare_as_they_are() -> None:
    method = build_method("smooth_relaxation", 3, attributes=[0.2, 0.5, 0.0], trunk="resnet18_half", bits=64)
    for branch in (method.student, method.teacher):
        guessed = torch.sigmoid(branch.attributes.bias)
        torch.testing.assert_close(guessed, torch.tensor([0.2, 0.5, 0.01]))


def test_which_recipes_learn_attributes() -> None:
    assert learns_attributes("smooth_relaxation", {})
    assert not learns_attributes("smooth_relaxation", {"attribute_weight": 0})
    assert not learns_attributes("baseline", {})
