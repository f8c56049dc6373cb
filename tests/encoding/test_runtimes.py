"""Runtimes: threads and devices are the caller's choice, and a new runtime is one file and one line."""

from __future__ import annotations

import builtins
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swiftreid.encoding.card import Preprocessing
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.external import network_encoder, wrap_network
from swiftreid.encoding.runtimes import contract, registry
from swiftreid.encoding.runtimes.blas import blas_threads
from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions, Runtime, StartedNetwork
from swiftreid.encoding.runtimes.formats import FORMATS, NetworkFormat
from swiftreid.encoding.runtimes.running import run_in_batches, run_side_by_side
from swiftreid.errors import SwiftReIDError, UsageError


def some(count: int, height: int = 160, width: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize(("threads", "pictures"), [(1, 9), (2, 9), (None, 9), (None, 1)])
def test_threads_do_not_change_what_an_encoder_gives(
    threads: int | None, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(contract, "processors", lambda: 4)
    one, other = open_encoder("rendered", threads=1), open_encoder("rendered", threads=threads)
    shots = some(pictures)
    np.testing.assert_array_equal(one.encode(shots).embedding, other.encode(shots).embedding)


def test_an_onnx_session_never_spins_and_has_the_threads_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    made: list[Any] = []
    real = onnxruntime.InferenceSession

    def session(model: bytes, options: Any, **others: Any) -> Any:
        made.append(options)
        return real(model, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    for threads, expected in ((None, 1), (1, 1), (3, 3)):
        open_encoder("rendered", threads=threads).encode(some(1))
        options = made.pop()
        assert options.intra_op_num_threads == expected
        assert options.inter_op_num_threads == 1
        for kind in ("intra", "inter"):
            assert options.get_session_config_entry(f"session.{kind}_op.allow_spinning") == "0"


class Calls:
    """A network that keeps what it is given; ``most`` is how many calls ran at once."""

    def __init__(self, batch: int | None = None, together: int = 1) -> None:
        self.sizes: list[int] = []
        self.network = StartedNetwork(self.run, batch=batch)
        self.barrier = threading.Barrier(together, timeout=1200)

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        self.sizes.append(len(values))
        self.barrier.wait()
        return values.reshape(len(values), -1)[:, :2]

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return run_in_batches(self.network, pictures.astype(np.float32))


def test_parts_are_computed_side_by_side_and_keep_their_order() -> None:
    shots = some(8, 1, 2)
    calls = Calls(together=4)  # a call waits until four run: one after the other would wait for ever
    found = run_side_by_side(calls.embed, shots, calls.network, 4)
    np.testing.assert_array_equal(found, shots.reshape(8, -1)[:, :2])
    assert calls.sizes == [2, 2, 2, 2]


def test_parts_fit_networks_of_a_fixed_batch() -> None:
    shots = some(10, 1, 2)
    calls = Calls(batch=4)
    found = run_side_by_side(calls.embed, shots, calls.network, 2)
    np.testing.assert_array_equal(found, shots.reshape(10, -1)[:, :2])
    assert calls.sizes == [4, 4, 4]


def test_large_lists_are_cut_and_a_gpu_is_called_by_one_thread() -> None:
    shots = some(150, 1, 2)
    calls = Calls()
    network = StartedNetwork(calls.run, parallel=False)
    run_side_by_side(lambda p: run_in_batches(network, p.astype(np.float32)), shots, network, 4)
    assert calls.sizes == [64, 64, 22]


def test_errors_of_a_part_reach_the_caller() -> None:
    def fails(_pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise SwiftReIDError("broken")

    with pytest.raises(SwiftReIDError, match="broken"):
        run_side_by_side(fails, some(4, 1, 2), StartedNetwork(Calls().run), 2)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_that_are_no_number_are_refused(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads is a number from 1"):
        open_encoder("stripes", threads=threads)


def test_devices_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="no device 'tpu': encoders run on cpu, cuda, openvino"):
        open_encoder("rendered", device="tpu")
    with pytest.raises(UsageError, match="stripes has no network to run on 'cuda'"):
        open_encoder("stripes", device="cuda")


def test_a_device_that_is_not_there_says_what_to_install() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has it")
    with pytest.raises(SwiftReIDError, match="pip install onnxruntime-gpu"):
        open_encoder("rendered", device="cuda")


@pytest.mark.parametrize(
    ("module", "device", "message"),
    [
        ("onnxruntime", "cpu", r'pip install "swiftreid\[onnx\]"'),
        ("onnxruntime", "cuda", 'pip install "onnxruntime-gpu"'),
        ("openvino", "openvino", r'pip install "swiftreid\[openvino\]"'),
    ],
)
def test_a_missing_runtime_says_what_to_install(
    module: str, device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *others: Any, **more: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return real(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(SwiftReIDError, match=message):
        open_encoder("rendered", device=device).encode(some(1))


def test_openvino_runs_onnx_networks_and_agrees() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    shots = some(5)
    expected = open_encoder("rendered").encode(shots).embedding
    for threads in (None, 1):
        found = open_encoder("rendered", device="openvino", threads=threads).encode(shots).embedding
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_limits_of_threads_end_with_the_last_that_works_under_them() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> set[int]:
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    first, second = blas_threads(1), blas_threads(2)
    first.__enter__()
    second.__enter__()
    assert threads() == {1}
    first.__exit__(None, None, None)
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == before


PAGE = Path(__file__).resolve().parents[2] / "docs/add_a_runtime.md"
TOY = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("\n\n\nprint(")[0]


def test_a_new_runtime_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/add_a_runtime.md says, with its toy."""
    assert '"toy": "swiftreid.encoding.runtimes.toy_runtime:ToyRuntime",' in PAGE.read_text(encoding="utf-8")
    (tmp_path / "toy_runtime.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(registry.RUNTIMES, "toy", "toy_runtime:ToyRuntime")
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    network = NetworkFile("onnx", {"onnx": matrix.tobytes()})
    made = network_encoder(
        network, Preprocessing(height=32, width=16), np.zeros(4, np.float32),
        name="toy", provenance="drawn", licence="CC0", unit=False,
    )  # fmt: skip
    made.save(tmp_path / "toy.safetensors")
    encoder = open_encoder(tmp_path / "toy.safetensors", device="toy")
    shots = some(5, 32, 16)
    expected = shots.astype(np.float32).mean(axis=(1, 2)) @ matrix
    np.testing.assert_allclose(encoder.encode(shots).embedding, expected, rtol=1e-4)
    sent = pickle.loads(pickle.dumps(encoder))
    assert sent.options == RunOptions(device="toy")
    with pytest.raises(UsageError, match="'toy' runs no openvino networks"):
        registry.runtime_for("openvino", "toy")
    del sys.modules["toy_runtime"]


def test_a_new_format_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/add_a_runtime.md says: wrapped, saved and opened, its parts travel with the encoder."""
    runtime = TOY.replace('"onnx"', '"matrix"').replace(
        ").reshape(3, -1)", ").reshape(3, -1) + len(network.parts['note'])"
    )
    (tmp_path / "matrix_runtime.py").write_text(runtime)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(registry.RUNTIMES, "toy", "matrix_runtime:ToyRuntime")
    monkeypatch.setitem(FORMATS, "matrix", NetworkFormat("Toy matrix", ("matrix", "note")))
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    (tmp_path / "net.matrix").write_bytes(matrix.tobytes())
    size = Preprocessing(height=32, width=16)
    with pytest.raises(SwiftReIDError, match=r"cannot read .*net\.note"):
        wrap_network(tmp_path / "net.matrix", size, name="toy", device="toy")
    (tmp_path / "net.note").write_bytes(b"ab")
    with pytest.raises(UsageError, match="'cpu' runs no matrix networks: matrix networks run on toy"):
        wrap_network(tmp_path / "net.matrix", size, name="toy")
    wrap_network(tmp_path / "net.matrix", size, name="toy", device="toy").save(tmp_path / "toy.safetensors")
    encoder = open_encoder(tmp_path / "toy.safetensors", device="toy")
    shots = some(5, 32, 16)
    expected = shots.astype(np.float32).mean(axis=(1, 2)) @ (matrix + 2)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(shots).embedding, expected, rtol=1e-4)
    with pytest.raises(UsageError, match=r"OpenVINO IR \(.*\) or Toy matrix \(\.matrix with \.note beside it\)"):
        wrap_network(tmp_path / "net.note", size, name="toy")
    del sys.modules["matrix_runtime"]


@pytest.mark.parametrize("path", registry.RUNTIMES.values())
def test_every_runtime_keeps_the_contract(path: str) -> None:
    runtime = registry._made(path)
    assert isinstance(runtime, Runtime)
    assert runtime.name
    assert runtime.formats
    unknown = {*runtime.formats} - {*FORMATS}
    assert not unknown, f"{path}: formats {unknown} have no line in FORMATS of encoding/runtimes/formats.py"
    device = runtime.devices[0]
    assert registry.runtime_for(runtime.formats[0], device).name == runtime.name, "its first device is its own"
    with pytest.raises(SwiftReIDError, match=r"could not load the network|could not be loaded"):
        registry.start_network(
            NetworkFile(runtime.formats[0], dict.fromkeys(FORMATS[runtime.formats[0]].parts, b"no network")),
            RunOptions(device=device),
        )


def test_two_threads_may_be_the_first_to_use_openvino() -> None:
    """They waited for each other for ever, in one process of four."""
    pytest.importorskip("openvino")
    program = (
        "import sys, numpy as np; sys.setswitchinterval(1e-6)\n"
        "from swiftreid import open_encoder\n"
        "encoder = open_encoder('rendered', device='openvino')\n"
        "print(encoder.encode(np.zeros((9, *encoder.size, 3), np.uint8)).embedding.shape)"
    )
    for _ in range(4):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=1200, check=False)
        assert ran.stdout.startswith("(9,"), ran.stderr
