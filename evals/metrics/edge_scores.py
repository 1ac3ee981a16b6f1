"""Precision and recall of edges, as the Berkeley benchmark (BSDS) scores them: ODS, OIS and AP.

Sources: Arbelaez, Maire, Fowlkes and Malik, "Contour detection and hierarchical image
segmentation", PAMI 2011; formulas and orders are those of the BSDS benchmark's evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .edge_matching import AnnotatedEdges
from .thinning import thinned

BSDS_TOLERANCE = 0.0075
"""How far from the truth an edge may lie, as a share of the picture's diagonal."""

_BETWEEN = 100
"""Places between two thresholds at which the best F is looked for."""


def thresholds(count: int = 99) -> NDArray[np.float64]:
    """Return thresholds evenly between 0 and 1, both excluded."""
    return np.linspace(1 / (count + 1), 1 - 1 / (count + 1), count)


@dataclass(frozen=True, slots=True, eq=False)
class EdgeCounts:
    """What is counted at each of T thresholds, of one picture or of several added up.

    Attributes:
        recalled: (T,) int64, annotated pixels with a partner, over all annotators.
        annotated: (T,) int64, annotated pixels, over all annotators.
        right: (T,) int64, drawn pixels that have a partner with at least one annotator.
        drawn: (T,) int64, drawn pixels.
    """

    recalled: NDArray[np.int64]
    annotated: NDArray[np.int64]
    right: NDArray[np.int64]
    drawn: NDArray[np.int64]

    @property
    def table(self) -> NDArray[np.int64]:
        """(4, T): the four rows."""
        return np.stack([self.recalled, self.annotated, self.right, self.drawn])

    @classmethod
    def of(cls, table: NDArray[np.int64]) -> EdgeCounts:
        """Return the counts of a (4, T) table."""
        return cls(*np.asarray(table, np.int64))

    def curve(self) -> EdgeCurve:
        """Return recall, precision and F; 0 where there is nothing to divide by."""
        recall = self.recalled / np.maximum(self.annotated, 1)
        precision = self.right / np.maximum(self.drawn, 1)
        return EdgeCurve(recall, precision, f_measure(recall, precision))


@dataclass(frozen=True, slots=True, eq=False)
class EdgeCurve:
    """Recall, precision and F at each of T thresholds, (T,) float64 each."""

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    f: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EdgePoint:
    """One point of a curve; the threshold is None where several are mixed."""

    threshold: float | None
    recall: float
    precision: float
    f: float


@dataclass(frozen=True, slots=True, eq=False)
class EdgeScores:
    """The scores of a set of pictures.

    Attributes:
        ods: at the one best threshold for the whole set, looked for between thresholds too.
        ois: at the best threshold of every picture; of the counts added up.
        ap: average precision over recalls of 0, 0.01, ... 1.
        ap_trapezoid: the area under precision over recall in the order of the thresholds, as some
            scripts print it under the same name. It is lower, and differs from `ap` where thinning
            makes recall fall.
        r50: recall at a precision of one half; None if there is one precision only.
        curve: of the whole set.
        pictures: the best point of each picture, looked for as `ods` is.
    """

    ods: EdgePoint
    ois: EdgePoint
    ap: float
    ap_trapezoid: float
    r50: float | None
    curve: EdgeCurve
    pictures: tuple[EdgePoint, ...]


def f_measure(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the harmonic mean; 0 where both are 0."""
    total = precision + recall
    return np.asarray(2 * precision * recall / np.where(total == 0, 1, total))


def edge_counts(
    strength: NDArray[np.float64],
    annotators: Sequence[NDArray[np.bool_]],
    at: NDArray[np.float64],
    *,
    tolerance: float = BSDS_TOLERANCE,
) -> EdgeCounts:
    """Count what of a drawn map is right at every threshold.

    Args:
        strength: (H, W) float64 in [0, 1].
        annotators: (H, W) bool each, the edges that somebody drew by hand.
        at: (T,) float64, rising.
        tolerance: how far apart partners may lie, as a share of the picture's diagonal.

    Raises:
        UsageError: if there is no annotator, or one has another size.
    """
    shapes = {edges.shape for edges in annotators}
    if shapes != {strength.shape}:
        sizes = ", ".join(map(str, shapes)) or "none"
        msg = f"edges of shape {strength.shape} cannot be scored by annotators of shapes {sizes}"
        raise UsageError(msg)
    reach = tolerance * math.hypot(*strength.shape)
    truth = [AnnotatedEdges(edges, reach) for edges in annotators]
    rows: list[tuple[int, int, int, int]] = []
    last: NDArray[np.bool_] | None = None
    for threshold in at:
        drawn = strength >= threshold
        # Maps of 8 bits have the same pixels at many thresholds.
        if last is None or not np.array_equal(drawn, last):
            row = _count(thinned(drawn), truth)
        rows.append(row)
        last = drawn
    return EdgeCounts.of(np.array(rows, np.int64).T)


def _count(drawn: NDArray[np.bool_], truth: Sequence[AnnotatedEdges]) -> tuple[int, int, int, int]:
    right = np.zeros(np.count_nonzero(drawn), np.bool_)
    recalled = 0
    for annotator in truth:
        mine, theirs = annotator.match(drawn)
        right |= mine
        recalled += int(np.count_nonzero(theirs))
    annotated = sum(annotator.count for annotator in truth)
    return recalled, annotated, int(np.count_nonzero(right)), len(right)


def edge_scores(counts: Sequence[EdgeCounts], at: NDArray[np.float64]) -> EdgeScores:
    """Score a set of pictures.

    Args:
        counts: of each picture.
        at: (T,) float64, the thresholds they were counted at.

    Raises:
        UsageError: if there are no pictures.
    """
    if not counts:
        msg = "there are no pictures to score edges of"
        raise UsageError(msg)
    tables = [item.table for item in counts]
    whole = EdgeCounts.of(np.sum(tables, axis=0)).curve()
    best = [int(item.curve().f.argmax()) for item in counts]
    mixed = np.sum([table[:, [k]] for table, k in zip(tables, best, strict=True)], axis=0)
    ois = EdgeCounts.of(mixed).curve()
    return EdgeScores(
        ods=best_point(whole, at),
        ois=EdgePoint(None, float(ois.recall[0]), float(ois.precision[0]), float(ois.f[0])),
        ap=average_precision(whole, np.arange(101) / 100),
        ap_trapezoid=float(np.trapezoid(whole.precision[::-1], whole.recall[::-1])),
        r50=_recall_at_half(whole),
        curve=whole,
        pictures=tuple(best_point(item.curve(), at) for item in counts),
    )


def best_point(curve: EdgeCurve, at: NDArray[np.float64]) -> EdgePoint:
    """Return the point of highest F, along straight lines between neighbouring thresholds."""
    best = EdgePoint(
        float(at[0]), float(curve.recall[0]), float(curve.precision[0]), float(curve.f[0])
    )
    share = np.linspace(0, 1, _BETWEEN)
    for this in range(1, len(at)):
        place, recall, precision = (
            values[this] * share + values[this - 1] * (1 - share)
            for values in (at, curve.recall, curve.precision)
        )
        f = f_measure(recall, precision)
        highest = int(f.argmax())
        if f[highest] > best.f:
            point = (place[highest], recall[highest], precision[highest], f[highest])
            best = EdgePoint(*map(float, point))
    return best


def average_precision(curve: EdgeCurve, recalls: NDArray[np.float64]) -> float:
    """Return the sum of precisions at these recalls, 0.01 each; 0 outside those of the curve.

    Args:
        curve: of the set.
        recalls: 0, 0.01, ... 1 in the benchmark; its Python port leaves out 1.
    """
    known, first = np.unique(curve.recall, return_index=True)
    if len(known) < 2:
        return 0.0
    precision = np.interp(recalls, known, curve.precision[first], left=0.0, right=0.0)
    return float(precision.sum() * 0.01)


def _recall_at_half(curve: EdgeCurve) -> float | None:
    known, first = np.unique(curve.precision, return_index=True)
    if len(known) < 2:
        return None
    return float(np.interp(max(known[0], 0.5), known, curve.recall[first]))
