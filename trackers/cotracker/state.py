"""`CoTrackerState`: the tracking of one video with CoTracker, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...frame import Frame
from ...snapshot import Arrays, nested, prefixed
from ..base import QueryPoints, TrackedPoints
from .geometry import FrameGeometry
from .grids import regular_grid
from .network import EncodedFrame, Inference
from .query_group import NOT_YET, SUPPORT, GroupPoints, QueryGroup
from .sliding_window import SlidingWindow
from .variants import CoTrackerSettings


class Answers:
    """The points of all groups in some frames of the window that ran last.

    Args:
        groups: the groups of the video.
        places: the frames, counted from the first of the window.
        stride: pixels of the network's pictures per cell.
        geometry: from those pixels to the frame's.
        use_confidence: multiply the visibility by the confidence, which version 3 has.
    """

    def __init__(
        self,
        groups: Sequence[QueryGroup],
        places: slice,
        stride: int,
        geometry: FrameGeometry,
        *,
        use_confidence: bool = True,
    ) -> None:
        points, xy, scores = GroupPoints.empty(), [], []
        count = places.stop - places.start
        for group in groups:
            if group.end_xy is None or group.end_logits is None:
                continue
            # Of points that no window has followed yet, `end_xy` holds zeros and not places.
            found = (group.points.joined >= 0) & ~group.points.support
            rows = torch.from_numpy(found).to(group.end_xy.device)
            points = points.then(group.points.take(found))
            xy.append(group.end_xy[rows, places].cpu().numpy() * np.float32(stride))
            # Visibility; version 3 has confidence beside it.
            chances = torch.sigmoid(group.end_logits[rows, places])
            score = chances.prod(-1) if use_confidence else chances[..., 0]
            scores.append(score.cpu().numpy())
        # Groups follow each other above; callers get their points in the order they gave them.
        order = np.argsort(points.order)
        self._points = points.take(order)
        self._xy = geometry.to_frame(_joined(xy, (0, count, 2)))[order]
        self._scores = _joined(scores, (0, count))[order]

    def frame(self, place: int, number: int, index: int, rules: CoTrackerSettings) -> TrackedPoints:
        """Return the points of one frame.

        Args:
            place: the frame, counted from the first of these.
            number: the same, counted from the first of the video.
            index: the same, as the source counts.
            rules: when a point is visible, and where it is in its own frame.
        """
        # A window also writes guesses into frames before a point's own; they are not given out.
        live = self._points.frames <= number
        points, xy, scores = (
            self._points.take(live),
            self._xy[live, place],
            self._scores[live, place],
        )
        visible = scores > rules.visibility_threshold
        if rules.pin_query:
            own = points.frames == number
            xy = np.where(own[:, None], points.given, xy)
            scores = np.where(own, np.float32(1), scores)
            visible = visible | own
        return TrackedPoints(index, points.ids, xy, visible, scores)


def _joined(parts: list[NDArray[np.float32]], empty: tuple[int, ...]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(empty, np.float32), *parts])


class CoTrackerState:
    """The tracking of one video; see `TrackerState`.

    Points may be added at any time. If the query frame lies in the window that ran last, that
    window is run once more for the point's group before the next one; the frames not yet given
    out, and all later ones, are then what they would be had the point been known from the start.
    Two exceptions: where waiting points take part (`CoTrackerSettings.leave_out_waiting`), those
    known earlier have touched the others for longer; and a point of the frame given out last
    would have been in the window before too, which cannot be run again, so it starts half a
    window later.
    """

    def __init__(
        self, inference: Inference, settings: CoTrackerSettings, frame_size: tuple[int, int]
    ) -> None:
        """Start with no points and no frames."""
        network = inference.network
        size = settings.network_size or frame_size
        self._settings = settings
        self._inference = inference
        self._geometry = FrameGeometry(frame_size, size, network.aligned_corners)
        self._window = SlidingWindow(
            inference,
            iterations=settings.iterations,
            leave_out_waiting=settings.leave_out_waiting,
            whole=settings.whole_video,
            fill_short=settings.fill_short,
        )
        # Numbers, counted from the first frame pushed; a source's own indices may have gaps.
        self._given = 0
        self._order = 0

    def add(self, queries: QueryPoints) -> None:
        """Follow more points, from their own frames on.

        Raises:
            ValueError: if a query names a frame before the one given out last, or an id in use.
        """
        self._check_queries(queries)
        if not len(queries):
            return
        window = self._window
        frames = np.array([self._number(int(index)) for index in queries.frames], np.int64)
        new = queries.group not in window.groups
        # The public support grid stands in frame 0, which is forgotten by now: a group's stands in
        # the first frame of its own.
        begin = min(int(frames.min()), window.count) if window.count else 0
        group = window.group(queries.group, begin)
        points = GroupPoints.create(
            ids=queries.ids,
            order=self._order,
            indices=queries.frames,
            frames=frames,
            given=queries.xy,
            cells=self._cells(self._geometry.to_network(queries.xy)),
        )
        self._enter(group, points)
        if new:
            # Grids of frames that were pushed before the group was there.
            for number in range(group.begin, window.count):
                self._support(group, number)

    def remove(self, ids: Sequence[int]) -> None:
        """Stop following these points; unknown ids are ignored."""
        unwanted = np.asarray(ids, np.int64)
        for name, group in list(self._window.groups.items()):
            points = group.points
            drop = np.isin(points.ids, unwanted) & ~points.support
            if np.any(drop):
                group.keep(~drop)
            if group.points.support.all():
                del self._window.groups[name]

    def push(self, frame: Frame) -> list[TrackedPoints]:
        """Take the next frame; return the frames that became final, if it completed a window.

        Raises:
            ValueError: if the frame's index does not rise or its size differs from the video's.
        """
        self._check_frame(frame)
        window = self._window
        picture = self._geometry.picture(frame.image, self._inference.device)
        encoded = EncodedFrame(self._inference, picture, frame.index)
        started = False
        for group in window.groups.values():
            group.resolve(frame.index, window.count)
            self._support(group, window.count)
            started |= bool((group.points.frames <= window.count).any())
        if started:  # Encoded now, not with the window, so that every frame takes its share.
            encoded.levels()
        if not window.push(encoded):
            return []
        # Half a window only: the next one looks at the other half again and may change it.
        return self._give(self._given + self._inference.network.step)

    def flush(self) -> list[TrackedPoints]:
        """End of the video: return the frames that were still open, in order."""
        if self._given == self._window.count:
            return []
        self._window.finish()
        return self._give(self._window.count)

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays.

        Pictures are kept and not features, which are several times larger.
        """
        window = self._window
        width, height = self._geometry.network_size
        none = np.zeros((0, 3, height, width), np.float32)
        # -1 for None: a snapshot holds arrays and nothing else.
        start = -1 if window.start is None else window.start
        arrays: dict[str, NDArray[np.generic]] = {
            "pictures": np.concatenate([none, *(item.picture.cpu() for item in window.frames)]),
            "indices": np.array([item.index for item in window.frames], np.int64),
            "counters": np.array(
                [window.count, window.end, start, self._given, self._order], np.int64
            ),
            "groups": np.array(list(window.groups), np.int64),
        }
        for name, group in window.groups.items():
            arrays |= prefixed(f"group/{name}", group.arrays())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `snapshot` returned, with the same results to the last bit."""
        window, device = self._window, self._inference.device
        count, end, start, self._given, self._order = (int(item) for item in arrays["counters"])
        window.count, window.end, window.start = count, end, None if start < 0 else start
        window.frames.clear()
        for picture, index in zip(arrays["pictures"], arrays["indices"], strict=True):
            # Encoded anew when a window needs it: one frame at a time, so the features are the same
            # bits.
            values = torch.tensor(np.asarray(picture, np.float32))[None].to(device)
            window.frames.append(EncodedFrame(self._inference, values, int(index)))
        window.groups.clear()
        for name in arrays["groups"]:
            window.group(int(name)).restore(nested(f"group/{name}", arrays))

    def _check_queries(self, queries: QueryPoints) -> None:
        known = [group.points.ids for group in self._window.groups.values()]
        used = np.isin(queries.ids, np.concatenate([np.zeros(0, np.int64), *known]))
        if np.any(used) or len(np.unique(queries.ids)) < len(queries) or np.any(queries.ids < 0):
            msg = f"point ids must be new, unique and not negative; got {queries.ids.tolist()}"
            raise ValueError(msg)
        # The frame given out last may still get points; see the class for what they then miss.
        if self._given:
            earliest = self._window.frame(self._given - 1).index
            early = queries.frames < earliest
            if np.any(early):
                msg = (
                    f"query frame {int(queries.frames[early][0])} has passed; the earliest frame "
                    f"that points can be added in is {earliest}"
                )
                raise ValueError(msg)

    def _check_frame(self, frame: Frame) -> None:
        frames, size = self._window.frames, self._geometry.frame_size
        if frames and frame.index <= frames[-1].index:
            msg = f"frame {frame.index} came after frame {frames[-1].index}; push frames in order"
            raise ValueError(msg)
        if frame.size != size:
            msg = f"frame {frame.index} is {frame.size} pixels; this video is {size}"
            raise ValueError(msg)

    def _number(self, index: int) -> int:
        """Return the number of the first frame kept whose index is at least this."""
        kept = [frame.index for frame in self._window.frames]
        place = int(np.searchsorted(kept, index))
        return NOT_YET if place == len(kept) else self._window.base + place

    def _cells(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        return xy / np.float32(self._inference.network.stride)

    def _enter(self, group: QueryGroup, points: GroupPoints) -> None:
        """Hand points to a group; those of the last window make it run that once more."""
        self._order += len(points)
        group.add(points)
        group.stale |= bool((points.frames < self._window.end).any())

    def _support(self, group: QueryGroup, number: int) -> None:
        """Add the support points that belong to this frame; forget those that are too many."""
        support = self._settings.support
        if support is None or not support.due(number - group.begin):
            return
        geometry = self._geometry
        xy = regular_grid(
            support.count, geometry.network_size, whole_margin=not geometry.aligned_corners
        )
        numbers = np.full(len(xy), number, np.int64)
        points = GroupPoints.create(
            ids=np.full(len(xy), SUPPORT, np.int64),
            order=self._order,
            indices=numbers,
            frames=numbers,
            given=geometry.to_frame(xy),
            cells=self._cells(xy),
        )
        self._enter(group, points)
        if support.keep is not None:
            known = group.points
            grids = np.unique(known.frames[known.support])
            group.keep(~(known.support & np.isin(known.frames, grids[: -support.keep])))

    def _give(self, stop: int) -> list[TrackedPoints]:
        """Return the frames up to number `stop`, from the window that ran last."""
        window, network = self._window, self._inference.network
        first, start = self._given, window.start or 0
        groups, places = list(window.groups.values()), slice(first - start, stop - start)
        answers = Answers(
            groups,
            places,
            network.stride,
            self._geometry,
            use_confidence=self._settings.use_confidence,
        )
        self._given = stop
        return [
            answers.frame(number - first, number, window.frame(number).index, self._settings)
            for number in range(first, stop)
        ]
