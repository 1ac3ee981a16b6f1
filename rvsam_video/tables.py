"""`Table`: columns of equal length, and all that can be done with their rows.

A table is a frozen dataclass whose fields are arrays with one row per point:

    class Clicks(Table):
        ids: NDArray[np.int64] = field(metadata=column(np.int64))
        xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))

Rows come and go by making another table; the values of a column may be changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rvsam_video.errors import UsageError
from rvsam_video.snapshot import Arrays

Rows = NDArray[np.bool_] | NDArray[np.intp] | NDArray[np.int64]
"""(N,) bool, which rows; or the numbers of rows, in the order that is wanted."""


def column(dtype: DTypeLike, *shape: int | str) -> dict[str, Any]:
    """Say what a column holds, as the `metadata` of its field.

    Args:
        dtype: type of its values.
        shape: of one row; a name stands for a size that each table chooses for itself.
    """
    return {"dtype": dtype, "shape": shape}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length; the base of every table of points.

    Raises:
        UsageError: if the columns differ in length.
    """

    def __post_init__(self) -> None:
        """Check that every column has as many rows as the first."""
        lengths = {item.name: len(getattr(self, item.name)) for item in fields(self)}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            msg = f"the columns of {type(self).__name__} differ in length: {told}; make them equal"
            raise UsageError(msg)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(getattr(self, fields(self)[0].name))

    @classmethod
    def zeros(cls, count: int, **sizes: int) -> Self:
        """Return `count` rows of zeros.

        Args:
            count: number of rows.
            sizes: the sizes that columns name in their shapes.
        """
        columns: dict[str, Any] = {}
        for item in fields(cls):
            named: tuple[int | str, ...] = item.metadata["shape"]
            row = (sizes[size] if isinstance(size, str) else size for size in named)
            columns[item.name] = np.zeros((count, *row), item.metadata["dtype"])
        return cls(**columns)

    @classmethod
    def empty(cls, **sizes: int) -> Self:
        """Return a table without rows; `sizes` as in `zeros`."""
        return cls.zeros(0, **sizes)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Undo `to_arrays`; what else is in `arrays` is ignored."""
        columns: dict[str, Any] = {
            item.name: np.array(arrays[item.name], item.metadata["dtype"]) for item in fields(cls)
        }
        return cls(**columns)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of the columns by name."""
        return {item.name: np.array(getattr(self, item.name)) for item in fields(self)}

    def take(self, rows: Rows) -> Self:
        """Return a table of these rows alone, by number in the order given."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def then(self, *others: Self) -> Self:
        """Return a table of these rows followed by those of the others."""
        tables = (self, *others)
        columns = {
            item.name: np.concatenate([getattr(table, item.name) for table in tables])
            for item in fields(self)
        }
        return type(self)(**columns)
