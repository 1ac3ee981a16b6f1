"""`ClipPredictor`: points through a whole clip exactly as the public CoTracker predictors do it.

Follows `CoTrackerPredictor` and `CoTrackerOnlinePredictor` of `cotracker/predictor.py` in the
public repository (version 1: tag v1.0; versions 2 and 3: release 3.0), with what is peculiar to
them. For long videos, live sources and anything that need not be compared, use `CoTracker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ...frame import Image
from ...tables import Table, column
from .geometry import FrameGeometry
from .grids import points_on_mask, regular_grid
from .network import EncodedFrame, Inference
from .query_group import GroupPoints
from .sliding_window import SlidingWindow


@dataclass(frozen=True, slots=True, eq=False)
class NetworkTracks:
    """What a network says of N points in T frames.

    Frames before the first window that a point takes part in hold places of exactly 0 and
    probabilities of exactly 0.5; frames of that window before its query frame hold guesses.

    Attributes:
        xy: (T, N, 2) float32, x then y in pixels of the network's pictures.
        probabilities: (T, N, K) float32: visibility and, in version 3, confidence.
    """

    xy: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def reversed(self) -> NetworkTracks:
        """Return the same with the last frame first."""
        return NetworkTracks(self.xy[::-1], self.probabilities[::-1])


class ClipRecord:
    """Collects the answers of all windows of a video for one query group.

    Args:
        window: the windows of the video.
        name: the group.
    """

    def __init__(self, window: SlidingWindow, name: int = 0) -> None:
        self._window = window
        self._group = window.group(name)
        self._xy: list[NDArray[np.float32]] = []
        self._logits: list[NDArray[np.float32]] = []

    def update(self) -> None:
        """Write down the window that was run last, over what its overlap said before."""
        group, window = self._group, self._window
        network = window.inference.network
        count, start = len(group.points), window.start or 0
        while len(self._xy) < window.end:
            self._xy.append(np.zeros((count, 2), np.float32))
            self._logits.append(np.zeros((count, network.logit_channels), np.float32))
        # No point takes part yet: places stay exactly 0, which the backward pass looks for.
        if group.end_xy is None or group.end_logits is None:
            return
        rows = group.rows
        xy, logits = group.end_xy.cpu().numpy(), group.end_logits.cpu().numpy()
        for place in range(window.end - start):
            # The later window has seen more of the future, so it has the last word on the overlap.
            self._xy[start + place][rows] = xy[rows, place] * network.stride
            self._logits[start + place][rows] = logits[rows, place]

    def tracks(self) -> NetworkTracks:
        """Return what is known of all frames so far."""
        logits = torch.from_numpy(np.stack(self._logits))
        return NetworkTracks(np.stack(self._xy), torch.sigmoid(logits).numpy())


def track_clip(
    inference: Inference,
    frames: Iterable[EncodedFrame],
    query_frames: NDArray[np.int64],
    xy: NDArray[np.float32],
    *,
    iterations: int = 6,
) -> NetworkTracks:
    """Follow points through a clip, as the public models do when given a whole clip.

    Windows carry over from one to the next, but for version 3 offline, which looks at all frames
    at once. A clip of no more frames than the step of the windows has no window: all places are 0
    and all probabilities 0.5.

    Args:
        inference: the network.
        frames: the clip, at least one frame; an iterator keeps memory bounded by the window.
        query_frames: (N,) int64, frames in which the queries hold.
        xy: (N, 2) float32, x then y in pixels of the network's pictures.
        iterations: refinements of each window.
    """
    network = inference.network
    window = SlidingWindow(inference, iterations=iterations, whole=not network.pads)
    record = ClipRecord(window)
    window.group(0).add(
        GroupPoints.create(
            ids=np.arange(len(xy)),
            order=0,
            indices=query_frames,
            frames=query_frames,
            given=xy,
            cells=np.asarray(xy, np.float32) / np.float32(network.stride),
        )
    )
    for frame in frames:
        if window.push(frame):
            record.update()
    # Before `finish`, which would run a padded window: the public loop over windows is empty here.
    if network.pads and window.count <= network.step:
        return _no_window(window.count, len(xy), network.logit_channels)
    if window.finish():
        record.update()
    return record.tracks()


def _no_window(frames: int, points: int, channels: int) -> NetworkTracks:
    xy = np.zeros((frames, points, 2), np.float32)
    return NetworkTracks(xy, np.full((frames, points, channels), 0.5, np.float32))


SUPPORT_POINTS = 6
"""Points on each side of the support grid, always in the first frame."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipTracks:
    """N points in T frames.

    Attributes:
        xy: (T, N, 2) float32, x then y in pixels of the frames.
        visible: (T, N) bool.
    """

    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PredictorRules:
    """What becomes of the network's answers.

    Attributes:
        threshold: a point is visible above this probability.
        use_confidence: multiply the visibility by the confidence, which version 3 has.
        pin_query: in its query frame a point is at its query place, and visible.
    """

    threshold: float
    use_confidence: bool
    pin_query: bool


# The public code has both rules for version 3, though they say different things of one network.
WHOLE_CLIP = PredictorRules(threshold=0.9, use_confidence=False, pin_query=True)
"""The rules of `CoTrackerPredictor`."""

ONLINE = PredictorRules(threshold=0.6, use_confidence=True, pin_query=False)
"""The rules of `CoTrackerOnlinePredictor`, whose windows are those of the whole clip."""


@dataclass(frozen=True, slots=True, eq=False)
class _Queries(Table):
    """Query frames (N,) int64, and places (N, 2) in pixels of the network's pictures."""

    frames: NDArray[np.int64] = field(metadata=column(np.int64))
    xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))


class ClipPredictor:
    """Follows points through clips with one network.

    Args:
        inference: the network.
        rules: what becomes of its answers.
        network_size: (width, height) in pixels that frames are resized to.
        iterations: refinements of each window.
    """

    def __init__(
        self,
        inference: Inference,
        rules: PredictorRules = WHOLE_CLIP,
        *,
        network_size: tuple[int, int] = (512, 384),
        iterations: int = 6,
    ) -> None:
        self._inference = inference
        self._rules = rules
        self._size = network_size
        self._iterations = iterations
        # Versions 2 and 3 share their conventions, version 1 has its own.
        self._first_version = not inference.network.aligned_corners

    def track(
        self,
        images: Sequence[Image] | NDArray[np.uint8],
        queries: ArrayLike,
        *,
        backward: bool = False,
        support: bool = True,
    ) -> ClipTracks:
        """Follow given points.

        Args:
            images: T frames, (H, W, 3) uint8.
            queries: (N, 3) frame number, x, y in pixels of the frames.
            backward: follow the points to the frames before their query, too.
            support: steady them with 6 x 6 points in the first frame.
        """
        geometry = self._geometry(images)
        rows = np.asarray(queries, np.float32).reshape(-1, 3)
        points = _Queries(rows[:, 0].astype(np.int64), geometry.to_network(rows[:, 1:]))
        frames = self._frames(images, geometry)
        return self._predict(frames, geometry, points, backward=backward, support=support)

    def track_grid(
        self,
        images: Sequence[Image] | NDArray[np.uint8],
        count: int,
        *,
        frame: int = 0,
        mask: NDArray[np.bool_] | None = None,
        backward: bool = False,
        support: bool | None = None,
    ) -> ClipTracks:
        """Follow a regular grid of points.

        Args:
            images: T frames, (H, W, 3) uint8.
            count: points on each side.
            frame: the frame they are in.
            mask: (H, W) bool, keep only the points on it.
            backward: follow the points to the frames before their query, too.
            support: add the support grid; by default only with a mask.
        """
        geometry = self._geometry(images)
        xy = regular_grid(count, self._size, whole_margin=self._first_version)
        if mask is not None:
            xy = xy[points_on_mask(xy, mask, self._size)]
        points = _Queries(np.full(len(xy), frame, np.int64), xy)
        chosen = mask is not None if support is None else support
        frames = self._frames(images, geometry)
        return self._predict(frames, geometry, points, backward=backward, support=chosen)

    def track_dense(
        self,
        images: Sequence[Image] | NDArray[np.uint8],
        *,
        frame: int = 0,
        backward: bool = False,
    ) -> ClipTracks:
        """Follow points all over a frame, a shifted grid at a time; each frame is encoded once.

        The points come grid by grid. In versions 2 and 3 a grid has 80 points from left to right
        (fewer if the width is no multiple), in version 1 30.

        Args:
            images: T frames, (H, W, 3) uint8, at least as wide as a grid has points.
            frame: the frame they are in.
            backward: follow the points to the frames before it, too.
        """
        geometry = self._geometry(images)
        width, height = geometry.frame_size
        # The public grid sizes of the two releases.
        step = width // (30 if self._first_version else 80)
        # Kept with their features: the public code encodes the clip anew for each of step * step
        # grids.
        frames = list(self._frames(images, geometry))
        parts = []
        for shift in range(step * step):
            x = np.arange(width // step) * step + shift % step
            y = np.arange(height // step) * step + shift // step
            xy = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
            points = _Queries(np.full(len(xy), frame, np.int64), geometry.to_network(xy))
            parts.append(self._predict(frames, geometry, points, backward=backward, support=False))
        return ClipTracks(
            np.concatenate([part.xy for part in parts], 1),
            np.concatenate([part.visible for part in parts], 1),
        )

    def _geometry(self, images: Sequence[Image] | NDArray[np.uint8]) -> FrameGeometry:
        height, width = images[0].shape[:2]
        return FrameGeometry((width, height), self._size, self._inference.network.aligned_corners)

    def _frames(self, images: Iterable[Image], geometry: FrameGeometry) -> Iterable[EncodedFrame]:
        device = self._inference.device
        for image in images:
            yield EncodedFrame(self._inference, geometry.picture(image, device))

    def _predict(
        self,
        frames: Iterable[EncodedFrame],
        geometry: FrameGeometry,
        points: _Queries,
        *,
        backward: bool,
        support: bool,
    ) -> ClipTracks:
        count = len(points.frames)
        if support:
            xy = regular_grid(SUPPORT_POINTS, self._size, whole_margin=self._first_version)
            points = points.then(_Queries(np.zeros(len(xy), np.int64), xy))
        if backward:
            # Kept, so that the way back finds the features of the way there.
            frames = list(frames)
            tracks = self._both_ways(frames, points)
        else:
            tracks = self._track(frames, points)
        return self._answer(tracks, points, count, geometry)

    def _track(self, frames: Iterable[EncodedFrame], points: _Queries) -> NetworkTracks:
        return track_clip(
            self._inference, frames, points.frames, points.xy, iterations=self._iterations
        )

    def _both_ways(self, frames: Sequence[EncodedFrame], points: _Queries) -> NetworkTracks:
        """Follow points forward, and backward where that has not reached."""
        last = len(frames) - 1
        ahead = self._track(frames, points)
        # Support points are mirrored with the rest: on the way back they start in the clip's last
        # frame.
        mirrored = _Queries(last - points.frames, points.xy)
        back = self._track(frames[::-1], mirrored).reversed()
        if self._first_version:
            return filled(ahead, back)
        before = np.arange(last + 1)[:, None, None] < points.frames[:, None]
        return NetworkTracks(
            np.where(before, back.xy, ahead.xy),
            np.where(before, back.probabilities, ahead.probabilities),
        )

    def _answer(
        self, tracks: NetworkTracks, points: _Queries, count: int, geometry: FrameGeometry
    ) -> ClipTracks:
        rules = self._rules
        xy, chances = tracks.xy[:, :count], tracks.probabilities[:, :count]
        scores = chances.prod(-1) if rules.use_confidence else chances[..., 0]
        xy, visible = xy.copy(), scores > rules.threshold
        if rules.pin_query:
            # A query after the end of the clip has no frame to be pinned in.
            rows = np.flatnonzero(points.frames[:count] < len(xy))
            xy[points.frames[rows], rows] = points.xy[rows]
            visible[points.frames[rows], rows] = True
        return ClipTracks(geometry.to_frame(xy), visible)


def filled(ahead: NetworkTracks, back: NetworkTracks) -> NetworkTracks:
    """Replace what the forward pass of version 1 left at exactly 0 by the backward pass.

    Each coordinate by itself, and the visibility where x is 0: these are the frames before the
    first window of a point, while those between there and its query frame keep their guesses.
    """
    # Exactly 0, not a threshold: frames that no window has written to hold nothing else.
    missing = ahead.xy == 0
    return NetworkTracks(
        np.where(missing, back.xy, ahead.xy),
        np.where(missing[..., :1], back.probabilities, ahead.probabilities),
    )
