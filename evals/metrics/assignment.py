"""The best one-to-one assignment of objects to proposals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError


def best_assignment(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give every object a proposal of its own so that the scores sum up highest.

    Objects come in one after the other; each is placed by a shortest path of moves that make room,
    over costs reduced by the prices of earlier placings. Sources: Crouse, "On implementing 2D
    rectangular assignment algorithms", IEEE TAES 52(4), 2016; where several assignments are equally
    good, the one that SciPy's `linear_sum_assignment` finds is returned, as DAVIS uses that.

    Args:
        scores: (P, N) float64, finite, by proposal and object; at least as many proposals.

    Returns:
        (N,) int64: the proposal of each object.

    Raises:
        UsageError: if there are fewer proposals than objects, or a score is not finite.
    """
    if scores.ndim != 2 or scores.shape[0] < scores.shape[1] or not np.isfinite(scores).all():
        msg = (
            f"scores of shape {scores.shape} cannot be assigned; give finite ones, by proposal and "
            "object, with at least as many proposals as objects"
        )
        raise UsageError(msg)
    if scores.shape[0] == scores.shape[1]:
        # SciPy places the objects only where they are fewer; this decides ties.
        # The inverse of a permutation: from the objects of proposals to the proposals of objects.
        return np.argsort(_placed(-scores))
    return _placed(-scores.T)


def _placed(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cheapest columns of the rows, (R,) int64."""
    placing = _Placing(costs)
    for row in range(len(costs)):
        placing.add(row)
    return placing.column_of_row


class _Placing:
    """TableRows that have a column each, and the prices that show this to be the cheapest."""

    def __init__(self, costs: NDArray[np.float64]) -> None:
        rows, columns = costs.shape
        self._costs = costs
        self._row_prices = np.zeros(rows)
        self._column_prices = np.zeros(columns)
        self.column_of_row = np.full(rows, -1, np.int64)
        self._row_of_column = np.full(columns, -1, np.int64)

    def add(self, new: int) -> None:
        """Place one more row, moving others where that is cheaper."""
        distances = np.full(len(self._row_of_column), np.inf)
        came_from = np.full(len(self._row_of_column), -1, np.int64)
        # From the last column on: then equal costs everywhere place row i in column i.
        open_columns = list(range(len(self._row_of_column)))[::-1]
        row, reached, rows, closed = new, 0.0, [new], list[int]()
        while True:
            for column in open_columns:
                # In this order of additions, and one after the other: ties are decided by the last
                # bit.
                distance = reached + self._costs[row, column] - self._row_prices[row]
                distance -= self._column_prices[column]
                if distance < distances[column]:
                    distances[column], came_from[column] = distance, row
            place = self._nearest(open_columns, distances)
            column = open_columns[place]
            reached = float(distances[column])
            # A free column: everything on the way to it can move by one.
            if self._row_of_column[column] < 0:
                break
            row = int(self._row_of_column[column])
            rows.append(row)
            closed.append(column)
            # The last one takes the place of the one that goes; ties depend on this order.
            open_columns[place] = open_columns[-1]
            open_columns.pop()
        self._reprice(new, rows, closed, distances, reached)
        self._move(new, column, came_from)

    def _nearest(self, columns: list[int], distances: NDArray[np.float64]) -> int:
        """Return the place of the nearest column: of equals the last free one, else the first."""
        least = min(distances[column] for column in columns)
        equal = [place for place, column in enumerate(columns) if distances[column] == least]
        free = [place for place in equal if self._row_of_column[columns[place]] < 0]
        return free[-1] if free else equal[0]

    def _reprice(
        self,
        new: int,
        rows: list[int],
        closed: list[int],
        distances: NDArray[np.float64],
        reached: float,
    ) -> None:
        """Change the prices of what the search passed, so that reduced costs stay positive."""
        self._row_prices[new] += reached
        for row in rows[1:]:
            self._row_prices[row] += reached - distances[self.column_of_row[row]]
        for column in closed:
            self._column_prices[column] -= reached - distances[column]

    def _move(self, new: int, column: int, came_from: NDArray[np.int64]) -> None:
        """Go back along the path from a free column, and move every row on it by one."""
        while True:
            row = int(came_from[column])
            self._row_of_column[column] = row
            before = int(self.column_of_row[row])
            self.column_of_row[row] = column
            if row == new:
                return
            column = before
