"""`Screen`: what a visitor's browsers are shown: pictures, masks apart from them, and states."""

from __future__ import annotations

import base64
import io
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.frame import Frame, Image
from rvsam_video.palette import davis_palette
from rvsam_video.results import FrameResult
from rvsam_video.sinks.contact_sheet import small_jpeg
from rvsam_video.web.events import Board
from rvsam_video.web.settings import WebSettings

_RATE_FRAMES = 30
"""Frames over which the speed shown is the average."""

_FULL_QUALITY = 92
"""JPEG quality of a picture that is looked at closely."""


class Screen:
    """Puts pictures, masks and states up for a visitor's browsers.

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

    def show(self, frame: Frame, masks: bytes | None, written: int) -> None:
        """Show a frame with masks of a file, or none.

        Args:
            frame: the frame.
            masks: an index PNG; None for no masks.
            written: frames tracked so far.
        """
        self._post(frame, masks, {}, written)

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
        self._post(frame, index_png(result.index_map()), scores, written)

    def _post(
        self, frame: Frame, masks: bytes | None, scores: dict[str, float | None], written: int
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
                # In the message itself: picture, masks, index and scores belong together and
                # arrive together. Masks apart, so that the page can draw them as it likes.
                "jpeg": base64.b64encode(self.jpeg(frame.image)).decode("ascii"),
                "masks": None if masks is None else base64.b64encode(masks).decode("ascii"),
            },
        )

    def _speed(self) -> float | None:
        if len(self._times) < 2:
            return None
        return round((len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6), 1)

    def jpeg(self, picture: Image, *, width: int | None = None) -> bytes:
        """Return a picture as it is sent.

        Args:
            picture: (H, W, 3) uint8 RGB.
            width: pixels, at most; None for the width of the settings.
        """
        width = self._settings.view_width if width is None else width
        small = width <= self._settings.view_width
        return small_jpeg(picture, width, self._settings.jpeg_quality if small else _FULL_QUALITY)

    def tell(self, state: dict[str, Any]) -> None:
        """Put the state up, all that the page shows besides the picture."""
        self.board.post("state", state)

    def message(self, kind: str, text: str) -> None:
        """Put a sentence for people up: a "problem", or a "notice"."""
        self.board.post(kind, {"message": text})


def index_png(indices: NDArray[np.uint8]) -> bytes:
    """Return a picture whose palette index is the object id, as mask files are.

    Args:
        indices: (H, W) uint8.
    """
    picture = PillowImage.fromarray(indices)
    picture.putpalette(davis_palette().tobytes())
    content = io.BytesIO()
    # Run lengths alone: half the time of zlib's default, and as small for flat pictures.
    picture.save(content, format="PNG", compress_type=zlib.Z_RLE)
    return content.getvalue()


def file_or_none(path: Path) -> bytes | None:
    """Return the bytes of a file, None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
