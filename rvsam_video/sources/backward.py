"""Reading a video backward, a few frames at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from rvsam_video.frame import Frame, Image

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
        source: an open source, a sequence of pictures, or what can be iterated again and again.
        last: index of the first frame to give; what ends before it begins with its end.

    Raises:
        SourceError: if it cannot be read.
    """
    if hasattr(source, "falling"):
        yield from source.falling(last)
    elif isinstance(source, Sequence):
        for index in range(min(last, len(source) - 1), -1, -1):
            yield numbered(index, source[index])
    else:
        yield from falling_again(source, last)


def falling_again(source: Iterable[Frame | Image], last: int) -> Iterator[Frame]:
    """Read what can only be read forward, again from its beginning for each piece.

    Args:
        source: is iterated once a piece.
        last: index of the first frame to give.
    """
    most = MOST_FRAMES
    while last >= 0:
        piece: deque[Frame] = deque(maxlen=most)
        for number, item in enumerate(source):
            frame = numbered(number, item)
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


def sized(source: Any) -> tuple[tuple[int, int] | None, Any]:  # noqa: ANN401 (see `goes_back`)
    """Find out how large the frames of a source are.

    Args:
        source: an open source, or anything that gives frames.

    Returns:
        (width, height) in pixels, None if it has no frames; and what gives the frames from now on.
    """
    if hasattr(source, "live"):
        return source.size, source
    frames = iter(source)
    first = next(frames, None)
    if first is None:
        return None, ()
    size = numbered(0, first).size
    # An iterator has lost its first frame by that.
    return size, chain([first], frames) if frames is source else source


def numbered(index: int, item: Frame | Image) -> Frame:
    """Return a bare picture as a frame of this index; a frame as it is."""
    return item if isinstance(item, Frame) else Frame(index, float(index), item)
