"""The runtimes that there are, and which of them runs a network on a device."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from swiftreid.encoding.runtimes.contract import NetworkFile, RunOptions, Runtime, StartedNetwork
from swiftreid.errors import SwiftReIDError, UsageError

RUNTIMES: Final[dict[str, str]] = {
    "onnxruntime": "swiftreid.encoding.runtimes.onnx_runtime:OnnxRuntime",
    "openvino": "swiftreid.encoding.runtimes.open_vino:OpenVinoRuntime",
}
"""Name of each runtime -> module and class. The first that has the format and the device is taken."""


def devices(format: str | None = None) -> list[str]:
    """Names of all devices, or of those that run networks of a format."""
    runtimes = [runtime for runtime in _all() if format is None or format in runtime.formats]
    return list(dict.fromkeys(device for runtime in runtimes for device in runtime.devices))


def runtime_for(format: str, device: str) -> Runtime:
    """What runs networks of a format on a device.

    Raises:
        UsageError: nothing does.
    """
    for runtime in _all():
        if format in runtime.formats and device in runtime.devices:
            return runtime
    known = "is no device" if device not in devices() else f"runs no {format} networks"
    raise UsageError(f"{device!r} {known}: {format} networks run on {', '.join(devices(format)) or 'nothing'}")


def start_network(network: NetworkFile, options: RunOptions) -> StartedNetwork:
    """Load a network as the options say.

    Raises:
        UsageError: nothing runs networks of its format on the device.
        SwiftReIDError: the runtime or the device is missing, or the network cannot be loaded.
    """
    runtime = runtime_for(network.format, options.device)
    runtime.check(options.device)
    try:
        return runtime.start(network, options.device, options.threads_per_network_call)
    except SwiftReIDError:
        raise
    except Exception as error:  # runtimes have exception classes of their own, without a common base
        raise SwiftReIDError(f"{runtime.name} could not load the network: {last_line(error)}") from error


def last_line(error: Exception) -> str:
    """The last line of a runtime's error; the lines above name its source files."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _all() -> list[Runtime]:
    return [_made(path) for path in RUNTIMES.values()]


@cache
def _made(path: str) -> Runtime:
    module, name = path.split(":")
    runtime: Runtime = getattr(import_module(module), name)()
    return runtime
