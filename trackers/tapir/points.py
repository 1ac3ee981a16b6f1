"""The points of a video by id, and the checks of what a state is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...frame import Frame
from ...snapshot import Arrays
from ..base import QueryPoints, TrackedPoints
from .variants import TapirSettings


@dataclass(frozen=True, slots=True, eq=False)
class KnownPoints:
    """Points in the order in which they came.

    Attributes:
        ids: (N,) int64.
        frames: (N,) int64, the frame that each begins in: the one it was given for, or the next
            one that there is. By index, or in whole clips by number.
        given: (N, 2) float32, x then y in pixels of the frame, where it was put.
    """

    ids: NDArray[np.int64]
    frames: NDArray[np.int64]
    given: NDArray[np.float32]

    @classmethod
    def none(cls) -> KnownPoints:
        """Return no points."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32))

    @classmethod
    def of(cls, queries: QueryPoints) -> KnownPoints:
        """Return those asked for."""
        return cls(
            queries.ids.astype(np.int64),
            queries.frames.astype(np.int64),
            queries.xy.astype(np.float32),
        )

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.ids)

    def joined_by(self, other: KnownPoints) -> KnownPoints:
        """Return these, then the others."""
        return KnownPoints(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.frames, other.frames]),
            np.concatenate([self.given, other.given]),
        )

    def only(self, chosen: NDArray[np.bool_]) -> KnownPoints:
        """Return those marked in `chosen`, (N,) bool."""
        return KnownPoints(self.ids[chosen], self.frames[chosen], self.given[chosen])

    def from_frame(self, frame: int) -> KnownPoints:
        """Return the same points, beginning in this frame."""
        return KnownPoints(self.ids, np.full(len(self), frame, np.int64), self.given)

    def answer(
        self,
        index: int,
        own: NDArray[np.bool_],
        found: tuple[NDArray[np.float32], NDArray[np.float32]],
        settings: TapirSettings,
    ) -> TrackedPoints:
        """Return what is said of these points in a frame.

        Args:
            index: of the frame.
            own: (N,) bool, whether it is the one that a point begins in.
            found: places (N, 2) in pixels of the frame, and confidence (N,).
            settings: when a point is visible, and where it is in its own frame.
        """
        xy, confidence = found
        visible = confidence > settings.visibility_threshold
        if settings.pin_query:
            xy = np.where(own[:, None], self.given, xy)
            confidence = np.where(own, np.float32(1), confidence)
            visible = visible | own
        return TrackedPoints(index, self.ids, xy, visible, confidence)

    def arrays(self) -> Arrays:
        """Return them as plain arrays."""
        return {"ids": self.ids, "frames": self.frames, "given": self.given}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> KnownPoints:
        """Undo `arrays`."""
        return cls(
            np.array(arrays["ids"], np.int64),
            np.array(arrays["frames"], np.int64),
            np.array(arrays["given"], np.float32),
        )


def check_new(queries: QueryPoints, used: NDArray[np.int64], earliest: int) -> None:
    """Make sure that points can be added.

    Args:
        queries: the points.
        used: ids of the points that there are.
        earliest: index of the first frame that may be named.

    Raises:
        ValueError: if an id is in use, or a frame has passed.
    """
    if np.any(np.isin(queries.ids, used)) or len(np.unique(queries.ids)) < len(queries):
        msg = f"point ids must be new and unique; got {queries.ids.tolist()}"
        raise ValueError(msg)
    early = queries.frames < earliest
    if np.any(early):
        msg = (
            f"query frame {int(queries.frames[early][0])} has passed; the earliest frame that "
            f"points can be added in is {earliest}"
        )
        raise ValueError(msg)


def check_frame(frame: Frame, last: int, size: tuple[int, int]) -> None:
    """Make sure that a frame can be the next one.

    Args:
        frame: the frame.
        last: index of the one before; -1 for none.
        size: (width, height) of the video.

    Raises:
        ValueError: if its index does not rise, or its size differs.
    """
    if frame.index <= last:
        msg = f"frame {frame.index} came after frame {last}; push frames in order"
        raise ValueError(msg)
    if frame.size != size:
        msg = f"frame {frame.index} is {frame.size} pixels; this video is {size}"
        raise ValueError(msg)
