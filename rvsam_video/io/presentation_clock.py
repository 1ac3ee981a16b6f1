"""Time stamps for a video file, from whatever times a source gives."""

from __future__ import annotations

import math

TICKS_PER_SECOND = 90_000
"""Time base of videos written: a multiple of the common frame rates, as in MPEG systems."""

_MILLISECOND = TICKS_PER_SECOND // 1000

_LONGEST_LEAD = 10 * TICKS_PER_SECOND
"""A first frame further from zero than this comes from the clock of a camera or a broadcast."""

_LONGEST_FALL = 10 * TICKS_PER_SECOND
"""Times that fall further than this come from a clock that was set, or a stream that restarted."""

_LONGEST_GAP = 12 * 3600 * TICKS_PER_SECOND
"""MP4 counts the ticks between two frames in 32 bits, which is 13 hours."""


class PresentationClock:
    """Turns a source's times into ticks that rise strictly, as a video file needs them.

    Times are kept as they are, with three exceptions. A clock that starts far from zero is taken
    to start at zero. A clock that leaps, ahead by half a day or back by more than ten seconds, is
    taken to go on from where it was. A time that merely does not rise, or is no number, comes one
    millisecond after the one before.

    Args:
        origin: ticks of the source taken for zero, of an earlier clock to go on from.
        last: ticks of the last frame of that clock; -1 if there was none.
    """

    def __init__(self, origin: int = 0, last: int = -1) -> None:
        self.origin = origin
        self.last = last

    def ticks(self, seconds: float) -> int:
        """Return the time stamp of the next frame.

        Args:
            seconds: the frame's time; anything, even not a number, is taken.
        """
        exact = seconds * TICKS_PER_SECOND
        following = self.last + _MILLISECOND
        source = round(exact) if math.isfinite(exact) else self.origin + following
        if self.last < 0:
            self.origin = 0 if 0 <= source <= _LONGEST_LEAD else source
        elif not -_LONGEST_FALL <= source - self.origin - self.last <= _LONGEST_GAP:
            self.origin = source - following
        ticks = source - self.origin
        self.last = ticks if ticks > self.last else following
        return self.last
