"""`CoTrackerSettings`: how the streaming tracker uses a CoTracker network."""

from __future__ import annotations

from dataclasses import dataclass

from rvsam_video.trackers.cotracker.grids import SupportGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class CoTrackerSettings:
    """What is left to choose once the network is there.

    Attributes:
        network_size: (width, height) in pixels that frames are resized to, whatever their shape;
            None leaves them as they are. The networks were trained at 512 x 384.
        iterations: refinements of each window; 6 in all public predictors.
        visibility_threshold: a point is visible above this. The score is the visibility, in
            version 3 times the confidence. 0.6 is the public choice for streaming.
        pin_query: in its own frame a point is where it was put, and visible, whatever the
            network says.
        leave_out_waiting: keep points out of windows that end before their query frame. Version
            1 always does. The public code of versions 2 and 3 lets them take part, so that a
            point may touch the others before it is there.
        support: points added to every group to steady it; None for none.
        fill_short: treat a video shorter than a window as if its last frame had been filmed
            until the window is full, as SAM-PT does.
        whole_video: one window over the whole video, answered at its end; only for version 3
            offline. Memory then grows with the video.
    """

    network_size: tuple[int, int] | None = (512, 384)
    iterations: int = 6
    visibility_threshold: float = 0.6
    pin_query: bool = True
    leave_out_waiting: bool = False
    support: SupportGrid | None = None
    fill_short: bool = False
    whole_video: bool = False
