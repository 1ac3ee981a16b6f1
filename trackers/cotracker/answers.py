"""From what a window found to the points of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from rvsam_video.trackers.base import TrackedPoints
from rvsam_video.trackers.cotracker.geometry import Geometry
from rvsam_video.trackers.cotracker.group_points import GroupPoints
from rvsam_video.trackers.cotracker.query_group import QueryGroup
from rvsam_video.trackers.cotracker.settings import CoTrackerSettings


class Answers:
    """The points of all groups in some frames of the window that ran last.

    Args:
        groups: the groups of the video.
        places: the frames, counted from the first of the window.
        stride: pixels of the network's pictures per cell.
        geometry: from those pixels to the frame's.
    """

    def __init__(
        self, groups: Sequence[QueryGroup], places: slice, stride: int, geometry: Geometry
    ) -> None:
        points, xy, scores = GroupPoints.empty(), [], []
        count = places.stop - places.start
        for group in groups:
            if group.end_xy is None or group.end_logits is None:
                continue
            found = (group.points.joined >= 0) & ~group.points.support
            rows = torch.from_numpy(found).to(group.end_xy.device)
            points = points.joined_by(group.points.only(found))
            xy.append(group.end_xy[rows, places].cpu().numpy() * np.float32(stride))
            # Visibility; in version 3 times confidence.
            logits = group.end_logits[rows, places]
            scores.append(torch.sigmoid(logits).prod(-1).cpu().numpy())
        order = np.argsort(points.order)
        self._points = points.only(order)
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
        live = self._points.frames <= number
        points, xy, scores = (
            self._points.only(live),
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
