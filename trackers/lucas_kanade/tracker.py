"""`LucasKanade`: a point tracker without weights, on pyramidal optical flow.

Every point is followed from frame to frame by itself: its result never depends on which other
points are tracked. A point counts as visible while the flow leads back to where it came from and
the picture around it still looks like it did; else it moves on with its own dying velocity and is
looked for in a window that widens with time.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ...frame import Frame, Image
from ...snapshot import Arrays, nested, prefixed
from ..base import QueryPoints, TrackedPoints
from .patches import cut_patches, find_patch, patch_similarity
from .settings import LucasKanadeSettings
from .store import PointStore

GreyFrame = NDArray[np.uint8]


class LucasKanade:
    """Pyramidal Lucas-Kanade (Bouguet, 2000) with a return check, an appearance check and search.

    Attributes:
        name: registry name.
        lookahead: 0, every frame's result is out at once.
    """

    name: str = "lucas-kanade"
    lookahead: int = 0

    def __init__(self, settings: LucasKanadeSettings | None = None) -> None:
        """Keep the settings; `None` takes the defaults."""
        self.settings = settings or LucasKanadeSettings()

    def start(self, frame_size: tuple[int, int]) -> LucasKanadeState:
        """Begin a video whose frames are (width, height) pixels."""
        return LucasKanadeState(self.settings, frame_size)


class LucasKanadeState:
    """The tracking of one video; see `TrackerState`."""

    def __init__(self, settings: LucasKanadeSettings, frame_size: tuple[int, int]) -> None:
        """Start with no points and no picture."""
        self._settings = settings
        self._size = frame_size
        self._points = PointStore.empty(side=settings.patch)
        self._index = -1
        self._image: Image | None = None

    def add(self, queries: QueryPoints) -> None:
        """Follow more points, from their own frames on.

        Raises:
            ValueError: if a query names a frame before the last one pushed, or an id in use.
        """
        early = queries.frames < self._index
        if np.any(early):
            msg = (
                f"query frame {int(queries.frames[early][0])} has passed; the earliest frame "
                f"that points can be added in is {self._index}"
            )
            raise ValueError(msg)
        known = np.isin(queries.ids, self._points.ids)
        if np.any(known) or len(np.unique(queries.ids)) < len(queries):
            msg = f"point ids must be new and unique; got {queries.ids.tolist()}"
            raise ValueError(msg)
        self._points = self._points.then(PointStore.waiting(queries, self._settings.patch))
        if self._image is not None:
            self._start_due(self._image)

    def remove(self, ids: Sequence[int]) -> None:
        """Stop following these points; unknown ids are ignored."""
        dropped = np.isin(self._points.ids, np.asarray(ids, np.int64))
        self._points = self._points.take(~dropped)

    def push(self, frame: Frame) -> list[TrackedPoints]:
        """Take the next frame and return its points at once.

        Raises:
            ValueError: if the frame's index does not rise or its size differs from the video's.
        """
        self._check(frame)
        if self._image is not None:
            self._follow_visible(self._image, frame.image)
            self._search_hidden(frame.image)
        self._index, self._image = frame.index, frame.image
        self._start_due(frame.image)
        return [self._tracked()]

    def flush(self) -> list[TrackedPoints]:
        """End of the video; nothing is open."""
        return []

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays."""
        image = np.zeros((0, 0, 3), np.uint8) if self._image is None else self._image
        points = prefixed("points", self._points.to_arrays())
        return {**points, "index": np.array(self._index), "image": image.copy()}

    def restore(self, arrays: Arrays) -> None:
        """Continue from what `snapshot` returned, with the same results to the last bit."""
        self._points = PointStore.from_arrays(nested("points", arrays))
        self._index = int(arrays["index"])
        image = np.array(arrays["image"], np.uint8)
        self._image = image if image.size else None

    def _check(self, frame: Frame) -> None:
        if frame.index <= self._index:
            msg = f"frame {frame.index} came after frame {self._index}; push frames in order"
            raise ValueError(msg)
        if frame.size != self._size:
            msg = f"frame {frame.index} is {frame.size} pixels; this video is {self._size}"
            raise ValueError(msg)

    def _start_due(self, image: Image) -> None:
        """Begin the points whose frame has come (or was skipped by the source)."""
        points = self._points
        due = np.flatnonzero(~points.started & (points.frames <= self._index))
        if not len(due):
            return
        patches = cut_patches(image, points.xy[due], self._settings.patch)
        points.anchor[due] = patches
        points.recent[due] = patches
        points.started[due] = True
        points.visible[due] = self._inside(points.xy[due])
        points.confidence[due] = points.visible[due]

    def _follow_visible(self, before: Image, now: Image) -> None:
        """Move the visible points along the flow and judge whether they can still be seen."""
        settings, points = self._settings, self._points
        rows = np.flatnonzero(points.visible)
        if not len(rows):
            return
        old = points.xy[rows]
        new, error = follow(grey_of(before), grey_of(now), old, settings)
        patches = cut_patches(now, new, settings.patch)
        recent = patch_similarity(patches, points.recent[rows])
        alike = np.maximum(recent, patch_similarity(patches, points.anchor[rows]))
        seen = (error <= settings.return_error) & (alike >= settings.min_similarity)
        seen &= self._inside(new)
        keep = settings.velocity_memory
        moved = keep * points.velocity[rows] + (1 - keep) * (new - old)
        points.velocity[rows] = np.where(seen[:, None], moved, points.velocity[rows])
        points.xy[rows] = np.where(seen[:, None], new, old)
        points.visible[rows] = seen
        points.unseen[rows] = 0
        sure = np.clip(alike, 0, 1) * np.exp(-error / settings.return_error)
        points.confidence[rows] = np.where(seen, sure, 0)
        self._learn(rows, patches, seen & (alike >= settings.sure_similarity))

    def _learn(
        self, rows: NDArray[np.intp], patches: NDArray[np.float32], sure: NDArray[np.bool_]
    ) -> None:
        """Let the recent patches follow slow changes of appearance."""
        rate = self._settings.learning_rate
        recent = self._points.recent
        recent[rows[sure]] += rate * (patches[sure] - recent[rows[sure]])

    def _search_hidden(self, now: Image) -> None:
        """Carry hidden points along and look for each around its predicted place."""
        settings, points = self._settings, self._points
        rows = np.flatnonzero(points.started & ~points.visible)
        points.xy[rows] += points.velocity[rows]
        points.velocity[rows] *= settings.velocity_decay
        points.unseen[rows] += 1
        for row in rows:
            found = self._find(now, int(row))
            if found is not None:
                points.xy[row], points.confidence[row] = found
                points.visible[row] = True

    def _find(self, now: Image, row: int) -> tuple[NDArray[np.float32], float] | None:
        settings, points = self._settings, self._points
        radius = settings.search_radius + settings.search_growth * int(points.unseen[row] - 1)
        radius = min(radius, settings.search_limit)
        # A point that went on beyond the edge can only come back across it.
        centre = np.clip(points.xy[row], 0, np.array(self._size, np.float32) - 1)
        best: tuple[NDArray[np.float32], float] | None = None
        for patch in (points.anchor[row], points.recent[row]):
            if patch.std(axis=(0, 1)).max() < settings.found_contrast:
                continue
            found = find_patch(now, patch, centre, radius)
            if found and found[1] >= max(settings.found_correlation, best[1] if best else 0):
                best = found
        return best if best and self._inside(best[0][None])[0] else None

    def _inside(self, xy: NDArray[np.float32]) -> NDArray[np.bool_]:
        width, height = self._size
        low, high = -0.5, np.array([width - 0.5, height - 0.5])
        return np.asarray(np.all((xy >= low) & (xy <= high), axis=1), np.bool_)

    def _tracked(self) -> TrackedPoints:
        points = self._points
        live = points.started
        return TrackedPoints(
            frame_index=self._index,
            ids=points.ids[live],
            xy=points.xy[live],
            visible=points.visible[live],
            confidence=points.confidence[live],
        )


def grey_of(image: Image) -> GreyFrame:
    """Return the (H, W) uint8 brightness of an RGB picture."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def follow(
    before: GreyFrame, now: GreyFrame, xy: NDArray[np.float32], settings: LucasKanadeSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Follow points from one picture to the next, and back again.

    Args:
        before: (H, W) uint8, the picture that the points lie in.
        now: (H, W) uint8, the next picture.
        xy: (N, 2) float32, x then y in pixels, N > 0.
        settings: window, pyramid and end of the fit.

    Returns:
        (N, 2) float32 places in `now`, and (N,) float32: by how many pixels the way back misses.
    """
    forward = _flow(before, now, xy, settings)
    back = _flow(now, before, forward, settings)
    return forward, np.asarray(np.linalg.norm(back - xy, axis=1), np.float32)


def _flow(
    before: GreyFrame, now: GreyFrame, xy: NDArray[np.float32], settings: LucasKanadeSettings
) -> NDArray[np.float32]:
    # The status is not asked for: on flat ground it is 0 although the coarser levels, which see
    # more of the object, have given a usable place; the way back tells good from bad.
    starts = np.ascontiguousarray(xy[:, None])
    ends, _, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        starts,
        starts.copy(),
        winSize=(settings.window, settings.window),
        maxLevel=settings.levels,
        criteria=(
            cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS,
            settings.iterations,
            settings.precision,
        ),
    )
    return np.asarray(ends[:, 0], np.float32)
