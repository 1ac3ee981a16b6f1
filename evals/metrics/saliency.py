"""How well a map of what stands out fits the truth: MAE, and F-, S-, E- and weighted F-measure.

Sources: F: Achanta et al., "Frequency-tuned salient region detection", CVPR 2009. S: Fan et al.,
"Structure-measure", ICCV 2017. E: Fan et al., "Enhanced-alignment measure", IJCAI 2018. Weighted F:
Margolin et al., "How to evaluate foreground maps?", CVPR 2014. Constants and special cases are
those of their public programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

_GREYS = 256
"""Thresholds of F and E: the greys of 8 bits."""

_BETA_SQUARED = 0.3
"""Weight of precision in F: wrong pixels are worse than missed ones."""

_TINY = float(np.spacing(1.0))
"""Keeps divisions finite, as the public programs do."""

_FAR, _WINDOW = 5.0, 7
"""Weighted F: deviation of the Gaussian filter, and its side, in pixels."""

_Values = NDArray[np.float64]
_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyMeasures:
    """The measures of one picture.

    Attributes:
        mae: mean absolute error.
        f_curve: (256,) F of the map cut at every grey.
        f_adaptive: F of the map cut at twice its mean.
        e_curve: (256,) E likewise.
        e_adaptive: E likewise.
        s: structure measure.
        weighted_f: weighted F; None without SciPy.
    """

    mae: float
    f_curve: _Values
    f_adaptive: float
    e_curve: _Values
    e_adaptive: float
    s: float
    weighted_f: float | None


def saliency_measures(found: _Values, truth: _Mask) -> SaliencyMeasures:
    """Measure a map.

    Args:
        found: (H, W) float64 in [0, 1].
        truth: (H, W) bool.

    Raises:
        UsageError: if the shapes differ.
    """
    if found.shape != truth.shape or found.ndim != 2:
        msg = f"a map of shape {found.shape} cannot be measured by a truth of {truth.shape}"
        raise UsageError(msg)
    curve = _Cuts.at_every_grey(found, truth)
    adaptive = _Cuts.at(found, truth, min(2 * float(found.mean()), 1.0))
    return SaliencyMeasures(
        mae=mean_absolute_error(found, truth),
        f_curve=curve.f(),
        f_adaptive=float(adaptive.f()[0]),
        e_curve=curve.e(),
        e_adaptive=float(adaptive.e()[0]),
        s=structure_measure(found, truth),
        weighted_f=weighted_f(found, truth) if find_spec("scipy") else None,
    )


def mean_measures(each: Sequence[SaliencyMeasures]) -> dict[str, float]:
    """Return the measures of a set, by the names of the field: means over pictures.

    Curves are averaged first; their highest value is that of one threshold for all pictures.
    """
    f, e = (
        np.mean([getattr(item, name) for item in each], axis=0) for name in ("f_curve", "e_curve")
    )
    weighted = [item.weighted_f for item in each]
    return {
        "MAE": float(np.mean([item.mae for item in each])),
        "S": float(np.mean([item.s for item in each])),
        "wF": float(np.mean([np.nan if value is None else value for value in weighted])),
        "maxF": float(f.max()),
        "meanF": float(f.mean()),
        "adpF": float(np.mean([item.f_adaptive for item in each])),
        "maxE": float(e.max()),
        "meanE": float(e.mean()),
        "adpE": float(np.mean([item.e_adaptive for item in each])),
    }


def stretched(found: _Values) -> _Values:
    """Return a map from its darkest as 0 to its brightest as 1; one without contrast stays."""
    low, high = float(found.min()), float(found.max())
    return found if low == high else (found - low) / (high - low)


def mean_absolute_error(found: _Values, truth: _Mask) -> float:
    """Return the mean over pixels of |found - truth|."""
    return float(np.mean(np.abs(found - truth)))


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """A map cut at thresholds: how many pixels are right and wrong at each, (T,)."""

    right: _Values
    wrong: _Values
    truth: int
    pixels: int

    @classmethod
    def at_every_grey(cls, found: _Values, truth: _Mask) -> _Cuts:
        greys = (found * (_GREYS - 1)).astype(np.uint8)
        # Pixels at or above each grey, the brightest first.
        right, wrong = (
            np.cumsum(np.bincount(greys[part], minlength=_GREYS)[::-1]).astype(np.float64)
            for part in (truth, ~truth)
        )
        return cls(right, wrong, int(truth.sum()), truth.size)

    @classmethod
    def at(cls, found: _Values, truth: _Mask, threshold: float) -> _Cuts:
        above = found >= threshold
        right, wrong = (np.array([float((above & part).sum())]) for part in (truth, ~truth))
        return cls(right, wrong, int(truth.sum()), truth.size)

    def f(self) -> _Values:
        precision = self.right / np.maximum(self.right + self.wrong, 1)
        recall = self.right / max(self.truth, 1)
        both = _BETA_SQUARED * precision + recall
        return (1 + _BETA_SQUARED) * precision * recall / np.where(both == 0, 1, both)

    def e(self) -> _Values:
        """Return how well map and truth agree, pixel by pixel, beyond what their means would."""
        above = self.right + self.wrong
        if self.truth == 0:
            agreement = self.pixels - above
        elif self.truth == self.pixels:
            agreement = above
        else:
            agreement = self._aligned(above)
        return agreement / (self.pixels - 1 + _TINY)

    def _aligned(self, above: _Values) -> _Values:
        mean_found, mean_truth = above / self.pixels, self.truth / self.pixels
        missed = self.truth - self.right
        kinds = (
            (self.right, 1.0, 1.0),
            (self.wrong, 1.0, 0.0),
            (missed, 0.0, 1.0),
            (self.pixels - above - missed, 0.0, 0.0),
        )
        total = np.zeros_like(above)
        for count, found, true in kinds:
            a, b = found - mean_found, true - mean_truth
            alignment = 2 * a * b / (a * a + b * b + _TINY)
            total += count * (alignment + 1) ** 2 / 4
        return total


def structure_measure(found: _Values, truth: _Mask) -> float:
    """Return the mean of how alike objects and regions of map and truth are."""
    share = float(truth.mean())
    if share == 0:
        return 1 - float(found.mean())
    if share == 1:
        return float(found.mean())
    objects = share * _alike(found[truth]) + (1 - share) * _alike(1 - found[~truth])
    return max(0.0, (objects + _regions(found, truth)) / 2)


def _alike(values: _Values) -> float:
    """Return how bright and even the pixels of an object are."""
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return 2 * mean / (mean * mean + 1 + spread + _TINY)


def _regions(found: _Values, truth: _Mask) -> float:
    """Return the similarity of the four parts around the middle of the truth, by area."""
    rows, columns = np.nonzero(truth)
    # The middle pixel belongs to the upper left part.
    row, column = int(np.round(rows.mean())) + 1, int(np.round(columns.mean())) + 1
    total = 0.0
    for vertical in (slice(None, row), slice(row, None)):
        for horizontal in (slice(None, column), slice(column, None)):
            part, true = found[vertical, horizontal], truth[vertical, horizontal]
            if part.size:
                total += part.size / found.size * _similarity(part, true.astype(np.float64))
    return total


def _similarity(one: _Values, other: _Values) -> float:
    """Return the structural similarity of two maps as a whole."""
    mean, true = float(one.mean()), float(other.mean())
    degrees = one.size - 1
    if degrees:
        spread = float(((one - mean) ** 2).sum()) / degrees
        true_spread = float(((other - true) ** 2).sum()) / degrees
        common = float(((one - mean) * (other - true)).sum()) / degrees
    else:
        spread = true_spread = common = 0.0
    above = 4 * mean * true * common
    below = (mean * mean + true * true) * (spread + true_spread)
    if above != 0:
        return above / (below + _TINY)
    return 1.0 if below == 0 else 0.0


def weighted_f(found: _Values, truth: _Mask) -> float:
    """Return F with errors weighted: those near other errors, and far from the truth, are worse.

    Raises:
        ImportError: without SciPy, whose exact distances and nearest pixels it needs.
    """
    from scipy.ndimage import convolve, distance_transform_edt

    if not truth.any():
        return 0.0
    distance, nearest = distance_transform_edt(~truth, return_indices=True)
    error = np.abs(found - truth)
    carried = error.copy()
    carried[~truth] = error[tuple(axis[~truth] for axis in nearest)]
    around = convolve(carried, _gaussian(), mode="constant", cval=0)
    eased = np.where(truth & (around < error), around, error)
    weight = np.where(truth, 1.0, 2.0 - np.exp(np.log(0.5) / 5 * distance))
    weighted = eased * weight
    right = float(truth.sum()) - float(weighted[truth].sum())
    recall = 1 - float(weighted[truth].mean())
    precision = right / (right + float(weighted[~truth].sum()) + _TINY)
    return 2 * recall * precision / (recall + precision + _TINY)


def _gaussian() -> _Values:
    across = np.arange(_WINDOW) - (_WINDOW - 1) / 2
    squares = across[:, None] ** 2 + across**2
    values = np.exp(-squares / (2 * _FAR**2))
    return np.asarray(values / values.sum())
