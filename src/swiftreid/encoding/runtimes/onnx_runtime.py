"""ONNX Runtime, on processors and on NVIDIA GPUs."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.runtimes.contract import NetworkFile, Runtime, StartedNetwork
from swiftreid.encoding.runtimes.formats import ONNX
from swiftreid.encoding.runtimes.onnx_file import refuse_external_data
from swiftreid.errors import SwiftReIDError

_ERRORS_ONLY: Final = 3
_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
# TF32 keeps 10 bits of a factor: codes would change from GPU to GPU.
_PROVIDER_OPTIONS: Final[dict[str, dict[str, str]]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}


class OnnxRuntime(Runtime):
    """Reads ONNX from memory; a file that wants data from beside it is refused."""

    name = "ONNX Runtime"
    formats = (ONNX,)
    devices = ("cpu", "cuda")

    def check(self, device: str) -> None:
        """Make sure that ``onnxruntime`` is there, for ``cuda`` its build for GPUs."""
        package = "swiftreid[onnx]" if device == "cpu" else "onnxruntime-gpu"
        try:
            import onnxruntime
        except ImportError as error:
            raise SwiftReIDError(
                f'this encoder needs ONNX Runtime for the device {device!r}: pip install "{package}"; the encoder '
                "`stripes`, which is weak, needs none"
            ) from error
        if _PROVIDERS[device] not in onnxruntime.get_available_providers():
            raise SwiftReIDError(
                f"the installed onnxruntime {onnxruntime.__version__} does not run on {device!r}: pip uninstall "
                f"onnxruntime, then pip install {package}; or take the device 'cpu'"
            )

    def start(self, network: NetworkFile, device: str, threads: int) -> StartedNetwork:
        """Make a session whose threads sleep while they wait: spinning ones took four times the processor time."""
        import onnxruntime

        model = network.parts["onnx"]
        refuse_external_data(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        provider = _PROVIDERS[device]
        session: Any = onnxruntime.InferenceSession(model, options, providers=[(provider, _PROVIDER_OPTIONS[device])])
        if session.get_providers()[0] != provider:  # it falls back without a word where a library is missing
            raise SwiftReIDError(
                f"ONNX Runtime could not use {device!r}, for lack of a driver or of CUDA's libraries: install those "
                "that its release names, or take the device 'cpu'"
            )
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs) or "none"
            raise SwiftReIDError(f"the network takes {len(inputs)} inputs ({names}), not one, the pictures")
        [source], output = inputs, session.get_outputs()[0].name

        def run(values: NDArray[np.float32]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = session.run([output], {source.name: values})[0]
            return found

        batch = source.shape[0] if source.shape and isinstance(source.shape[0], int) else None
        return StartedNetwork(run, batch=batch, parallel=device == "cpu")
