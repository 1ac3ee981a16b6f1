"""The names of outputs, for `--help` and for those who make sinks; loads nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping

PARTS_FOLDER = ".parts"
"""Working files of a run that is not complete; removed when it is."""

MASK_FOLDER = "masks"
OVERLAY_FILE = "overlay.mp4"
SIDE_BY_SIDE_FILE = "side-by-side.mp4"
CUTOUT_FILE = "cutout.mp4"
CUTOUT_FOLDER = "cutouts"
FRAME_FOLDER = "frames"
ALPHA_FILE = "alpha.mov"
RLE_FILE = "results.json"
COCO_FILE = "coco.json"
CVAT_FILE = "cvat.xml"
NPZ_FILE = "masks.npz"
POINTS_FILE = "points.csv"
ARRAYS_FILE = "points.npz"
CONTACT_SHEET_FILE = "contact_sheet.png"
PLOT_FILE = "plots.png"

PICTURE_FOLDERS = (MASK_FOLDER, CUTOUT_FOLDER, FRAME_FOLDER)
"""Take one picture a frame."""

PICTURE_LOG = ".names"
"""Ending of the file in `.parts` that lists the pictures written into a folder of this name."""

DONE_NOTE = "done-*.json"
"""In `.parts`: what was done of an evaluation, with the pictures that were written."""

SinkClasses = Mapping[str, tuple[str, str]]
"""Names of outputs to module and class; imported when a sink is made."""

_OVERLAY = ("rvsam_video.sinks.videos", "OverlaySink")
_POINTS = ("rvsam_video.sinks.points", "PointsSink")

OBJECT_SINKS: SinkClasses = {
    "overlay": _OVERLAY,
    "masks": ("rvsam_video.sinks.masks", "MaskSink"),
    "rle": ("rvsam_video.sinks.rle", "RleSink"),
    "points": _POINTS,
    "summary": ("rvsam_video.sinks.summary", "SummarySink"),
    "side-by-side": ("rvsam_video.sinks.videos", "SideBySideSink"),
    "cutout": ("rvsam_video.sinks.videos", "CutoutSink"),
    "cutout-png": ("rvsam_video.sinks.masks", "CutoutPngSink"),
    "alpha": ("rvsam_video.sinks.alpha", "AlphaSink"),
    "frames": ("rvsam_video.sinks.masks", "FramesSink"),
    "coco": ("rvsam_video.sinks.labelling", "CocoSink"),
    "cvat": ("rvsam_video.sinks.labelling", "CvatSink"),
    "npz": ("rvsam_video.sinks.npz", "NpzSink"),
}
"""Outputs of a run that follows objects."""

POINT_SINKS: SinkClasses = {
    "overlay": _OVERLAY,
    "npz": ("rvsam_video.sinks.points", "ArraysSink"),
    "csv": _POINTS,
}
"""Outputs of a run that follows points alone."""

OBJECT_FILES: Mapping[str, tuple[str, ...]] = {
    "overlay": (OVERLAY_FILE,),
    "rle": (RLE_FILE,),
    "points": (POINTS_FILE,),
    "summary": (CONTACT_SHEET_FILE, PLOT_FILE),
    "side-by-side": (SIDE_BY_SIDE_FILE,),
    "cutout": (CUTOUT_FILE,),
    "alpha": (ALPHA_FILE,),
    "coco": (COCO_FILE,),
    "cvat": (CVAT_FILE,),
    "npz": (NPZ_FILE,),
}
"""The files that outputs of objects make, but for folders of pictures."""

POINT_FILES: Mapping[str, tuple[str, ...]] = {
    "overlay": (OVERLAY_FILE,),
    "npz": (ARRAYS_FILE,),
    "csv": (POINTS_FILE,),
}
"""Likewise those of points alone."""

SINK_NAMES = tuple(OBJECT_SINKS)

DEFAULT_SINKS = ("overlay", "masks", "rle", "points", "summary")
"""Written unless told otherwise: what nearly everybody wants, and little of it on disk."""


def picture_names(log: bytes) -> list[str]:
    """Return the file names in a list of pictures, in the order of writing."""
    # Ended by NUL, the one character that no file name holds. A half-written end is dropped.
    names = (os.fsdecode(name) for name in log.split(b"\0")[:-1])
    # A list that was tampered with must not reach beyond its folder.
    return [name for name in names if name not in {"", ".", ".."} and "/" not in name]
