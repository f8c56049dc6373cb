"""Attributes from a data set's file through training into the bits of an encoder."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from command import Ran, run_in
from swiftreid.data.samples import Sample
from swiftreid.data.schemas import CUHK03
from swiftreid.encoding.attribute_bits import AttributeBits
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits
from swiftreid.training.pictures import attribute_shares, attributes_of

RECIPE: dict[str, Any] = {
    "method": "smooth_relaxation",
    "size": [48, 24],
    "settings": {"trunk": "resnet18_half", "bits": 64, "parts": 2, "attribute_weight": 3},
    "batches": {"persons": 4, "pictures": 2},
    "optimiser": {"name": "adam", "learning_rate": 1e-3},
    "augmentation": {"erase": 0},
    "schedule": {"epochs": 15, "warm_up": 0, "shape": "cosine"},
}
ENCODER = "run/encoder.safetensors"

pytestmark = pytest.mark.timeout(1800)  # a busy machine needs minutes where an idle one needs seconds


def described(people: Path, root: Path) -> Path:
    """The drawn people with an attributes.csv: women have even numbers; the sleeves of person 3 are not known."""
    shutil.copytree(people, root)
    with (root / "attributes.csv").open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["person", *(attribute.name for attribute in CUHK03.attributes)])
        for person in range(1, 21):
            values = [attribute.values[person % 2 == 0] for attribute in CUHK03.attributes]
            if person == 3:
                values[2] = ""
            table.writerow([person, *values])
    return root


@pytest.fixture
def swiftreid(tmp_path: Path) -> Callable[..., Ran]:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return run_in(tmp_path)


def test_an_encoder_learns_a_data_sets_attributes(
    swiftreid: Callable[..., Ran], drawn_people: Path, tmp_path: Path
) -> None:
    data = described(drawn_people, tmp_path / "described")
    swiftreid("train", "recipe.yaml", data, "-o", "run", "--quiet")
    encoder = open_encoder(tmp_path / "run" / "encoder.safetensors")
    assert [*encoder.spec] == ["id64", "attr27"]
    assert encoder.card.attributes == list(CUHK03.names)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 24, 3), dtype=np.uint8)
    encoding = encoder.encode(pictures)
    assert encoding.embedding is not None
    np.testing.assert_array_equal(encoding.codes["id64"], pack_bits(encoding.embedding))
    for code, values in encoder.values_of(encoding.embedding).items():
        np.testing.assert_array_equal(pack_bits(values), encoding.codes[code])
    # The bits say what the file says, of the people learned from.
    swiftreid("encode", data / "bounding_box_train", "-o", "codes.safetensors", "--encoder", ENCODER)
    stored = load_encodings(tmp_path / "codes.safetensors")
    bits = np.unpackbits(stored.encoding.codes["attr27"], axis=1, bitorder="little")[:, :27]
    women = np.array([int(str(person)) % 2 == 0 for person in stored.header.persons])
    gender = CUHK03.names.index("female")
    assert (bits[:, gender] == women).mean() > 0.9
    # AFR is a cascade like any other.
    swiftreid("gallery", "create", "people", "--encoder", ENCODER)
    swiftreid("gallery", "add", "people", data / "bounding_box_test", "--quiet")
    picture = next((data / "query").glob("*.jpg"))
    swiftreid("search", "people", picture, "--cascade", "attr27:top=5 > id64", "-k", 2)


def test_without_attributes_a_recipe_that_learns_them_is_refused(
    swiftreid: Callable[..., Ran], drawn_people: Path
) -> None:
    refused = swiftreid("train", "recipe.yaml", drawn_people, "-o", "run", code=2)
    assert "no attribute of the people of" in refused.err
    assert "settings.attribute_weight=0" in refused.err


def test_unknown_attributes_are_nan() -> None:
    values = {attribute.name: attribute.values[1] for attribute in CUHK03.attributes}
    samples = [Sample(Path("a"), 1, 1, attributes=values), Sample(Path("b"), 2, 1, attributes={"gender": "male"})]
    found = attributes_of(samples, CUHK03)
    assert found.dtype == np.float32
    assert (found[0] == 1).all()
    assert found[1, 0] == 0
    assert np.isnan(found[1, 1:]).all()
    assert attribute_shares(samples, CUHK03) == [0.5] + [1.0] * (len(CUHK03.names) - 1)
    assert attribute_shares(samples[1:], CUHK03) == [0.0] + [0.5] * (len(CUHK03.names) - 1)


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": np.zeros((3, 4), np.float32)},
        {"weight": np.zeros((3, 4), np.float32), "bias": np.zeros(2, np.float32)},
        {"weight": np.zeros((0, 4), np.float32), "bias": np.zeros(0, np.float32)},
        {"weight": np.full((1, 4), np.inf, np.float32), "bias": np.zeros(1, np.float32)},
    ],
)
def test_a_damaged_layer_is_refused(tensors: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        AttributeBits(tensors)


def test_bits_are_the_signs_of_the_logits() -> None:
    rng = np.random.default_rng(2)
    weight, bias, embeddings = rng.normal(size=(9, 5)), rng.normal(size=9), rng.normal(size=(7, 5))
    read = AttributeBits({"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)})
    got = np.unpackbits(read(embeddings.astype(np.float32))["attr9"], axis=1, bitorder="little")[:, :9]
    for row, embedding in zip(got, embeddings, strict=True):
        assert row.tolist() == [int(w @ embedding + b > 0) for w, b in zip(weight, bias, strict=True)]
    with pytest.raises(UsageError, match="5 numbers"):
        read.values(np.zeros((2, 4), np.float32))
