"""OpenVINO's format (an .xml file with a .bin beside it), and running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rvsam_video.export.extras import require
from rvsam_video.export.onnx import NetworkRun, trace
from rvsam_video.export.parts import ExportPart

OPENVINO_EXTRA = "openvino"

_SECTION = "rvsam_video"
"""Where in the file's notes ours stand."""


def write_openvino(part: ExportPart, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a network to `path` (.xml) and a .bin beside it, in full float32.

    It goes through ONNX, which OpenVINO reads by itself: so there is one traced graph for both.

    Args:
        part: the network.
        path: the .xml file.
        metadata: kept in the file, as text.

    Raises:
        UsageError: if the package `openvino` is missing, or the weights are too large for ONNX.
    """
    openvino = require("openvino", OPENVINO_EXTRA)
    # Beside the target: ONNX files are large, and the system's folder for such may be small.
    with TemporaryDirectory(dir=path.parent, prefix=".onnx-") as folder:
        between = Path(folder) / "model.onnx"
        trace(part, between)
        model = openvino.convert_model(between)
        for key, value in metadata.items():
            model.set_rt_info(value, [_SECTION, key])
        # Its default halves the file and with it the precision of all weights.
        openvino.save_model(model, path, compress_to_fp16=False)


def open_openvino(path: Path) -> NetworkRun:
    """Prepare an .xml file to be run with OpenVINO on the CPU, in full float32.

    Raises:
        UsageError: if the package `openvino` is missing.
    """
    openvino = require("openvino", OPENVINO_EXTRA)
    # On processors with the instructions for it, OpenVINO would compute in bfloat16 by default.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        results = compiled(dict(inputs))
        return [np.array(results[n], np.float32) for n in range(len(compiled.outputs))]

    return run
