"""How pictures and places go between the frames of a video and the pictures TAPIR sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...frame import Image
from .variants import BASE_SIDE

_CENTRE = np.float32(0.5)
"""Of the first pixel, in the network's places; outside of it centres are whole numbers."""


@dataclass(frozen=True, slots=True)
class SquareGeometry:
    """The size of a video, and the square that its frames become.

    Attributes:
        frame_size: (width, height) of the video's frames in pixels.
        side: of the square, in pixels.
    """

    frame_size: tuple[int, int]
    side: int

    def picture(self, image: Image) -> Image:
        """Return the (side, side, 3) uint8 picture that the network sees of a frame.

        The filter is the one of the public evaluation, which resizes by `mediapy`.
        """
        if self.frame_size == (self.side, self.side):
            return image.copy()
        picture = PillowImage.fromarray(np.ascontiguousarray(image))
        resized = picture.resize((self.side, self.side), PillowImage.Resampling.LANCZOS)
        return np.array(resized)

    def to_network(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (..., 2) places in frame pixels into those of `engine`."""
        return (np.asarray(xy, np.float32) + _CENTRE) * self._scale()

    def to_frame(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `to_network`."""
        return np.asarray(xy, np.float32) / self._scale() - _CENTRE

    def _scale(self) -> NDArray[np.float32]:
        return np.float32(BASE_SIDE) / np.array(self.frame_size, np.float32)
