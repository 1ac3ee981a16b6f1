"""`Tapir`: the streaming tracker around an online TAPIR network."""

from __future__ import annotations

from collections.abc import Iterator

from ..base import FramesFactory, QueryPoints, TrackedPoints
from .engine import Engine, PointRows
from .points import KnownPoints
from .state import TapirState, start_rows
from .variants import TapirSettings
from .whole_clip import query_frames


class Tapir:
    """Follows points with an online TAPIR network (Doersch et al., 2024) as frames arrive.

    Args:
        name: registry name.
        engine: runs the network; it keeps no state and may serve others.
        settings: None takes the defaults.

    Attributes:
        name: registry name.
        lookahead: 0, every frame's result is out at once.
        settings: how the network is used.
    """

    lookahead: int = 0

    def __init__(self, name: str, engine: Engine, settings: TapirSettings | None = None) -> None:
        self.name = name
        self.settings = settings or TapirSettings()
        self._engine = engine

    def start(self, frame_size: tuple[int, int]) -> TapirState:
        """Begin a video whose frames are (width, height) pixels."""
        return TapirState(self._engine, self.settings, frame_size)

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
        """Follow points through all frames, those before their own included; see `ClipTracker`.

        All are followed from the first frame on: what is remembered of a point is then warm when
        its own frame comes. The public evaluation does so.
        """
        points, described = KnownPoints.none(), list[PointRows]()
        for query in query_frames(frames, queries, self._engine):
            points = points.joined_by(query.points)
            described += start_rows(self._engine, query.encoded, query.xy, self.settings)
        state = None
        for frame in frames():
            if state is None:
                state = self.start(frame.size)
                state.enter(points, described)
            for answer in state.push(frame):
                yield answer.of_all(queries)
