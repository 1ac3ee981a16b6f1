"""Other runtimes than PyTorch: what they are, and how they run a file.

Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError
from rvsam_video.export.extras import require
from rvsam_video.export.signal_stack import keeping_signal_stack

ONNX_EXTRA = "onnx"
OPENVINO_EXTRA = "openvino"

NetworkRun = Callable[[Mapping[str, NDArray[np.generic]]], list[NDArray[np.float32]]]
"""Runs an exported file: input name to array, to the results in order."""


def open_onnx(path: Path) -> NetworkRun:
    """Prepare an ONNX file to be run with ONNX Runtime on the CPU.

    Raises:
        UsageError: if the package `onnxruntime` is missing.
    """
    runtime = require("onnxruntime", ONNX_EXTRA)
    # Named, so that a build with other providers computes the same.
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        return [np.asarray(out, np.float32) for out in session.run(None, dict(inputs))]

    return run


def open_openvino(path: Path) -> NetworkRun:
    """Prepare an .xml file to be run with OpenVINO on the CPU, in full float32.

    Raises:
        UsageError: if the package `openvino` is missing.
    """
    openvino = require("openvino", OPENVINO_EXTRA)
    # On processors with the instructions for it, OpenVINO would compute in bfloat16 by default.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    with keeping_signal_stack():
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        results = compiled(dict(inputs))
        return [np.array(results[n], np.float32) for n in range(len(compiled.outputs))]

    return run


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs exported files.

    Attributes:
        format_name: of its files, a key of `rvsam_video.export.FORMATS`.
        suffix: of their names.
        extra: the extra of this project that installs it.
        open_file: prepares a file to be run.
    """

    format_name: str
    suffix: str
    extra: str
    open_file: Callable[[Path], NetworkRun]


RUNTIMES: Mapping[str, Runtime] = {
    "onnxruntime": Runtime("onnx", ".onnx", ONNX_EXTRA, open_onnx),
    "openvino": Runtime("openvino", ".xml", OPENVINO_EXTRA, open_openvino),
}
"""By backend, which is also the name of the package."""

BACKENDS = ("torch", *RUNTIMES)
"""All that can run networks."""


def check_backend(backend: str) -> None:
    """Make sure that a backend can be used.

    Raises:
        UsageError: if there is no such backend, or its package is missing.
    """
    if backend not in BACKENDS:
        msg = f"there is no backend named {backend!r}; choose one of: {', '.join(BACKENDS)}"
        raise UsageError(msg)
    if backend in RUNTIMES:
        require(backend, RUNTIMES[backend].extra)


def check_on_cpu(device: str, backend: str) -> None:
    """Make sure that nobody wants another device of a backend that has the processor only.

    Raises:
        UsageError: if the device is neither "auto" nor "cpu".
    """
    if device not in {"auto", "cpu"}:
        msg = f"{backend} runs on the CPU here, not on {device}; leave out the device, or use torch"
        raise UsageError(msg)
