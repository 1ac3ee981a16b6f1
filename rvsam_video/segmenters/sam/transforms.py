"""Pictures and logits as tensors: what the image encoders take, and masks at a picture's size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.frame import Image
from rvsam_video.segmenters.sam.geometry import (
    IMAGE_SIZE,
    PER_LOGIT,
    PIXEL_MEAN,
    PIXEL_STD,
    Geometry,
    resize_longest_side,
)


def normalise(pixels: Tensor) -> Tensor:
    """Turn (..., 3, H, W) red, green and blue from 0 to 255 into the values that networks take."""
    mean = torch.tensor(PIXEL_MEAN, device=pixels.device)[:, None, None]
    std = torch.tensor(PIXEL_STD, device=pixels.device)[:, None, None]
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
    columns, rows = geometry.logits_part
    part = low_res_logits[:, None, :rows, :columns]
    size = (rows * PER_LOGIT, columns * PER_LOGIT)
    square = F.interpolate(part, size, mode="bilinear", align_corners=False)
    inside = square[..., :height, :width]
    # A second step of its own: both in one would give other logits at every edge.
    size = (geometry.height, geometry.width)
    if size == (height, width):
        return inside[:, 0]
    return F.interpolate(inside, size, mode="bilinear", align_corners=False)[:, 0]
