"""`chosen_points`: an object's query points from its mask, as the settings say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.query_points import (
    object_rng,
    query_points_of_mask,
    select_points,
    select_points_sam_pt,
)
from rvsam_video.settings import SegmentationSettings


def chosen_points(
    object_id: int, mask: NDArray[np.bool_], frame: Frame, settings: SegmentationSettings
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Choose points inside and outside a mask.

    Args:
        object_id: gives the object random numbers of its own.
        mask: (H, W) bool.
        frame: that the mask belongs to.
        settings: how many points, how they are chosen, and the seed.

    Returns:
        (N, 2) float32 x, y in pixels, and (N,) int8, 1 inside and 0 outside.
    """
    return query_points_of_mask(
        mask,
        positive=settings.positive_points,
        negative=settings.negative_points,
        method=settings.point_selection,
        negative_method=settings.negative_selection,
        image=frame.image,
        rng=object_rng(settings.seed, object_id, frame.index),
        select=select_points_sam_pt if settings.sam_pt_exact else select_points,
    )
