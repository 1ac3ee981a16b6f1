"""k-medoids clustering: k of the given points such that every point has one nearby."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_ROUNDS = 300
"""Rounds after which the clustering stops; it nearly always settles within 50."""


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """The result of `kmedoids`.

    Attributes:
        medoids: (k,) int64, indices into the points, in cluster order.
        inertia: sum of the distances of all points to their nearest medoid.
        last_round: number of the last round, counted from 0.
    """

    medoids: NDArray[np.int64]
    inertia: float
    last_round: int


def kmedoids(
    points: NDArray[np.number], count: int, initial: NDArray[np.integer] | None = None
) -> Clustering:
    """Choose `count` of the points by alternating assignment and update, as SAM-PT does.

    Each round gives every point to its nearest medoid (the first on ties), then moves each medoid
    to the member of its cluster with the smallest sum of distances to the others (the first on
    ties) if that is strictly smaller, until nothing moves. There is no randomness. Source: the
    "alternate" method of scikit-learn-extra 0.3 with its "heuristic" start, which SAM-PT uses;
    its start leaves the order open, here it is by rising sum of distances.

    Args:
        points: (N, 2) coordinates, all different.
        count: k, 1 to N.
        initial: (k,) indices of the medoids to start from; by default the k points with the
            smallest sums of distances to all others.

    Raises:
        ValueError: if there are fewer than `count` points.
    """
    if not 1 <= count <= len(points):
        msg = f"{count} medoids of {len(points)} points; count must be 1 to {len(points)}"
        raise ValueError(msg)
    distances = _distances(np.asarray(points, np.float64))
    if initial is None:
        initial = np.argsort(distances.sum(axis=1), kind="stable")[:count]
    medoids = np.array(initial, np.int64)
    last_round = 0
    for last_round in range(MAX_ROUNDS):  # noqa: B007 (reported)
        if not _improve(distances, medoids):
            break
    inertia = float(distances[medoids].min(axis=0).sum())
    return Clustering(medoids, inertia, last_round)


def _distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (N, N) Euclidean distances."""
    squares = np.square(points[:, None, 0] - points[None, :, 0])
    squares += np.square(points[:, None, 1] - points[None, :, 1])
    return np.sqrt(squares, out=squares)


def _improve(distances: NDArray[np.float64], medoids: NDArray[np.int64]) -> bool:
    """Move each medoid to the best place in its cluster, in place; say whether any moved."""
    labels = distances[medoids].argmin(axis=0)
    # Members cluster by cluster, in rising order within each.
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    moved = False
    for cluster, inside in enumerate(members):
        sums = distances[np.ix_(inside, inside)].sum(axis=1)
        best = sums.argmin()
        if sums[best] < distances[medoids[cluster], inside].sum():
            medoids[cluster] = inside[best]
            moved = True
    return moved
