"""A picture of DAVIS scores: bars per sequence, and J&F over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...writing import replacing
from ..sheet import BAND, FAINT, INK, Sheet
from .scores import DavisScores
from .scoring import SequenceScores

REPORT_FILE = "report.png"

_J_COLOUR, _F_COLOUR, _TIME_COLOUR = "#3b6fb6", "#e08a3c", "#2f8f6b"

_WIDTH = 1180
_TOP, _ROW, _BOTTOM = 96, 46, 40
_NAMES, _BARS, _TIMES = (20, 190), (210, 560), (720, 1160)
"""Columns as first and last pixel: name, bars, and the line over time."""
_VALUES = (612, 656, 700)
"""Where the numbers end."""


def draw_report(scores: DavisScores) -> Image.Image:
    """Draw one row per sequence that has objects.

    A row shows the means of J and F over objects and frames as bars and percentages, and J&F, the
    mean over objects, from the first frame that counts to the last.

    Args:
        scores: of a whole set.

    Returns:
        an RGB picture, 1180 pixels wide.
    """
    # Sequences without objects have no rows in the tables either.
    sequences = [sequence for sequence in scores.sequences if len(sequence.j)]
    height = _TOP + _ROW * len(sequences) + _BOTTOM
    page = Sheet(_WIDTH, height)
    summary = scores.summary()
    page.text((_NAMES[0], 16), f"DAVIS {scores.year} {scores.split}, {scores.task}", 22)
    line = "J&F {J&F-Mean:.1%}   J {J-Mean:.1%}   F {F-Mean:.1%}   (means over all objects)"
    page.text((_NAMES[0], 48), line.format(**summary), 16)
    _heading(page)
    for row, sequence in enumerate(sequences):
        top = _TOP + row * _ROW
        if row % 2 == 0:
            page.box((0, top, _WIDTH, top + _ROW), BAND)
        _draw_row(page, top, sequence)
    page.text((_TIMES[0], height - 28), "first frame", 13, FAINT)
    page.text((_TIMES[1], height - 28), "last frame", 13, FAINT, anchor="ra")
    page.text((_BARS[0], height - 28), "0", 13, FAINT)
    page.text((_BARS[1], height - 28), "100 %", 13, FAINT, anchor="ra")
    return page.finished()


def save_report(scores: DavisScores, folder: Path) -> Path:
    """Write the picture as `report.png`; return its path.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / REPORT_FILE
    with replacing(path) as temporary:
        draw_report(scores).save(temporary, format="PNG")
    return path


def _heading(page: Sheet) -> None:
    y = _TOP - 20
    page.text((_BARS[0], y), "J", 14, _J_COLOUR)
    page.text((_BARS[0] + 16, y), "F", 14, _F_COLOUR)
    _numbers(page, y, ("J&F", "J", "F"), FAINT)
    page.text((_TIMES[0], y), "J&F over time, 0 to 100 %", 14, _TIME_COLOUR)


def _numbers(page: Sheet, y: float, texts: Sequence[str], colour: str) -> None:
    for right, text in zip(_VALUES, texts, strict=True):
        page.text((right, y), text, 15, colour, anchor="ra")


def _draw_row(page: Sheet, top: float, sequence: SequenceScores) -> None:
    j, f = float(sequence.j.mean()), float(sequence.f.mean())
    objects = f" ({len(sequence.j)})" if len(sequence.j) > 1 else ""
    page.text((_NAMES[0], top + 14), sequence.name + objects, 15)
    left, right = _BARS
    page.box((left, top + 9, left + (right - left) * j, top + 22), _J_COLOUR)
    page.box((left, top + 24, left + (right - left) * f, top + 37), _F_COLOUR)
    _numbers(page, top + 14, [f"{100 * value:.1f}" for value in ((j + f) / 2, j, f)], INK)
    _draw_time(page, (_TIMES[0], top + 5, _TIMES[1], top + _ROW - 5), (sequence.j + sequence.f) / 2)


def _draw_time(
    page: Sheet, corners: tuple[float, float, float, float], values: NDArray[np.float64]
) -> None:
    """Draw the mean over objects, (N, T), as a line from left to right."""
    x0, y0, x1, y1 = corners
    for share in (0.0, 0.5, 1.0):
        y = y1 - share * (y1 - y0)
        page.line([(x0, y), (x1, y)], "#dcdce0", 1)
    means = values.mean(axis=0)
    across = np.linspace(x0, x1, len(means)) if len(means) > 1 else np.array([x0])
    points = [(float(x), float(y1 - (y1 - y0) * y)) for x, y in zip(across, means, strict=True)]
    # One frame is a short dash.
    page.line(points if len(points) > 1 else [points[0], (x0 + 6, points[0][1])], _TIME_COLOUR, 2)
