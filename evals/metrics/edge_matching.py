"""Matching the pixels of drawn edges one to one with those of an annotator, as cheaply as possible.

The Berkeley benchmark finds such a matching with a solver that draws random edges, so its results
differ from run to run and lose up to some thousandths of the pairs. Here the same sum of costs is
made smallest exactly, and so the same pixels match every time.

Source: Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", PAMI 2004,
appendix B; the costs are those of the BSDS benchmark.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_COST_OF_A_PIXEL = 100
"""Costs are whole numbers: hundredths of a pixel of distance."""

_COST_OF_NO_PARTNER = 100
"""Times the reach: what a pixel without a partner costs, so that the most pixels have one."""


class AnnotatedEdges:
    """The edges of one annotator, to be matched with many maps of the same picture.

    Args:
        edges: (H, W) bool.
        reach: how far apart partners may lie, in pixels.

    Attributes:
        count: number of annotated pixels.
    """

    def __init__(self, edges: NDArray[np.bool_], reach: float) -> None:
        self.count = int(np.count_nonzero(edges))
        self._reach = reach
        self._margin = math.ceil(reach)
        self._places = np.pad(np.full(edges.shape, -1, np.int32), self._margin, constant_values=-1)
        height, width = edges.shape
        inside = self._places[self._margin :, self._margin :][:height, :width]
        inside[edges] = np.arange(self.count)

    def match(self, found: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Give as many pixels as possible a partner of their own, near ones first.

        Args:
            found: (H, W) bool, N pixels are set.

        Returns:
            which of the N found pixels, and which of the `count` annotated ones, have a partner;
            row by row.
        """
        rows, columns = np.nonzero(found)
        matched = np.zeros(len(rows), np.bool_), np.zeros(self.count, np.bool_)
        mine, theirs, costs = self._pairs(rows, columns)
        if len(mine):
            most = 1 + math.ceil(_COST_OF_NO_PARTNER * _COST_OF_A_PIXEL * self._reach)
            chosen = _cheapest(mine, theirs, costs, most)
            for marks, pixels in zip(matched, chosen, strict=True):
                marks[pixels] = True
        return matched

    def _pairs(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return all pairs within reach: found pixel, annotated pixel, cost."""
        width = self._places.shape[1]
        places = self._places.ravel()
        corner = (rows + self._margin) * width + columns + self._margin
        mine, theirs, costs = [], [], []
        around = range(-self._margin, self._margin + 1)
        for down in around:
            for right in around:
                distance = math.hypot(down, right)
                if down * down + right * right > self._reach**2:
                    continue
                other = places[corner + (down * width + right)]
                hit = np.flatnonzero(other >= 0)
                mine.append(hit)
                theirs.append(other[hit].astype(np.int64))
                costs.append(np.full(len(hit), round(_COST_OF_A_PIXEL * distance), np.float64))
        return np.concatenate(mine), np.concatenate(theirs), np.concatenate(costs)


def _cheapest(
    mine: NDArray[np.int64], theirs: NDArray[np.int64], costs: NDArray[np.float64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the partners in the cheapest matching, in which a pixel may also stay alone."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # Pixels without any pair take no part.
    my_pixels, mine = np.unique(mine, return_inverse=True)
    their_pixels, theirs = np.unique(theirs, return_inverse=True)
    turned = len(my_pixels) > len(their_pixels)
    few, many = (their_pixels, my_pixels) if turned else (my_pixels, their_pixels)
    rows, columns = (theirs, mine) if turned else (mine, theirs)
    # Each row has a column of its own that stands for no partner, so that all can be matched. All
    # costs are one more than they are: SciPy would take zeros for pairs that are not there.
    alone = np.arange(len(few))
    graph = csr_array(
        (
            np.concatenate([costs + 1, np.full(len(few), float(most))]),
            (np.concatenate([rows, alone]), np.concatenate([columns, len(many) + alone])),
        ),
        shape=(len(few), len(many) + len(few)),
    )
    row, column = min_weight_full_bipartite_matching(graph)
    real = column < len(many)
    one, other = few[row[real]], many[column[real]]
    return (other, one) if turned else (one, other)
