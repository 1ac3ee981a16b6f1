"""Core ML packages for Apple's devices; they can be written, but not run, on other systems."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch

from rvsam_video.export.extras import require
from rvsam_video.export.parts import ExportPart

COREML_EXTRA = "coreml"

_MOST_POINTS = 64
"""Core ML wants a limit for what may vary; SAM-PT prompts with far fewer."""


def write_coreml(part: ExportPart, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a network to a package (a folder, .mlpackage) in full float32, for iOS 16, macOS 13.

    `torch.export` makes the graph: converting traced graphs fails with the NumPy of today, as it
    leaves shapes to be computed at run time.

    Args:
        part: the network.
        path: the package.
        metadata: kept in the package, as text.

    Raises:
        UsageError: if the package `coremltools` is missing.
    """
    # It logs that it cannot run what it writes and which PyTorch it was tested with, and draws
    # three bars; what fails is raised.
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        coreml = require("coremltools", COREML_EXTRA)
        model = coreml.convert(
            _graph(part),
            inputs=_inputs(coreml, part),
            outputs=[coreml.TensorType(name=name) for name in part.outputs],
            minimum_deployment_target=coreml.target.iOS16,
            # Its default is half precision, which would not give the numbers of PyTorch.
            compute_precision=coreml.precision.FLOAT32,
            # Loading compiles the model, which only Apple's systems can.
            skip_model_load=True,
        )
    model.user_defined_metadata.update(metadata)
    model.save(str(path))


def _graph(part: ExportPart) -> torch.export.ExportedProgram:
    # One dimension for all dynamic inputs: points and labels are equally many.
    count = torch.export.Dim("count", min=1, max=_MOST_POINTS)
    shapes = [{part.dynamic[name]: count} if name in part.dynamic else None for name in part.inputs]
    with torch.no_grad():
        program = torch.export.export(
            part.network, part.probes()[0], dynamic_shapes=shapes if part.dynamic else None
        )
        # No decomposition but the one that turns in-place operations into ordinary ones.
        in_place_free: torch.export.ExportedProgram = program.run_decompositions({})
        return in_place_free


def _inputs(coreml: object, part: ExportPart) -> list[object]:
    kinds: list[object] = []
    count = coreml.RangeDim(1, _MOST_POINTS, default=2)  # type: ignore[attr-defined]
    for name, example in zip(part.inputs, part.probes()[0], strict=True):
        shape: list[object] = list(example.shape)
        if name in part.dynamic:
            shape[part.dynamic[name]] = count
        kinds.append(coreml.TensorType(name=name, shape=tuple(shape)))  # type: ignore[attr-defined]
    return kinds
