"""Removing the small holes and islands that networks leave in masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def without_small_regions(mask: NDArray[np.bool_], smallest: int) -> tuple[NDArray[np.bool_], bool]:
    """Fill small holes of a mask, then drop its small islands; the largest island always stays.

    Args:
        mask: (H, W) bool.
        smallest: regions of fewer pixels, connected along sides or corners, are small.

    Returns:
        The mask, and whether it was changed.
    """
    holes = _small(~mask, smallest, keep_largest=False)
    filled = mask | holes
    islands = _small(filled, smallest, keep_largest=True)
    return filled & ~islands, bool(holes.any() or islands.any())


def _small(mask: NDArray[np.bool_], smallest: int, *, keep_largest: bool) -> NDArray[np.bool_]:
    """Return the pixels of a mask that belong to its small regions."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = areas < smallest
    if keep_largest and len(areas) and small.all():
        small[int(np.argmax(areas))] = False
    return np.asarray(np.concatenate([[False], small])[regions])
