"""`Frame`: one picture of a video with its place in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, as displayed (rotation flags already applied)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: 0-based number of the frame in its source.
        time: presentation time in seconds, from the file's or camera's own clock.
        image: (H, W, 3) uint8, RGB, as displayed.
    """

    index: int
    time: float
    image: Image

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.image.shape[:2]
        return width, height


def nearest_pixels(length: int, wanted: int) -> NDArray[np.int64]:
    """Return which of `length` pixels each of `wanted` pixels takes, as PyTorch resizes masks.

    The rule is that of `torch.nn.functional.interpolate` with `mode="nearest"`: the pixel that the
    upper left corner is in.
    """
    # All of it in single precision: in double another pixel is hit at one size in six.
    step = np.float32(length) / np.float32(wanted)
    at = np.floor(np.arange(wanted, dtype=np.float32) * step).astype(np.int64)
    return np.asarray(np.minimum(at, length - 1))


def check_next(frame: Frame, last: Frame | None) -> None:
    """Make sure that a frame can follow another one of the same video.

    Args:
        frame: the new frame.
        last: the one before it; None if it is the first.

    Raises:
        UsageError: if it is no RGB picture, its index does not rise, or its size differs.
    """
    image = frame.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        msg = (
            f"frame {frame.index} has shape {image.shape} and type {image.dtype}; "
            "frames are (height, width, 3) uint8, RGB"
        )
        raise UsageError(msg)
    if last is not None and frame.index <= last.index:
        msg = f"frame {frame.index} came after frame {last.index}; indices must rise"
        raise UsageError(msg)
    if last is not None and frame.size != last.size:
        new, old = ("{}x{}".format(*item.size) for item in (frame, last))
        msg = f"frame {frame.index} is {new} pixels, those before it {old}; open a new session"
        raise UsageError(msg)
