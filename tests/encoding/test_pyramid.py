from __future__ import annotations

import numpy as np
import pytest

from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.errors import UsageError
from swiftreid.search.codes import unpack_bits


def arrays(rng: np.random.Generator, *, unit: bool = True, chained: bool = True) -> dict[str, np.ndarray]:
    made: dict[str, np.ndarray] = {"input.unit": np.array([float(unit)])}
    if not chained:
        made["input.chained"] = np.zeros(1)
    width = 6
    for length in (64, 16):
        made[f"pyramid.{length}.weight"] = rng.normal(size=(length, width))
        for end in ("bias", "scale", "shift"):
            made[f"pyramid.{length}.{end}"] = rng.normal(size=length)
        width = length if chained else width
    return {name: value.astype(np.float32) for name, value in made.items()}


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_bits_follow_the_formula_one_embedding_at_a_time(rng_seed: int, unit: bool, chained: bool) -> None:
    rng = np.random.default_rng(rng_seed)
    t = arrays(rng, unit=unit, chained=chained)
    embeddings = rng.normal(size=(9, 6)).astype(np.float32)
    codes = PyramidCodes(t)(embeddings)
    assert list(codes) == ["id16", "id64"]
    for row, x in enumerate(embeddings.astype(np.float64)):
        source = x / np.linalg.norm(x) if unit else x
        for length in (64, 16):
            v = t[f"pyramid.{length}.weight"] @ source + t[f"pyramid.{length}.bias"]
            value = t[f"pyramid.{length}.scale"] * v + t[f"pyramid.{length}.shift"]
            source = v if chained else source
            bits = unpack_bits(codes[f"id{length}"], length)[row]
            sure = np.abs(value) > 1e-4
            assert sure.mean() > 0.9
            np.testing.assert_array_equal(bits[sure], (value > 0)[sure])


def test_batches_do_not_change_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    head = PyramidCodes(arrays(rng))
    embeddings = rng.normal(size=(23, 6)).astype(np.float32)
    whole = head(embeddings)
    monkeypatch.setattr("swiftreid.encoding.pyramid.ROWS", 5)
    for name, code in head(embeddings).items():
        np.testing.assert_array_equal(code, whole[name])


def test_no_embeddings_give_no_codes() -> None:
    codes = PyramidCodes(arrays(np.random.default_rng(0)))(np.zeros((0, 6), np.float32))
    assert {name: code.shape for name, code in codes.items()} == {"id16": (0, 4), "id64": (0, 8)}


def test_an_all_zero_embedding_has_a_code() -> None:
    codes = PyramidCodes(arrays(np.random.default_rng(0)))(np.zeros((1, 6), np.float32))
    assert codes["id64"].shape == (1, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("pyramid.16.bias"), "pyramid.16.bias"),
        (lambda t: t.update({"pyramid.16.weight": np.zeros((16, 63), np.float32)}), "63"),
        (lambda t: t.update({"pyramid.64.scale": np.full(64, np.nan, np.float32)}), "not finite"),
        (lambda t: t.update({"pyramid.long.weight": np.zeros((8, 16), np.float32)}), "pyramid.long.weight"),
        (lambda t: t.update({"trunk.weight": np.zeros(3, np.float32)}), "trunk.weight"),
        (lambda t: t.update({"input.unit": np.zeros(2, np.float32)}), "input.unit"),
        (lambda t: t.clear(), "not a pyramid"),
    ],
)
def test_damaged_arrays_are_refused(change, message: str) -> None:
    t = arrays(np.random.default_rng(0))
    change(t)
    with pytest.raises(UsageError, match=message):
        PyramidCodes(t)


def test_wrong_embeddings_are_refused() -> None:
    head = PyramidCodes(arrays(np.random.default_rng(0)))
    with pytest.raises(UsageError, match="6 numbers"):
        head(np.zeros((2, 7), np.float32))
    with pytest.raises(UsageError, match="embedding 1 "):
        head(np.array([[0] * 6, [np.nan] * 6], np.float32))


@pytest.fixture(params=[0, 1, 2])
def rng_seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)
