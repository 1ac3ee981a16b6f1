"""`View`: what is seen of an open video: pictures, masks of tracked frames, and held ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult
from rvsam_video.runs.loop import Run
from rvsam_video.runs.objects import sink_context
from rvsam_video.sinks.names import MASK_FOLDER
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.frames import FrameReader
from rvsam_video.web.held import HeldMasks
from rvsam_video.web.scores import ScoreBook
from rvsam_video.web.screen import Screen, file_or_none, index_png

_SCORES_FILE = "scores.npz"
_HELD_FOLDER = "held"


class View(ClosesItself):
    """Pictures and masks of one video, in any order.

    Args:
        run: the run on it.
        source: to be read a second time, for a slider; not done where it is live.
        screen: what the visitor sees.
        folder: for what only the page needs.

    Attributes:
        run: the run on it; replaced when a complete one is opened again.
        scores: how sure the segmenter was.
        held: masks of frames that are to be tracked again.
    """

    def __init__(self, run: Run, source: str, screen: Screen, folder: Path) -> None:
        self.run, self._screen = run, screen
        self._reader = None if run.live else FrameReader(source)
        self._stem = sink_context(run.feed.source).mask_stem
        self.scores = ScoreBook(folder / _SCORES_FILE)
        self.held = HeldMasks(folder / _HELD_FOLDER, self._mask_file)
        # Masks that the clicks of one frame give by themselves, before tracking comes to it.
        self._alone: FrameResult | None = None

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _mask_file(self, index: int) -> Path:
        return self.run.folder.path / MASK_FOLDER / f"{self._stem(index)}.png"

    def _frame(self, index: int) -> Frame:
        if self._reader is None:
            raise UsageError("a live picture cannot be looked at again; pause it to see it stand")
        return self._reader.frame(index)

    def picture(self, index: int, *, full: bool) -> tuple[float, bytes]:
        """Return a frame's time, and it as JPEG, as wide as the settings say or in full."""
        frame = self._screen.frame = self._frame(index)
        width = frame.image.shape[1] if full else None
        return frame.time, self._screen.jpeg(frame.image, width=width)

    def masks(self, index: int, tracked: int | None) -> bytes | None:
        """Return the masks of a frame as an index PNG; None if there are none.

        Args:
            index: of the frame.
            tracked: frames that are tracked; None for all.
        """
        last = self.run.last
        if last is not None and last.index == index:
            return index_png(last.index_map())
        if tracked is None or index < tracked:
            try:
                found = file_or_none(self._mask_file(index))
            except IndexError:
                found = None
            if found is not None:
                return found
        if self._alone is not None and self._alone.index == index:
            return index_png(self._alone.index_map())
        return file_or_none(self.held.file(index))

    def show(self, index: int, tracked: int | None) -> None:
        """Show a frame with its masks; the last one there is, if it lies behind the end."""
        try:
            frame = self._frame(index)
        except UsageError:
            frame = self._frame(0)
        self._screen.show(frame, self.masks(frame.index, tracked), self.run.frames)

    def show_result(self, result: FrameResult, *, tracking: bool) -> None:
        """Show a frame that was just tracked."""
        self._screen.show_result(result, self.run.frames, tracking=tracking)

    def show_alone(self, segmenter: VideoSegmenter, prompts: Sequence[Prompt], index: int) -> None:
        """Show the masks that the clicks of one frame give by themselves."""
        frame = self._screen.frame if self._reader is None else self._reader.frame(index)
        if frame is None:
            return
        here = [item for item in prompts if item.frame == frame.index]
        self._alone = None
        if here:
            # A session of its own, thrown away: the run's must not see this frame yet.
            session = segmenter.session(here)
            results = [*session.push(frame), *session.flush()]
            self._alone = results[0] if results else None
        if self._alone is None:
            self._screen.show(frame, self.masks(frame.index, 0), self.run.frames)
            return
        self.show_result(self._alone, tracking=False)

    def hold(self, start: int, end: int | None) -> None:
        """Hold the masks of frames that are about to be dropped.

        Args:
            start: the first frame.
            end: the frame behind the last; None for all there are.
        """
        if self._reader is not None:
            self.held.keep(start, self.run.feed.expected or 0 if end is None else end)

    def forget(self, start: int) -> None:
        """Forget masks and scores of frames that are no longer tracked."""
        self.scores.forget(start)
        self.held.clear()

    def end(self) -> None:
        """Let go of what was held: all is tracked."""
        self._alone = None
        self.held.clear()
