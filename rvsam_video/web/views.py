"""Pictures for the page: frames with masks on them, as JPEG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.frame import Frame, Image
from rvsam_video.results import FrameResult, ObjectResult, PointTable
from rvsam_video.sinks.drawing import draw_overlay


def overlay_of(result: FrameResult) -> Image:
    """Return (H, W, 3) uint8 RGB: the masks and ids, without points (the page draws clicks)."""
    bare = FrameResult(result.index, result.time, result.image, result.objects, PointTable.empty())
    return draw_overlay(bare)


def overlay_from_file(frame: Frame, path: Path) -> Image:
    """Return (H, W, 3) uint8 RGB: a frame that was tracked before, with its masks from disk."""
    with PillowImage.open(path) as picture:
        indices = np.asarray(picture)
    masks = {int(key): indices == key for key in np.unique(indices) if key}
    return overlay_of(result_of(frame, masks))


def result_of(frame: Frame, masks: Mapping[int, NDArray[np.bool_]]) -> FrameResult:
    """Return masks as the result of a frame."""
    objects = tuple(ObjectResult(key, mask, 1.0) for key, mask in masks.items())
    return FrameResult(frame.index, frame.time, frame.image, objects, PointTable.empty())
