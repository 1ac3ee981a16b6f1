"""Boundary measure F of DAVIS: how well the outlines of two masks agree."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .outlines import boundary_planes, outlines_of

BOUND_TH = 0.008
"""How far apart two outlines may lie, as a share of the frame's diagonal."""


def boundary_radius(height: int, width: int, bound_th: float = BOUND_TH) -> int:
    """Return how many pixels apart outlines may lie in a frame of this size; 8 for 854x480.

    Args:
        height: of the frame, in pixels.
        width: of the frame, in pixels.
        bound_th: share of the diagonal; from 1 on, the number of pixels itself.
    """
    if bound_th >= 1:
        return ceil(bound_th)
    # Of the whole frame, before any crop; the product in this order decides the ceiling.
    return ceil(bound_th * float(np.linalg.norm((height, width))))


def boundary_map(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the boundary pixels of a mask, (H, W) bool; see `boundary_planes`.

    Args:
        mask: (H, W) bool.
    """
    return boundary_planes(mask.view(np.uint8)).view(np.bool_)


def boundary_similarity(
    prediction: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    void: NDArray[np.bool_] | None = None,
    bound_th: float = BOUND_TH,
) -> float:
    """Return the F measure of the outlines of two masks; 1 where neither has an outline.

    Source: `f_measure` of the DAVIS 2017 evaluation (Perazzi et al., CVPR 2016, section 4).

    Args:
        prediction: (H, W) bool.
        truth: (H, W) bool.
        void: (H, W) bool; pixels that belong to neither.
        bound_th: see `boundary_radius`.

    Returns:
        F in [0, 1].

    Raises:
        UsageError: if the shapes differ.
    """
    shapes = [prediction.shape, truth.shape] + ([] if void is None else [void.shape])
    if len(set(shapes)) > 1 or prediction.ndim != 2:
        names = ", ".join(str(shape) for shape in shapes)
        msg = f"masks of shapes {names} cannot be compared; all must be (H, W) and equal"
        raise UsageError(msg)
    if void is not None:
        # Before the outlines: the rim of void then counts as an outline, as in the official
        # evaluation.
        prediction, truth = prediction & ~void, truth & ~void
    height, width = truth.shape
    radius = boundary_radius(height, width, bound_th)
    # One mask in bit 0 of eight: the fast way for many serves for one, too.
    ours, theirs = (outlines_of(mask.astype(np.uint8), radius) for mask in (prediction, truth))
    found = f_measures(
        ours.counts()[:1], theirs.counts()[:1], ours.matched(theirs)[:1], theirs.matched(ours)[:1]
    )
    return float(found[0])


def f_measures(
    predicted: NDArray[np.int64],
    true: NDArray[np.int64],
    predicted_matched: NDArray[np.int64],
    true_matched: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the harmonic mean of precision and recall of boundaries.

    Without predicted boundary precision is 1, without true boundary recall is 1; the other of the
    two is 0, unless both are missing.

    Args:
        predicted: (...) int64 boundary pixels of the predictions.
        true: (...) int64 boundary pixels of the truth.
        predicted_matched: (...) those of `predicted` that lie near the true boundary.
        true_matched: (...) those of `true` that lie near the predicted boundary.

    Returns:
        (...) float64 in [0, 1], for the shape all broadcast to.
    """
    precision = np.where(predicted == 0, 1.0, predicted_matched / np.maximum(predicted, 1))
    recall = np.where(true == 0, 1.0, true_matched / np.maximum(true, 1))
    # In this order: another one differs from the official values in the last bit.
    total = precision + recall
    return np.where(total == 0, 0.0, 2 * precision * recall / np.where(total == 0, 1.0, total))
