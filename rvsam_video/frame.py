"""`Frame`: one picture of a video with its place in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
