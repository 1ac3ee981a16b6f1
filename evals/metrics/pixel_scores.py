"""How well a value a pixel tells pixels apart: the highest F1, and areas under two curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError


@dataclass(frozen=True, slots=True)
class PixelScores:
    """The scores of a set of pixels.

    Attributes:
        max_f1: the highest F1 over all thresholds; 0 if all values are equal, or nothing is true.
        threshold: a pixel counts as found from this value on, there.
        auroc: area under the curve of true over false positives; NaN if only one kind is there.
        average_precision: sum of precisions over rises of recall; NaN if nothing is true.
    """

    max_f1: float
    threshold: float
    auroc: float
    average_precision: float


def pixel_scores(values: NDArray[np.floating], truth: NDArray[np.bool_]) -> PixelScores:
    """Score values of pixels, at every distinct value as a threshold.

    Args:
        values: (N,) floating; higher means surer.
        truth: (N,) bool.

    Raises:
        UsageError: if the lengths differ, or there are no pixels.
    """
    if values.shape != truth.shape or values.ndim != 1 or not len(values):
        msg = f"values of shape {values.shape} cannot be scored by a truth of {truth.shape}"
        raise UsageError(msg)
    order = np.argsort(values)[::-1]
    sorted_values = values[order]
    # Equal values are found together: only the last of them ends a threshold.
    ends = np.append(np.flatnonzero(np.diff(sorted_values)), len(values) - 1)
    right = np.cumsum(truth[order])[ends].astype(np.float64)
    found = (ends + 1).astype(np.float64)
    positives = float(right[-1])
    f1 = 2 * right / (found + positives)
    best = int(f1.argmax())
    told = len(ends) > 1
    return PixelScores(
        max_f1=float(f1[best]) if told else 0.0,
        threshold=float(sorted_values[ends[best]]),
        auroc=_auroc(right, found - right),
        average_precision=_average_precision(right, found),
    )


def _auroc(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
    if not right[-1] or not wrong[-1]:
        return float("nan")
    rates = np.append(0.0, right / right[-1]), np.append(0.0, wrong / wrong[-1])
    return float(np.trapezoid(*rates))


def _average_precision(right: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    if not right[-1]:
        return float("nan")
    return float(np.sum(np.diff(right, prepend=0.0) / right[-1] * (right / found)))
