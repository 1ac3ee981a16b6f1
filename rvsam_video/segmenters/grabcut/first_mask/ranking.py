"""Ranking: how likely masks grown from one click are the object, and the mask they agree on.

What a mask is judged by was weighed by least squares on masks of pictures with known truth, see
`benchmarks/rank_first_masks.py`; the result is an estimate of its intersection over union.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.first_mask.colours import PaletteMap, difference_from_ring

USUAL_SHARE = 0.045
"""Share of the picture that a tracked object usually covers."""

_RIM = 1.5
"""Pixels from the outline inwards that lie on it."""

_LEAST_EDGE = 0.05
"""Of the picture's mean: below this, edges are noise."""

_MOST = 3.0
"""Standard deviations beyond which a figure says no more: no mask should win by one alone."""

_SHARPNESS = 0.06
"""Difference of estimates at which a mask's vote falls to 1/e. Twice as much gives equal masks."""

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What each figure of `describe` counts.

    Attributes:
        mean: (n,) of the figure over the masks that were learned from.
        spread: (n,) its standard deviation there.
        weight: (n,) what one deviation adds to the log odds.
        bias: the log odds of a mask that is average in all.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weight: NDArray[np.float64]
    bias: float

    def estimate(self, figures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (m,) estimated IoU of masks described by (m, n) figures."""
        unusual = np.clip((figures - self.mean) / self.spread, -_MOST, _MOST)
        return np.asarray(1 / (1 + np.exp(-(unusual @ self.weight + self.bias))), np.float64)


def overlaps(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (m, m) intersections over unions of (m, h, w) masks, none of them empty."""
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    shared = flat @ flat.T
    areas = np.diag(shared)
    return np.asarray(shared / (areas[:, None] + areas[None] - shared), np.float64)


def describe(
    masks: NDArray[np.bool_], families: NDArray[np.intp], views: list[PaletteMap], edges: Map
) -> NDArray[np.float64]:
    """Describe masks that were grown from the same click.

    Args:
        masks: (m, h, w), none empty.
        families: (m,) the view each was grown in; those of one stand together, by rising size of
            their guess.
        views: of the picture. The first is its colours; a third is by learned features.
        edges: (h, w) gradient of the picture.

    Returns:
        (m, n) figures: size and its square, difference from the surroundings by colour, strength
        of edges along the outline, solidity, share on the picture's border, raggedness, agreement
        with all masks, steadiness against the size of the guess; with a third view the
        difference from the surroundings there, and whether it was grown there.
    """
    agreed = overlaps(masks)
    rows = []
    for index, mask in enumerate(masks):
        size = float(np.log(mask.mean() / USUAL_SHARE))
        family = [
            other
            for other in (index - 1, index + 1)
            if 0 <= other < len(masks) and families[other] == families[index]
        ]
        steady = max((float(agreed[index, other]) for other in family), default=0.0)
        row = [size, size**2, difference_from_ring(views[0], mask), *_outline(mask, edges)]
        row += [float(agreed[index].mean()), steady]
        if len(views) > 2:
            row += [difference_from_ring(views[2], mask), float(families[index] == 2)]
        rows.append(row)
    return np.array(rows, np.float64)


def _outline(mask: _Mask, edges: Map) -> list[float]:
    binary = mask.astype(np.uint8)
    # Padded: the picture's border is part of the outline.
    depth = cv2.distanceTransform(np.pad(binary, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rim = (depth > 0) & (depth < _RIM)
    edge = float(np.log(edges[rim].mean() / max(float(edges.mean()), 1e-6) + _LEAST_EDGE))
    outlines, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(outlines)))
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    area = float(mask.sum())
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return [
        edge,
        area / max(hull, area),
        float(border.mean()),
        # 0 for a disc, and higher the longer the outline is for its area.
        float(np.log(length**2 / (4 * np.pi * area) + 0.1)),
    ]


def vote(masks: NDArray[np.bool_], estimates: NDArray[np.float64]) -> _Mask:
    """Return what most of the better masks hold, (h, w) bool."""
    weights = np.exp((estimates - estimates.max()) / _SHARPNESS)
    share = np.tensordot(weights / weights.sum(), masks.astype(np.float64), 1)
    return np.asarray(share > 0.5, np.bool_)
