"""From a picture to what SAM networks see, and back: sizes, coordinates and pixels.

Sizes and order of operations follow the public `segment_anything` package, whose checkpoints were
trained with them: the longest side becomes 1024, the rest of the square is padded with zeros.
Importing this loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.frame import Image

IMAGE_SIZE = 1024
"""Side in pixels of the square picture that SAM checkpoints are trained on."""

LOGITS_SIDE = 256
"""Side of the maps that the mask decoder makes; a mask input has the same."""

PER_LOGIT = IMAGE_SIZE // LOGITS_SIDE
"""Pixels of the square per cell of these maps."""

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
"""Mean and deviation of ImageNet's red, green and blue, which SAM was trained with."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The size of a picture and the size it has inside the network's square.

    Attributes:
        width: pixels of the picture.
        height: pixels of the picture.
    """

    width: int
    height: int

    @classmethod
    def of(cls, image: Image) -> Geometry:
        """Return the geometry of an (H, W, 3) picture."""
        return cls(image.shape[1], image.shape[0])

    @property
    def resized(self) -> tuple[int, int]:
        """(width, height) once the longest side is 1024; halves are rounded up."""
        return self.fitted(IMAGE_SIZE)

    def fitted(self, side: int) -> tuple[int, int]:
        """Return (width, height) once the longest side is `side`; halves are rounded up."""
        scale = side / max(self.width, self.height)
        # Half up, not to even as round() does; a thread-like picture keeps one pixel.
        width, height = (max(1, int(side * scale + 0.5)) for side in (self.width, self.height))
        return width, height

    @property
    def logits_part(self) -> tuple[int, int]:
        """(columns, rows) of the decoder's maps that some pixel is interpolated from."""
        width, height = self.resized
        columns, rows = (min(side // PER_LOGIT + 2, LOGITS_SIDE) for side in (width, height))
        return columns, rows

    def to_network(self, xy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale (..., 2) coordinates, x then y, from the picture to the network's square."""
        width, height = self.resized
        # By the rounded sizes, so the two axes differ a little; in double precision, as SAM's
        # predictor.
        scale = np.array([width / self.width, height / self.height])
        return np.asarray(np.asarray(xy, np.float64) * scale, np.float32)

    def from_network(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Undo `to_network`."""
        width, height = self.resized
        scale = np.array([width / self.width, height / self.height])
        return np.asarray(np.asarray(xy, np.float64) / scale)


def resize_longest_side(image: Image, side: int = IMAGE_SIZE) -> Image:
    """Resize an (H, W, 3) uint8 picture, bilinear with antialiasing, to this longest side."""
    size = Geometry.of(image).fitted(side)
    # Pillow and not OpenCV: it antialiases when it shrinks, as the checkpoints were trained with.
    picture = PillowImage.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize(size, PillowImage.Resampling.BILINEAR))
