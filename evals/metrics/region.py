"""Region similarity J of DAVIS: how well two masks overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError


def region_similarities(
    prediction: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    void: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return intersection over union for each pair of masks; 1 where both are empty.

    Source: `db_eval_iou` of the DAVIS 2017 evaluation (Perazzi et al., CVPR 2016, section 4).

    Args:
        prediction: (..., H, W) bool.
        truth: bool, same shape.
        void: bool, same shape; pixels that count neither as object nor as background.

    Returns:
        (...) float64 in [0, 1], for example (T,) for masks of T frames.

    Raises:
        UsageError: if the shapes differ.
    """
    shapes = [prediction.shape, truth.shape] + ([] if void is None else [void.shape])
    if len(set(shapes)) > 1 or prediction.ndim < 2:
        names = ", ".join(str(shape) for shape in shapes)
        msg = f"masks of shapes {names} cannot be compared; all must be (..., H, W) and equal"
        raise UsageError(msg)
    if void is not None:
        prediction, truth = prediction & ~void, truth & ~void
    intersection = np.count_nonzero(prediction & truth, axis=(-2, -1))
    union = np.count_nonzero(prediction | truth, axis=(-2, -1))
    # Both empty counts as right in DAVIS; the maximum only keeps the division quiet.
    return np.where(union == 0, 1.0, intersection / np.maximum(union, 1))


def region_similarity(
    prediction: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    void: NDArray[np.bool_] | None = None,
) -> float:
    """Return intersection over union of two (H, W) bool masks; see `region_similarities`."""
    return float(region_similarities(prediction, truth, void))
