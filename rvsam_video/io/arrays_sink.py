"""Tracked points as arrays: `points.npz`, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rvsam_video.io.layout import ARRAYS_FILE, PARTS_FOLDER
from rvsam_video.io.sinks import Mark, SinkContext
from rvsam_video.results import FrameResult
from rvsam_video.trackers.base import QueryPoints
from rvsam_video.writing import AppendFile, replacing, writing

_BLOCK_BYTES = 1 << 22
"""Read at a time when the arrays are put together."""


class ArraysSink:
    """Writes `points.npz`, for N points that are known beforehand, in T frames.

    * `frames` (T,) int64 index, `times` (T,) float64 seconds;
    * `ids` (N,) int64, the point ids of `points.csv`;
    * `queries` (N, 3) float32: frame, x, y that each point was given with;
    * `xy` (T, N, 2) float32, x then y in pixels, NaN before a point's own frame;
    * `visible` (T, N) bool, seen by the tracker and inside the picture;
    * `confidence` (T, N) float32 in [0, 1], 0 before a point's own frame.

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
        self._rows.open(mark["size"] if mark else 0)

    def write(self, result: FrameResult) -> None:
        """Append the row of one frame."""
        points = result.points
        row = np.zeros((), self._row)
        row["frames"], row["times"] = result.index, result.time
        row["xy"] = np.nan
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
