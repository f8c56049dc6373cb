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
from swiftreid.training.network.initial_weights import Start, parts_of

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
    everything = set(method.state_dict())
    # The teacher was given weights of its own; only its classifiers are for other people.
    method.weights_loaded({name for name in everything if name.startswith(("student.", "teacher.classifiers."))})
    assert method.teacher.stages is not None
    assert (method.teacher.stages[1][0].conv1.weight != 0.5).all()
    method.weights_loaded(everything)
    assert (method.teacher.stages[1][0].conv1.weight == 0.5).all()


STATIC = ["pretrained", "continued"]


def teacher_of(persons: int, **settings: Any) -> Start:
    """What the first stage learned: that network's weights, all different from those of `network`."""
    torch.manual_seed(7)
    made = build_method(
        "smooth_relaxation",
        persons,
        attributes=[0.5],
        trunk="resnet18_half",
        bits=64,
        distillation_weight=0,
        **settings,
    )
    for value in made.parameters():
        torch.nn.init.normal_(value, mean=0.1, std=0.05)
    return Start({name: value.clone() for name, value in made.state_dict().items()})


@pytest.mark.parametrize("way", STATIC)
def test_a_static_teacher_does_not_change(way: str) -> None:
    method = network(distillation=way)
    names = set(method.state_dict())
    for part in ("teacher.stages.", "teacher.descriptor."):
        with pytest.raises(UsageError, match=r"first run of this network with settings\.distillation_weight=0"):
            method.weights_loaded({name for name in names if name.startswith(part)})
    method.weights_loaded({name for name in names if name.startswith("student.")})
    before = {name: value.clone() for name, value in method.state_dict().items()}
    learning = [p for p in method.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.1)
    method.train()
    method.loss(pictures(), PERSONS, ATTRIBUTES)["total"].backward()
    optimiser.step()
    moved = {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(("student.", "trunk.layer3.", "trunk.layer4.")) for name in moved)


@pytest.mark.parametrize("way", [*STATIC, "end_to_end"])
@pytest.mark.parametrize("persons", [3, 5])  # the same people, or another data set's
def test_what_a_run_takes_from_the_first_stage(way: str, persons: int) -> None:
    start, method, untouched = teacher_of(persons), network(distillation=way), network(distillation=way)
    fresh = start.put_into(method, "first")
    method.weights_loaded(fresh)
    new, drawn = method.state_dict(), untouched.state_dict()
    new = {name: value for name, value in new.items() if "num_batches" not in name}
    taken = {name for name, value in new.items() if value.shape == start.weights[name].shape}
    taken = {name for name in taken if torch.equal(new[name], start.weights[name]) and name not in fresh}
    learned = {name for name in new if name.startswith(("trunk.conv1", "trunk.layer1.", "trunk.layer2."))}
    learned |= {name for name in new if name.startswith(("teacher.stages.", "teacher.descriptor."))}
    assert learned <= taken
    own = {name for name in new if name.startswith(("trunk.layer3.", "trunk.layer4.", "student.descriptor."))}
    weights = {name for name in own if name.endswith("conv1.weight")}
    if way == "pretrained":
        assert not own & taken, "the student starts afresh"
        assert all(torch.equal(new[name], drawn[name]) for name in own)
    else:
        assert weights <= taken
    assert ("teacher.classifiers.0.weight" in taken) == (persons == 3)
    names = parts_of(fresh, method)
    assert ("student" in names) == (way == "pretrained")
    assert ("teacher.classifiers" in names) == (persons == 5)


@pytest.mark.parametrize("way", STATIC)
def test_a_student_of_a_static_teacher_weighs_as_in_equation_14(way: str) -> None:
    method = network(distillation=way, distillation_weight=0.5, attribute_weight=0.2)
    got = method.loss(pictures(), PERSONS, ATTRIBUTES)
    vectors = method._vectors(pictures())
    assert not any(vector.requires_grad for vector in vectors["teacher"])
    student = vectors["student"]
    torch.testing.assert_close(got["triplet"], sum(batch_hard_triplet(v, PERSONS, margin=0.3) for v in student) / 14)
    logits = [v @ c.weight.T for v, c in zip(student, method.student.classifiers, strict=True)]
    torch.testing.assert_close(got["cross_entropy"], sum(cross_entropy(z, PERSONS, smoothing=0.0) for z in logits) / 14)
    pairs = zip(student, vectors["teacher"], strict=True)
    torch.testing.assert_close(got["distillation"], 0.5 / 7 * sum(self_distillation(s, t) for s, t in pairs))
    assert method.student.attributes is not None
    scores = method.student.attributes(student[6])
    torch.testing.assert_close(got["attributes"], 0.2 / 2 * attribute_entropy(scores, ATTRIBUTES))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 100}, "multiple of 8"),
        ({"relaxation": "relu"}, "relaxation"),
        ({"relaxation": "tanh", "codes": "teacher"}, "no teacher"),
        ({"relaxation": "tanh", "distillation": "pretrained"}, "no teacher"),
        ({"codes": "teacher", "distillation": "pretrained"}, "leaves the teacher as it is"),
        ({"distillation": "later"}, "setting distillation"),
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
