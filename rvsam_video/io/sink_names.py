"""The names of outputs, for `--help` and for those who make sinks; loads nothing else."""

from __future__ import annotations

from collections.abc import Mapping

SinkClasses = Mapping[str, tuple[str, str]]
"""Names of outputs to module and class; imported when a sink is made."""

_OVERLAY = ("rvsam_video.io.video_sinks", "OverlaySink")
_POINTS = ("rvsam_video.io.points_sink", "PointsSink")

OBJECT_SINKS: SinkClasses = {
    "overlay": _OVERLAY,
    "masks": ("rvsam_video.io.mask_sink", "MaskSink"),
    "rle": ("rvsam_video.io.rle_sink", "RleSink"),
    "points": _POINTS,
    "summary": ("rvsam_video.io.summary_sink", "SummarySink"),
    "side-by-side": ("rvsam_video.io.video_sinks", "SideBySideSink"),
    "cutout": ("rvsam_video.io.video_sinks", "CutoutSink"),
    "cutout-png": ("rvsam_video.io.mask_sink", "CutoutPngSink"),
    "alpha": ("rvsam_video.io.alpha_sink", "AlphaSink"),
    "coco": ("rvsam_video.io.coco_sink", "CocoSink"),
    "cvat": ("rvsam_video.io.cvat_sink", "CvatSink"),
    "npz": ("rvsam_video.io.npz_sink", "NpzSink"),
}
"""Outputs of a run that follows objects."""

POINT_SINKS: SinkClasses = {
    "overlay": _OVERLAY,
    "npz": ("rvsam_video.io.arrays_sink", "ArraysSink"),
    "csv": _POINTS,
}
"""Outputs of a run that follows points alone."""

SINK_NAMES = tuple(OBJECT_SINKS)

DEFAULT_SINKS = ("overlay", "masks", "rle", "points", "summary")
"""Written unless told otherwise: what nearly everybody wants, and little of it on disk."""
