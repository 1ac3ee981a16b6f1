"""`Sheet`: a sheet that reports are drawn on, with text, boxes, lines and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_SHARP = 2
"""Drawn this much larger and then shrunk, so that slanted lines are smooth."""

PAPER, INK, FAINT, BAND = "#ffffff", "#1c1c1e", "#8a8a8e", "#f4f4f6"


class Sheet:
    """A sheet to draw on, in pixels of the finished picture."""

    def __init__(self, width: int, height: int) -> None:
        self._picture = Image.new("RGB", (width * _SHARP, height * _SHARP), PAPER)
        self._draw = ImageDraw.Draw(self._picture)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int,
        colour: str = INK,
        anchor: str = "la",
    ) -> None:
        """Write; `anchor` as in Pillow: la begins at the place, ra ends there."""
        # Pillow's own font: no system's fonts can be counted on.
        font = ImageFont.load_default(size * _SHARP)
        x, y = place
        self._draw.text((x * _SHARP, y * _SHARP), text, colour, font, anchor)

    def box(self, corners: tuple[float, float, float, float], colour: str) -> None:
        """Fill a box from (x0, y0) to (x1, y1)."""
        x0, y0, x1, y1 = (value * _SHARP for value in corners)
        if x1 > x0 and y1 > y0:
            self._draw.rectangle((x0, y0, x1 - 1, y1 - 1), colour)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: int) -> None:
        """Draw a line through points (x, y)."""
        scaled = [(x * _SHARP, y * _SHARP) for x, y in points]
        self._draw.line(scaled, colour, width * _SHARP, joint="curve")

    def picture(self, place: tuple[float, float], picture: Image.Image) -> None:
        """Put a picture with its upper left corner at a place, in its own size."""
        x, y = place
        larger = (picture.width * _SHARP, picture.height * _SHARP)
        whole = picture.resize(larger, Image.Resampling.NEAREST)
        self._picture.paste(whole, (round(x * _SHARP), round(y * _SHARP)))

    def finished(self) -> Image.Image:
        """Return the picture in its size."""
        # An average over whole pixels: a general resize would blur the text.
        return self._picture.reduce(_SHARP)
