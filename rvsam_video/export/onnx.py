"""ONNX files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rvsam_video.errors import UsageError
from rvsam_video.export.extras import require
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import ONNX_EXTRA

OPSET = 17
"""The first with LayerNormalization; old enough for every runtime in use."""

_LARGEST = 2**31
"""Bytes that one protocol-buffers file, which is what ONNX is, can hold."""


def trace(part: ExportPart, path: Path) -> None:
    """Write a network to an ONNX file; needs no package besides PyTorch.

    PyTorch's TorchScript exporter is used: its successor needs two more packages (onnxscript and
    onnx_ir) and gives nothing more here, where nothing in the networks depends on the data.

    Raises:
        UsageError: if the weights do not fit into one ONNX file.
    """
    # Checked before tracing, which would fail at the end of its work.
    held = sum(tensor.nbytes for tensor in part.network.state_dict().values())
    if held >= _LARGEST:
        msg = f"the {part.name} has {held / 1e9:.1f} GB of weights; an ONNX file holds up to 2 GB"
        raise UsageError(msg)
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter announces its successor, and every shape that tracing makes constant.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            part.network,
            part.probes()[0],
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            dynamic_axes={name: {axis: "count"} for name, axis in part.dynamic.items()},
        )


def write_onnx(part: ExportPart, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a network to an ONNX file that says where it comes from.

    Args:
        part: the network.
        path: the file.
        metadata: kept in the file, as text.

    Raises:
        UsageError: if the package `onnx` is missing, or the weights are too large for ONNX.
    """
    onnx = require("onnx", ONNX_EXTRA)
    trace(part, path)
    model = onnx.load(path)
    if not part.dynamic:
        _fix_output_shapes(model, part)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _fix_output_shapes(model: Any, part: ExportPart) -> None:  # noqa: ANN401 (a part of onnx)
    """Write down the shapes of outputs, which the exporter leaves open where it is not sure."""
    with torch.no_grad():
        found = part.network(*part.probes()[0])
    outputs = found if isinstance(found, tuple) else (found,)
    for entry, output in zip(model.graph.output, outputs, strict=True):
        for axis, length in zip(entry.type.tensor_type.shape.dim, output.shape, strict=True):
            axis.dim_value = length
