"""An encoder with statistics of cameras: its file, its codes, and what it refuses."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from swiftreid.encoding.camera_encoder import CameraEncoder, with_cameras
from swiftreid.encoding.camera_statistics import CameraStatistics, fit_camera_statistics
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.recipes import find_recipe
from swiftreid.training.frozen.recipe import load_recipe

PICTURES = np.random.default_rng(3).integers(0, 256, (6, 128, 64, 3), np.uint8)
CAMERAS = ["door", "hall", "door", "hall", None, "zoo"]


def statistics(length: int, *, maps: bool = True) -> CameraStatistics:
    rng = np.random.default_rng(4)
    embeddings = rng.normal(size=(80, length)).astype(np.float32)
    embeddings[::2] += 1
    return fit_camera_statistics(embeddings, ["door", "hall"] * 40, alignment=0.25 if maps else 0)


@pytest.mark.parametrize("name", ["stripes", "rendered"])
@pytest.mark.parametrize("maps", [True, False])
def test_codes_are_of_normalised_embeddings_and_the_file_keeps_them(name: str, maps: bool, tmp_path: Path) -> None:
    base = open_encoder(name)
    found = statistics(base.card.embedding or 0, maps=maps)
    made = with_cameras(base, found, name="here", provenance="80 pictures", data_fingerprint="f00d")
    made.save(tmp_path / "here.safetensors")
    for encoder in (made, open_encoder(tmp_path / "here.safetensors"), pickle.loads(pickle.dumps(made))):
        assert encoder.knows_cameras == {"door", "hall"}
        assert encoder.cameras_from == "f00d"
        assert (encoder.spec, encoder.card.attributes) == (base.spec, base.card.attributes)
        assert encoder.card.calibration is None
        plain, moved = base.encode(PICTURES), encoder.encode(PICTURES, cameras=CAMERAS)
        assert plain.embedding is not None
        assert moved.embedding is not None
        np.testing.assert_array_equal(moved.embedding, found.normalise(plain.embedding, CAMERAS))
        np.testing.assert_array_equal(encoder.embed(PICTURES, cameras=CAMERAS), moved.embedding)
        assert (moved.embedding[:4] != plain.embedding[:4]).any(axis=1).all()
        for code in base.spec:
            np.testing.assert_array_equal(moved.codes[code], base.encode_embedding(moved.embedding).codes[code])
            np.testing.assert_array_equal(moved.codes[code][4:], plain.codes[code][4:])
        np.testing.assert_array_equal(encoder.encode(PICTURES).codes[base.spec.final], plain.codes[base.spec.final])
        with pytest.raises(UsageError, match="6 embeddings have 1 cameras"):
            encoder.encode(PICTURES, cameras=["door"])
    assert base.encode(PICTURES, cameras=CAMERAS).codes.keys() == plain.codes.keys(), "others take no notice"


def test_other_statistics_are_another_encoder_on_the_same_base() -> None:
    base = open_encoder("stripes")
    one, other = (
        with_cameras(base, statistics(base.card.embedding or 0, maps=maps), name="x", provenance="p")
        for maps in (True, False)
    )
    again = with_cameras(one, other.statistics, name="y", provenance="p")
    assert again.fingerprint == other.fingerprint != one.fingerprint != base.fingerprint
    assert again.base.fingerprint == base.fingerprint
    assert again.card.training == base.card.training
    assert again.card.licence == base.card.licence
    assert again.card.provenance == f"cameras: p; all else (stripes): {base.card.provenance}"


def test_what_does_not_fit_is_refused() -> None:
    base = open_encoder("stripes")
    with pytest.raises(UsageError, match=r"gives embeddings of \d+ numbers, the statistics have 5"):
        with_cameras(base, statistics(5), name="x", provenance="p")
    made = with_cameras(base, statistics(base.card.embedding or 0), name="x", provenance="p")
    for broken, message in (
        ({name: value for name, value in made.tensors.items() if name != "cameras.means"}, "lacks the tensor"),
        (made.tensors | {"cameras.means": made.tensors["cameras.means"][:1]}, "not float32"),
        (made.tensors | {"cameras.maps": np.full_like(made.tensors["cameras.maps"], np.nan)}, "not finite"),
    ):
        with pytest.raises(SwiftReIDError, match=message):
            CameraEncoder(made.card, broken)
    for change, message in (
        ({"cameras": ["door", "door"]}, "not all different"),
        ({"pictures": [3]}, "not all counted"),
        ({"cameras": ["door"]}, "architecture.cameras"),
    ):
        card = made.card.model_copy(update={"architecture": {**made.card.architecture, **change}, "fingerprint": ""})
        with pytest.raises(SwiftReIDError, match=message):
            CameraEncoder(card, made.tensors)
    with pytest.raises(SwiftReIDError, match="do not fit"):
        CameraEncoder(made.card.model_copy(update={"spec": "id32", "fingerprint": ""}), made.tensors)


def test_codes_are_learned_below_the_statistics() -> None:
    pytest.importorskip("torch")
    from swiftreid.data.sources import open_data
    from swiftreid.training.frozen.hashing import learn_hash

    base = open_encoder("stripes")
    made = with_cameras(base, statistics(base.card.embedding or 0), name="x", provenance="p")
    with pytest.raises(UsageError, match="learn codes with the encoder that they were put on"):
        learn_hash(made, open_data("examples/station"), name="y", recipe=load_recipe(find_recipe("frozen/paper")))
