"""Histograms of values before and after relaxations, against counts one by one."""

from __future__ import annotations

import numpy as np
import pytest

from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.experiments.code_values import code_values, relaxation_of
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.figures.values import RELAXATIONS, value_histograms
from swiftreid.search.codes import pack_bits


def test_relaxations_are_those_of_training() -> None:
    torch = pytest.importorskip("torch")
    from swiftreid.nn.relaxation import ACTIVATIONS

    assert RELAXATIONS.keys() == ACTIVATIONS.keys()
    values = np.linspace(-8, 8, 401)
    for name, relaxation in RELAXATIONS.items():
        np.testing.assert_allclose(relaxation(values), ACTIVATIONS[name](torch.from_numpy(values)).numpy(), atol=1e-12)


@pytest.mark.parametrize("relaxation", ["sigmoid", "hardtanh", "ssr"])
def test_counts_are_of_values_before_and_after(relaxation: str) -> None:
    values = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32)
    [found] = value_histograms({"id32": values}, relaxation)
    series = [(values.astype(np.float64), found.before, found.edges)]
    if relaxation == "ssr":
        assert (found.after, found.after_edges, found.relaxation) == (None, None, "none")
    else:
        assert found.after is not None
        assert found.after_edges is not None
        ends = (0, 1) if relaxation == "sigmoid" else (-1, 1)
        assert (found.after_edges[0], found.after_edges[-1]) == pytest.approx(ends)
        series.append((RELAXATIONS[relaxation](values.astype(np.float64)), found.after, found.after_edges))
    for given, counts, edges in series:
        last = len(edges) - 2
        naive = [0] * (last + 1)
        for value in given.ravel():
            naive[min(last, max(0, int(np.searchsorted(edges, value, side="right")) - 1))] += 1
        assert counts == naive
        assert sum(counts) == values.size


def test_values_of_a_test_set_have_its_bits_as_signs() -> None:
    test = encode_test_set("examples/station", "stripes")
    for code, values in code_values(test).items():
        assert (pack_bits(values) == test.gallery.codes[code]).all()


def test_the_relaxation_is_the_recipes() -> None:
    card = open_encoder("stripes").card

    def told(**recipe: object) -> str:
        return relaxation_of(card.model_copy(update={"training": {"recipe": recipe} if recipe else {}}))

    assert told() == "none"
    assert told(method="all_in_one", settings={}) == "tanh"
    assert told(method="smooth_relaxation", settings={"relaxation": "hardsigmoid"}) == "hardsigmoid"
    assert told(method="smooth_relaxation", settings={}) == "ssr"
    assert told(method="pcb", settings={}) == "none"
    kept = {"recipe": {"method": "all_in_one"}, "codes_recipe": {"method": "smooth_relaxation", "settings": {}}}
    assert relaxation_of(card.model_copy(update={"training": kept})) == "ssr"
    assert relaxation_of(open_encoder("rendered").card) == "tanh"


def test_no_pictures_have_no_values() -> None:
    with pytest.raises(UsageError, match="no values to draw"):
        value_histograms({"id32": np.zeros((0, 32), np.float32)})
