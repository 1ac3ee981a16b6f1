"""`TapirClipState`: TAPIR networks that look both ways in time, on videos of any length.

Frames are kept until their window is full; then all points run through it at once. What comes out
near the ends of a window would have needed frames beyond it, so it is taken from the next one, or
from the one before; but for the ends of the video, where there are none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...frame import Frame, Image
from ...snapshot import Arrays, nested, prefixed
from ..base import QueryPoints, TrackedPoints
from .geometry import SquareGeometry
from .network import Pyramid
from .points import KnownPoints, check_frame, check_new
from .torch_engine import TorchEngine
from .variants import TapirClipSettings


class _KeptFrame:
    """A frame of the window, encoded when it is first needed."""

    def __init__(self, engine: TorchEngine, picture: Image, index: int) -> None:
        self.picture, self.index = picture, index
        self._engine = engine
        self._maps: Pyramid | None = None

    def maps(self) -> Pyramid:
        if self._maps is None:
            self._maps = self._engine.encode(self.picture)
        return self._maps


class TapirClipState:
    """The tracking of one video; see `TrackerState`.

    Args:
        engine: runs the network.
        settings: how it is used.
        frame_size: (width, height) of the video.
        everywhere: answer also for the frames before that of a point.
    """

    def __init__(
        self,
        engine: TorchEngine,
        settings: TapirClipSettings,
        frame_size: tuple[int, int],
        *,
        everywhere: bool = False,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._geometry = SquareGeometry(frame_size, engine.side)
        self._frames: deque[_KeptFrame] = deque()
        self._base = 0
        self._given = 0
        self._waiting = KnownPoints.none()
        self._points = KnownPoints.none()
        self._queries = engine.nothing()
        self._everywhere = everywhere

    def add(self, queries: QueryPoints) -> None:
        """Follow more points, from their own frames on.

        Raises:
            ValueError: if a query names a frame before the one given out last, or an id in use.
        """
        used = np.concatenate([self._points.ids, self._waiting.ids])
        last_given = self._frames[self._given - 1 - self._base].index if self._given else -1
        check_new(queries, used, last_given)
        self._waiting = self._waiting.joined_by(KnownPoints.of(queries))
        for number, frame in enumerate(self._frames):
            self._start_due(number, frame)

    def enter(self, points: KnownPoints, queries: Tensor) -> None:
        """Follow points that were described before; their frames are numbers from the first on."""
        self._points = self._points.joined_by(points)
        self._queries = torch.cat([self._queries, queries])

    def remove(self, ids: Sequence[int]) -> None:
        """Stop following these points; unknown ids are ignored."""
        unwanted = np.asarray(ids, np.int64)
        self._waiting = self._waiting.only(~np.isin(self._waiting.ids, unwanted))
        keep = ~np.isin(self._points.ids, unwanted)
        self._points = self._points.only(keep)
        self._queries = self._queries[torch.from_numpy(keep).to(self._queries.device)]

    def push(self, frame: Frame) -> list[TrackedPoints]:
        """Take the next frame; return the frames that became final, if a window was full.

        Raises:
            ValueError: if the frame's index does not rise or its size differs from the video's.
        """
        last = self._frames[-1].index if self._frames else -1
        check_frame(frame, last, self._geometry.frame_size)
        kept = _KeptFrame(self._engine, self._geometry.picture(frame.image), frame.index)
        self._frames.append(kept)
        self._start_due(len(self._frames) - 1, kept)
        if len(self._points):
            kept.maps()  # Now, not with the window, so that every frame takes its share.
        settings = self._settings
        # One frame more than a window: a clip that ends with it is answered from it alone.
        if settings.whole_video or len(self._frames) <= settings.window:
            return []
        given = self._give(settings.window, settings.window - settings.margin)
        # At least the frame given out last: points may still be added in it.
        while self._base < self._given - max(settings.margin, 1):
            self._frames.popleft()
            self._base += 1
        return given

    def flush(self) -> list[TrackedPoints]:
        """End of the video: return the frames that were still open, in order."""
        return self._give(len(self._frames), len(self._frames))

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays; pictures are kept, and not what was made of them."""
        side = self._engine.side
        none = np.zeros((0, side, side, 3), np.uint8)
        return {
            "pictures": np.concatenate([none, *(item.picture[None] for item in self._frames)]),
            "indices": np.array([item.index for item in self._frames], np.int64),
            "counters": np.array([self._base, self._given], np.int64),
            "queries": self._queries.cpu().numpy().copy(),
            **prefixed("waiting", self._waiting.arrays()),
            **prefixed("points", self._points.arrays()),
        }

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `snapshot` returned, with the same results to the last bit."""
        pairs = zip(arrays["pictures"], arrays["indices"], strict=True)
        self._frames = deque(
            _KeptFrame(self._engine, np.array(picture, np.uint8), int(index))
            for picture, index in pairs
        )
        self._base, self._given = (int(item) for item in arrays["counters"])
        queries = np.array(arrays["queries"], np.float32)
        self._queries = torch.from_numpy(queries).to(self._queries.device)
        self._waiting = KnownPoints.from_arrays(nested("waiting", arrays))
        self._points = KnownPoints.from_arrays(nested("points", arrays))

    def _start_due(self, place: int, frame: _KeptFrame) -> None:
        """Describe the points whose frame is this one, or was skipped before it."""
        due = self._waiting.frames <= frame.index
        if not np.any(due):
            return
        new = self._waiting.only(due).from_frame(self._base + place)
        self._waiting = self._waiting.only(~due)
        xy = self._geometry.to_network(new.given)
        self.enter(new, self._engine.describe(frame.maps(), xy))

    def _give(self, frames: int, stop: int) -> list[TrackedPoints]:
        """Run the window's first frames together, and return those that are open before `stop`."""
        first = self._given - self._base
        if stop <= first:
            return []
        part = np.flatnonzero(self._lives(self._base + stop - 1))
        xy, confidence = self._engine.follow_clip(
            [frame.maps() for _, frame in zip(range(frames), self._frames, strict=False)],
            self._queries[torch.from_numpy(part).to(self._queries.device)],
            self._points.frames[part] - self._base,
            self._geometry.to_network(self._points.given[part]),
        )
        self._given = self._base + stop
        return [
            self._answer(place, part, xy[:, place], confidence[:, place])
            for place in range(first, stop)
        ]

    def _lives(self, number: int) -> NDArray[np.bool_]:
        """Say which points are answered for in a frame."""
        if self._everywhere:
            return np.ones(len(self._points), np.bool_)
        return self._points.frames <= number

    def _answer(
        self,
        place: int,
        part: NDArray[np.intp],
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
    ) -> TrackedPoints:
        number = self._base + place
        live = self._lives(number)
        points, rows = self._points.only(live), live[part]
        found = self._geometry.to_frame(xy[rows]), confidence[rows]
        own = points.frames == number
        return points.answer(self._frames[place].index, own, found, self._settings)
