"""The cut: the best boundary, given how much each pixel speaks for and against the object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Map

_STEP = 0.35
"""Step of both variables; below 1/sqrt(8), where the iteration is known to converge."""

_FLAT_EDGE = 0.05
"""What a boundary costs even on the strongest edge, of its cost on flat ground. Without it,
noise would be outlined pixel by pixel."""


def edge_costs(image: Image, stiffness: float) -> tuple[Map, Map]:
    """Return what a boundary between neighbours costs: to the right and downwards, (h, w) each.

    Contrast-sensitive as in GrabCut (Rother et al., 2004): cheap where colours differ by more
    than they do on average.
    """
    values = image.astype(np.float32)
    across = _squared_steps(values, 1)
    down = _squared_steps(values, 0)
    # The sum of both means is twice the mean over all pairs: GrabCut's own normalisation.
    typical = max(float(across.mean() + down.mean()), 1.0)  # 1: a picture of one colour
    return _cost(across, typical, stiffness), _cost(down, typical, stiffness)


def _squared_steps(values: NDArray[np.float32], axis: int) -> Map:
    out = np.zeros(values.shape[:2], np.float32)
    steps = (np.diff(values, axis=axis) ** 2).sum(axis=2)
    if axis == 1:
        out[:, :-1] = steps
    else:
        out[:-1] = steps
    return out


def _cost(steps: Map, typical: float, stiffness: float) -> Map:
    return np.asarray(stiffness * (_FLAT_EDGE + np.exp(-steps / typical)), np.float32)


def cut(evidence: Map, across: Map, down: Map, rounds: int) -> Map:
    """Minimise the sum of boundary costs minus the evidence inside: a minimum cut.

    The cut is solved as its convex relaxation over labels in [0, 1] (Chan, Esedoglu and
    Nikolova, 2006) with the primal-dual iteration of Chambolle and Pock (2011): unlike an
    augmenting-path solver it works on whole arrays, and its labels say how clear a pixel is.

    Args:
        evidence: (h, w) float32, above 0 for the object.
        across: (h, w) float32, cost of a boundary to the right neighbour.
        down: (h, w) float32, the same downwards.
        rounds: iterations.

    Returns:
        (h, w) float32 in [0, 1]; above 0.5 is the object.
    """
    # Starts at what the evidence alone says, which is right nearly everywhere; so few rounds do.
    labels = (evidence > 0).astype(np.float32)
    # A copy: `labels` is still read after this one has moved on.
    ahead = labels.copy()
    right = np.zeros_like(labels)
    below = np.zeros_like(labels)
    drive = evidence * np.float32(_STEP)
    for _ in range(rounds):
        right[:, :-1] += _STEP * (ahead[:, 1:] - ahead[:, :-1])
        below[:-1] += _STEP * (ahead[1:] - ahead[:-1])
        # Each flow is bounded by the cost of its own boundary, so the norm is anisotropic, as a
        # cut's is.
        np.clip(right, -across, across, out=right)
        np.clip(below, -down, down, out=below)
        # Divergence: what leaves a pixel minus what comes in from the left and from above.
        flux = right + below
        flux[:, 1:] -= right[:, :-1]
        flux[1:] -= below[:-1]
        before = labels
        labels = np.clip(before + _STEP * flux + drive, 0, 1)
        # Over-relaxed: without it the two variables may circle each other and never meet.
        ahead = 2 * labels - before
    return labels


def signed_distance(inside: NDArray[np.bool_]) -> Map:
    """Return (h, w) float32: pixels to the boundary, above 0 inside.

    Without a boundary in sight, all pixels count as far from it.
    """
    far = float(sum(inside.shape))
    if inside.all() or not inside.any():
        return np.full(inside.shape, far if inside.any() else -far, np.float32)
    binary = inside.astype(np.uint8)
    # The 5x5 mask errs by 2 %, far less than the boundary itself is certain.
    within = cv2.distanceTransform(binary, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - binary, cv2.DIST_L2, cv2.DIST_MASK_5)
    # The boundary runs half a pixel from the centres on either side of it.
    return np.asarray(np.where(inside, within - 0.5, 0.5 - outside), np.float32)
