"""From a decoded picture to RGB pixels, turned the way a viewer would see them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter

from rvsam_video.frame import Image
from rvsam_video.sources.pixels.combs import without_combs
from rvsam_video.sources.pixels.high_range import HLG, PQ, to_ordinary


class Orientation(NamedTuple):
    """How a stored picture is turned for display: first transposed, then mirrored.

    Attributes:
        transpose: swap rows and columns.
        flip_x: mirror left and right, after that.
        flip_y: mirror top and bottom, after that.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def turn(self, image: Image) -> Image:
        """Return a view of `image` (H, W, 3), turned."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        # Negative steps: a view, no pixel is moved until the copy at the end.
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) after turning; turning twice gives the first back."""
        return (height, width) if self.transpose else (width, height)


_UPRIGHT = Orientation()

_QUARTER_TURNS = (
    _UPRIGHT,
    Orientation(transpose=True, flip_y=True),
    Orientation(flip_x=True, flip_y=True),
    Orientation(transpose=True, flip_x=True),
)
"""By the number of counterclockwise quarter turns."""


def orientation_of(picture: VideoFrame) -> Orientation:
    """Read the display matrix that cameras held sideways, or mirrored, put into their files."""
    try:
        # Not `picture.side_data`, which the picture keeps and which keeps the picture: so large
        # pictures would fill the memory until Python looks for such circles. The stubs of PyAV 18
        # and 19 contradict each other here.
        container: Any = SideDataContainer
        matrix = container(picture).get(SideDataType.DISPLAYMATRIX)
    except ValueError:
        # PyAV before 19 refuses all side data if there is a kind it does not know.
        return _QUARTER_TURNS[round(picture.rotation / 90) % 4]
    if matrix is None:
        return _UPRIGHT
    # Rows of (a b u / c d v / x y w): a point (x, y) is shown at (ax + cy, bx + dy), y downwards.
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5]
    # A quarter turn swaps the axes; matrices of files are never far from a multiple of 90 degrees.
    if abs(b) > abs(a):
        return Orientation(transpose=True, flip_x=bool(c < 0), flip_y=bool(b < 0))
    return Orientation(flip_x=bool(a < 0), flip_y=bool(d < 0))


def displayed_size(picture: VideoFrame) -> tuple[int, int]:
    """Return the (width, height) in pixels at which a picture is displayed."""
    return orientation_of(picture).size(picture.width, picture.height)


HD_LINES = 720
"""From here on video that does not say how its colours are coded is taken for HD (ITU-R BT.709), as
players do; below for BT.601."""


_UNTAGGED = 2
"""What a video's colour coding is called, in ITU-T H.273, that does not say what it is."""


class Converter:
    """Turns decoded pictures into (H, W, 3) uint8 RGB images of one size.

    Transparency is left out: the colours below it are shown. Pixels that are not square stay as
    they are stored. HDR is brought to the range of ordinary pictures, and interlaced pictures lose
    their combs; `said` says so. One reformatter is kept, since making one per picture costs a fifth
    more.

    Args:
        size: (width, height) in pixels that every image gets.

    Attributes:
        said: sentences about what was done to the pictures so far.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()
        self.said: list[str] = []

    def __call__(self, picture: VideoFrame) -> Image:
        """Return the (H, W, 3) uint8 RGB image, C-contiguous; scaled if it has another size."""
        orientation = orientation_of(picture)
        # The scaler works before the turn, so it is given the sizes as they are stored.
        width, height = orientation.size(*self._size)
        pixels = self._pixels(picture, width, height)
        if picture.interlaced_frame:
            self._say(
                "the video is interlaced: where it moves, every second line is made from its "
                "neighbours"
            )
            pixels = without_combs(pixels)
        # A copy only if it was turned; trackers and networks want rows that follow each other.
        return np.ascontiguousarray(orientation.turn(pixels))

    def _pixels(self, picture: VideoFrame, width: int, height: int) -> Image:
        if picture.color_trc in (PQ, HLG):
            self._say("the video is HDR: its brightness and colours are converted to ordinary ones")
            deep = self._reformatter.reformat(picture, width, height, "rgb48le").to_ndarray()
            return to_ordinary(
                np.asarray(deep, np.uint16), picture.color_trc, picture.color_primaries
            )
        coded = None
        if (
            picture.colorspace == _UNTAGGED
            and picture.height >= HD_LINES
            and not picture.format.is_rgb
        ):
            coded = Colorspace.ITU709
        shown = self._reformatter.reformat(picture, width, height, "rgb24", src_colorspace=coded)
        return np.asarray(shown.to_ndarray(), np.uint8)

    def _say(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.append(sentence)
