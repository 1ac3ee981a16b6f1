"""Pictures as the squares that image encoders take, and which part of them is picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rvsam_video.errors import UsageError
from rvsam_video.frame import Image
from rvsam_video.segmenters.sam.geometry import IMAGE_SIZE, Geometry, resize_longest_side
from rvsam_video.segmenters.sam.model import PATCH_SIDE
from rvsam_video.segmenters.sam.transforms import normalise

PREPROCESSING = 1
"""Raised whenever the same picture would give other pixels: stores say which one they are of."""


def check_side(side: int) -> None:
    """Refuse sides that no embedding fits.

    Raises:
        UsageError: if the side is no multiple of 16 from 64 to 1024.
    """
    if side % PATCH_SIDE or not 64 <= side <= IMAGE_SIZE:
        msg = f"--side is {side}; give a multiple of {PATCH_SIDE} from 64 to {IMAGE_SIZE}"
        raise UsageError(msg)


def square_of(image: Image, side: int) -> tuple[Tensor, tuple[int, int]]:
    """Resize a picture into a square; kept as bytes, a quarter of what the network will see.

    Args:
        image: (H, W, 3) uint8 RGB.
        side: pixels of the square, and then of the picture's longest side.

    Returns:
        (side, side, 3) uint8 with zeros right and below, and (width, height) of the picture in it.
    """
    resized = resize_longest_side(image, side)
    square = np.zeros((side, side, 3), np.uint8)
    square[: resized.shape[0], : resized.shape[1]] = resized
    return torch.from_numpy(square), Geometry.of(image).fitted(side)


def encoder_input(squares: Tensor, sizes: Tensor) -> Tensor:
    """Turn a batch of squares into what the image encoders take.

    Args:
        squares: (B, S, S, 3) uint8.
        sizes: (B, 2) int64, width and height of the picture in each.

    Returns:
        (B, 3, S, S) float32: normalised, and 0 outside the pictures, as segmenters make it.
    """
    pixels = normalise(squares.permute(0, 3, 1, 2).float())
    return torch.where(_inside(sizes, squares.shape[1]), pixels, 0.0)


def valid_cells(sizes: Tensor, cells: int) -> Tensor:
    """Tell which positions of an embedding show the picture and not padding.

    A position counts if the two middle rows and columns of its 16 x 16 pixels are picture: so it
    is when a map of ones and zeros is shrunk bilinearly and must exceed one half, as EdgeSAM does.

    Args:
        sizes: (B, 2) int64, width and height of the picture in the square.
        cells: positions along each side of the embedding.

    Returns:
        (B, 1, cells, cells) bool; at least one position of each picture.
    """
    # Half a patch, less the pixel that must be inside.
    rounding = PATCH_SIDE // 2 - 1
    return _inside(((sizes + rounding) // PATCH_SIDE).clamp(min=1), cells)


def _inside(sizes: Tensor, side: int) -> Tensor:
    """Return (B, 1, side, side) bool, true left of the width and above the height."""
    steps = torch.arange(side, device=sizes.device)
    columns, rows = (steps < sizes[:, axis, None] for axis in (0, 1))
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def as_sizes(sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Return (B, 2) int64 of (width, height) pairs."""
    return torch.tensor(sizes, dtype=torch.int64).reshape(-1, 2)
