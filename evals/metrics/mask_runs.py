"""The masks of a track as runs of pixels, decoded and checked all at once.

A video is laid out as one line: its frames one after the other, each frame column by column, as
run-length codes have it. A track is then a rising list of runs on that line, and how much two
tracks have in common is a question about two lists of intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...mask_rle import MAX_SIDE

_FIRST_CHARACTER = 48
_DIGIT_BITS = 5
_DIGIT = 0b011111
_SIGN = 0b010000
_MORE = 0b100000
_PAIR_SHIFT = 6
_MAX_DIGITS = 6
"""A run has at most 28 bits (`MAX_SIDE` squared); a difference one more, and its sign."""


def _values_of_pairs() -> NDArray[np.int64]:
    last, before = np.divmod(np.arange(_MORE * 2 * _MORE), 2 * _MORE)
    signed = np.where(last < _SIGN, last, last - _MORE)
    return np.where(before < _MORE, signed, signed * _MORE + (before & _DIGIT))


_PAIRS = _values_of_pairs()
"""What the last two characters of a number stand for, at the place last * 64 + the one before.

The last digit is the highest and carries the sign; the one before may end another number.
"""


@dataclass(frozen=True, slots=True, eq=False)
class TrackRuns:
    """The masks of one track.

    Attributes:
        starts: (R,) int64, where each run of the object begins on the line of the video: frame *
            height * width + column * height + row. Rising; runs may be empty.
        ends: (R,) int64, one behind the last pixel of each run.
        covered: (R + 1,) int64, pixels of the object in the runs before each, and in all.
        areas: (T,) int64, pixels in each frame; 0 where the object is absent.
        boxes: (T, 4) int64, left, top, right, bottom (exclusive) of a box around the object in each
            frame, in pixels; all 0 where it is absent.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    covered: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]


def track_runs(codes: Sequence[bytes | None], height: int, width: int) -> TrackRuns:
    """Decode the compressed run-length codes of a track.

    Args:
        codes: of each of the T frames in the form of `mask_rle.encode_mask`; None where the object
            is absent.
        height: pixels, 1 to `MAX_SIDE`.
        width: pixels, 1 to `MAX_SIDE`.

    Raises:
        ValueError: naming the first frame whose code is damaged or does not fill the mask.
    """
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        msg = f"the masks are {width}x{height} pixels; both sides must be 1 to {MAX_SIDE}"
        raise ValueError(msg)
    present = np.array([code is not None for code in codes], np.bool_).nonzero()[0]
    texts = [code for code in codes if code is not None]
    lengths, counts = _run_lengths(texts, present)
    return runs_from_lengths(lengths, counts, present, (len(codes), height, width))


def runs_from_lengths(
    lengths: NDArray[np.int64],
    counts: NDArray[np.int64],
    present: NDArray[np.int64],
    shape: tuple[int, int, int],
) -> TrackRuns:
    """Lay the masks of a track on the line of its video.

    Args:
        lengths: (N,) int64, lengths in pixels of the runs of background and object in turn, each
            mask beginning with background, one mask after the other.
        counts: (K,) int64, how many of `lengths` belong to each mask; at least 1.
        present: (K,) int64, the frame of each mask, rising.
        shape: (T, height, width) of the video.

    Raises:
        ValueError: naming the first frame whose runs do not fill the mask.
    """
    pixels = shape[1] * shape[2]
    edges = np.cumsum(lengths)
    last = np.cumsum(counts) - 1
    # Before anything is laid out: a run too long would shift every frame after it.
    _check_filled(lengths, counts, edges[last], present, shape)
    # A mask that ends in background is followed by more background: without the edge between
    # them, background and object take turns over the whole line.
    edges = np.delete(edges, last[counts % 2 == 1])
    starts, ends = edges[0::2], edges[1::2]
    covered = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=covered[1:])
    borders = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts // 2, out=borders[1:])
    areas, boxes = np.zeros(shape[0], np.int64), np.zeros((shape[0], 4), np.int64)
    # From the sums of all runs at once: no loop over frames.
    areas[present] = np.diff(covered[borders])
    boxes[present] = _boxes(starts, ends, borders, pixels, shape[1])
    absent = present - np.arange(len(present))
    # So far frames without a mask took no place on the line.
    if absent.any():
        shift = np.repeat(absent * pixels, counts // 2)
        starts, ends = starts + shift, ends + shift
    return TrackRuns(starts, ends, covered, areas, boxes)


def _run_lengths(
    texts: Sequence[bytes], present: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the runs of all masks, (N,), and how many each mask has, (K,)."""
    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    # All masks of a track as one text: NumPy's cost for each call would outweigh the work.
    digits = np.frombuffer(b"".join(texts), np.uint8) - np.uint8(_FIRST_CHARACTER)
    _check_characters(digits, stops, present)
    # The last digit of a number does not say that more follow.
    final = digits < _MORE
    ends = np.flatnonzero(final)
    counts = np.diff(np.searchsorted(ends, stops), prepend=0)
    lengths = _short_numbers(digits, ends)
    # Two digits before the last that are not the last of another number: three or more.
    long = np.zeros(len(digits), np.bool_)
    np.logical_or(final[1:-1], final[:-2], out=long[2:])
    np.logical_not(long[2:], out=long[2:])
    _extend(lengths, np.flatnonzero(long.take(ends)), digits, ends)
    _add_up_differences(lengths, counts)
    return lengths, counts


def _short_numbers(digits: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the signed numbers, (N,), whose last digits are at `ends`, from their last two digits.

    Most have no more, so one look into a table gives them.
    """
    pairs = digits.astype(np.uint16) << _PAIR_SHIFT
    pairs[1:] |= digits[:-1]
    return _PAIRS.take(pairs.take(ends))


def _extend(
    numbers: NDArray[np.int64],
    longer: NDArray[np.int64],
    digits: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    """Add the digits from the third on to those of `numbers` that have so many, in place."""
    before = np.where(longer > 0, ends[longer - 1], -1)
    sizes = ends[longer] - before
    if sizes.max(initial=0) > _MAX_DIGITS:
        msg = f"a number of the masks' codes has more than {_MAX_DIGITS} digits"
        raise ValueError(msg)
    for place in range(2, int(sizes.max(initial=0))):
        these = longer[sizes > place]
        digit = digits[ends[these] - place] & _DIGIT
        # The sign is in the part that is shifted, and stays.
        numbers[these] = (numbers[these] << _DIGIT_BITS) | digit


def _add_up_differences(numbers: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    """Turn differences into lengths, in place.

    From the fourth on, a number is the difference to the one before the last of the same mask. So
    the numbers with an even place on the line of all masks, and those with an odd one, are summed
    up separately; the first of each mask takes off what the mask before had reached. The very
    first number of a mask begins no sum: the third stands for itself.
    """
    begins = np.cumsum(counts) - counts
    first = numbers[begins]
    numbers[begins] = 0
    for parity in range(2):
        chain = numbers[parity::2]
        # How many numbers of this parity stand before each mask, and of which masks there are any.
        places = (begins + (1 - parity)) // 2
        places = places[np.diff(places, append=len(chain)) > 0]
        if len(places):
            reached = np.add.reduceat(chain, places)
            # What the mask before had summed up is taken off where the next begins, so one
            # cumulative sum serves all masks.
            chain[places[1:]] -= reached[:-1]
            np.cumsum(chain, out=chain)
    numbers[begins] = first


def _boxes(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    borders: NDArray[np.int64],
    pixels: int,
    height: int,
) -> NDArray[np.int64]:
    """Return (K, 4) boxes of K masks whose runs lie between `borders`; see `TrackRuns`."""
    boxes = np.zeros((len(borders) - 1, 4), np.int64)
    filled = np.flatnonzero(np.diff(borders))
    if not len(filled):
        return boxes
    first = borders[filled]
    # Column by column: the row is what is left over.
    rows = starts % height
    bottoms = rows + (ends - starts)
    boxes[filled, 0] = (starts[first] - filled * pixels) // height
    boxes[filled, 1] = np.minimum.reduceat(rows, first)
    boxes[filled, 2] = (ends[borders[filled + 1] - 1] - filled * pixels - 1) // height + 1
    boxes[filled, 3] = np.maximum.reduceat(bottoms, first)
    # A run that reaches the next column covers the foot of one and the head of the other.
    tall = boxes[:, 3] > height
    boxes[tall, 1], boxes[tall, 3] = 0, height
    return boxes


def _check_characters(
    digits: NDArray[np.uint8], stops: NDArray[np.int64], present: NDArray[np.int64]
) -> None:
    """Refuse what stands for no digit, and codes that are empty or end within a number."""
    if digits.max(initial=0) > (_DIGIT | _MORE):
        wrong = int(np.argmax(digits > (_DIGIT | _MORE)))
        frame = int(present[np.searchsorted(stops, wrong, side="right")])
        character = chr((int(digits[wrong]) + _FIRST_CHARACTER) % 256)
        msg = f"the mask of frame {frame} holds {character!r}, which cannot stand in its code"
        raise ValueError(msg)
    empty = np.diff(stops, prepend=0) == 0
    if empty.any():
        msg = f"the mask of frame {int(present[np.argmax(empty)])} has an empty code"
        raise ValueError(msg)
    broken = digits[stops - 1] >= _MORE
    if broken.any():
        frame = int(present[np.argmax(broken)])
        msg = f"the code of the mask of frame {frame} ends in the middle of a number"
        raise ValueError(msg)


def _check_filled(
    lengths: NDArray[np.int64],
    counts: NDArray[np.int64],
    reached: NDArray[np.int64],
    present: NDArray[np.int64],
    shape: tuple[int, int, int],
) -> None:
    """Refuse runs of negative length, and masks whose runs do not cover the frame exactly."""
    _, height, width = shape
    if lengths.min(initial=0) < 0:
        wrong = np.searchsorted(np.cumsum(counts), np.argmax(lengths < 0), side="right")
        msg = f"the mask of frame {int(present[wrong])} holds a run of negative length"
        raise ValueError(msg)
    covered = np.diff(reached, prepend=0)
    wrong = covered != height * width
    if wrong.any():
        at = int(np.argmax(wrong))
        msg = (
            f"the runs of the mask of frame {int(present[at])} cover {int(covered[at])} pixels, "
            f"but {width}x{height} has {height * width}"
        )
        raise ValueError(msg)
