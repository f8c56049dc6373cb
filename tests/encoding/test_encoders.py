"""The three kinds of encoder: stripes, external networks (a tiny ONNX one), and the composed pyramid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_figures import draw_person
from swiftreid.encoding.card import Preprocessing
from swiftreid.encoding.composed import compose
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.external import wrap_network
from swiftreid.encoding.hyperplanes import RandomHyperplanes, random_signs
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.encoding.stripes import describe
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.search.codes import CodeSpec, unpack_bits


def pictures(height: int, width: int, count: int = 6) -> NDArray[np.uint8]:
    return np.stack([np.asarray(draw_person(i, 1 + i % 2, 1, (width, height))) for i in range(count)])


def bands_network(path: Path, batch: int | str = "n", *, last: str = "Flatten") -> Path:
    """An ONNX network that averages each channel over four horizontal bands: 12 numbers a picture."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["x"], ["bands"], kernel_shape=[8, 16], strides=[8, 16]),
        helper.make_node(last, ["bands"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bands",
        [helper.make_tensor_value_info("x", kind, [batch, 3, 32, 16])],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bands_network(tmp_path_factory.mktemp("network") / "bands.onnx")


def naive_bands(picture: NDArray[np.uint8], channels: list[int]) -> NDArray[np.float64]:
    values = [picture[8 * b : 8 * b + 8, :, c].mean() for c in channels for b in range(4)]
    return np.array(values) / np.linalg.norm(values)


def test_stripes_is_deterministic_and_does_not_depend_on_batching() -> None:
    encoder = open_encoder("stripes")
    shots = pictures(128, 64)
    together, again = encoder.encode(shots), open_encoder("stripes").encode(shots)
    for name in encoder.spec:
        np.testing.assert_array_equal(together.codes[name], again.codes[name])
    one = [encoder.encode(shots[i : i + 1]).embedding for i in range(len(shots))]
    assert together.embedding is not None
    np.testing.assert_allclose(np.concatenate([e for e in one if e is not None]), together.embedding, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together.embedding, axis=1), 1, atol=1e-5)


def test_stripes_histograms_sum_to_one_in_each_stripe() -> None:
    raw = describe(pictures(128, 64, 3)).astype(np.float64) ** 2
    assert raw.sum(axis=1) == pytest.approx(3 * 8, rel=1e-4)


def test_stripes_tells_drawn_people_apart() -> None:
    encoder = open_encoder("stripes")
    shots = np.stack([np.asarray(draw_person(p, c, 1)) for p in range(30, 40) for c in (1, 2)])
    embedding = encoder.encode(shots).embedding
    assert embedding is not None
    nearest = (embedding[::2] @ embedding[1::2].T).argmax(axis=1)
    assert (nearest == np.arange(10)).mean() >= 0.8


def test_no_pictures_give_an_empty_encoding() -> None:
    encoder = open_encoder("stripes")
    encoding = encoder.encode(np.zeros((0, 128, 64, 3), np.uint8))
    assert encoder.spec.check(encoding.codes) == 0
    assert encoding.embedding is not None
    assert encoding.embedding.shape == (0, encoder.card.embedding)


def test_hyperplanes_give_projections_and_short_codes_are_the_beginning_of_long_ones() -> None:
    spec = CodeSpec.parse("id32 id96")
    values = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    found = RandomHyperplanes(7, spec, seed=3).values(values)
    np.testing.assert_array_equal(found["id96"], values @ random_signs(7, 96, 3))
    np.testing.assert_array_equal(found["id32"], found["id96"][:, :32])


def test_random_signs_never_change() -> None:
    # Changing them would silently orphan every gallery made with hyperplane codes.
    assert "".join("+" if v > 0 else "-" for v in random_signs(3, 5, 0).ravel()) == SIGNS_3_5_0


SIGNS_3_5_0 = "--++--++--+-+-+"


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_onnx_network_sees_the_declared_channel_order(network: Path, colour: str) -> None:
    pytest.importorskip("onnxruntime")
    preprocessing = Preprocessing.model_validate({"height": 32, "width": 16, "colour": colour})
    encoder = wrap_network(network, preprocessing, name="bands")
    shots = pictures(32, 16)
    embedding = encoder.encode(shots).embedding
    assert embedding is not None
    channels = [0, 1, 2] if colour == "rgb" else [2, 1, 0]
    np.testing.assert_allclose(embedding, [naive_bands(p, channels) for p in shots], atol=1e-5)


def test_scale_mean_and_std_are_applied_in_that_order() -> None:
    preprocessing = Preprocessing(height=1, width=1, scale=0.5, mean=(1, 2, 3), std=(2, 4, 8))
    values = preprocessing.apply(np.array([[[[10, 20, 30]]]], np.uint8))
    np.testing.assert_allclose(values.ravel(), [(5 - 1) / 2, (10 - 2) / 4, (15 - 3) / 8])


def test_wrapped_network_travels_in_its_file(network: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = wrap_network(network, Preprocessing(height=32, width=16), name="bands", licence="MIT")
    encoder.save(tmp_path / "e.safetensors")
    loaded = open_encoder(tmp_path / "e.safetensors")
    assert loaded.fingerprint == encoder.fingerprint
    assert loaded.card.licence == "MIT"
    shots = pictures(32, 16)
    np.testing.assert_array_equal(loaded.encode(shots).codes["id2048"], encoder.encode(shots).codes["id2048"])


def test_a_network_as_openvino_ir_gives_the_same(network: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.convert_model(network), tmp_path / "bands.xml", compress_to_fp16=False)
    preprocessing = Preprocessing(height=32, width=16)
    encoder = wrap_network(tmp_path / "bands.xml", preprocessing, name="ir")
    assert encoder.network.format == "openvino"
    shots = pictures(32, 16)
    expected = wrap_network(network, preprocessing, name="onnx").encode(shots).embedding
    np.testing.assert_allclose(encoder.encode(shots).embedding, expected, atol=1e-6)
    encoder.save(tmp_path / "ir.safetensors")
    loaded = open_encoder(tmp_path / "ir.safetensors", threads=1, device="openvino")
    np.testing.assert_allclose(loaded.encode(shots).embedding, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.txt", b"x", r"of a known format: give ONNX \(\.onnx\) or OpenVINO IR \(\.xml with \.bin beside it\)"),
        ("net.onnx", b"not a network", "could not be loaded"),
        ("net.xml", b"<net/>", r"cannot read .*net\.bin"),
    ],
)
def test_bad_networks_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((SwiftReIDError, UsageError), match=message):
        wrap_network(path, Preprocessing(height=32, width=16), name="x")


def test_network_of_another_input_size_is_refused(network: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(SwiftReIDError, match="does not take"):
        wrap_network(network, Preprocessing(height=64, width=32), name="bands")


@pytest.mark.parametrize("batch", [1, 4])
def test_network_of_a_fixed_batch_gives_the_same(network: Path, tmp_path: Path, batch: int) -> None:
    pytest.importorskip("onnxruntime")
    preprocessing = Preprocessing(height=32, width=16)
    fixed = wrap_network(bands_network(tmp_path / "fixed.onnx", batch), preprocessing, name="fixed")
    free = wrap_network(network, preprocessing, name="free")
    shots = pictures(32, 16)
    np.testing.assert_allclose(fixed.encode(shots).embedding, free.encode(shots).embedding, atol=1e-6)


def test_network_without_one_vector_a_picture_is_refused(tmp_path: Path) -> None:
    """Transposed, as a recurrent network may give it: 4 rows for 2 pictures, which must not pass for longer vectors."""
    pytest.importorskip("onnxruntime")
    path = bands_network(tmp_path / "transposed.onnx", last="Transpose")
    with pytest.raises(SwiftReIDError, match="not one vector a picture"):
        wrap_network(path, Preprocessing(height=32, width=16), name="x")


def test_names_of_networks_are_no_part_of_the_fingerprint(network: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(network.read_bytes())
    preprocessing = Preprocessing(height=32, width=16)
    bases = [wrap_network(p, preprocessing, name=p.stem, licence=p.stem, provenance=p.stem) for p in (network, copy)]
    assert bases[0].fingerprint == bases[1].fingerprint
    tensors = small_pyramid(12)
    composed = [compose(base, tensors, name=base.card.name, provenance="made up") for base in bases]
    assert composed[0].fingerprint == composed[1].fingerprint
    assert [encoder.card.licence for encoder in composed] == ["bands", "copy"]
    tensors["pyramid.32.bias"] = tensors["pyramid.32.bias"] + 1
    assert compose(bases[0], tensors, name="bands", provenance="made up").fingerprint != composed[0].fingerprint


def small_pyramid(dimension: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(1)

    def level(length: int, source: int) -> dict[str, NDArray[np.float32]]:
        return {
            f"pyramid.{length}.weight": rng.standard_normal((length, source)).astype(np.float32),
            f"pyramid.{length}.bias": np.zeros(length, np.float32),
            f"pyramid.{length}.scale": np.ones(length, np.float32),
            f"pyramid.{length}.shift": np.zeros(length, np.float32),
        }

    return {"input.unit": np.ones(1, np.float32)} | level(64, dimension) | level(32, 64)


def test_composed_encoder_is_the_pyramid_of_the_base_embedding(tmp_path: Path) -> None:
    base = open_encoder("stripes")
    tensors = small_pyramid(base.card.embedding or 0)
    encoder = compose(base, tensors, name="hashed", provenance="made up")
    encoder.save(tmp_path / "h.safetensors")
    loaded = open_encoder(tmp_path / "h.safetensors")
    shots = pictures(128, 64)
    embedding = base.encode(shots).embedding
    assert embedding is not None
    expected = PyramidCodes(tensors)(embedding)
    assert str(loaded.spec) == "id32 id64"
    for name, code in loaded.encode(shots).codes.items():
        np.testing.assert_array_equal(code, expected[name])
    assert base.card.name in loaded.card.provenance
    assert base.card.provenance in loaded.card.provenance
    assert loaded.card.licence == base.card.licence


def test_values_are_what_the_bits_are_signs_of(network: Path) -> None:
    pytest.importorskip("onnxruntime")
    stripes, bands = open_encoder("stripes"), wrap_network(network, Preprocessing(height=32, width=16), name="bands")
    hashed = compose(bands, small_pyramid(12), name="hashed", provenance="made up")
    for encoder in (stripes, bands, hashed):
        encoding = encoder.encode(pictures(*encoder.size))
        assert encoding.embedding is not None
        values = encoder.values_of(encoding.embedding)
        assert list(values) == list(encoder.spec)
        for name, code in encoding.codes.items():
            np.testing.assert_array_equal(unpack_bits(code, values[name].shape[1]), values[name] > 0)
        with pytest.raises(UsageError, match="gives embeddings"):
            encoder.values_of(encoding.embedding[:, 1:])
