"""`TapirOffline`: the tracker around TAPIR networks that look both ways in time."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch

from ..base import FramesFactory, QueryPoints, TrackedPoints
from .clip_state import TapirClipState
from .points import KnownPoints
from .torch_engine import TorchEngine
from .variants import TapirClipSettings
from .whole_clip import query_frames


class TapirOffline:
    """Follows points with an offline TAPIR network (Doersch et al., 2023 and 2024).

    Args:
        name: registry name.
        engine: runs the network; it keeps no state and may serve others.
        settings: None takes the defaults.

    Attributes:
        name: registry name.
        lookahead: frames after a frame, at worst, before its result is out.
        settings: how the network is used.
    """

    def __init__(
        self, name: str, engine: TorchEngine, settings: TapirClipSettings | None = None
    ) -> None:
        self.name = name
        self.settings = settings or TapirClipSettings()
        self.lookahead = sys.maxsize if self.settings.whole_video else self.settings.window
        self._engine = engine

    def start(self, frame_size: tuple[int, int]) -> TapirClipState:
        """Begin a video whose frames are (width, height) pixels."""
        return TapirClipState(self._engine, self.settings, frame_size)

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
        """Follow points through all frames, those before their own included; see `ClipTracker`."""
        points, described = KnownPoints.none(), self._engine.nothing()
        for query in query_frames(frames, queries, self._engine):
            points = points.joined_by(query.points.from_frame(query.number))
            described = torch.cat([described, self._engine.describe(query.encoded, query.xy)])
        state = None
        for frame in frames():
            if state is None:
                state = TapirClipState(self._engine, self.settings, frame.size, everywhere=True)
                state.enter(points, described)
            for answer in state.push(frame):
                yield answer.of_all(queries)
        if state is not None:
            for answer in state.flush():
                yield answer.of_all(queries)
