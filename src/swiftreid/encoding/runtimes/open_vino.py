"""OpenVINO, on processors and on Intel's GPUs and NPUs."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.runtimes.contract import NetworkFile, Runtime, StartedNetwork, processors
from swiftreid.encoding.runtimes.formats import ONNX, OPENVINO_IR
from swiftreid.encoding.runtimes.onnx_file import refuse_external_data
from swiftreid.errors import SwiftReIDError

_PLUGINS: Final = {"cpu": "CPU", "openvino": "CPU", "openvino-gpu": "GPU", "openvino-npu": "NPU"}


class OpenVinoRuntime(Runtime):
    """Reads OpenVINO IR and ONNX from memory. ``cpu`` means it for IR, which no other runtime reads."""

    name = "OpenVINO"
    formats = (OPENVINO_IR, ONNX)
    devices = tuple(_PLUGINS)

    def check(self, device: str) -> None:
        """Make sure that ``openvino`` is there and finds the device."""
        try:
            import openvino
        except ImportError as error:
            raise SwiftReIDError(
                f'the device {device!r} needs OpenVINO for this encoder: pip install "swiftreid[openvino]"'
            ) from error
        plugin = _PLUGINS[device]
        found: list[str] = openvino.Core().available_devices
        if plugin != "CPU" and not any(one.split(".")[0] == plugin for one in found):
            raise SwiftReIDError(
                f"OpenVINO finds no {plugin} for the device {device!r}, only {', '.join(found) or 'nothing'}: install "
                "its driver, or take the device 'cpu'"
            )

    def start(self, network: NetworkFile, device: str, threads: int) -> StartedNetwork:
        """Compile the network in full precision, on as many streams of ``threads`` threads as there are processors."""
        import openvino

        core: Any = openvino.Core()
        if network.format == ONNX:
            refuse_external_data(network.parts["onnx"])
            model = core.read_model(model=network.parts["onnx"])
        else:
            model = core.read_model(model=network.parts["xml"], weights=network.parts["bin"])
        if len(model.inputs) != 1:
            raise SwiftReIDError(f"the network takes {len(model.inputs)} inputs, not one, the pictures")
        shape = list(model.inputs[0].partial_shape)
        model.reshape({model.inputs[0]: openvino.PartialShape([-1, *shape[1:]])})
        # Half precision on newer processors would change bits from machine to machine.
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
        on_processor = _PLUGINS[device] == "CPU"
        if on_processor:
            streams = max(1, processors() // threads)
            settings |= {
                "INFERENCE_NUM_THREADS": streams * threads,
                "NUM_STREAMS": streams,
                "PERFORMANCE_HINT": "THROUGHPUT" if streams > 1 else "LATENCY",
                "ENABLE_CPU_PINNING": False,  # other work runs on this machine too
            }
        compiled = core.compile_model(model, _PLUGINS[device], settings)
        # Looks at NumPy's version once, in a C++ static. Two threads that do so first wait for each other for ever: one
        # for the static, with the interpreter's lock, the other for that lock.
        openvino.Tensor(np.zeros(1, np.float32)).data[:] = 0
        idle: SimpleQueue[Any] = SimpleQueue()  # a request serves one caller at a time

        def run(values: NDArray[np.float32]) -> NDArray[np.float32]:
            try:
                request = idle.get_nowait()
            except Empty:
                request = compiled.create_infer_request()
            try:
                return np.array(request.infer([values])[0], np.float32)
            finally:
                idle.put(request)

        return StartedNetwork(run, parallel=on_processor)
