"""Videos of a run for people to look at: the overlay, the source beside it, and cut-outs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rvsam_video.frame import Image
from rvsam_video.io.drawing import shared_overlay
from rvsam_video.io.drawn_video import DrawnVideo
from rvsam_video.io.layout import CUTOUT_FILE, OVERLAY_FILE, SIDE_BY_SIDE_FILE
from rvsam_video.io.sinks import SinkContext
from rvsam_video.results import FrameResult


class OverlaySink(DrawnVideo):
    """Writes `overlay.mp4`: frames with masks, points and ids drawn onto them.

    Args:
        folder: the run folder.
        _context: the video needs nothing of it.
    """

    def __init__(self, folder: Path, _context: SinkContext) -> None:
        super().__init__(folder, OVERLAY_FILE, shared_overlay)


class SideBySideSink(DrawnVideo):
    """Writes `side-by-side.mp4`: the source on the left, the overlay on the right.

    Args:
        folder: the run folder.
        _context: the video needs nothing of it.
    """

    def __init__(self, folder: Path, _context: SinkContext) -> None:
        super().__init__(folder, SIDE_BY_SIDE_FILE, _side_by_side)


class CutoutSink(DrawnVideo):
    """Writes `cutout.mp4`: the objects' own pixels on a plain background.

    Args:
        folder: the run folder.
        context: has the colour of the background.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        def draw(result: FrameResult) -> Image:
            picture = np.full_like(result.image, context.background)
            np.copyto(picture, result.image, where=result.foreground()[..., None])
            return picture

        super().__init__(folder, CUTOUT_FILE, draw)


def _side_by_side(result: FrameResult) -> Image:
    return np.hstack([result.image, shared_overlay(result)])
