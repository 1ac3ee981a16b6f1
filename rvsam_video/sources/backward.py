"""Reading a video backward, a few frames at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from rvsam_video.frame import Frame
from rvsam_video.images import frames_of

MOST_FRAMES = 64
FEWEST_FRAMES = 16
PIECE_BYTES = 24 << 20
"""A piece of a video that is held at a time: more frames cost memory, fewer cost decoding, since a
piece is decoded from the key picture before it."""


def frames_at_a_time(size: tuple[int, int]) -> int:
    """Return how many frames of (width, height) pixels a piece holds."""
    pixels = size[0] * size[1]
    return min(MOST_FRAMES, max(FEWEST_FRAMES, PIECE_BYTES // (3 * max(1, pixels))))


def goes_back(source: object) -> bool:
    """Whether `falling_frames` can read a source, which may be anything that gives frames."""
    if hasattr(source, "falling"):
        return bool(getattr(source, "rereadable", True))
    # An iterator is used up by its first reading; a live source, too.
    return (
        isinstance(source, Iterable)
        and not getattr(source, "live", False)
        and iter(source) is not source
    )


def falling_frames(source: Any, last: int) -> Iterator[Frame]:  # noqa: ANN401 (see `goes_back`)
    """Read a source backward, for which `goes_back` holds.

    Args:
        source: an open source, or frames that can be iterated again and again.
        last: index of the first frame to give; what ends before it begins with its end.

    Raises:
        SourceError: if it cannot be read.
    """
    yield from source.falling(last) if hasattr(source, "falling") else falling_again(source, last)


def falling_again(source: Iterable[Frame], last: int) -> Iterator[Frame]:
    """Read what can only be read forward, again from its beginning for each piece.

    Args:
        source: is iterated once a piece.
        last: index of the first frame to give.
    """
    most = MOST_FRAMES
    while last >= 0:
        piece: deque[Frame] = deque(maxlen=most)
        for frame in source:
            if frame.index > last:
                break
            piece.append(frame)
            if len(piece) == 1:
                most = frames_at_a_time(frame.size)
                piece = deque(piece, maxlen=most)
        if not piece:
            return
        last = piece[0].index - 1
        while piece:
            yield piece.pop()


class _Again:
    """A caller's pictures as frames, from the first on whenever they are iterated."""

    def __init__(self, pictures: Iterable[object], fps: float | None) -> None:
        self._pictures, self._fps = pictures, fps

    def __iter__(self) -> Iterator[Frame]:
        return frames_of(self._pictures, self._fps)


def given_frames(pictures: object, fps: float | None) -> Iterable[Frame]:
    """Return a caller's pictures as frames, which can be read backward if the pictures can.

    Args:
        pictures: whatever `frames_of` takes.
        fps: frames per second of pictures without a time; None takes 25.

    Raises:
        UsageError: when they are read, if they are something else.
    """
    again = isinstance(pictures, Iterable) and iter(pictures) is not pictures
    return _Again(pictures, fps) if again else frames_of(pictures, fps)  # type: ignore[arg-type]


def sized(source: Any) -> tuple[tuple[int, int] | None, Any]:  # noqa: ANN401 (see `goes_back`)
    """Find out how large the frames of a source are.

    Args:
        source: an open source, or frames.

    Returns:
        (width, height) in pixels, None if it has no frames; and what gives the frames from now on.
    """
    if hasattr(source, "live"):
        return source.size, source
    frames = iter(source)
    first = next(frames, None)
    if first is None:
        return None, ()
    # An iterator has lost its first frame by that.
    return first.size, chain([first], frames) if frames is source else source
