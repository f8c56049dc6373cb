"""Encoder files made wrong by hand: an error that says what is wrong, never anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save, save_file

from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard, Preprocessing, fingerprint_of
from swiftreid.encoding.composed import compose
from swiftreid.encoding.domain import sources_of
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.external import network_encoder
from swiftreid.encoding.runtimes.contract import NetworkFile
from swiftreid.encoding.runtimes.onnx_file import refuse_external_data
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.errors import SwiftReIDError

Arrays = dict[str, NDArray[Any]]


def pyramid_on(base: Encoder) -> Encoder:
    rng, width = np.random.default_rng(0), base.card.embedding
    level = {"weight": rng.normal(size=(32, width)), "bias": np.zeros(32), "scale": np.ones(32), "shift": np.zeros(32)}
    pyramid = {f"pyramid.32.{name}": value.astype(np.float32) for name, value in level.items()}
    attributes = {"weight": rng.normal(size=(2, width)).astype(np.float32), "bias": np.zeros(2, np.float32)}
    pyramid["input.unit"] = np.ones(1, np.float32)
    return compose(
        base, pyramid, name="hashed", provenance="drawn", attributes=attributes, attribute_names=["hat", "bag"]
    )


def external() -> Encoder:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["means"]),
            helper.make_node("Flatten", ["means"], ["y"]),
        ],
        "means",
        [helper.make_tensor_value_info("x", kind, ["n", 3, 16, 8])],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return network_encoder(
        NetworkFile("onnx", {"onnx": model.SerializeToString()}), Preprocessing(height=16, width=8),
        np.zeros(3, np.float32), name="means", provenance="drawn", licence="CC0",
    )  # fmt: skip


def of_vectors() -> Encoder:
    return vector_encoder(np.random.default_rng(0).normal(size=(20, 6)), name="vectors", spec="id32")


MADE: dict[str, Callable[[], Encoder]] = {
    "stripes": lambda: open_encoder("stripes"),
    "external": external,
    "vectors": of_vectors,
    "pyramid": lambda: pyramid_on(external()),
    "pyramid of vectors": lambda: pyramid_on(of_vectors()),
}
_ENCODERS: dict[str, Encoder] = {}


def encoder_of(kind: str) -> Encoder:
    if kind not in _ENCODERS:
        _ENCODERS[kind] = MADE[kind]()
    return _ENCODERS[kind]


def try_it(path: Path, card: dict[str, Any], tensors: Arrays) -> Encoder | None:
    """Write what was changed, sealed as its maker would, and use it; None where it is refused in words."""
    try:
        read = EncoderCard.model_validate(card)
        card = card | {"fingerprint": fingerprint_of(read, tensors)}
    except ValueError:
        pass  # the reader has to find that too
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    path.write_bytes(save(arrays, metadata={"card": json.dumps(card)}))
    try:
        encoder = open_encoder(path)
        width = encoder.card.embedding or 0
        given = np.zeros((2, width), np.float32) if encoder.takes == "vectors" else np.zeros((2, 20, 10, 3), np.uint8)
        encoding = encoder.encode(given)  # type: ignore[arg-type]
    except SwiftReIDError:
        return None
    assert encoder.spec.check(encoding.codes) == 2
    assert all(set(source) == {"data", "data_fingerprint"} for source in sources_of(encoder.card))
    return encoder


@pytest.mark.parametrize("kind", MADE)
def test_what_is_not_changed_works(kind: str, tmp_path: Path) -> None:
    encoder = encoder_of(kind)
    assert try_it(tmp_path / "e.safetensors", encoder.card.model_dump(mode="json"), encoder.tensors)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path] * bool(path) + [place for key, each in inner for place in places(each, (*path, key))]


ODD = st.sampled_from(
    [None, True, -1, 0, 1.5, 10**9, 10**30, "", "id32", "id1 id999999999999", "pyramid", "external", [], {}, [1]]
)  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_headers_are_refused_or_work(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    encoder = encoder_of(kind)
    card = encoder.card.model_dump(mode="json")
    for _ in range(data.draw(st.integers(1, 2))):
        *above, last = data.draw(st.sampled_from(places(card)))
        inner: Any = card
        for key in above:
            inner = inner[key]
        if data.draw(st.booleans()) and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = data.draw(ODD)
    try_it(tmp_path / "e.safetensors", card, encoder.tensors)


CHANGES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "shorter": lambda a: a[:-1],
    "empty": lambda a: a[:0],
    "one number": lambda a: np.ones((1, 1), np.float32),
    "deeper": lambda a: a[None],
    "turned": lambda a: np.ascontiguousarray(a.T)[::-1].copy() if a.ndim > 1 else a[:, None],
    "whole numbers": lambda a: a.astype(np.int32),
    "bytes": lambda a: a.astype(np.uint8)[..., None],
    "endless": lambda a: np.full(a.shape, np.inf, np.float32),
    "no numbers": lambda a: np.full(a.shape, np.nan, np.float16),
}


@pytest.mark.parametrize("change", [*CHANGES, "missing"])
@pytest.mark.parametrize("kind", MADE)
def test_changed_tensors_are_refused(kind: str, change: str, tmp_path: Path) -> None:
    encoder = encoder_of(kind)
    for name, tensor in encoder.tensors.items():
        others = {other: value for other, value in encoder.tensors.items() if other != name}
        changed = {} if change == "missing" else {name: CHANGES[change](tensor)}
        found = try_it(tmp_path / "e.safetensors", encoder.card.model_dump(mode="json"), others | changed)
        assert found is None, name


def test_ten_thousand_of_a_dimension_take_no_memory(tmp_path: Path) -> None:
    """The hyperplanes of what a card states are made only if the file holds as much."""
    encoder = of_vectors()
    card = encoder.card.model_dump(mode="json")
    for dimension in (10**6, 10**18):
        card["architecture"]["dimension"] = card["embedding"] = dimension
        assert try_it(tmp_path / "e.safetensors", card, encoder.tensors) is None
    card = encoder.card.model_dump(mode="json") | {"spec": "id99999999999"}
    assert try_it(tmp_path / "e.safetensors", card, encoder.tensors) is None


@pytest.mark.parametrize("depth", [150, 3000, 200_000])
@pytest.mark.parametrize("where", ["header", "architecture", "base"])
def test_nested_headers_are_refused(depth: int, where: str, tmp_path: Path) -> None:
    card = encoder_of("vectors").card.model_dump(mode="json")
    whole = json.dumps(card)
    nested = "[" * depth + "]" * depth
    if where == "base":
        nested = '{"base": ' * depth + "1" + "}" * depth
    text = nested if where == "header" else json.dumps(card | {"architecture": 0}).replace(
        '"architecture": 0', f'"architecture": {{"base": {nested}}}'
    )  # fmt: skip
    assert len(text) > len(whole) or where == "header"
    save_file(encoder_of("vectors").tensors, tmp_path / "e.safetensors", metadata={"card": text})
    with pytest.raises(SwiftReIDError):
        open_encoder(tmp_path / "e.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        "[" * 3000,
        '{"__metadata__": {"card": ' + "[" * 3000,
        '{"w": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}',
        '{"w": {"dtype": "F32", "shape": [0, 4611686018427387904], "data_offsets": [0, 0]}}',
        '{"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}, "__metadata__": {"card": "{}"}}',
    ],
)
@pytest.mark.parametrize("length", [None, 2**62])
def test_headers_of_the_format_itself(header: str, length: int | None, tmp_path: Path) -> None:
    content = header.encode()
    stated = len(content) if length is None else length
    (tmp_path / "e.safetensors").write_bytes(stated.to_bytes(8, "little") + content + bytes(4))
    with pytest.raises(SwiftReIDError, match=r"e\.safetensors"):
        open_encoder(tmp_path / "e.safetensors")


def test_codes_upon_codes_without_end_are_refused(tmp_path: Path) -> None:
    base = of_vectors()
    for _ in range(8):
        base = pyramid_on(base)
    with pytest.raises(SwiftReIDError, match="codes lie on codes more than 8 times over"):
        pyramid_on(base)


def with_external_data(place: str) -> bytes:
    """A network one of whose tensors is kept in another file."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    tensor = onnx.TensorProto(name="w", data_type=kind, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("w", kind, [1])], [tensor])
    node = {
        "initializer": helper.make_node("Add", ["x", "w"], ["y"]),
        "constant": helper.make_node("Constant", [], ["y"], value=tensor),
        "branch": helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
        "function": helper.make_node("Own", ["x"], ["y"], domain="own"),
        "sparse": helper.make_node("Identity", ["x"], ["y"]),
    }[place]
    graph = helper.make_graph(
        [node], "outer", [helper.make_tensor_value_info("x", kind, [1])],
        [helper.make_tensor_value_info("y", kind, [1])],
        [tensor] if place == "initializer" else [],
    )  # fmt: skip
    if place == "sparse":
        graph.sparse_initializer.add().values.CopyFrom(tensor)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    if place == "function":
        constant = helper.make_node("Constant", [], ["y"], value=tensor)
        model.functions.append(
            helper.make_function("own", "Own", ["x"], ["y"], [constant], [helper.make_opsetid("", 17)])
        )
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("place", ["initializer", "constant", "branch", "function", "sparse"])
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_networks_that_name_other_files_are_refused(place: str, device: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime" if device == "cpu" else "openvino")
    made = network_encoder(
        NetworkFile("onnx", {"onnx": with_external_data(place)}), Preprocessing(height=8, width=8),
        np.zeros(3, np.float32), name="hostile", provenance="", licence="",
    )  # fmt: skip
    made.save(tmp_path / "e.safetensors")
    with pytest.raises(SwiftReIDError, match="keeps weights in another file"):
        open_encoder(tmp_path / "e.safetensors", device=device).encode([np.zeros((8, 8, 3), np.uint8)])


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_as_a_network_or_refused(content: bytes) -> None:
    with suppress(SwiftReIDError):
        refuse_external_data(content)


def test_graphs_nested_without_end_are_read_without_recursion() -> None:
    content = b""
    for i in range(5000):  # attribute 6 of node 1 of graph, and so on
        key = (b"\x0a", b"\x2a", b"\x32")[i % 3]
        length, size = b"", len(content)
        while size >= 128:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        content = key + length + bytes([size]) + content
    with suppress(SwiftReIDError):
        refuse_external_data(content)
