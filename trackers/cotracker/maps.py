"""Feature maps: the pyramid of repeated averages, and reading between the cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from ...errors import UsageError
from .network import Levels

LEVELS = 4


def feature_pyramid(features: Tensor) -> Levels:
    """Build 4 levels, each half the size of the last, odd rests dropped.

    Level l is addressed by places divided by 2**l, without a shift by half a cell, as in
    facebookresearch/co-tracker.

    Args:
        features: (n, C, h, w), at least 8 cells high and wide.

    Raises:
        UsageError: if it is smaller, so that the last level would be empty.
    """
    height, width = features.shape[2:]
    least = 2 ** (LEVELS - 1)
    if min(height, width) < least:
        msg = (
            f"a feature map of {width}x{height} cells is too small for CoTracker, which needs "
            f"{least}x{least}; give it larger pictures"
        )
        raise UsageError(msg)
    levels = [features]
    for _ in range(LEVELS - 1):
        # Averages of version 3's vectors of length one are shorter; the public code leaves them so.
        levels.append(F.avg_pool2d(levels[-1], 2))
    return tuple(levels)


def sample(maps: Tensor, xy: Tensor) -> Tensor:
    """Sample a map bilinearly; places outside read the nearest border.

    Args:
        maps: (C, h, w).
        xy: (N, 2) places in cells, x then y.

    Returns:
        (N, C).
    """
    height, width = maps.shape[1:]
    # Equal to the public code's sampling in space and time, to 1e-6, where times are whole frames.
    rows = maps.permute(1, 2, 0).flatten(0, 1)
    left, right, x = neighbours(xy[:, 0], width)
    top, bottom, y = neighbours(xy[:, 1], height)
    upper = torch.lerp(rows[top * width + left], rows[top * width + right], x)
    lower = torch.lerp(rows[bottom * width + left], rows[bottom * width + right], x)
    return torch.lerp(upper, lower, y)


def neighbours(places: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split (N,) places on an axis of `size` cells into what lies before, behind and between.

    Returns:
        (N,) int64 cell before, (N,) int64 cell behind and (N, 1) weight of the latter.
    """
    inside = places.clamp(0, size - 1)
    before = inside.floor()
    fraction = (inside - before)[:, None]
    # After clamping: places of lost points can lie beyond what integers hold.
    index = before.long()
    return index, (index + 1).clamp(max=size - 1), fraction
