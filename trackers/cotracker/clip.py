"""Points through a whole clip by the sliding window: the network's own answers, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rvsam_video.trackers.cotracker.group_points import GroupPoints
from rvsam_video.trackers.cotracker.inference import EncodedFrame, Inference
from rvsam_video.trackers.cotracker.sliding_window import SlidingWindow


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
        if group.end_xy is None or group.end_logits is None:
            return
        rows = group.rows
        xy, logits = group.end_xy.cpu().numpy(), group.end_logits.cpu().numpy()
        for place in range(window.end - start):
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
    if network.pads and window.count <= network.step:
        return _no_window(window.count, len(xy), network.logit_channels)
    if window.finish():
        record.update()
    return record.tracks()


def _no_window(frames: int, points: int, channels: int) -> NetworkTracks:
    xy = np.zeros((frames, points, 2), np.float32)
    return NetworkTracks(xy, np.full((frames, points, channels), 0.5, np.float32))
