"""The feature pyramid: a map and its repeated averages over 2x2 cells."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.trackers.cotracker.network import Levels

LEVELS = 4


def feature_pyramid(features: Tensor) -> Levels:
    """Build 4 levels, each half the size of the last, odd rests dropped.

    Level l is addressed by places divided by 2**l, without a shift by half a cell, as in
    facebookresearch/co-tracker.

    Args:
        features: (n, C, h, w), at least 8 cells high and wide.
    """
    levels = [features]
    for _ in range(LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return tuple(levels)
