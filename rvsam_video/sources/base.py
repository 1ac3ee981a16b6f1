"""What every frame source offers, its honest account of how the reading went, and rising times."""

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
    def counted(self) -> bool:
        """Whether `frame_count` is what the source lists one by one, and no estimate."""

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


def check_index(index: int, count: int, name: str) -> None:
    """Check that a source of `count` frames has one with this index.

    Raises:
        IndexError: naming the source, and what it has.
    """
    if not 0 <= index < count:
        msg = f"{name} has frames 0 to {count - 1}, not {index}"
        raise IndexError(msg)


def count(number: int, thing: str) -> str:
    """Return e.g. "1 frame" or "3 frames"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


class Tally:
    """Counts what happens during one reading.

    Args:
        piece: what a broken piece is called: a packet or a picture.
        expected: how many frames the file says it has, or None.
        about: whether that number is rough.

    Attributes:
        frames: frames decoded so far.
        bad: broken pieces so far.
        damaged: frames that may look wrong so far.
        expected: how many frames the file says it has, or None.
        piece: what a broken piece is called: a packet or a picture.
        counted: whether the file lists its frames, so that `expected` is no estimate.
        stopped: whether reading was ended because of damage.
        resized: whether the change of the picture's size was noted.
        notes: sentences about things that cannot be counted.
    """

    def __init__(
        self, piece: str = "packet", expected: int | None = None, *, about: bool = False
    ) -> None:
        self.piece = piece
        self.expected = expected
        self.counted = expected is not None and not about
        self._about = "about " if about else ""
        self.frames = self.bad = self.damaged = 0
        self.stopped = self.resized = False
        self.notes: list[str] = []

    def of_expected(self) -> str:
        """Return e.g. "119 of 200 frames", or "119 of about 200 frames"."""
        # Estimates can be too low; "30 of 28 frames" helps nobody.
        if self.expected is None or self.expected <= self.frames:
            return count(self.frames, "frame")
        return f"{self.frames} of {self._about}{count(self.expected, 'frame')}"

    def begin_at(self, index: int) -> None:
        """Count from this frame on, which was just read; forget what went wrong before it."""
        self.frames = index + 1
        self.bad = self.damaged = 0
        self.notes.clear()

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report; the same sentence is kept once."""
        # In a list and not a set: the report keeps the order in which things happened.
        if sentence not in self.notes:
            self.notes.append(sentence)

    def report(self) -> ReadReport:
        """Return the account so far."""
        return ReadReport(
            self.frames, self.bad, self.damaged, self.expected, tuple(self._sentences())
        )

    def _sentences(self) -> list[str]:
        sentences = list(self.notes)
        if self.stopped:
            sentences.append(f"stopped at a damaged {self.piece} after {self.of_expected()}")
        # Either stopped or passed over: the damage that ended the reading is not told twice.
        elif self.bad:
            sentences.append(f"passed over {count(self.bad, f'damaged {self.piece}')}")
        if self.damaged:
            sentences.append(
                f"{count(self.damaged, 'frame')} may look wrong, building on damaged ones"
            )
        return sentences


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
        # Not rising: sinks and trackers count on time that moves on.
        elif time is None or time <= self.last:
            self.last = self.next()
        else:
            self.last = time
        return self.last
