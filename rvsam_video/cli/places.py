"""The video that percentages and times in prompts are of; opened only where there are some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvsam_video.errors import PromptError

if TYPE_CHECKING:
    from rvsam_video.cli.options import RunArguments
    from rvsam_video.sources.base import FrameSource


@contextmanager
def video_of(texts: Iterable[str], given: RunArguments) -> Iterator[OpenVideo | None]:
    """Open the source of a command if its prompts hold percentages or times; else give None.

    Args:
        texts: the prompts as they were typed.
        given: the options of the command.

    Raises:
        PromptError: if the source can be read only once.
        SourceError: if it cannot be read.
    """
    from rvsam_video.prompts.words import needs_video
    from rvsam_video.sources import open_source

    if not needs_video(texts):
        yield None
        return
    if given["source"] == "-":
        msg = "standard input is read once, so its prompts cannot hold percentages or times"
        raise PromptError(msg)
    with open_source(
        given["source"],
        reader=given["reader"],
        on_bad_frame=given["on_bad_frame"],
        fps=given["fps"],
    ) as source:
        yield OpenVideo(source)


class OpenVideo:
    """An open source as prompts see it.

    Args:
        source: to look at.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames in pixels."""
        return self._source.size

    def frame_at(self, seconds: float) -> int:
        """Return the index of the frame that is shown at a time.

        Raises:
            PromptError: if the video is live, or has ended by then.
        """
        if self._source.live:
            msg = f"{self._source.name} is live, so its prompts cannot hold times; give frames"
            raise PromptError(msg)
        shown, last, before = 0, 0.0, 0.0
        for frame in self._source:
            if frame.time > seconds:
                return shown
            shown, last, before = frame.index, frame.time, last
        # The last frame is shown as long as the one before it.
        if seconds > last + (last - before):
            msg = (
                f"the prompt at {seconds:g} s comes too late: the last frame is {shown}, "
                f"at {last:.3f} s"
            )
            raise PromptError(msg)
        return shown
