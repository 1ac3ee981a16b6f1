"""CoTracker 1 as SAM-PT uses it (Rajic et al., "Segment Anything Meets Point Tracking", 2023).

Follows `sam_pt/point_tracker/cotracker/tracker.py` of the public repository: frames squeezed to
512 x 384 whatever their shape, 2 x 2 support points every 12 frames, both directions in time, and
no special treatment of the query frame, where a point may have moved or be hidden.

`sam_pt_settings` makes the streaming tracker do the same forward in time: from the window on in
which a point starts, its results are those of SAM-PT. `track_both_ways` follows points to the
frames before their query, too; it needs the whole clip, but only a window of it at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...frame import Image
from ..base import FramesFactory, QueryPoints, TrackedPoints
from ..frames_on_demand import FramesOnDemand
from .geometry import FrameGeometry
from .grids import SupportGrid, regular_grid
from .network import EncodedFrame, Inference
from .predictor import ClipTracks, NetworkTracks, filled, track_clip
from .tracker import CoTracker
from .variants import CoTrackerSettings

EXACT_FRAMES = 300
"""Support grids are kept this long by default: longer than the clips of DAVIS and UVO."""

# SAM-PT's configuration of CoTracker, as are the 0.7 and the size below.
_SUPPORT = SupportGrid(2, every=12)


def sam_pt_settings(
    *, network_size: tuple[int, int] | None = (512, 384), keep: int | None = None
) -> CoTrackerSettings:
    """Return the settings with which the streaming tracker does what SAM-PT does.

    Args:
        network_size: (width, height) in pixels that frames are squeezed to.
        keep: support grids that stay; by default those of the last `EXACT_FRAMES` frames. SAM-PT
            keeps all, which would let the work per frame grow with the video.
    """
    every = _SUPPORT.every or 1
    grids = EXACT_FRAMES // every if keep is None else keep
    return CoTrackerSettings(
        network_size=network_size,
        visibility_threshold=0.7,
        pin_query=False,
        # Bounded here, for videos of any length; `track_both_ways` keeps all, as SAM-PT does.
        support=SupportGrid(_SUPPORT.count, every=every, keep=grids),
        fill_short=True,
    )


def track_both_ways(
    inference: Inference,
    images: Sequence[Image] | NDArray[np.uint8],
    queries: ArrayLike,
    *,
    network_size: tuple[int, int] | None = (512, 384),
    iterations: int = 6,
    threshold: float = 0.7,
) -> ClipTracks:
    """Follow the points of one group of objects through a clip, from their query both ways.

    The clip is read once forward and, if some frame lies before a point's first window, once
    more from its end; no more frames and features are held than a window needs.

    Args:
        inference: a network of version 1.
        images: T frames, (H, W, 3) uint8; any sequence, which may read its frames when asked.
        queries: (N, 3) frame number, x, y in pixels of the frames.
        network_size: (width, height) in pixels that frames are squeezed to; None: as they are.
        iterations: refinements of each window.
        threshold: a point is visible above this probability.
    """
    rows = np.asarray(queries, np.float32).reshape(-1, 3)
    height, width = images[0].shape[:2]
    size = network_size or (width, height)
    geometry = FrameGeometry((width, height), size, inference.network.aligned_corners)
    numbers = rows[:, 0].astype(np.int64)
    # One grid a group, after its real points: the order that the public wrapper has.
    support_numbers, support = _support(len(images), size)
    numbers = np.concatenate([numbers, support_numbers])
    xy = np.concatenate([geometry.to_network(rows[:, 1:]), support])

    def one_way(order: Sequence[int], frames: NDArray[np.int64]) -> NetworkTracks:
        pictures = _encoded(inference, geometry, images, order)
        tracks = track_clip(inference, pictures, frames, xy, iterations=iterations)
        real, count = slice(len(rows)), len(images)
        # Without support points and without the repeats of the last frame.
        return NetworkTracks(tracks.xy[:count, real], tracks.probabilities[:count, real])

    last = len(images) - 1
    tracks = one_way(range(last + 1), numbers)
    # Only frames before a point's first window are left at exactly 0. For queries in the first
    # window there are none, and the public code's second pass changes nothing.
    if np.any(tracks.xy == 0):
        back = one_way(range(last, -1, -1), last - numbers)
        tracks = filled(tracks, back.reversed())
    return ClipTracks(geometry.to_frame(tracks.xy), tracks.probabilities[..., 0] > threshold)


def _support(count: int, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return frame numbers and places, in network pixels, of the support points of a clip."""
    grid = regular_grid(_SUPPORT.count, size, whole_margin=True)
    frames = np.array([frame for frame in range(count) if _SUPPORT.due(frame)], np.int64)
    return np.repeat(frames, len(grid)), np.tile(grid, (len(frames), 1))


def _encoded(
    inference: Inference,
    geometry: FrameGeometry,
    images: Sequence[Image] | NDArray[np.uint8],
    order: Sequence[int],
) -> Iterable[EncodedFrame]:
    """Yield the frames in this order; a clip shorter than a window repeats the last of them."""
    frame = None
    for number in order:
        # The same object again below: it is encoded once, however often it is repeated.
        frame = EncodedFrame(inference, geometry.picture(images[number], inference.device))
        yield frame
    if frame is not None:
        for _ in range(inference.network.window - len(order)):
            yield frame


class BothWays:
    """Follows points forward, and backward to the frames before their own.

    Args:
        tracker: a CoTracker of version 1; its settings are not used, SAM-PT has its own.

    Attributes:
        name: that of the tracker.
    """

    def __init__(self, tracker: CoTracker) -> None:
        self.name = tracker.name
        self._inference = tracker.inference

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
        """Follow points through all frames; see `ClipTracker`.

        Raises:
            ValueError: if a query names a frame that the clip does not have.
        """
        images = FramesOnDemand(frames)
        # The network counts frames from 0; the source may not.
        positions = np.searchsorted(images.indices, queries.frames)
        known = np.isin(queries.frames, images.indices)
        if not np.all(known):
            msg = f"there is no frame {int(queries.frames[~known][0])} in the clip"
            raise ValueError(msg)
        rows = np.column_stack([positions, queries.xy])
        tracks = track_both_ways(self._inference, images, rows)
        for index, xy, visible in zip(images.indices, tracks.xy, tracks.visible, strict=True):
            # SAM-PT passes on no probabilities: the confidence is 0 or 1.
            yield TrackedPoints(index, queries.ids, xy, visible, visible.astype(np.float32))
