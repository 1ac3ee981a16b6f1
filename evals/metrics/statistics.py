"""What DAVIS says of one object's J or F over time: mean, recall and decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

RECALL_THRESHOLD = 0.5
_BINS = 4


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of one object.

    Attributes:
        mean: of the values that are numbers.
        recall: share of the values above 0.5; what is no number counts as a miss.
        decay: mean of the first quarter less that of the last; positive if it gets worse.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: NDArray[np.float64]) -> Statistics:
    """Sum up the values of one object.

    Source: `db_statistics` of the DAVIS 2017 evaluation. That one keeps the bounds of the quarters
    in eight bits, so its decay is wrong or NaN from 256 values on; no DAVIS sequence is so long.

    Args:
        values: (T,) float64, one per evaluated frame, in order; NaN is left out of the means.

    Raises:
        UsageError: if there are no values.
    """
    if values.ndim != 1 or not len(values):
        msg = f"values of shape {values.shape} cannot be summed up; give one per frame"
        raise UsageError(msg)
    bounds = quarter_bounds(len(values))
    return Statistics(
        mean=_mean(values),
        # Strictly above; NaN compares as false and so counts as a miss.
        recall=float(np.mean(values > RECALL_THRESHOLD)),
        decay=_mean(values[: bounds[1] + 1]) - _mean(values[bounds[-2] :]),
    )


def quarter_bounds(count: int) -> NDArray[np.int64]:
    """Return the indices that part `count` values into quarters, (5,) int64.

    Each quarter holds both of its bounds, so neighbours share a value.
    """
    # From 1, as the official code counts; it is taken off again at the end.
    bounds = np.linspace(1, count, _BINS + 1)
    # The small addend rounds halves up, where NumPy alone would round them to even.
    return np.round(bounds + 1e-10).astype(np.int64) - 1


def _mean(values: NDArray[np.float64]) -> float:
    known = ~np.isnan(values)
    # Zeros in place of NaN keep the order of the sum, and so its last bit.
    return float(np.sum(np.where(known, values, 0.0)) / known.sum()) if known.any() else np.nan
