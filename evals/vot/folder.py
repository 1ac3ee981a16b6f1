"""The folder protocol of the VOT toolkit, for points: what its point challenges are run with.

The toolkit makes a folder, starts a command in it, and reads what that leaves there. Pictures are
named in `frames_color.txt`, a path a line. Each point is a file `query_ID.txt`: the number of its
frame, from 0, then `x,y`, then lines that do not concern us. Wanted is `output_ID.txt` with a line
for every picture, `x,y`, or `0` where there is nothing to say; other values of each picture may
stand in `output_ID_NAME.txt`.

Source: `vot/tracker/folder.py` and the documentation of vot-toolkit 0.9.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError
from ...sources.pictures import ImageSequence
from ...trackers import PointTracker, QueryPoints, TrackedPoints
from ...writing import replacing

FRAMES_FILE = "frames_color.txt"
"""Other channels, of depth or heat, are not for point trackers."""

_QUERY_FILE = re.compile(r"query_(?P<name>.+)\.txt")

_NOTHING = "0"


@dataclass(frozen=True, slots=True, eq=False)
class VotTask:
    """What the toolkit asks for.

    Attributes:
        frames: the pictures, in order.
        names: of the points, as the toolkit has them.
        queries: the points in the same order; ids are their numbers.
    """

    frames: tuple[Path, ...]
    names: tuple[str, ...]
    queries: QueryPoints


def read_task(folder: Path) -> VotTask:
    """Read what is to be done in a folder.

    Args:
        folder: made by the toolkit.

    Raises:
        SourceError: if a file is missing, or a query is no point.
    """
    lines = _lines(folder / FRAMES_FILE)
    # Relative paths are meant from the folder, where the toolkit starts its trackers.
    frames = tuple(folder / line for line in lines if line)
    found = {
        match["name"]: path
        for path in sorted(folder.glob("query_*.txt"))
        if (match := _QUERY_FILE.fullmatch(path.name))
    }
    if not frames or not found:
        msg = (
            f"{folder} has {len(frames)} frames in {FRAMES_FILE} and {len(found)} files query_*.txt"
        )
        raise SourceError(f"{msg}; the VOT toolkit makes such a folder, and starts trackers in it")
    points = [_query(path, len(frames)) for path in found.values()]
    queries = QueryPoints(
        np.arange(len(points)),
        np.array([frame for frame, _ in points], np.int64),
        np.array([xy for _, xy in points], np.float32),
    )
    return VotTask(frames, tuple(found), queries)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read; it is made by the VOT toolkit, which starts this command"
        raise SourceError(msg) from error


def _query(path: Path, frames: int) -> tuple[int, tuple[float, float]]:
    lines = [line for line in _lines(path) if line]
    try:
        frame, (x, y) = int(lines[0]), map(float, lines[1].split(","))
    except (ValueError, IndexError) as error:
        msg = (
            f"{path} asks for {lines[:2]}; it must be the number of a frame, then x,y: points are "
            "all that is followed here"
        )
        raise SourceError(msg) from error
    if not 0 <= frame < frames or not np.isfinite([x, y]).all():
        msg = f"{path} asks for {x},{y} in frame {frame}; there are frames 0 to {frames - 1}"
        raise SourceError(msg)
    return frame, (x, y)


def run_task(
    tracker: PointTracker,
    task: VotTask,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Follow the points and write where they are, hidden or not, from their own frame on.

    The toolkit leaves out frames in which a tracker says nothing: staying silent about hidden
    points would raise its scores. So places are always given, and what is thought of them besides,
    as values `visible` (0 or 1) and `confidence`.

    Args:
        tracker: follows them, together and frame by frame.
        task: from `read_task`.
        folder: to write to.
        progress: told after each picture how many there were.

    Raises:
        SourceError: if a picture cannot be read, or has another size than the first.
        OutputError: if a file cannot be written.
    """
    shape = (len(task.names), len(task.frames))
    xy = np.full((*shape, 2), np.nan)
    visible, confidence = np.zeros(shape, np.bool_), np.zeros(shape)
    for points in _tracked(tracker, task, progress):
        xy[points.ids, points.frame_index] = points.xy
        visible[points.ids, points.frame_index] = points.visible
        confidence[points.ids, points.frame_index] = points.confidence
    for number, name in enumerate(task.names):
        _write(folder / f"output_{name}.txt", [_place(one) for one in xy[number]])
        _write(folder / f"output_{name}_visible.txt", [f"{one:d}" for one in visible[number]])
        _write(
            folder / f"output_{name}_confidence.txt", [f"{one:.4f}" for one in confidence[number]]
        )


def _tracked(
    tracker: PointTracker, task: VotTask, progress: Callable[[int], None] | None
) -> Iterable[TrackedPoints]:
    with ImageSequence(task.frames, str(task.frames[0].parent)) as pictures:
        state = tracker.start(pictures.size)
        state.add(task.queries)
        for index in range(len(task.frames)):
            # Not by iteration, which would pass over a broken picture and say so at the end.
            yield from state.push(pictures.frame_at(index))
            if progress is not None:
                progress(index + 1)
        yield from state.flush()


def _place(xy: NDArray[np.float64]) -> str:
    return f"{xy[0]:.4f},{xy[1]:.4f}" if np.isfinite(xy).all() else _NOTHING


def _write(path: Path, lines: Sequence[str]) -> None:
    with replacing(path, durable=False) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
