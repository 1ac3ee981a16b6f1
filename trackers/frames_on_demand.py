"""`FramesOnDemand`: the pictures of a clip in any order, a few of them in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from ..frame import Frame, Image
from .base import FramesFactory

CHUNK = 32
"""Pictures held, so that a clip read backward is decoded once for each so many of its frames."""


class FramesOnDemand(Sequence[Image]):
    """Reads a clip again when a picture is wanted that has gone by.

    Args:
        frames: begins to read the clip anew each time it is called.

    Attributes:
        indices: index of each frame in its source.
    """

    def __init__(self, frames: FramesFactory) -> None:
        self._frames = frames
        self.indices = [frame.index for frame in frames()]
        self._reading: Iterator[Frame] | None = None
        self._next = 0
        self._held: dict[int, Image] = {}

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.indices)

    @overload
    def __getitem__(self, position: int) -> Image: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[Image]: ...

    def __getitem__(self, position: int | slice) -> Image | Sequence[Image]:
        """Return the picture of the frame that is read as number `position`.

        Raises:
            IndexError: if there is none.
        """
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        number = position + len(self) if position < 0 else position
        if not 0 <= number < len(self):
            msg = f"there is no frame {position}; the clip has {len(self)}"
            raise IndexError(msg)
        if number not in self._held:
            self._read_to(number)
        return self._held[number]

    def _read_to(self, number: int) -> None:
        if self._reading is None or number < self._next:
            self._reading, self._next = iter(self._frames()), 0
            self._held.clear()
        while self._next <= number:
            self._held[self._next] = next(self._reading).image
            self._held.pop(self._next - CHUNK, None)
            self._next += 1
