"""`ClipFrames`: a clip that is read again instead of kept, at the size it is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame, Image, nearest_pixels

Size = tuple[int, int]
"""(width, height) in pixels."""

Source = Callable[[], Iterable[Frame | Image]]
"""Begins to read a clip anew each time it is called."""

SizeRule = Callable[[Size], Size]
"""From the size of a clip to the size it is worked on."""


def same_size(size: Size) -> Size:
    """Work on pictures as they are."""
    return size


def longest_side(pixels: int) -> SizeRule:
    """Work on pictures whose longest side has so many pixels, smaller ones enlarged (SAM-PT)."""

    def rule(size: Size) -> Size:
        longest = max(size)
        # Halves up, as SAM-PT computes sizes; a thread-like picture keeps one pixel.
        width, height = (max(1, int(side * pixels / longest + 0.5)) for side in size)
        return width, height

    return rule


def shortest_side(pixels: int, most: int) -> SizeRule:
    """Work on pictures whose shortest side has so many pixels, and the longest at most `most`."""

    def rule(size: Size) -> Size:
        # The rule of detectron2, in which SAM-PT evaluates instances.
        scale = min(pixels / min(size), most / max(size))
        width, height = (max(1, int(side * scale + 0.5)) for side in size)
        return width, height

    return rule


def resize_image(image: Image, size: Size) -> Image:
    """Resize an (H, W, 3) uint8 picture, bilinear with antialiasing."""
    if image.shape[1::-1] == size:
        return image
    # Pillow, as the public code: OpenCV's bilinear does not antialias.
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize(size, PillowImage.Resampling.BILINEAR))


def resize_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Resize an (H, W) bool mask: every pixel takes the one that its upper left corner is in."""
    height, width = mask.shape
    columns, rows = nearest_pixels(width, size[0]), nearest_pixels(height, size[1])
    return np.asarray(mask[rows[:, None], columns])


class ClipFrames:
    """A clip that can be read again and again; holds no frame.

    Args:
        source: begins to read the clip; bare pictures are numbered from 0.
        rule: says on which size it is worked on.

    Attributes:
        source_size: (width, height) of the clip.
        size: (width, height) of the frames it is worked on.

    Raises:
        SourceError: if the clip has no frame.
    """

    def __init__(self, source: Source, rule: SizeRule = same_size) -> None:
        self._source = source
        # One frame is read for the size; the clip begins anew for everything else.
        first = next(self.originals(), None)
        if first is None:
            msg = "the clip has no frames; check where they are read from"
            raise SourceError(msg)
        self.source_size = first.size
        self.size = rule(first.size)

    def originals(self) -> Iterator[Frame]:
        """Read the clip as it is."""
        for index, item in enumerate(self._source()):
            yield item if isinstance(item, Frame) else Frame(index, float(index), item)

    def __call__(self) -> Iterator[Frame]:
        """Read the clip at the size it is worked on."""
        for frame in self.originals():
            yield self.resized(frame)

    def resized(self, frame: Frame) -> Frame:
        """Bring an original frame to the size it is worked on."""
        return Frame(frame.index, frame.time, resize_image(frame.image, self.size))
