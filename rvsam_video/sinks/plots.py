"""`draw_timelines`: the area and the score of every object over time, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.sinks.colours import drawing_colour

PLOT_COLUMNS = 960
"""Pixels of the time axis; longer videos have several frames in one."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 30, 34
_PANEL, _GAP = 96, 14
_PAPER = (24, 24, 26)
_FLOOR = (40, 40, 44)
_INK = (225, 225, 225)
_FAINT = (120, 120, 124)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TICKS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """One object, column by column of the time axis.

    Attributes:
        area: (C,) float64, share of the frame inside the mask; NaN where the object does not live.
        score: (C,) float64, the segmenter's score; NaN likewise.
    """

    area: NDArray[np.float64]
    score: NDArray[np.float64]


def draw_timelines(objects: Mapping[int, Timeline], seconds: tuple[float, float]) -> Image:
    """Draw a panel per object: its area as a filled curve, its score as a line from 0 to 1.

    Args:
        objects: by object id; all with the same number of columns C, at most `PLOT_COLUMNS`.
        seconds: times of the first and the last column.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height = _TOP + max(1, len(objects)) * (_PANEL + _GAP) + _BOTTOM
    canvas = np.full((height, _LEFT + PLOT_COLUMNS + _RIGHT, 3), _PAPER, np.uint8)
    _text(canvas, "filled: area in % of the frame    line: score, 0 to 1", (_LEFT, 20), _INK)
    top = _TOP
    for object_id, timeline in objects.items():
        _draw_panel(canvas[top : top + _PANEL], object_id, timeline)
        top += _PANEL + _GAP
    _draw_times(canvas, top, seconds)
    return canvas


def _draw_panel(panel: Image, object_id: int, timeline: Timeline) -> None:
    colour = drawing_colour(object_id)
    panel[:, _LEFT : _LEFT + PLOT_COLUMNS] = _FLOOR
    # An object that is never seen has a flat line, not a division by zero.
    most = float(np.nanmax(timeline.area, initial=0)) or 1.0
    _text(panel, str(object_id), (10, 22), colour, 0.6)
    _text(panel, f"{100 * most:.3g}%", (10, 44), _FAINT)
    columns = np.arange(len(timeline.area))
    xs = _LEFT + columns * (PLOT_COLUMNS - 1) // max(1, len(columns) - 1)
    for run in _runs(timeline.area):
        heights = timeline.area[run] / most
        # Each panel has its own scale: a small object's changes would not show in a common one.
        _fill(panel, xs[run], heights, colour)
        _line(panel, xs[run], np.clip(timeline.score[run], 0, 1))


def _runs(values: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Split into stretches without gaps."""
    present = np.flatnonzero(~np.isnan(values))
    return np.split(present, np.flatnonzero(np.diff(present) > 1) + 1) if len(present) else []


def _rows(heights: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round((1 - heights) * (_PANEL - 1)).astype(np.int32)


def _fill(
    panel: Image, xs: NDArray[np.intp], heights: NDArray[np.float64], colour: Sequence[int]
) -> None:
    curve = np.stack([xs, _rows(heights)], axis=1)
    ends = [[xs[-1], _PANEL - 1], [xs[0], _PANEL - 1]]
    # Darker than the object's colour, so that the white line of the score stands out.
    shaded = [round(0.55 * value) for value in colour]
    cv2.fillPoly(panel, [np.concatenate([curve, ends]).astype(np.int32)], shaded, cv2.LINE_AA)


def _line(panel: Image, xs: NDArray[np.intp], heights: NDArray[np.float64]) -> None:
    curve = np.stack([xs, _rows(heights)], axis=1).astype(np.int32)
    cv2.polylines(panel, [curve], isClosed=False, color=_INK, thickness=1, lineType=cv2.LINE_AA)


def _draw_times(canvas: Image, top: int, seconds: tuple[float, float]) -> None:
    first, last = seconds
    for tick in range(_TICKS + 1):
        x = _LEFT + tick * (PLOT_COLUMNS - 1) // _TICKS
        cv2.line(canvas, (x, top - _GAP), (x, top - _GAP + 5), _FAINT, 1)
        _text(canvas, f"{first + (last - first) * tick / _TICKS:.2f} s", (x - 24, top + 12), _FAINT)


def _text(
    canvas: Image, text: str, origin: tuple[int, int], colour: Sequence[int], size: float = 0.42
) -> None:
    cv2.putText(canvas, text, origin, _FONT, size, colour, 1, cv2.LINE_AA)
