"""Contact sheets: a video at a glance, as one picture of evenly spaced frames; small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from rvsam_video.errors import UsageError
from rvsam_video.frame import Image
from rvsam_video.writing import replacing

_PAPER = (24, 24, 26)
_INK = (225, 225, 225)
_GAP = 6
"""Pixels of paper around each picture."""

_CAPTION_HEIGHT = 22
_CAPTION_BASELINE = 16
"""Rows of a caption, and the row of its baseline in it."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45
_SPARES = 4
"""Pictures held at most, per picture shown: at least half of them are held once there were so
many, so that the largest gap is at most one and a half times the smallest."""


def contact_sheet(images: Sequence[Image], captions: Sequence[str], columns: int = 4) -> Image:
    """Lay pictures out in rows, each with its caption below.

    Args:
        images: at least one; (H, W, 3) uint8 RGB. Sizes may differ: every cell is as large as the
            largest, and smaller pictures stand in the middle.
        captions: one per picture; cut with "..." where too long. The font knows ASCII only.
        columns: pictures in a row, at least 1; fewer if there are fewer pictures.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: without pictures, with another number of captions, or without a column.
    """
    if not images or len(images) != len(captions) or columns < 1:
        msg = (
            f"a contact sheet needs at least one image, a caption for each and a column; got "
            f"{len(images)} images, {len(captions)} captions and {columns} columns"
        )
        raise UsageError(msg)
    columns = min(columns, len(images))
    # Rounded up.
    rows = -(-len(images) // columns)
    cell_width = max(image.shape[1] for image in images) + 2 * _GAP
    cell_height = max(image.shape[0] for image in images) + _GAP + _CAPTION_HEIGHT
    sheet = np.full((rows * cell_height, columns * cell_width, 3), _PAPER, np.uint8)
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        top, left = row * cell_height, column * cell_width
        _fill_cell(sheet[top : top + cell_height, left : left + cell_width], image, caption)
    return sheet


def _fill_cell(cell: Image, image: Image, caption: str) -> None:
    height, width = image.shape[:2]
    room = cell.shape[0] - _GAP - _CAPTION_HEIGHT
    top = _GAP + (room - height) // 2
    left = (cell.shape[1] - width) // 2
    cell[top : top + height, left : left + width] = image
    text = _shorten(caption, cell.shape[1] - 2 * _GAP)
    origin = (_GAP, cell.shape[0] - _CAPTION_HEIGHT + _CAPTION_BASELINE)
    # OpenCV draws into whole arrays only, and a cell is a window of the sheet.
    band = cell.copy()
    cv2.putText(band, text, origin, _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    cell[...] = band


def _shorten(text: str, width: int) -> str:
    """Cut a text so that it fits in `width` pixels; the cut is shown by dots."""
    if _text_width(text) <= width:
        return text
    while text and _text_width(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0])


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    place: int
    image: Image
    caption: str


class ContactSheet:
    """Collects evenly spaced pictures while they stream by, however many there will be.

    Small copies of every picture, then of every second, every fourth and so on are held, so that
    memory does not grow. What was added decides alone; nothing is random.

    Args:
        tiles: pictures on the sheet, at least 2; fewer if fewer are added.
        columns: pictures in a row.
        tile_width: width of a picture on the sheet in pixels; larger ones are scaled down.

    Raises:
        UsageError: if a number is too small.

    Example:
        >>> sheet = ContactSheet(tiles=3)
        >>> for index in range(1000):
        ...     sheet.add(np.zeros((9, 16, 3), np.uint8), f"frame {index}")
        >>> sheet.captions()
        ['frame 0', 'frame 512', 'frame 896']
    """

    def __init__(self, tiles: int = 12, columns: int = 4, tile_width: int = 320) -> None:
        if tiles < 2 or columns < 1 or tile_width < 16:
            msg = (
                f"a contact sheet needs at least 2 tiles, 1 column and a tile width of 16; got "
                f"{tiles}, {columns} and {tile_width}"
            )
            raise UsageError(msg)
        self._tiles = tiles
        self._columns = columns
        self._tile_width = tile_width
        self._kept: list[_Kept] = []
        self._stride = 1
        self._seen = 0

    @property
    def wants_next(self) -> bool:
        """Whether the next picture will be held; if not, `skip` saves the work of drawing it."""
        return self._seen % self._stride == 0

    def add(self, image: Image, caption: str) -> None:
        """Take the next picture, (H, W, 3) uint8 RGB; it is copied if it is held at all."""
        if self.wants_next:
            thumbnail = _thumbnail(image, self._tile_width)
            self._kept.append(_Kept(self._seen, thumbnail, caption))
        self.skip()

    def skip(self) -> None:
        """Count the next picture without giving it, for when it is not wanted."""
        self._seen += 1
        # Half of them go, every second one: the rest stays evenly spaced.
        if len(self._kept) > _SPARES * self._tiles:
            self._stride *= 2
            self._kept = [item for item in self._kept if item.place % self._stride == 0]

    def captions(self) -> list[str]:
        """Return the captions of the pictures that the sheet would show now."""
        return [item.caption for item in self._chosen()]

    def render(self) -> Image:
        """Return the sheet as it is now; (H, W, 3) uint8 RGB.

        Raises:
            UsageError: if nothing was added yet.
        """
        chosen = self._chosen()
        images = [item.image for item in chosen]
        return contact_sheet(images, [item.caption for item in chosen], self._columns)

    def save(self, path: Path) -> None:
        """Write the sheet as PNG; the file appears under its name only when it is complete.

        Raises:
            UsageError: if nothing was added yet.
            OutputError: if the file cannot be written.
        """
        sheet = self.render()
        with replacing(path) as temporary:
            PillowImage.fromarray(sheet).save(temporary, format="PNG")

    def _chosen(self) -> list[_Kept]:
        count = min(self._tiles, len(self._kept))
        places = np.linspace(0, len(self._kept) - 1, count).round().astype(int)
        return [self._kept[place] for place in places]


def _thumbnail(image: Image, width: int) -> Image:
    """Return a copy, scaled down to `width` if it is wider."""
    if image.shape[1] <= width:
        return image.copy()
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def small_jpeg(image: Image, width: int, quality: int) -> bytes:
    """Compress a picture for a browser or a contact sheet, scaled down to at most `width` pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        width: in pixels.
        quality: 1 to 100.
    """
    bgr = cv2.cvtColor(_thumbnail(image, width), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
