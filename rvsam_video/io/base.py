"""What every frame source offers, and its honest account of how the reading went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from rvsam_video.frame import Frame

Reader = Literal["pyav", "decord"]
"""The libraries that can decode a video file."""

BadFrames = Literal["skip", "stop"]
"""What to do with damage: pass over it, or end there with what was read before it."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How the reading went, up to the moment at which it was asked for.

    Attributes:
        frames: frames read so far, those before `start` included.
        bad_packets: pieces of the file (packets of a video, pictures of a folder) that are broken.
        damaged_frames: frames that were read but may look wrong, since they build on broken ones.
        expected: how many frames the file says it has: an estimate, None if it does not say.
        messages: sentences for people, one per thing that went wrong; empty if all is well.
    """

    frames: int = 0
    bad_packets: int = 0
    damaged_frames: int = 0
    expected: int | None = None
    messages: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong so far."""
        return not self.messages


class FrameSource(Protocol):
    """Anything that gives the frames of a video in order.

    Files and folders can be iterated any number of times, each time from the beginning; a camera,
    a live stream and standard input go on where the last iteration stopped. The index of a frame
    rises, and its time too. `close` may be called at any time, and more than once.
    """

    @property
    def name(self) -> str:
        """What to call the source when talking to people; holds no password."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of every frame in pixels, as displayed."""

    @property
    def live(self) -> bool:
        """Whether frames come at the pace of a clock and are lost if nobody takes them."""

    @property
    def frame_count(self) -> int | None:
        """How many frames a full reading gives: an estimate; None if nobody knows."""

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far; does not change by itself."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames.

        Raises:
            SourceError: if the source is lost, or was closed.
        """

    def close(self) -> None:
        """Let go of the file, camera or connection."""

    def __enter__(self) -> Self:
        """Return the source itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the source."""


class RandomAccessSource(FrameSource, Protocol):
    """A source whose frames can be read in any order: image folders, and videos through decord."""

    def frame_at(self, index: int) -> Frame:
        """Read one frame, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no frame with this index.
            SourceError: if it cannot be read.
        """
