"""`track_points`: points alone, followed through a whole video, for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from rvsam_video.frame import Frame
from rvsam_video.methods import AUTO, Method
from rvsam_video.points.queries import DEFAULT_GRID, PointRequest, query_points
from rvsam_video.sources import open_source
from rvsam_video.sources.backward import given_frames, goes_back, sized
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.opening import is_place
from rvsam_video.sources.part import WHOLE, ClipPart
from rvsam_video.streaming.both_ways import PointWays, results_of
from rvsam_video.streaming.directions import AskedDirection, chosen_direction
from rvsam_video.streaming.scaling import Reduction
from rvsam_video.trackers.base import PointTracker, QueryPoints, TrackedPoints


def track_points(  # noqa: PLR0913 (what the command has options for)
    source: str | bytes | Path | int | BinaryIO | Iterable[object],
    queries: ArrayLike | None = None,
    *,
    grid: int = DEFAULT_GRID,
    query_frame: int = 0,
    tracker: str | PointTracker = AUTO,
    device: str = "auto",
    fps: float | None = None,
    direction: AskedDirection = "auto",
    part: ClipPart = WHOLE,
) -> Iterator[TrackedPoints]:
    """Follow points through a video; answers come while it is being read.

    Args:
        source: whatever `open_source` takes (a file, folder, glob, camera, stream), or frames, as
            `VideoSegmenter.track` takes them.
        queries: (N, 3) frame, x, y, or (N, 2) x, y in frame 0; pixels. None takes a grid.
        grid: points on each side of the grid.
        query_frame: index of the frame that the grid starts in.
        tracker: a registry name (see `rvsam_video.trackers.tracker_names`) or an own tracker;
            "auto" takes the best one whose weights are on this machine, else lucas-kanade.
        device: "auto", or a PyTorch device; for trackers with a network.
        fps: frames per second of pictures, in files or as arrays; None takes 25.
        direction: "forward", "backward" or "both" from each point's own frame; "auto" goes both
            ways where the source can be read again and a point is not of its first frame.
        part: which frames of a source that is opened here count.

    Yields:
        one answer per frame, in order; ids are rows of `queries`, or of the grid row by row. A
        point is in it from its own frame on, or in all frames, or up to its own.

    Raises:
        SourceError: if the source cannot be read.
        PromptError: if a query does not fit the frames.
        UsageError: if the tracker is unknown.

    Example:
        >>> from rvsam_video.demos.synthetic import SyntheticClip
        >>> for points in track_points(SyntheticClip(frames=2), [[200, 100], [320, 180]]):
        ...     print(points.frame_index, points.ids, points.visible)
        0 [0 1] [ True  True]
        1 [0 1] [ True  True]
    """
    if isinstance(tracker, str):
        tracker = Method(tracker=tracker, device=device).resolve_tracker().load_tracker()
    chosen = tracker

    def starting(size: tuple[int, int]) -> QueryPoints:
        if queries is not None:
            return query_points(queries, size)
        return PointRequest(grid=grid, query_frame=query_frame).points(size)[0]

    if is_place(source):
        with open_source(source, fps=fps, part=part) as opened:
            first = part.start if isinstance(part.start, int) else None
            yield from _follow(chosen, opened, starting, direction, first)
    else:
        yield from _follow(chosen, given_frames(source, fps), starting, direction, 0)


def _follow(
    tracker: PointTracker,
    source: FrameSource | Iterable[Frame],
    starting: Callable[[tuple[int, int]], QueryPoints],
    asked: AskedDirection,
    first: int | None,
) -> Iterator[TrackedPoints]:
    size, frames = sized(source)
    if size is None:
        return
    points = starting(size)
    again = goes_back(frames)
    direction = chosen_direction(
        asked, points.frames.tolist(), first, again=again, name="what is no file or folder"
    )
    owners = np.zeros(len(points), np.int64)
    ways = PointWays(tracker, points, owners, direction, Reduction(size, None))
    for result in results_of(ways, frames, ahead=hasattr(source, "live")):
        table = result.points
        yield TrackedPoints(result.index, table.ids, table.xy, table.visible, table.confidence)
