"""From a picture to what SAM networks see, and back: sizes, coordinates, pixels and logits.

Sizes and order of operations follow the public `segment_anything` package, whose checkpoints were
trained with them: the longest side becomes 1024, the rest of the square is padded with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.frame import Image
from rvsam_video.segmenters.sam.encoder_layers import IMAGE_SIZE

LOGITS_SIDE = 256
"""Side of the maps that the mask decoder makes; a mask input has the same."""

_PER_LOGIT = IMAGE_SIZE // LOGITS_SIDE

_PIXEL_MEAN = (123.675, 116.28, 103.53)
_PIXEL_STD = (58.395, 57.12, 57.375)
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


def normalise(pixels: Tensor) -> Tensor:
    """Turn (..., 3, H, W) red, green and blue from 0 to 255 into the values that networks take."""
    mean = torch.tensor(_PIXEL_MEAN, device=pixels.device)[:, None, None]
    std = torch.tensor(_PIXEL_STD, device=pixels.device)[:, None, None]
    return (pixels - mean) / std


def network_input(image: Image, device: torch.device) -> Tensor:
    """Turn a picture into what the image encoders take.

    Args:
        image: (H, W, 3) uint8, RGB.
        device: where the result is made.

    Returns:
        (1, 3, 1024, 1024) float32: normalised, then padded with zeros on the right and below.
    """
    # Copied: the array is Pillow's and not to be written to.
    pixels = torch.tensor(resize_longest_side(image), device=device).permute(2, 0, 1)
    # Padded after normalising: exactly 0, the mean colour, and not black.
    square = torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE, device=device)
    square[0, :, : pixels.shape[1], : pixels.shape[2]] = normalise(pixels)
    return square


def to_picture_size(low_res_logits: Tensor, geometry: Geometry) -> Tensor:
    """Enlarge the decoder's logits to the picture: to 1024, cut off the padding, to the picture.

    Args:
        low_res_logits: (B, 256, 256) float32.
        geometry: the picture's.

    Returns:
        (B, H, W) float32; both steps bilinear with half-pixel centres and no antialiasing.
    """
    width, height = geometry.resized
    # Padding that no pixel of the picture is interpolated from is left out before enlarging.
    columns, rows = (min(side // _PER_LOGIT + 2, LOGITS_SIDE) for side in (width, height))
    part = low_res_logits[:, None, :rows, :columns]
    size = (rows * _PER_LOGIT, columns * _PER_LOGIT)
    square = F.interpolate(part, size, mode="bilinear", align_corners=False)
    inside = square[..., :height, :width]
    # A second step of its own: both in one would give other logits at every edge.
    size = (geometry.height, geometry.width)
    if size == (height, width):
        return inside[:, 0]
    return F.interpolate(inside, size, mode="bilinear", align_corners=False)[:, 0]
