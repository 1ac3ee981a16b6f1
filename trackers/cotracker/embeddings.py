"""What CoTracker tells its transformer of time, place and motion.

All frequencies follow facebookresearch/co-tracker, cotracker/models/core/embeddings.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .maps import neighbours

MOTION_WIDTH = 130
"""Values that `motion_embedding` makes of a motion."""

_MOTION_FREQUENCIES = 32


def sine_embedding(places: Tensor, width: int) -> Tensor:
    """Embed places on a line: all sines, then all cosines, of width / 2 falling frequencies.

    Args:
        places: (M,) in any unit.
        width: values per place, even.

    Returns:
        (M, width) float64.
    """
    half = width // 2
    # In double precision and rounded once at the end, as the public code does: equal to the last
    # bit.
    frequencies = 1 / 10000 ** (torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(places.double(), frequencies)
    return torch.cat([angles.sin(), angles.cos()], 1)


def time_embedding(frames: int, width: int) -> Tensor:
    """Embed the frames of a window, counted from its first: (frames, width) float32."""
    return sine_embedding(torch.arange(frames), width).float()


def place_embedding(height: int, width: int, channels: int) -> Tensor:
    """Embed all cells of a map: x in the first half of the channels, y in the second.

    Returns:
        (channels, height, width) float32.
    """
    half = channels // 2
    x = sine_embedding(torch.arange(width), half).float()
    y = sine_embedding(torch.arange(height), half).float()
    return torch.cat(
        [x.T[:, None].expand(-1, height, -1), y.T[:, :, None].expand(-1, -1, width)]
    ).contiguous()


def place_embedding_at(xy: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Sample what `place_embedding` returns bilinearly, without building it.

    Args:
        xy: (N, 2) places in cells; those outside read the nearest border.
        size: (height, width) of the map.
        channels: values per place.

    Returns:
        (N, channels) float32.
    """
    halves = []
    for places, cells in zip(xy.unbind(-1), reversed(size), strict=True):
        # Tables come from the processor: Apple GPUs know no double precision.
        # Embedding first and interpolating after: the sine of a place between cells is another
        # number.
        table = sine_embedding(torch.arange(cells), channels // 2).float().to(xy.device)
        before, behind, fraction = neighbours(places, cells)
        halves.append(torch.lerp(table[before], table[behind], fraction))
    return torch.cat(halves, -1)


def motion_embedding(motion: Tensor) -> Tensor:
    """Embed motions in cells: the motion itself, then sines and cosines in turn, x before y.

    The frequencies reach 968.75 per cell, so that differences of a ten-thousandth of a cell
    already show: rounding in places comes out amplified.

    Args:
        motion: (..., 2) float32.

    Returns:
        (..., 130) float32.
    """
    # 0, 31.25 ... 968.75 a cell, evenly spaced: the first pair is always (0, 1).
    step = 1000 / (2 * _MOTION_FREQUENCIES)
    frequencies = torch.arange(_MOTION_FREQUENCIES, device=motion.device) * (2 * step)
    # In single precision whatever the rest: half has no digits left for angles of hundreds.
    angles = motion.float()[..., None] * frequencies
    waves = torch.stack([angles.sin(), angles.cos()], -1)
    return torch.cat([motion, waves.flatten(-3)], -1)
