"""`ClipPart`: which frames of a video count, by number or by time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.json_values import Json

Moment = int | float
"""A place in a video: a whole number is the index of a frame, any other number is seconds."""

MOMENT_GRAMMAR = "a frame such as 300, or a time such as 12.5s or 00:01:20"

_ROUNDING = 1e-6
"""Frames: an index divided by a rate and multiplied again must be the same frame."""

_FRAME = re.compile(r"[0-9]{1,10}")
_SECONDS = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,9})?)s")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)")


def moment(text: str, what: str) -> Moment:
    """Read a place in a video, as the command line has it.

    Args:
        text: `300` is a frame; `12.5s`, `01:20` and `00:01:20.5` are times by the video's clock.
        what: the option it was given with, for the error.

    Raises:
        UsageError: if it is none of these.
    """
    text = text.strip()
    if _FRAME.fullmatch(text):
        return int(text)
    if (seconds := _SECONDS.fullmatch(text)) is not None:
        return float(seconds[1])
    if (clock := _CLOCK.fullmatch(text)) is not None:
        hours, minutes = int(clock[1] or 0), int(clock[2])
        return float(3600 * hours + 60 * minutes) + float(clock[3])
    msg = f"{what} is {text[:40]!r}; write {MOMENT_GRAMMAR}"
    raise UsageError(msg)


def moment_text(value: Moment) -> str:
    """Write a place in a video such that `moment` reads it back."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPart:
    """Which frames of a video count; they keep their indices and times.

    Attributes:
        start: the first frame, by index; or the first one that is not before so many seconds.
        end: the first frame that no longer counts, likewise; None goes to the end of the video.
        stride: every so many frames one counts, beginning with the first.

    Raises:
        UsageError: if a value is negative or not a number, or the end is not behind the start.
    """

    start: Moment = 0
    end: Moment | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        """Refuse what no video could give."""
        for name, value in (("start", self.start), ("end", self.end)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                msg = f"the {name} of a part is {value}; give {MOMENT_GRAMMAR}"
                raise UsageError(msg)
        if self.stride < 1:
            msg = f"stride is {self.stride}; 1 takes every frame, 2 every second one"
            raise UsageError(msg)
        # A frame and a time cannot be compared before the video is read.
        same = self.end is not None and type(self.start) is type(self.end)
        if (same or self.start == 0) and self.end is not None and self.end <= self.start:
            msg = (
                f"the part ends at {moment_text(self.end)} and begins at "
                f"{moment_text(self.start)}; the end must lie behind the start"
            )
            raise UsageError(msg)

    @property
    def whole(self) -> bool:
        """Whether every frame counts."""
        return self.start == 0 and self.end is None and self.stride == 1

    def before(self, index: int, time: float) -> bool:
        """Whether a frame lies before the part."""
        return (time if isinstance(self.start, float) else index) < self.start

    def over(self, index: int, time: float) -> bool:
        """Whether a frame lies behind the part."""
        if self.end is None:
            return False
        return (time if isinstance(self.end, float) else index) >= self.end

    def indices(self, count: int, rate: float) -> range:
        """Return the indices that count among frames that come at a steady rate.

        Args:
            count: frames in all.
            rate: frames per second; frame 0 is at 0 s.
        """
        first = _index_at(self.start, rate)
        last = count if self.end is None else min(count, _index_at(self.end, rate))
        return range(first, max(first, last), self.stride)

    def expected(self, count: int | None, rate: float) -> int | None:
        """Estimate how many frames count; None if nobody knows.

        Args:
            count: frames of the whole video, None if unknown.
            rate: frames per second, roughly.
        """
        if count is not None:
            return len(self.indices(count, rate))
        if self.end is None:
            return None
        return len(self.indices(_index_at(self.end, rate), rate))

    def to_json(self) -> dict[str, Json]:
        """Return what decides the results, under the names of the options."""
        return {
            "start": moment_text(self.start),
            "end": None if self.end is None else moment_text(self.end),
            "stride": self.stride,
        }

    def __str__(self) -> str:
        """Name the part for people."""
        text = f"from {moment_text(self.start)}" if self.start else "from the beginning"
        text += "" if self.end is None else f" to {moment_text(self.end)}"
        return text if self.stride == 1 else f"{text}, one frame in {self.stride}"


def nothing_there(name: str, part: ClipPart) -> SourceError:
    """Return the error for a part in which a video has no frame."""
    return SourceError(f"{name} has no frame {part}; choose a part that lies in the video")


WHOLE = ClipPart()
"""Every frame."""


def part_of(start: str | None, end: str | None, stride: int) -> ClipPart:
    """Return the part that options name.

    Args:
        start: as `moment` reads it; None is the beginning.
        end: likewise; None is the end.
        stride: every so many frames one counts.

    Raises:
        UsageError: if one makes no sense.
    """
    return ClipPart(
        start=0 if start is None else moment(start, "--start"),
        end=None if end is None else moment(end, "--end"),
        stride=stride,
    )


class PartCounter:
    """Tells of frames that come in order which of them count.

    Args:
        part: which.
    """

    def __init__(self, part: ClipPart) -> None:
        self._part = part
        self.first: int | None = None

    def takes(self, index: int, time: float) -> bool:
        """Whether this frame counts; asked once for each frame that is not over."""
        if self.first is None:
            if self._part.before(index, time):
                return False
            self.first = index
        return (index - self.first) % self._part.stride == 0


def _index_at(value: Moment, rate: float) -> int:
    """Return the first frame that is not before a moment, at a steady rate."""
    return math.ceil(value * rate - _ROUNDING) if isinstance(value, float) else value
