"""Reading maps between their cells."""

from __future__ import annotations

import torch
from torch import Tensor


def sample(maps: Tensor, xy: Tensor) -> Tensor:
    """Sample a map bilinearly; places outside read the nearest border.

    Args:
        maps: (C, h, w).
        xy: (N, 2) places in cells, x then y.

    Returns:
        (N, C).
    """
    height, width = maps.shape[1:]
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
    index = before.long()
    return index, (index + 1).clamp(max=size - 1), fraction
