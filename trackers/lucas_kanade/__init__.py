"""`LucasKanade`: a point tracker without weights, on pyramidal optical flow.

In come frames and query points; out come places, visibility and confidence, frame by frame.
"""

from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade

__all__ = ["LucasKanade"]
