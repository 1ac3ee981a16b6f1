"""What every point tracker offers: the protocol, its inputs and its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from ..frame import Frame
from ..snapshot import Arrays


@dataclass(frozen=True, slots=True, eq=False)
class QueryPoints:
    """Points to follow, each from the frame where it was given.

    Attributes:
        ids: (N,) int64, chosen by the caller, unique within one `TrackerState`.
        frames: (N,) int64, index of the frame in which `xy` holds.
        xy: (N, 2) float32, x then y in pixels of the frame; pixel centres are whole numbers.
        group: points of one group may influence each other in trackers that follow points
            together (SAM-PT tracks groups of five objects); others ignore it.
    """

    ids: NDArray[np.int64]
    frames: NDArray[np.int64]
    xy: NDArray[np.float32]
    group: int = 0

    def __post_init__(self) -> None:
        """Check that the three arrays fit together.

        Raises:
            ValueError: if a shape differs from the documented one.
        """
        count = len(self.ids)
        if (self.ids.shape, self.frames.shape, self.xy.shape) != ((count,), (count,), (count, 2)):
            msg = (
                f"query points need ids (N,), frames (N,) and xy (N, 2); got {self.ids.shape}, "
                f"{self.frames.shape} and {self.xy.shape}"
            )
            raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPoints:
    """Where the points are in one frame; final, no later frame changes it.

    Attributes:
        frame_index: index of the frame.
        ids: (N,) int64, ids of the query points that live in this frame.
        xy: (N, 2) float32, x then y in pixels of the frame; may lie outside it.
        visible: (N,) bool.
        confidence: (N,) float32 in [0, 1], how sure the tracker is of `xy`.
    """

    frame_index: int
    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse places that are no numbers.

        Raises:
            WeightsError: if the place of a visible point, or a confidence, is not finite.
        """
        refuse_infinite_places(self.xy, self.visible, self.confidence)

    def of_all(self, queries: QueryPoints) -> TrackedPoints:
        """Return the same for all points of `queries`, in their order.

        Those that do not live in this frame are hidden at their query position.
        """
        count = len(queries)
        xy = queries.xy.copy()
        visible, confidence = np.zeros(count, np.bool_), np.zeros(count, np.float32)
        _, rows, found = np.intersect1d(
            queries.ids, self.ids, assume_unique=True, return_indices=True
        )
        xy[rows], confidence[rows] = self.xy[found], self.confidence[found]
        visible[rows] = self.visible[found]
        return TrackedPoints(self.frame_index, queries.ids, xy, visible, confidence)


def refuse_infinite_places(
    xy: NDArray[np.floating], visible: NDArray[np.bool_], confidence: NDArray[np.floating]
) -> None:
    """Refuse what a network with damaged weights answers.

    Args:
        xy: (..., 2) places; those of hidden points may be anything.
        visible: (...) bool.
        confidence: (...) how sure the tracker is.

    Raises:
        WeightsError: if the place of a visible point, or a confidence, is not finite.
    """
    if not (np.isfinite(xy[visible]).all() and np.isfinite(confidence).all()):
        msg = (
            "the tracker answered with places that are no numbers, so its weights are damaged or "
            "the device computes wrongly; check them with `rvsam-video weights verify`, or try "
            "--device cpu"
        )
        raise WeightsError(msg)


class TrackerState(Protocol):
    """The tracking of one video; all that changes from frame to frame lives here."""

    def add(self, queries: QueryPoints) -> None:
        """Follow more points, from their own frames on.

        A query may name any frame from the one given out last (its picture is kept) up to any
        frame still to come. In its own frame a point is at its query position, as far as the
        method honours queries.

        Raises:
            ValueError: if a query names an earlier frame, or an id that is already in use.
        """

    def remove(self, ids: Sequence[int]) -> None:
        """Stop following these points; unknown ids are ignored."""

    def push(self, frame: Frame) -> list[TrackedPoints]:
        """Take the next frame; return the frames that became final, in order (maybe none).

        Indices rise but may skip frames that could not be read. Every frame pushed comes out
        exactly once, from here or from `flush`, also while there are no points.
        """

    def flush(self) -> list[TrackedPoints]:
        """End of the video: return the frames that were still open, in order."""

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays, so that a run can go on after it was killed."""

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `snapshot` returned, with the same results to the last bit."""


class PointTracker(Protocol):
    """Follows query points through frames that arrive one at a time.

    Attributes:
        name: registry name, printed at the start of a run.
        lookahead: frames that must arrive after a frame before its result is out (0: at once).
    """

    name: str
    lookahead: int

    def start(self, frame_size: tuple[int, int]) -> TrackerState:
        """Begin a video whose frames are (width, height) pixels."""


FramesFactory = Callable[[], Iterable[Frame]]
"""Begins to read a clip anew each time it is called; it must always give the same frames."""


@runtime_checkable
class ClipTracker(Protocol):
    """Follows points through a clip that can be read again, also backward from their own frames.

    Attributes:
        name: registry name.
    """

    name: str

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterable[TrackedPoints]:
        """Follow points through all frames, those before their own included.

        Args:
            frames: may be called any number of times; frames should not be kept.
            queries: all points, of one group; `queries.frames` are frame indices.

        Returns:
            One answer per frame, in order, each with every point in the order of `queries`.
        """
