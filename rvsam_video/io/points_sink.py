"""Tracked points as a CSV table, one row per point and frame."""

from __future__ import annotations

from pathlib import Path

from rvsam_video.io.layout import POINTS_FILE
from rvsam_video.io.sinks import Mark, SinkContext
from rvsam_video.results import FrameResult, PointState
from rvsam_video.writing import AppendFile, writing

COLUMNS = (
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
        self._file.open(mark["size"] if mark else 0)
        if not mark:
            self._file.write((",".join(COLUMNS) + "\n").encode())

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
