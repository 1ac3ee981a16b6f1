"""`SlidingWindow`: runs a network over the frames of one video, window by window.

Windows of S frames start every S / 2 frames. Each frame is encoded once, for all windows and all
query groups that look at it. Only the frames of the last window, and those that came after it, are
kept: memory depends on the window and the number of points, not on the length of the video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch

from .network import EncodedFrame, Inference
from .query_group import QueryGroup, Window


class SlidingWindow:
    """The windows of one video.

    Args:
        inference: the network.
        iterations: refinements of each window.
        leave_out_waiting: keep points out of windows that end before their query frame.
        whole: look at the whole video in one window, at its end (version 3 offline).
        fill_short: a video shorter than a window is treated as if its last frame had been
            filmed until the window is full, as SAM-PT does; otherwise as one that ends.

    Attributes:
        groups: query groups by the name that the caller gave them.
        count: number of frames pushed.
        start: first frame of the window that ran last; None before that.
        end: number of the first frame that no window has looked at yet.
        frames: frames kept, the first of which is frame `start` (or 0).
    """

    def __init__(
        self,
        inference: Inference,
        *,
        iterations: int = 6,
        leave_out_waiting: bool = False,
        whole: bool = False,
        fill_short: bool = False,
    ) -> None:
        self.inference = inference
        self.groups: dict[int, QueryGroup] = {}
        self.count = 0
        self.start: int | None = None
        self.end = 0
        self.frames: deque[EncodedFrame] = deque()
        self._iterations = iterations
        self._leave_out_waiting = leave_out_waiting
        self._whole = whole
        self._fill_short = fill_short

    @property
    def base(self) -> int:
        """Number of the first frame kept."""
        return self.count - len(self.frames)

    def frame(self, number: int) -> EncodedFrame:
        """Return a frame that is kept, by its number in the video."""
        return self.frames[number - self.base]

    def group(self, name: int, begin: int = 0) -> QueryGroup:
        """Return the group of this name, a new one if there is none."""
        if name not in self.groups:
            self.groups[name] = QueryGroup(
                self.inference,
                self._iterations,
                leave_out_waiting=self._leave_out_waiting,
                begin=begin,
            )
        return self.groups[name]

    def push(self, frame: EncodedFrame) -> bool:
        """Take the next frame; return whether it completed a window, which has then been run."""
        self.frames.append(frame)
        self.count += 1
        start = self._next()
        if self._whole or self.count < start + self.inference.network.window:
            return False
        self._advance(start)
        return True

    def finish(self) -> bool:
        """End of the video: run the last window, if frames are left; return whether one ran."""
        if self.end == self.count:
            # First: the frames forgotten next are those that the last window needs again.
            self._repair()
            return False
        self._advance(self._next())
        return True

    def _next(self) -> int:
        return 0 if self.start is None else self.start + self.inference.network.step

    def _advance(self, start: int) -> None:
        """Run the window that starts at this frame and forget the frames before it."""
        self._repair()
        while self.base < start:
            self.frames.popleft()
        self.start, self.end = start, self.count
        # With the repeats: the public code asks for query frames before the window's nominal end.
        end = start + self._length(len(self.frames))
        groups = [group for group in self.groups.values() if group.choose(end)]
        if groups:
            window = self._window(self.frames)
            for group in groups:
                group.run(window)

    def _repair(self) -> None:
        """Run the last window again for the groups that got points in it since."""
        stale = [group for group in self.groups.values() if group.stale]
        if stale and self.start is not None:
            window = self._window(list(self.frames)[: self.end - self.start])
            for group in stale:
                group.run_again(window)

    def _length(self, real: int) -> int:
        network = self.inference.network
        return max(real, network.window) if network.pads else real

    def _window(self, frames: Sequence[EncodedFrame]) -> Window:
        """Join the features of the frames; a short window repeats those of the last."""
        pyramids = [frame.levels() for frame in frames]
        real = len(pyramids)
        # Features are repeated, not frames: nothing is encoded twice.
        pyramids += [pyramids[-1]] * (self._length(real) - real)
        start = self.start or 0
        # Repeats count as real frames: SAM-PT pads the clip itself, so the network never knows.
        if self._fill_short and start == 0:
            real = len(pyramids)
        levels = tuple(torch.cat(level) for level in zip(*pyramids, strict=True))
        return Window(start, real, levels)
