"""Times that rise from frame to frame, whatever the file says."""

from __future__ import annotations

DEFAULT_RATE = 25.0
"""Frames per second where nothing states it: what FFmpeg assumes for pictures without a clock."""


class RisingClock:
    """Passes the file's own times on, and fills in those that are missing or do not rise.

    A missing time comes one frame interval after the one before. So does one that does not rise,
    as after two recordings were joined whose clocks both start at zero; true times that lie
    further ahead take over again.

    Args:
        rate: nominal frames per second, for the interval; 0 means unknown.

    Attributes:
        interval: seconds from frame to frame, as far as it is known.
        last: time of the newest frame in seconds, or None.
    """

    def __init__(self, rate: float) -> None:
        self.interval = 1.0 / (rate or DEFAULT_RATE)
        self.last: float | None = None

    def next(self) -> float:
        """Return when the frame after the newest one is due, in seconds."""
        return 0.0 if self.last is None else self.last + self.interval

    def read(self, time: float | None) -> float:
        """Return the time of the next frame in seconds."""
        if self.last is None:
            self.last = 0.0 if time is None else time
        elif time is None or time <= self.last:
            self.last = self.next()
        else:
            self.last = time
        return self.last
