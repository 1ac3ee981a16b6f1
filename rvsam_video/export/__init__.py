"""Networks of the SAM family as files for other runtimes: ONNX, OpenVINO and Core ML.

`export_part` writes one file and compares what it computes with PyTorch before anyone sees it.
"""

from __future__ import annotations

from rvsam_video.export.parts import ExportPart, decoder_part, encoder_part
from rvsam_video.export.writing import FORMATS, Exported, export_part

__all__ = ["FORMATS", "ExportPart", "Exported", "decoder_part", "encoder_part", "export_part"]
