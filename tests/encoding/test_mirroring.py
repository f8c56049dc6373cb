"""Encoders that average a picture with its mirror image, made of encoders that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.encoding.card import Preprocessing
from swiftreid.encoding.composed import compose
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.external import wrap_network
from swiftreid.encoding.mirroring import mirrored
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits


@pytest.fixture(scope="module")
def sided(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Means of the left and the right half of each channel: 6 numbers a picture, others for its mirror image."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["x"], ["halves"], kernel_shape=[32, 8], strides=[32, 8]),
        helper.make_node("Flatten", ["halves"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sided",
        [helper.make_tensor_value_info("x", kind, ["n", 3, 32, 16])],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    path = tmp_path_factory.mktemp("network") / "sided.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return wrap_network(path, Preprocessing(height=32, width=16), name="sided", licence="CC0")


def of_length_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("hashed", [False, True])
def test_embedding_is_the_mean_and_codes_are_of_it(sided: Encoder, hashed: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    encoder = sided
    if hashed:
        level = {"weight": rng.normal(size=(32, 6)), "bias": np.zeros(32), "scale": np.ones(32), "shift": np.zeros(32)}
        pyramid = {f"pyramid.32.{name}": value.astype(np.float32) for name, value in level.items()}
        pyramid["input.unit"] = np.ones(1, np.float32)
        encoder = compose(sided, pyramid, name="hashed", provenance="drawn")
    path = tmp_path / "mirrored.safetensors"
    mirrored(encoder, name="both").save(path)
    both = open_encoder(path)
    shots = rng.integers(0, 256, (7, 32, 16, 3), np.uint8)
    given, plain, other = (
        one.encode(each) for one, each in ((both, shots), (encoder, shots), (encoder, shots[:, :, ::-1].copy()))
    )
    assert given.embedding is not None
    assert plain.embedding is not None
    assert other.embedding is not None
    assert np.abs(plain.embedding - other.embedding).max() > 0.01
    mean = of_length_one(plain.embedding + other.embedding)
    np.testing.assert_allclose(given.embedding, mean, atol=1e-6)
    for code, values in both.values_of(given.embedding).items():
        np.testing.assert_array_equal(given.codes[code], pack_bits(values))
    assert both.fingerprint != encoder.fingerprint
    assert (both.card.name, both.card.licence, both.card.spec) == ("both", encoder.card.licence, encoder.card.spec)


def test_what_cannot_be_mirrored_is_refused(sided: Encoder) -> None:
    with pytest.raises(UsageError, match="averages a picture with its mirror image already"):
        mirrored(mirrored(sided))
    with pytest.raises(UsageError, match="stripes has no network"):
        mirrored(open_encoder("stripes"))
