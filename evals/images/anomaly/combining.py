"""From masks and scores to a map of anomalies, as SAA+ combines them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

MAP_SIDE = 400
"""Pixels along each side of a map; truth is scaled to the same."""

_SHARPNESS = 3.0
"""By how much saliency raises a score: exp(3 s)."""


def rescored(
    masks: Sequence[NDArray[np.bool_]],
    scores: NDArray[np.floating],
    saliency: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Raise the scores of masks that are unlike the rest of the picture.

    Args:
        masks: (H, W) bool each.
        scores: (N,) of the detector.
        saliency: (H, W) float32.

    Returns:
        (N,) float64; an empty mask keeps its score.
    """
    means = [float(saliency[mask].mean()) if mask.any() else 0.0 for mask in masks]
    return np.asarray(scores * np.exp(_SHARPNESS * np.array(means)), np.float64)


def combined(
    masks: Sequence[NDArray[np.bool_]],
    scores: NDArray[np.float64],
    best: int,
    *,
    side: int = MAP_SIDE,
) -> NDArray[np.float32]:
    """Return the mean of the masks of highest scores, weighted by those.

    The weights begin at one, as in the published code, so a pixel in a single mask has half of its
    score.

    Args:
        masks: (H, W) bool each.
        scores: (N,) float64.
        best: so many masks count.
        side: of the map.

    Returns:
        (side, side) float32; zeros without masks.
    """
    if not len(masks):
        return np.zeros((side, side), np.float32)
    total = np.zeros(masks[0].shape)
    weights = np.ones(masks[0].shape)
    for place in np.argsort(-scores, kind="stable")[:best]:
        total[masks[place]] += scores[place]
        weights[masks[place]] += 1
    return np.asarray(
        cv2.resize(total / weights, (side, side), interpolation=cv2.INTER_LINEAR), np.float32
    )
