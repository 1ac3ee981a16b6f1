"""Working on smaller pictures than those that come in and go out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.snapshot import Arrays, frames_from_arrays, frames_to_arrays, nested, prefixed
from rvsam_video.streaming.frame_session import FrameSession

SMALLEST_SIDE = 32
"""Pixels: below, nothing can be told apart."""


class Reduction:
    """How frames of one size become smaller ones, and results of these large again.

    Args:
        size: (width, height) of the frames in pixels.
        longest_side: pixels that the longer side is to have; smaller frames stay as they are, and
            so do all with None.

    Attributes:
        size: (width, height) of the frames.
        small: (width, height) that they are worked on.

    Raises:
        UsageError: if it is too small.
    """

    def __init__(self, size: tuple[int, int], longest_side: int | None) -> None:
        if longest_side is not None and longest_side < SMALLEST_SIDE:
            msg = f"the longest side is {longest_side} pixels; give at least {SMALLEST_SIDE}"
            raise UsageError(msg)
        share = 1.0 if longest_side is None else min(1.0, longest_side / max(size))
        self.size = size
        width, height = (max(1, round(side * share)) for side in size)
        self.small = (width, height)
        self._factor = np.array(self.small, np.float64) / np.array(size)

    @property
    def same(self) -> bool:
        """Whether frames stay as they are."""
        return self.small == self.size

    def frame(self, frame: Frame) -> Frame:
        """Make a frame smaller."""
        image = cv2.resize(frame.image, self.small, interpolation=cv2.INTER_AREA)
        return replace(frame, image=np.asarray(image, np.uint8))

    def places(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move (..., 2) x, y pixels of large frames to the same places in small ones."""
        # Pixel centres are whole numbers, and edges half ones: those scale, and not the centres.
        return np.asarray((xy + 0.5) * self._factor - 0.5, np.float32)

    def places_back(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `places`."""
        return np.asarray((xy + 0.5) / self._factor - 0.5, np.float32)

    def prompt(self, prompt: Prompt) -> Prompt:
        """Return what a prompt says of the small frame."""
        box = None if prompt.box is None else self.places(prompt.box.reshape(2, 2)).reshape(4)
        mask = prompt.mask
        if mask is not None:
            mask = _resized(mask, self.small, cv2.INTER_AREA)
            # A thing smaller than a small pixel is still where it was.
            mask = mask if mask.any() else self._dot(prompt.mask)
        return replace(prompt, points=self.places(prompt.points), box=box, mask=mask)

    def _dot(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        rows, columns = np.nonzero(np.asarray(mask))
        dot = np.zeros(self.small[::-1], np.bool_)
        x, y = np.clip(
            np.round(self.places(np.array([columns.mean(), rows.mean()], np.float32))).astype(int),
            0,
            np.array(self.small) - 1,
        )
        dot[y, x] = True
        return dot

    def result(self, result: FrameResult, frame: Frame) -> FrameResult:
        """Bring the result of a small frame to the size of the frame that it was made of."""
        trails = result.trails
        return replace(
            result,
            image=frame.image,
            objects=tuple(self._object(item) for item in result.objects),
            points=replace(result.points, xy=self.places_back(result.points.xy)),
            trails=None if trails is None else self.places_back(trails),
        )

    def _object(self, item: ObjectResult) -> ObjectResult:
        # More than half, of weights that add up to 1: masks that did not overlap still do not.
        return replace(item, mask=_resized(item.mask, self.size, cv2.INTER_LINEAR))


def _resized(mask: NDArray[np.bool_], size: tuple[int, int], how: int) -> NDArray[np.bool_]:
    values = cv2.resize(mask.astype(np.float32), size, interpolation=how)
    return np.asarray(values > 0.5)


class ScaledSession:
    """A session that works on smaller pictures; its results have the size of those pushed.

    Holds those whose results are still to come.

    Args:
        session: takes the smaller ones.
        scale: to which size.
    """

    def __init__(self, session: FrameSession, scale: Reduction) -> None:
        self._session, self._scale = session, scale
        self._waiting: deque[Frame] = deque()

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""
        return self._session.last_index

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that became final."""
        self._waiting.append(frame)
        return self._large(self._session.push(self._scale.frame(frame)))

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back."""
        return self._large(self._session.flush())

    def _large(self, results: Sequence[FrameResult]) -> list[FrameResult]:
        return [self._scale.result(result, self._waiting.popleft()) for result in results]

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on."""
        arrays = prefixed("small", self._session.snapshot())
        if self._waiting:
            arrays |= prefixed("large", frames_to_arrays(list(self._waiting)))
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Go on where `snapshot` was taken."""
        self._session.restore(nested("small", arrays))
        waiting = nested("large", arrays)
        self._waiting = deque(frames_from_arrays(waiting) if waiting else ())


def reduced(
    begin: Callable[[Sequence[Prompt]], FrameSession], prompts: Sequence[Prompt], scale: Reduction
) -> FrameSession:
    """Begin a session on smaller pictures, or as it is where they are not to be smaller.

    Args:
        begin: makes the session from prompts in pixels of its frames.
        prompts: in pixels of the large frames.
        scale: to which size.
    """
    if scale.same:
        return begin(prompts)
    return ScaledSession(begin([scale.prompt(prompt) for prompt in prompts]), scale)
