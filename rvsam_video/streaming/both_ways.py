"""Tracking a video both ways in time: backward first, into a spool, then forward.

Backward, a session is shown the mirrored video: frames are numbered from the last one on, so every
tracker and segmenter works as it always does. Results come while the video is read forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult
from rvsam_video.snapshot import Arrays, nested, prefixed
from rvsam_video.sources.backward import falling_frames
from rvsam_video.sources.prefetching import DECODE_AHEAD, prefetch
from rvsam_video.streaming.directions import Direction, ObjectSplit, PointSplit, Split
from rvsam_video.streaming.frame_session import FrameSession
from rvsam_video.streaming.point_session import PointSession, Trails
from rvsam_video.streaming.scaling import Reduction, ScaledSession, reduced
from rvsam_video.streaming.session import Session
from rvsam_video.streaming.spool import Spool
from rvsam_video.trackers.base import PointTracker, QueryPoints

_Item = TypeVar("_Item")


class Ways(Protocol):
    """How one video is tracked, in each direction."""

    @property
    def direction(self) -> Direction:
        """In which direction it is tracked."""

    def split(self) -> Split:
        """Return what says which way decides what."""

    def mirrored(self, top: int) -> FrameSession:
        """Begin going backward: frame `top` comes first, and is frame 0 there."""

    def forward(self) -> FrameSession:
        """Begin going forward."""

    def finished(self, result: FrameResult) -> FrameResult:
        """Add what can be told only once both ways are joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWays:
    """Objects, from their prompts.

    Attributes:
        begin: makes a session that knows these prompts.
        prompts: in pixels of the frames.
        direction: in which they are followed.
        scale: to which size frames are brought before.
        overlap: whether masks of different objects may overlap.
    """

    begin: Callable[[Sequence[Prompt]], Session]
    prompts: Sequence[Prompt]
    direction: Direction
    scale: Reduction
    overlap: bool
    _sessions: list[Session] = field(default_factory=list, init=False, repr=False)

    def split(self) -> ObjectSplit:
        """Return what says which way decides what."""
        return ObjectSplit(self.prompts, self.direction, overlap=self.overlap)

    def mirrored(self, top: int) -> FrameSession:
        """Begin going backward; prompts of frames that never came are left out."""
        turned = [
            replace(prompt, frame=top - prompt.frame)
            for prompt in self.prompts
            if prompt.frame <= top
        ]
        return reduced(self.begin, turned, self.scale)

    def forward(self) -> FrameSession:
        """Begin going forward; where that decides nothing, without prompts."""
        prompts = () if self.direction == "backward" else self.prompts
        return reduced(self._begun, prompts, self.scale)

    def _begun(self, prompts: Sequence[Prompt]) -> Session:
        self._sessions.append(self.begin(prompts))
        return self._sessions[-1]

    def notes(self) -> list[str]:
        """Return what going forward has to say of prompts that were taken otherwise."""
        return self._sessions[-1].notes if self._sessions else []

    def finished(self, result: FrameResult) -> FrameResult:
        """Return the result as it is."""
        return result


class PointWays:
    """Points alone.

    Args:
        tracker: follows them.
        queries: numbered 0, 1, 2 and so on, in pixels of the frames.
        object_ids: (N,) int64, the object that each point belongs to, 0 for none.
        direction: in which they are followed.
        scale: to which size frames are brought before.
        trail: frames of the trails in the results; 0 leaves them out.
    """

    def __init__(
        self,
        tracker: PointTracker,
        queries: QueryPoints,
        object_ids: NDArray[np.int64],
        direction: Direction,
        scale: Reduction,
        trail: int = 0,
    ) -> None:
        self.direction = direction
        self._tracker, self._object_ids, self._scale = tracker, object_ids, scale
        self._queries, self._trail = queries, trail
        self._trails = Trails(len(queries), trail)

    def split(self) -> PointSplit:
        """Return what says which way decides what."""
        return PointSplit(self._queries, self.direction)

    def mirrored(self, top: int) -> FrameSession:
        """Begin going backward; points of frames that never came are left out."""
        given = self._queries
        rows = given.frames <= top
        return self._begin(
            QueryPoints(given.ids[rows], top - given.frames[rows], given.xy[rows]), 0
        )

    def forward(self) -> FrameSession:
        """Begin going forward; where that decides nothing, without points."""
        if self.direction == "forward":
            return self._begin(self._queries, self._trail)
        none = QueryPoints(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), "f4"))
        return self._begin(none if self.direction == "backward" else self._queries, 0)

    def _begin(self, queries: QueryPoints, trail: int) -> FrameSession:
        small = replace(queries, xy=self._scale.places(queries.xy))
        if self._scale.same:
            return PointSession(self._tracker, queries, self._object_ids, trail)
        return ScaledSession(
            PointSession(self._tracker, small, self._object_ids, trail), self._scale
        )

    def finished(self, result: FrameResult) -> FrameResult:
        """Add the trails, which go on from one way to the other."""
        return replace(result, trails=self._trails.follow(result.points))

    def snapshot(self) -> Arrays:
        """Return the trails."""
        return {"trails": self._trails.rows.copy()}

    def restore(self, arrays: Arrays) -> None:
        """Take the trails over."""
        self._trails.rows = np.asarray(arrays["trails"], np.float32)


class BackwardPass:
    """Tracks a video from its last prompt backward into a spool.

    Args:
        ways: how it is tracked.
        spool: takes what is found.

    Attributes:
        top: index of the frame that came first, -1 before it.
    """

    def __init__(self, ways: Ways, spool: Spool) -> None:
        self._ways, self._spool = ways, spool
        self._split = ways.split()
        self._session: FrameSession | None = None
        self.top, self._time = -1, 0.0
        self._next: int | None = None

    @property
    def begins_at(self) -> int:
        """Index of the frame that is to come next; lower ones come where it is missing."""
        return self._split.last if self._next is None else self._next

    @property
    def done(self) -> bool:
        """Whether no frame is wanted any more."""
        return self.begins_at < self._split.lowest()

    def push(self, frame: Frame) -> None:
        """Take a frame that lies before all those that came."""
        if self._session is None:
            self._begin(frame.index, frame.time)
        session, self._next = self._opened(), frame.index - 1
        mirrored = Frame(self.top - frame.index, self._time - frame.time, frame.image)
        self._keep(session.push(mirrored))

    def finish(self) -> None:
        """Take what is still to come: nothing lies before the last frame."""
        if self._session is not None:
            self._keep(self._session.flush())
        self._session, self._next = None, -1
        self._spool.rewind()

    def snapshot(self) -> Arrays:
        """Return everything that later frames depend on."""
        if self._session is None:
            return {}
        place = {"top": np.array(self.top), "time": np.array(self._time)}
        return {
            **place,
            "next": np.array(self.begins_at),
            **prefixed("session", self._session.snapshot()),
        }

    def restore(self, arrays: Arrays) -> None:
        """Go on where `snapshot` was taken, behind the same records of the spool."""
        if arrays:
            self._begin(int(arrays["top"]), float(arrays["time"]))
            self._next = int(arrays["next"])
            self._opened().restore(nested("session", arrays))

    def _begin(self, top: int, time: float) -> None:
        self.top, self._time = top, time
        self._session, self._split = self._ways.mirrored(top), self._split.up_to(top)

    def _opened(self) -> FrameSession:
        if self._session is None:
            msg = "nothing was pushed yet"
            raise ValueError(msg)
        return self._session

    def _keep(self, results: Sequence[FrameResult]) -> None:
        for result in results:
            index = self.top - result.index
            behind = self._split.behind(index, result)
            if behind.objects or len(behind.points):
                self._spool.append(index, behind)


class JoinedSession:
    """Goes forward through a video, and joins what was found going backward.

    Args:
        ways: how it is tracked.
        spool: what was found going backward.
        top: index of the frame that came first there.
    """

    def __init__(self, ways: Ways, spool: Spool, top: int) -> None:
        self._ways, self._spool = ways, spool
        self._split, self._session = ways.split().up_to(top), ways.forward()

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""
        return self._session.last_index

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that became final."""
        return self._joined(self._session.push(frame))

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back."""
        return self._joined(self._session.flush())

    def _joined(self, results: Sequence[FrameResult]) -> list[FrameResult]:
        return [
            self._ways.finished(self._split.joined(result, self._spool.at(result.index)))
            for result in results
        ]

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on, but for the spool."""
        arrays = prefixed("session", self._session.snapshot())
        if isinstance(self._ways, PointWays):
            arrays |= prefixed("ways", self._ways.snapshot())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Go on where `snapshot` was taken, with the same spool."""
        self._session.restore(nested("session", arrays))
        if isinstance(self._ways, PointWays):
            self._ways.restore(nested("ways", arrays))
        self._spool.rewind()


def results_of(ways: Ways, source: Iterable[Frame], *, ahead: bool) -> Iterator[FrameResult]:
    """Track a video in all directions that are wanted.

    Args:
        ways: how it is tracked.
        source: the frames; `rvsam_video.sources.backward.goes_back` holds for it if they are to be
            read backward.
        ahead: read ahead in a thread.

    Yields:
        one result per frame, with rising indices.
    """
    with closing(Spool()) as spool:
        session: FrameSession
        if ways.direction == "forward":
            session = ways.forward()
        else:
            session = JoinedSession(ways, spool, _go_back(ways, source, spool, ahead=ahead))
        with reading(source, ahead=ahead) as frames:
            for frame in frames:
                yield from session.push(frame)
        yield from session.flush()


def _go_back(ways: Ways, source: Iterable[Frame], spool: Spool, *, ahead: bool) -> int:
    """Fill the spool; return the index of the frame that came first."""
    backward = BackwardPass(ways, spool)
    with reading(falling_frames(source, backward.begins_at), ahead=ahead) as frames:
        for frame in frames:
            backward.push(frame)
            if backward.done:
                break
    backward.finish()
    return backward.top


@contextmanager
def reading(items: Iterable[_Item], *, ahead: bool) -> Iterator[Iterable[_Item]]:
    """Read items in a thread that is ahead, or as they are asked for."""
    if not ahead:
        yield items
        return
    with closing(prefetch(items, DECODE_AHEAD)) as taken:
        yield taken
