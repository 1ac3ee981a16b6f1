"""The feature pyramid: a map and its repeated averages over 2x2 cells."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.errors import UsageError
from rvsam_video.trackers.cotracker.network import Levels

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
        levels.append(F.avg_pool2d(levels[-1], 2))
    return tuple(levels)
