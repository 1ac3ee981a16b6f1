"""Networks as files for other runtimes: ONNX, OpenVINO and Core ML.

`export_part` writes one file and compares what it computes with PyTorch before anyone sees it;
`KeptNetwork` keeps files beside the weights that they were made of, and runs them. Importing this
loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from rvsam_video.export.kept import KeptNetwork
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import BACKENDS

if TYPE_CHECKING:
    from rvsam_video.export.writing import FORMATS, Exported, export_part

__all__ = ["BACKENDS", "FORMATS", "ExportPart", "Exported", "KeptNetwork", "export_part"]


def __getattr__(name: str) -> object:
    """Import what needs torch when it is first used."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module("rvsam_video.export.writing"), name)
