"""`Feed`: the frames of a run as they come, read ahead, with the time at which each was there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rvsam_video.closing import ClosesItself
from rvsam_video.frame import Frame
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sources import prefetch
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.prefetching import DECODE_AHEAD, Prefetch


class Feed(ClosesItself):
    """Reads a source ahead in a thread, and can be set back.

    Args:
        options: how to open the source, and which of its frames count.

    Attributes:
        source: as it is open now.

    Raises:
        SourceError: if it cannot be read.
    """

    def __init__(self, options: CommonOptions) -> None:
        self._options = options
        self.source = options.open()
        self._frames: Prefetch[tuple[float, Frame]] | None = None
        self._arrived: dict[int, float] = {}
        self._dropped = 0
        # The frame that the source was opened at.
        self._stands = 0

    @property
    def expected(self) -> int | None:
        """How many frames there will be; None if nobody knows."""
        total, limit = self.source.frame_count, self._options.max_frames
        if limit is None:
            return total
        return limit if total is None else min(limit, total)

    @property
    def dropped(self) -> int:
        """Frames that came faster than they were taken."""
        return self._dropped + (0 if self._frames is None else self._frames.dropped)

    def wait(self, give_up: Callable[[], bool]) -> bool:
        """Wait until the next frame, or the end, is there.

        Args:
            give_up: asked a few times a second; a camera may be silent for a minute.

        Returns:
            False if waiting was given up.
        """
        frames = self._frames or self._start()
        # Asked first while nothing is there: what is there is taken whatever was asked.
        while not frames.ready():
            if give_up():
                return False
        return True

    def next(self) -> Frame | None:
        """Return the next frame that counts, waiting for it if need be; None after the last.

        Raises:
            SourceError: if the source is lost.
        """
        # Started with the first frame: a run that fails before it leaves no thread.
        item = next(self._frames or self._start(), None)
        limit = self._options.max_frames
        # By index and not by count: frames that could not be read are missing, but have numbers.
        if item is None or (limit is not None and item[1].index >= limit):
            return None
        arrived, frame = item
        self._arrived[frame.index] = arrived
        return frame

    def age(self, index: int) -> float | None:
        """Return the seconds since a frame was there; asked once for each.

        None for one that came before a kill, and waited in the session's state.
        """
        # Taken out: what stays is bounded by the lookahead.
        arrived = self._arrived.pop(index, None)
        return None if arrived is None else time.monotonic() - arrived

    def stand_at(self, start: int) -> None:
        """Make the frame of this index the next one.

        Raises:
            SourceError: if the source cannot be read again.
        """
        # Nothing was read yet; a pipe could not be opened a second time.
        if start == self._stands and self._frames is None:
            return
        self._stop()
        self.source.close()
        self.source, self._stands = self._options.open(start), start

    def _start(self) -> Prefetch[tuple[float, Frame]]:
        policy = self._options.live or ("drop" if self.source.live else "block")
        # What waits is late: a live picture is taken when it is wanted, not before.
        depth = 1 if policy == "drop" else DECODE_AHEAD
        self._frames = prefetch(_arriving(self.source), depth, policy=policy)
        return self._frames

    def _stop(self) -> None:
        frames, self._frames = self._frames, None
        self._arrived.clear()
        if frames is not None:
            # The counter ends with the thread that kept it.
            self._dropped += frames.dropped
            frames.close()

    def close(self) -> None:
        """Close the source; can be called twice."""
        self._stop()
        self.source.close()


def _arriving(source: FrameSource) -> Iterator[tuple[float, Frame]]:
    """Give each frame with the time at which it was there, by the monotonic clock."""
    for frame in source:
        yield time.monotonic(), frame
