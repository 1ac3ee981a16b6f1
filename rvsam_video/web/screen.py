"""`Screen`: what a visitor's browser is shown, made from frames, results and states."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.frame import Frame, Image
from rvsam_video.results import FrameResult, ObjectResult, PointTable
from rvsam_video.sinks.contact_sheet import small_jpeg
from rvsam_video.sinks.drawing import draw_overlay
from rvsam_video.web.events import Board
from rvsam_video.web.settings import WebSettings

_RATE_FRAMES = 30
"""Frames over which the speed shown is the average."""


class Screen:
    """Puts pictures and states up for a visitor's browsers.

    Args:
        board: where they listen.
        settings: size and quality of pictures.

    Attributes:
        board: where they listen.
        frame: the one that is shown, None before the first.
    """

    def __init__(self, board: Board, settings: WebSettings) -> None:
        self.board, self._settings = board, settings
        self.frame: Frame | None = None
        self._times: deque[float] = deque(maxlen=_RATE_FRAMES)

    def show(self, frame: Frame, picture: Image, written: int) -> None:
        """Show a frame as it is, or with masks of a file.

        Args:
            frame: the frame.
            picture: (H, W, 3) uint8 RGB, what is seen of it.
            written: frames tracked so far.
        """
        self._post(frame, picture, {}, written)

    def show_result(self, result: FrameResult, written: int, *, tracking: bool) -> None:
        """Show a frame with its masks.

        Args:
            result: the frame.
            written: frames tracked so far.
            tracking: whether more come by themselves; then the speed is shown.
        """
        frame = Frame(result.index, result.time, result.image)
        scores = {
            str(item.object_id): round(item.score, 3) if item.visible else None
            for item in result.objects
        }
        if tracking:
            self._times.append(time.monotonic())
        else:
            # A pause must not count as a slow frame.
            self._times.clear()
        self._post(frame, overlay_of(result), scores, written)

    def _post(
        self, frame: Frame, picture: Image, scores: dict[str, float | None], written: int
    ) -> None:
        self.frame = frame
        self.board.post(
            "frame",
            {
                "index": frame.index,
                "time": round(frame.time, 3),
                "fps": self._speed(),
                "scores": scores,
                "tracked": written,
                # In the message itself: picture, index and scores belong together and arrive
                # together.
                "jpeg": base64.b64encode(self.jpeg(picture)).decode("ascii"),
            },
        )

    def _speed(self) -> float | None:
        if len(self._times) < 2:
            return None
        return round((len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6), 1)

    def jpeg(self, picture: Image) -> bytes:
        """Return a picture as it is sent."""
        return small_jpeg(picture, self._settings.view_width, self._settings.jpeg_quality)

    def tell(self, state: dict[str, Any]) -> None:
        """Put the state up, all that the page shows besides the picture."""
        self.board.post("state", state)

    def message(self, kind: str, text: str) -> None:
        """Put a sentence for people up: a "problem", or a "notice"."""
        self.board.post(kind, {"message": text})


def with_masks(frame: Frame, last: FrameResult | None, file: Path) -> Image:
    """Return (H, W, 3) uint8 RGB: a frame with its masks, where it was tracked.

    Args:
        frame: the frame.
        last: the newest result, which may not be on disk yet.
        file: where its masks are, if it was tracked.
    """
    if last is not None and last.index == frame.index:
        return overlay_of(last)
    return overlay_from_file(frame, file) if file.is_file() else frame.image


def overlay_of(result: FrameResult) -> Image:
    """Return (H, W, 3) uint8 RGB: the masks and ids, without points (the page draws clicks)."""
    bare = FrameResult(result.index, result.time, result.image, result.objects, PointTable.empty())
    return draw_overlay(bare)


def overlay_from_file(frame: Frame, path: Path) -> Image:
    """Return (H, W, 3) uint8 RGB: a frame that was tracked before, with its masks from disk."""
    with PillowImage.open(path) as picture:
        indices = np.asarray(picture)
    # From the run's own file: no result is kept in memory for frames gone by.
    masks = {int(key): indices == key for key in np.unique(indices) if key}
    return overlay_of(result_of(frame, masks))


def result_of(frame: Frame, masks: Mapping[int, NDArray[np.bool_]]) -> FrameResult:
    """Return masks as the result of a frame."""
    objects = tuple(ObjectResult(key, mask, 1.0) for key, mask in masks.items())
    return FrameResult(frame.index, frame.time, frame.image, objects, PointTable.empty())
