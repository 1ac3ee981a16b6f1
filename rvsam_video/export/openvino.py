"""OpenVINO's format (an .xml file with a .bin beside it)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rvsam_video.export.extras import require
from rvsam_video.export.onnx import trace
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import OPENVINO_EXTRA

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
