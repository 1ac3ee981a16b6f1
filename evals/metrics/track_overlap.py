"""How much tracks overlap in space and time: exact, and only where it can matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .mask_runs import TrackRuns


class TruthTracks:
    """The true tracks of one video, made ready to be compared with many predictions.

    Args:
        tracks: G tracks of one video, of T frames each.

    Raises:
        UsageError: if they differ in their numbers of frames.
    """

    def __init__(self, tracks: Sequence[TrackRuns]) -> None:
        frames = {len(track.areas) for track in tracks}
        if len(frames) > 1:
            msg = f"tracks of {sorted(frames)} frames cannot be of one video"
            raise UsageError(msg)
        length = frames.pop() if frames else 0
        self.frames = length
        self._areas = _stacked([track.areas for track in tracks], (length,))
        self._boxes = _stacked([track.boxes for track in tracks], (length, 4))
        self._steps = [_steps(track) for track in tracks]

    def __len__(self) -> int:
        """Return G, the number of tracks."""
        return len(self._steps)

    def overlaps(self, prediction: TrackRuns, least: float = 0.0) -> NDArray[np.float64]:
        """Return the overlap of one predicted track with each true one.

        The overlap is the number of pixels that both have, summed over the frames, divided by the
        number that at least one has (Yang et al., Video Instance Segmentation, ICCV 2019,
        equation 4); 0 where neither has any.

        Args:
            prediction: of the same video.
            least: overlaps that areas and boxes already show to be less than this are given as 0,
                which saves most of the work: a score looks at none below its lowest threshold.

        Returns:
            (G,) float64 in [0, 1].

        Raises:
            UsageError: if the prediction has another number of frames.
        """
        overlaps = np.zeros(len(self), np.float64)
        if not len(self):
            return overlaps
        if len(prediction.areas) != self.frames:
            msg = f"a track of {len(prediction.areas)} frames is compared with {self.frames}"
            raise UsageError(msg)
        # Frames where only one of both is there add to the union, so sums over all frames will do.
        total = self._areas.sum(axis=1) + prediction.areas.sum()
        bounds = _ratio(self._shared_at_most(prediction), total)
        # Most pairs share too little to matter, which boxes and areas show at once.
        for index in np.flatnonzero((bounds > 0) & (bounds >= least)):
            shared = _shared(prediction, *self._steps[index])
            overlaps[index] = shared / (int(total[index]) - shared)
        return overlaps

    def _shared_at_most(self, prediction: TrackRuns) -> NDArray[np.int64]:
        """Return (G,) what areas and boxes allow two tracks to share, in pixels."""
        corner = np.maximum(self._boxes[..., :2], prediction.boxes[:, :2])
        opposite = np.minimum(self._boxes[..., 2:], prediction.boxes[:, 2:])
        room = np.maximum(opposite - corner, 0).prod(axis=-1)
        # Frame by frame: what two tracks have in different frames they do not share.
        areas = np.minimum(self._areas, prediction.areas)
        shared: NDArray[np.int64] = np.minimum(areas, room).sum(axis=1)
        return shared


def _stacked(arrays: list[NDArray[np.int64]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.stack(arrays) if arrays else np.zeros((0, *shape), np.int64)


def _ratio(shared: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.float64]:
    # Where something is shared, the union is not empty. Division rounds monotonically, so a bound
    # below a threshold in float64 stays a bound below it.
    return np.where(shared > 0, shared / np.maximum(total - shared, 1), 0.0)


def _steps(track: TrackRuns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the curve "pixels of the track before a place on the line"."""
    places = np.empty(2 * len(track.starts), np.float64)
    places[0::2], places[1::2] = track.starts, track.ends
    counted = np.empty(len(places), np.float64)
    counted[0::2], counted[1::2] = track.covered[:-1], track.covered[1:]
    return places, counted


def _shared(track: TrackRuns, places: NDArray[np.float64], counted: NDArray[np.float64]) -> int:
    """Return the pixels of a track that lie under another, given by its curve.

    Between its corners the curve has slope 0 or 1, so that whole numbers stay exact.
    """
    low = np.interp(track.starts, places, counted)
    high = np.interp(track.ends, places, counted)
    return int((high - low).sum())
