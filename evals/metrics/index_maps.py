"""J and F of all objects of a frame at once, from two index maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .boundary import boundary_radius, f_measures
from .outlines import PLANES, Outlines, outlines_of, planes_of

Scores = tuple[NDArray[np.float64], NDArray[np.float64]]
"""J and F, of equal shape."""


def score_objects(prediction: NDArray[np.uint8], truth: NDArray[np.uint8], objects: int) -> Scores:
    """Compare every object of two index maps with its namesake.

    The values are those of `region_similarity` and `boundary_similarity` for each pair of masks.

    Args:
        prediction: (H, W) uint8; 0 is background, n is object n, up to `objects`.
        truth: (H, W) uint8, likewise.
        objects: how many there are; those without a pixel count as empty masks.

    Returns:
        J and F, (objects,) float64 each; object n is at index n - 1.
    """
    # Before cropping: it depends on the whole frame.
    radius = boundary_radius(*truth.shape)
    prediction, truth = _cropped(prediction, truth)
    counts = np.zeros((4, objects), np.int64)
    for first in range(1, objects + 1, PLANES):
        last = min(first + PLANES - 1, objects)
        ours, theirs = (
            outlines_of(planes_of(labels, first, last), radius) for labels in (prediction, truth)
        )
        # (4, 8), of which the last group may use fewer.
        found = ours.counts(), theirs.counts(), ours.matched(theirs), theirs.matched(ours)
        counts[:, first - 1 : last] = np.stack(found)[:, : last - first + 1]
    return _jaccard(*_regions(prediction, truth, objects)), f_measures(*counts)


def score_pairs(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], proposals: int, objects: int
) -> Scores:
    """Compare every proposal of one index map with every object of another.

    Args:
        prediction: (H, W) uint8; 0 is background, n is proposal n, up to `proposals`.
        truth: (H, W) uint8; 0 is background, n is object n, up to `objects`.
        proposals: how many there are; those without a pixel count as empty masks.
        objects: likewise.

    Returns:
        J and F, (proposals, objects) float64 each.
    """
    radius = boundary_radius(*truth.shape)
    prediction, truth = _cropped(prediction, truth)
    # All pairs from one histogram; with few objects and no pairs, comparing is faster.
    regions = _confusion(prediction, truth, proposals, objects)
    overlap = regions[1:, 1:]
    # |A| + |B| - |A and B|, in whole numbers.
    united = regions.sum(axis=1)[1:, None] + regions.sum(axis=0)[None, 1:] - overlap
    ours = _all_outlines(prediction, proposals, radius)
    theirs = _all_outlines(truth, objects, radius)
    predicted = np.concatenate([group.counts() for group in ours])[:proposals, None]
    true = np.concatenate([group.counts() for group in theirs])[None, :objects]
    predicted_matched = np.block([[one.matched_pairs(two) for two in theirs] for one in ours])
    # Transposed: the row is always the proposal.
    true_matched = np.block([[two.matched_pairs(one).T for two in theirs] for one in ours])
    return _jaccard(overlap, united), f_measures(
        predicted, true, predicted_matched[:proposals, :objects], true_matched[:proposals, :objects]
    )


def _cropped(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut both to the box of everything in them, and one pixel around it where the frame has one.

    That pixel keeps the rules for boundaries at the frame's edge to the frame's edge.
    """
    anything = prediction | truth
    columns = np.flatnonzero(np.bitwise_or.reduce(anything, axis=0))
    if not len(columns):
        return prediction[:1, :1], truth[:1, :1]
    left, right = max(int(columns[0]) - 1, 0), int(columns[-1]) + 2
    # First and last by argmax on the flat map: rows need no pass of their own.
    full = (anything != 0).ravel()
    width = anything.shape[1]
    top = max(int(full.argmax()) // width - 1, 0)
    bottom = (len(full) - 1 - int(full[::-1].argmax())) // width + 2
    box = slice(top, bottom), slice(left, right)
    return prediction[box], truth[box]


def _regions(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], objects: int
) -> NDArray[np.int64]:
    """Count the pixels that each object has in both maps, and in either, (2, objects) int64."""
    counts = np.zeros((2, objects), np.int64)
    for index in range(objects):
        # For few objects much faster than one histogram of both maps.
        found, true = prediction == index + 1, truth == index + 1
        counts[:, index] = np.count_nonzero(found & true), np.count_nonzero(found | true)
    return counts


def _confusion(
    prediction: NDArray[np.uint8], truth: NDArray[np.uint8], proposals: int, objects: int
) -> NDArray[np.int64]:
    """Count the pixels by predicted and true number, (proposals + 1, objects + 1) int64."""
    shape = proposals + 1, objects + 1
    # 16 bits hold 256 * 256 pairs.
    codes = prediction.astype(np.uint16) * np.uint16(shape[1]) + truth
    return np.bincount(codes.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def _jaccard(overlap: NDArray[np.int64], united: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(united == 0, 1.0, overlap / np.maximum(united, 1))


def _all_outlines(labels: NDArray[np.uint8], count: int, radius: int) -> list[Outlines]:
    """Return the outlines of objects 1 to `count`, eight by eight; at least one group."""
    firsts = range(1, max(count, 1) + 1, PLANES)
    return [
        outlines_of(planes_of(labels, first, min(first + PLANES - 1, count)), radius)
        for first in firsts
    ]
