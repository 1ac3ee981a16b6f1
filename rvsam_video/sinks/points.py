"""Tracked points: `points.csv` with a row each, and `points.npz` as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rvsam_video.results import FrameResult, PointState
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.names import ARRAYS_FILE, PARTS_FOLDER, POINTS_FILE
from rvsam_video.trackers.base import QueryPoints
from rvsam_video.writing import AppendFile, replacing, writing

POINT_COLUMNS = (
    "frame",
    "time",
    "object_id",
    "point_id",
    "label",
    "x",
    "y",
    "visible",
    "used",
    "state",
    "confidence",
)


class PointsSink:
    """Writes `points.csv`.

    `x` and `y` are pixels of the displayed frame, `time` is in seconds, `label` is 1 on the object
    and 0 off it. `visible` and `used` are 0 or 1: a point that is seen in the picture, and one
    that was a prompt; `state` is the lower-case name of the `PointState` and says why not.

    Args:
        folder: the run folder.
        _context: the table needs nothing of it.
    """

    def __init__(self, folder: Path, _context: SinkContext) -> None:
        self._file = AppendFile(folder / POINTS_FILE)

    def start(self, mark: Mark | None) -> None:
        """Write the header, or cut the table back to the mark."""
        with writing(self._file.path):
            self._file.path.parent.mkdir(parents=True, exist_ok=True)
        # Written in place, not built at the end: a table grows by appending, and can be read
        # meanwhile.
        self._file.open(mark["size"] if mark is not None else 0)
        if mark is None:
            self._file.write((",".join(POINT_COLUMNS) + "\n").encode())

    def write(self, result: FrameResult) -> None:
        """Append the rows of one frame."""
        self._file.write(_rows(result).encode())

    def commit(self) -> Mark:
        """Wait for the disk to have the table."""
        return {"size": self._file.sync()}

    def finish(self, complete: bool) -> list[Path]:
        """Close and return the table."""
        del complete
        self._file.flush()
        self._file.close()
        return [self._file.path]

    def close(self) -> None:
        """Close the table."""
        self._file.close()


def _rows(result: FrameResult) -> str:
    """Return the lines of one frame; a thousandth of a pixel is finer than any tracker."""
    points = result.points
    head = f"{result.index},{result.time:.6f}"
    columns = zip(
        points.object_ids.tolist(),
        points.ids.tolist(),
        points.labels.tolist(),
        points.xy.tolist(),
        points.visible.tolist(),
        points.states.tolist(),
        points.confidence.tolist(),
        strict=True,
    )
    lines = []
    for object_id, point_id, label, (x, y), visible, value, confidence in columns:
        state = PointState(value)
        used = state is PointState.VISIBLE
        lines.append(
            f"{head},{object_id},{point_id},{label},{x:.3f},{y:.3f},"
            f"{visible:d},{used:d},{state.name.lower()},{confidence:.4f}\n"
        )
    return "".join(lines)


_BLOCK_BYTES = 1 << 22
"""Read at a time when the arrays are put together."""


class ArraysSink:
    """Writes `points.npz`, for N points that are known beforehand, in T frames.

    * `frames` (T,) int64 index, `times` (T,) float64 seconds;
    * `ids` (N,) int64, the point ids of `points.csv`;
    * `queries` (N, 3) float32: frame, x, y that each point was given with;
    * `xy` (T, N, 2) float32, x then y in pixels, NaN where it was not followed;
    * `visible` (T, N) bool, seen by the tracker and inside the picture;
    * `confidence` (T, N) float32 in [0, 1], 0 where it was not followed.

    Frames are appended to a file of rows of one size, which is turned into the arrays at the end:
    neither needs memory that grows with the video.

    Args:
        folder: the run folder.
        context: its `queries` are the points; their ids are 0, 1, 2 and so on.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        self._target = folder / ARRAYS_FILE
        self._rows = AppendFile(folder / PARTS_FOLDER / "points.rows")
        self._queries = context.queries or _no_queries()
        count = len(self._queries)
        self._row = np.dtype(
            [
                ("frames", "<i8"),
                ("times", "<f8"),
                ("xy", "<f4", (count, 2)),
                ("visible", "?", (count,)),
                ("confidence", "<f4", (count,)),
            ]
        )

    def start(self, mark: Mark | None) -> None:
        """Begin anew, or cut the rows back to the mark."""
        with writing(self._rows.path):
            self._rows.path.parent.mkdir(parents=True, exist_ok=True)
        self._rows.open(mark["size"] if mark is not None else 0)

    def write(self, result: FrameResult) -> None:
        """Append the row of one frame."""
        points = result.points
        row = np.zeros((), self._row)
        row["frames"], row["times"] = result.index, result.time
        # Points that do not live yet have no row in the result, but a place in the arrays.
        row["xy"] = np.nan
        # Ids are rows here: they count from 0 in the order of the queries.
        row["xy"][points.ids] = points.xy
        row["visible"][points.ids] = points.visible
        row["confidence"][points.ids] = points.confidence
        self._rows.write(row.tobytes())

    def commit(self) -> Mark:
        """Wait for the disk to have the rows."""
        return {"size": self._rows.sync()}

    def finish(self, complete: bool) -> list[Path]:
        """Turn the rows into `points.npz`."""
        del complete
        self._rows.flush()
        with replacing(self._target) as temporary, ZipFile(temporary, "w") as archive:
            _add_array(archive, "ids", self._queries.ids)
            _add_array(archive, "queries", _table(self._queries))
            # Column by column through the rows, once for each: five readings instead of all in
            # memory.
            for name in self._row.names or ():
                self._add_column(archive, name)
        self.close()
        return [self._target]

    def close(self) -> None:
        """Close the rows."""
        self._rows.close()

    def _add_column(self, archive: ZipFile, name: str) -> None:
        kind = self._row[name]
        header = {
            "descr": npy.dtype_to_descr(kind.base),
            "fortran_order": False,
            "shape": (self._rows.size // self._row.itemsize, *kind.shape),
        }
        with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
            npy.write_array_header_1_0(file, header)
            for block in self._blocks():
                file.write(np.ascontiguousarray(block[name]).tobytes())

    def _blocks(self) -> Iterator[NDArray[Any]]:
        # Whole rows at a time.
        size = max(1, _BLOCK_BYTES // self._row.itemsize) * self._row.itemsize
        with self._rows.path.open("rb") as file:
            while data := file.read(size):
                yield np.frombuffer(data, self._row)


def _add_array(archive: ZipFile, name: str, array: NDArray[Any]) -> None:
    # A fixed date, so that the same run gives the same bytes.
    with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        npy.write_array(file, array, allow_pickle=False)


def _table(queries: QueryPoints) -> NDArray[np.float32]:
    return np.column_stack((queries.frames, queries.xy)).astype(np.float32)


def _no_queries() -> QueryPoints:
    return QueryPoints(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
