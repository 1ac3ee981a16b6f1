"""`PointBook`: which tracked point belongs to which object, and how long it has been hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rvsam_video.results import PointState, PointTable, outside
from rvsam_video.snapshot import Arrays
from rvsam_video.trackers.base import TrackedPoints

Judge = Callable[[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]], NDArray[np.int8]]
"""From ids, (N, 2) places and states of points to their states."""

_ROW = np.dtype(
    [
        ("id", np.int64),
        ("object_id", np.int64),
        ("label", np.int8),
        ("given", np.bool_),
        ("from_frame", np.int64),
        ("until_frame", np.int64),
        ("hidden_for", np.int64),
    ]
)
_NEVER = np.iinfo(np.int64).max


def _no_rows() -> NDArray[np.void]:
    return np.zeros(0, _ROW)


@dataclass(slots=True)
class PointBook:
    """The rows of all living points, by rising id.

    A row's fields: id, object_id, label (1 on, 0 off the object), given (by the user, never
    forgotten), from_frame and until_frame (the half-open span in which it counts), hidden_for
    (frames since it was last visible).
    """

    rows: NDArray[np.void] = field(default_factory=_no_rows)
    next_id: int = 0

    def add(
        self, object_id: int, labels: NDArray[np.int8], *, frame: int, given: bool
    ) -> NDArray[np.int64]:
        """Enter one point per label; return their new ids, (N,) int64."""
        rows = np.zeros(len(labels), _ROW)
        rows["id"] = np.arange(self.next_id, self.next_id + len(labels))
        rows["object_id"] = object_id
        rows["label"] = labels
        rows["given"] = given
        rows["from_frame"] = frame
        rows["until_frame"] = _NEVER
        self.rows = np.concatenate([self.rows, rows])
        self.next_id += len(labels)
        return rows["id"].copy()

    def drop(self, ids: NDArray[np.int64]) -> None:
        """Forget these points."""
        self.rows = self.rows[~np.isin(self.rows["id"], ids)]

    def retire(self, object_id: int, frame: int, *, given: bool = True) -> None:
        """Let the present points of the object end before `frame`, maybe but for those given."""
        chosen = (self.rows["object_id"] == object_id) & (self.rows["until_frame"] > frame)
        chosen &= given | ~self.rows["given"]
        self.rows["until_frame"][chosen] = frame

    def ids_of(self, object_id: int) -> NDArray[np.int64]:
        """Ids of the object's points, (N,) int64."""
        return np.asarray(self.rows["id"][self.rows["object_id"] == object_id])

    def retired(self, frame: int) -> NDArray[np.int64]:
        """Ids of the points that no frame after `frame` needs."""
        return np.asarray(self.rows["id"][self.rows["until_frame"] <= frame + 1])

    def table(
        self,
        tracked: TrackedPoints,
        frame_size: tuple[int, int],
        border: float,
        judge: Judge | None = None,
    ) -> PointTable:
        """Join the tracker's answer with the book, and count how long points are hidden.

        Args:
            tracked: one frame's answer.
            frame_size: (width, height).
            border: points closer to the edge than this share of the side count as outside.
            judge: may find further reasons not to use a point.

        Returns:
            the points that count in this frame, by rising id.
        """
        rows = self.rows
        lives = (rows["from_frame"] <= tracked.frame_index) & (
            tracked.frame_index < rows["until_frame"]
        )
        _, at, found = np.intersect1d(
            rows["id"][lives], tracked.ids, assume_unique=True, return_indices=True
        )
        at = np.flatnonzero(lives)[at]
        xy = tracked.xy[found].astype(np.float32)
        ids = rows["id"][at].copy()
        states = np.where(tracked.visible[found], PointState.VISIBLE, PointState.HIDDEN)
        if judge is not None:
            states = judge(ids, xy, states.astype(np.int8))
        # Last, as in SAM-PT: a place outside is the reason shown, whatever else there was.
        states = np.where(outside(xy, frame_size, border), PointState.OUTSIDE, states).astype(
            np.int8
        )
        rows["hidden_for"][at] += 1
        rows["hidden_for"][at[states == PointState.VISIBLE]] = 0
        return PointTable(
            ids=ids,
            object_ids=rows["object_id"][at].copy(),
            labels=rows["label"][at].copy(),
            xy=xy,
            confidence=tracked.confidence[found].astype(np.float32),
            states=states,
        )

    def given_ids(self, object_id: int) -> NDArray[np.int64]:
        """Ids of the points that the user gave for an object."""
        rows = self.rows[(self.rows["object_id"] == object_id) & self.rows["given"]]
        return np.asarray(rows["id"], np.int64)

    def surplus(self, object_id: int, keep: int) -> NDArray[np.int64]:
        """Ids of the object's chosen positive points beyond `keep`, the longest hidden first."""
        rows = self.rows
        chosen = rows[(rows["object_id"] == object_id) & ~rows["given"] & (rows["label"] == 1)]
        excess = max(len(chosen) - keep, 0)
        order = np.argsort(-chosen["hidden_for"], kind="stable")
        return np.asarray(chosen["id"][order[:excess]])

    def snapshot(self) -> Arrays:
        """Return the book as plain arrays."""
        columns = {name: self.rows[name].copy() for name in _ROW.names or ()}
        return columns | {"next_id": np.array(self.next_id)}

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self.rows = np.zeros(len(arrays["id"]), _ROW)
        for name in _ROW.names or ():
            self.rows[name] = arrays[name]
        self.next_id = int(arrays["next_id"])
