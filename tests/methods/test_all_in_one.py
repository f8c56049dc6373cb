from __future__ import annotations

import pytest
import torch

from swiftreid.errors import UsageError
from swiftreid.methods.all_in_one import AllInOne, AllInOneConfig
from swiftreid.nn.losses.cross_entropy import cross_entropy
from swiftreid.nn.losses.probability_distillation import probability_distillation
from swiftreid.nn.losses.similarity_distillation import similarity_distillation
from swiftreid.nn.losses.triplet import batch_hard_triplet

PERSONS = torch.tensor([0, 0, 1, 1, 2, 2])


def test_objective_is_equation_5() -> None:
    torch.manual_seed(0)
    config = AllInOneConfig(probability_weight=2.0, similarity_weight=50.0, temperature=2.0, margin=0.5, smoothing=0.2)
    method = AllInOne((16, 8, 4), 3, config)
    for classifier in method.classifiers:
        torch.nn.init.normal_(classifier.weight)
    codes = [torch.randn(6, length).tanh() for length in (16, 8, 4)]
    z = [b @ classifier.weight.T for b, classifier in zip(codes, method.classifiers, strict=True)]
    want = {
        "cross_entropy": sum(cross_entropy(v, PERSONS, smoothing=0.2) for v in z),
        "triplet": sum(batch_hard_triplet(b / b.shape[1] ** 0.5, PERSONS, margin=0.5) for b in codes),
        "probability": 2.0
        * (
            probability_distillation(z[1], z[0], temperature=2.0)
            + probability_distillation(z[2], z[1], temperature=2.0)
        )
        / 2,
        "similarity": 50.0
        * (similarity_distillation(codes[1], codes[0]) + similarity_distillation(codes[2], codes[1]))
        / 2,
    }
    terms = method(codes, PERSONS)
    for name, value in want.items():
        torch.testing.assert_close(terms[name], value)
    torch.testing.assert_close(terms["total"], sum(want.values()))


def test_one_length_has_nothing_to_distil() -> None:
    terms = AllInOne((8,), 3)([torch.randn(6, 8)], PERSONS)
    assert terms["probability"] == 0
    assert terms["similarity"] == 0


def test_classifiers_have_no_bias() -> None:
    assert all(classifier.bias is None for classifier in AllInOne((8, 4), 3).classifiers)


def test_defaults_are_the_papers() -> None:
    config = AllInOneConfig()
    assert (config.margin, config.probability_weight, config.similarity_weight, config.temperature) == (0.3, 1, 1000, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smoothing", 1.5),
        ("temperature", 0.0),
        ("margin", -0.1),
        ("probability_weight", float("nan")),
        ("similarity_weight", float("inf")),
    ],
)
def test_impossible_weights_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        AllInOneConfig(**{name: value})
