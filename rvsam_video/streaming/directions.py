"""Which way in time decides what, where a video is tracked both ways."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Literal, Protocol, Self, get_args

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError
from rvsam_video.prompts.prompt import MAX_FRAME, Prompt
from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.streaming.spool import Behind
from rvsam_video.trackers.base import QueryPoints

Direction = Literal["forward", "backward", "both"]
"""In which direction of time objects are followed from their prompts."""

AskedDirection = Literal["auto", "forward", "backward", "both"]
""""auto" goes both ways where the source can be read again and something begins in its middle."""


def chosen_direction(
    asked: AskedDirection, begins: Sequence[int], first: int | None, *, again: bool, name: str
) -> Direction:
    """Decide in which direction a video is tracked.

    Args:
        asked: by the user.
        begins: the first prompted frame of each object, or the frame of each point.
        first: index of the first frame; None if it is not known yet.
        again: whether the source can be read again.
        name: what to call the source.

    Raises:
        UsageError: if a source that cannot be read again was to be read backward.
    """
    if asked not in get_args(AskedDirection):
        msg = f"direction is {asked!r}; choose one of: {', '.join(get_args(AskedDirection))}"
        raise UsageError(msg)
    if asked == "auto":
        late = first is None or any(frame > first for frame in begins)
        return "both" if again and late else "forward"
    if asked != "forward" and not again:
        msg = (
            f"{name} can be read only once, and not backward; save it as a file, or choose the "
            "direction forward"
        )
        raise UsageError(msg)
    return asked


class Split(Protocol):
    """Says what of a frame comes from which way in time."""

    @property
    def last(self) -> int:
        """The highest frame that going backward begins with."""

    def lowest(self) -> int:
        """Return the lowest frame that going backward decides anything in."""

    def up_to(self, top: int) -> Self:
        """Return the same for a video that ends with this frame."""

    def behind(self, index: int, result: FrameResult) -> Behind:
        """Return what of the result of going backward holds in the frame of this index."""

    def joined(self, result: FrameResult, behind: Behind) -> FrameResult:
        """Return what holds in a frame, of its result of going forward and of the other one."""


class ObjectSplit:
    """Objects: the nearest of an object's prompted frames decides; between two the earlier one.

    In its first prompted frame and behind its last one, an object is as it was found going
    forward; before the first, going backward. In between, the half that follows a prompt is from
    going forward, the half before the next one from going backward.

    Args:
        prompts: of all objects.
        direction: "both"; or "backward", where going forward decides nothing.
        overlap: whether masks of different objects may overlap. If not, a pixel that two objects
            have, found on different ways, belongs to the one whose prompt is nearer.
    """

    def __init__(self, prompts: Sequence[Prompt], direction: Direction, *, overlap: bool) -> None:
        self._frames: dict[int, list[int]] = {}
        for prompt in sorted(prompts, key=lambda item: item.frame):
            self._frames.setdefault(prompt.object_id, []).append(prompt.frame)
        self._only_back, self._overlap = direction == "backward", overlap

    @property
    def last(self) -> int:
        """The highest prompted frame."""
        return max((frames[-1] for frames in self._frames.values()), default=0)

    def up_to(self, top: int) -> Self:
        """Return the same for a video that ends with this frame, without later prompts."""
        other = copy(self)
        kept = {key: [at for at in frames if at <= top] for key, frames in self._frames.items()}
        other._frames = {key: frames for key, frames in kept.items() if frames}
        return other

    def lowest(self) -> int:
        """Return the lowest frame that going backward decides anything in."""
        # Whatever is prompted behind the first frame is looked for in all frames before it.
        return min(map(self._lowest_of, self._frames.values()), default=MAX_FRAME)

    def _lowest_of(self, frames: list[int]) -> int:
        if frames[0] > 0:
            return 0
        if len(frames) == 1 or self._only_back:
            return 0 if self._only_back else frames[0] + 1
        return (frames[0] + frames[1]) // 2 + 1

    def is_behind(self, object_id: int, index: int) -> bool:
        """Whether an object is as found going backward, in a frame."""
        frames = self._frames.get(object_id, [])
        after = bisect_right(frames, index)
        if self._only_back:
            return bool(frames) and index <= frames[-1]
        if after == len(frames):
            return False
        return after == 0 or frames[after] - index < index - frames[after - 1]

    def _distance(self, object_id: int, index: int) -> int:
        return min(abs(frame - index) for frame in self._frames[object_id])

    def behind(self, index: int, result: FrameResult) -> Behind:
        """Return what of the result of going backward holds in the frame of this index."""
        part = self._part(result, lambda key: self.is_behind(key, index))
        # Ids of both ways count from 0: those of the other way are told apart by their sign.
        return Behind(part.objects, replace(part.points, ids=~part.points.ids))

    def joined(self, result: FrameResult, behind: Behind) -> FrameResult:
        """Return what holds in a frame, of its result of going forward and of the other one."""
        index = result.index
        ahead = self._part(
            result, lambda key: not self._only_back and not self.is_behind(key, index)
        )
        objects = [*ahead.objects, *behind.objects]
        if ahead.objects and behind.objects and not self._overlap:
            objects = self._apart(index, objects)
        objects.sort(key=lambda item: item.object_id)
        points = behind.points.then(ahead.points) if len(behind.points) else ahead.points
        order = np.argsort(points.object_ids, kind="stable")
        return replace(ahead, objects=tuple(objects), points=points.take(order))

    def _apart(self, index: int, objects: Sequence[ObjectResult]) -> list[ObjectResult]:
        """Give each pixel to one object."""
        taken = np.zeros(objects[0].mask.shape, np.bool_)
        apart = []
        # Stable: at the same distance those found going forward come first.
        for item in sorted(objects, key=lambda item: self._distance(item.object_id, index)):
            apart.append(replace(item, mask=item.mask & ~taken))
            taken |= item.mask
        return apart

    def _part(self, result: FrameResult, wanted: Callable[[int], bool]) -> FrameResult:
        """Return a result with some of its objects, and their points."""
        objects = tuple(item for item in result.objects if wanted(item.object_id))
        owners = result.points.object_ids
        rows = np.array([wanted(int(key)) for key in owners], np.bool_)
        return replace(result, objects=objects, points=result.points.take(rows))


class PointSplit:
    """Points alone: each is as found going backward before its own frame, and forward from it on.

    Args:
        queries: all points, numbered 0, 1, 2 and so on.
        direction: "both"; or "backward", where a point's own frame is its last.
    """

    def __init__(self, queries: QueryPoints, direction: Direction) -> None:
        self._frames: NDArray[np.int64] = queries.frames
        self._only_back = direction == "backward"

    @property
    def last(self) -> int:
        """The highest frame of a point."""
        return int(self._frames.max(initial=0))

    def lowest(self) -> int:
        """Return the lowest frame that going backward decides anything in."""
        return 0

    def up_to(self, top: int) -> Self:  # noqa: ARG002 (see below)
        """Return the same: points that never came are nowhere."""
        return self

    def behind(self, index: int, result: FrameResult) -> Behind:
        """Return what of the result of going backward holds in the frame of this index."""
        frames = self._frames[result.points.ids]
        wanted = frames >= index if self._only_back else frames > index
        return Behind((), result.points.take(wanted))

    def joined(self, result: FrameResult, behind: Behind) -> FrameResult:
        """Return what holds in a frame, of its result of going forward and of the other one."""
        ahead = result.points.take(np.zeros(len(result.points), np.bool_))
        points = behind.points.then(ahead if self._only_back else result.points)
        return replace(result, points=points.take(np.argsort(points.ids, kind="stable")))
