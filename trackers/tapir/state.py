"""`TapirState`: the tracking of one video with online TAPIR, frame by frame and without delay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...frame import Frame, Image
from ...snapshot import Arrays, nested, prefixed
from ..base import QueryPoints, TrackedPoints
from .engine import Encoded, Engine, Found, PointRows
from .geometry import SquareGeometry
from .points import KnownPoints, check_frame, check_new
from .variants import TapirSettings


class TapirState:
    """The tracking of one video; see `TrackerState`.

    A frame is encoded once, when the first point asks for it. Points go through the network in
    batches, which bounds the memory of a step; what is remembered of a point has one size, so that
    of a video grows with its points and not with its length.

    Points of the frame that was given out last run through it once when they are added: from then
    on they are what they would be had they been known before.
    """

    def __init__(
        self, engine: Engine, settings: TapirSettings, frame_size: tuple[int, int]
    ) -> None:
        """Start with no points and no frames."""
        self._engine = engine
        self._settings = settings
        self._geometry = SquareGeometry(frame_size, engine.side)
        self._waiting = KnownPoints.none()
        self._points = KnownPoints.none()
        self._batches: list[PointRows] = []
        self._index = -1
        self._picture: Image = np.zeros((engine.side, engine.side, 3), np.uint8)
        self._encoded: Encoded | None = None

    def add(self, queries: QueryPoints) -> None:
        """Follow more points, from their own frames on.

        Raises:
            ValueError: if a query names a frame before the one given out last, or an id in use.
        """
        used = np.concatenate([self._points.ids, self._waiting.ids])
        check_new(queries, used, self._index)
        self._waiting = self._waiting.joined_by(KnownPoints.of(queries))
        self._start_due(late=True)

    def enter(self, points: KnownPoints, described: Iterable[PointRows]) -> None:
        """Follow points that were described before, from the next frame on.

        Args:
            points: their frames are where they are pinned.
            described: the same, in their order.
        """
        self._points = self._points.joined_by(points)
        for rows in described:
            self._append(rows)

    def remove(self, ids: Sequence[int]) -> None:
        """Stop following these points; unknown ids are ignored."""
        unwanted = np.asarray(ids, np.int64)
        self._waiting = self._waiting.only(~np.isin(self._waiting.ids, unwanted))
        keep = ~np.isin(self._points.ids, unwanted)
        if keep.all():
            return
        self._points = self._points.only(keep)
        parts = np.split(keep, np.cumsum([len(rows) for rows in self._batches])[:-1])
        left = [
            rows if part.all() else self._engine.take(rows, part)
            for rows, part in zip(self._batches, parts, strict=True)
            if part.any()
        ]
        self._batches = []
        for rows in left:
            self._append(rows)

    def push(self, frame: Frame) -> list[TrackedPoints]:
        """Take the next frame and return its points at once.

        Raises:
            ValueError: if the frame's index does not rise or its size differs from the video's.
        """
        check_frame(frame, self._index, self._geometry.frame_size)
        self._index = frame.index
        self._picture, self._encoded = self._geometry.picture(frame.image), None
        self._start_due(late=False)
        return [self._answer(self._follow(self._batches))]

    def flush(self) -> list[TrackedPoints]:
        """End of the video; nothing is open."""
        return []

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays.

        The picture is kept and not what the network made of it, which is fifteen times larger.
        """
        arrays: dict[str, NDArray[np.generic]] = {
            "index": np.array(self._index, np.int64),
            "picture": self._picture.copy(),
            # Batches of another size would be rounded otherwise.
            "batches": np.array([len(rows) for rows in self._batches], np.int64),
            **prefixed("waiting", self._waiting.arrays()),
            **prefixed("points", self._points.arrays()),
        }
        for number, rows in enumerate(self._batches):
            arrays |= prefixed(f"rows/{number}", self._engine.arrays(rows))
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `snapshot` returned, with the same results to the last bit."""
        self._index = int(arrays["index"])
        self._picture, self._encoded = np.array(arrays["picture"], np.uint8), None
        self._waiting = KnownPoints.from_arrays(nested("waiting", arrays))
        self._points = KnownPoints.from_arrays(nested("points", arrays))
        self._batches = [
            self._engine.rows(nested(f"rows/{number}", arrays))
            for number in range(len(arrays["batches"]))
        ]

    def _start_due(self, *, late: bool) -> None:
        """Begin the points whose frame has come, or was skipped by the source.

        Args:
            late: the frame was given out already, so they go through it by themselves.
        """
        due = self._waiting.frames <= self._index
        if self._index < 0 or not np.any(due):
            return
        new = self._waiting.only(due).from_frame(self._index)
        self._waiting = self._waiting.only(~due)
        xy = self._geometry.to_network(new.given)
        described = list(start_rows(self._engine, self._maps(), xy, self._settings))
        for rows in described if late else ():
            self._engine.follow(self._maps(), rows)
        self.enter(new, described)

    def _append(self, rows: PointRows) -> None:
        """Put rows below the others: into the last batch if it has room, so that none is copied."""
        last = self._batches[-1] if self._batches else None
        if last is not None and len(last) + len(rows) <= self._settings.points_at_once:
            self._batches[-1] = self._engine.join([last, rows])
        else:
            self._batches.append(rows)

    def _maps(self) -> Encoded:
        """Return what the network makes of the picture that was pushed last."""
        if self._encoded is None:
            self._encoded = self._engine.encode(self._picture)
        return self._encoded

    def _follow(self, batches: Sequence[PointRows]) -> Found:
        none = Found(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
        found = [none, *(self._engine.follow(self._maps(), rows) for rows in batches)]
        return Found(
            np.concatenate([item.xy for item in found]),
            np.concatenate([item.logits for item in found]),
        )

    def _answer(self, found: Found) -> TrackedPoints:
        placed = self._geometry.to_frame(found.xy), found.confidence()
        own = self._points.frames == self._index
        return self._points.answer(self._index, own, placed, self._settings)


def start_rows(
    engine: Engine, encoded: Encoded, xy: NDArray[np.float32], settings: TapirSettings
) -> Iterator[PointRows]:
    """Describe points at (N, 2) places of a picture, in batches."""
    for start in range(0, len(xy), settings.points_at_once):
        yield engine.start(encoded, xy[start : start + settings.points_at_once])
