"""`draw_training`: loss, scores and learning rate of a training as one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from rvsam_video.frame import Image

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 960, 220, 76, 24, 34, 34, 36
_PAPER, _FLOOR, _INK, _FAINT = (255, 255, 255), (246, 246, 248), (40, 40, 44), (150, 150, 156)
_COLOURS = ((31, 119, 180), (214, 96, 30), (44, 140, 60), (148, 80, 170))
_RULE = (225, 225, 230)
_GRID, _TICKS, _DOTTED = 4, 6, 40
_FONT = cv2.FONT_HERSHEY_SIMPLEX

CurveTable = Sequence[Mapping[str, float]]

# Panel by panel: heading, whether the axis is logarithmic, and (table, column) of its curves. The
# loss alone is logarithmic: it falls by factors, and would be a flat line after the first epoch.
_PANELS = (
    ("loss, and MSE of held-out pictures", True, (("log", "loss"), ("scores", "embedding_mse"))),
    ("mIoU with the teacher's masks", False, (("scores", "box_miou"), ("scores", "point_miou"))),
    ("learning rate", False, (("log", "rate"),)),
)

Curve = list[tuple[float, float]]
"""(step, value) pairs."""


def draw_training(log: CurveTable, scores: CurveTable) -> Image:
    """Draw the tables of a training.

    Args:
        log: lines with step, loss and rate.
        scores: lines with step and scores; may be empty.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height = _TOP + len(_PANELS) * (_PANEL + _GAP) + _BOTTOM - _GAP
    canvas = np.full((height, _LEFT + _WIDTH + _RIGHT, 3), _PAPER, np.uint8)
    tables = {"log": log, "scores": scores}
    last = max(row["step"] for table in tables.values() for row in table)
    for number, (heading, logarithmic, curves) in enumerate(_PANELS):
        top = _TOP + number * (_PANEL + _GAP)
        _text(canvas, heading, (_LEFT, top - 8), _INK)
        lines = {name: _points(tables[table], name) for table, name in curves}
        _draw(canvas[: top + _PANEL], {name: line for name, line in lines.items() if line}, last,
              logarithmic=logarithmic)  # fmt: skip
    bottom = height - _BOTTOM + 16
    for tick in range(_TICKS + 1):
        x = _LEFT + tick * (_WIDTH - 1) // _TICKS
        _text(canvas, f"{last * tick / _TICKS:.0f}", (x - 12, bottom), _FAINT)
    _text(canvas, "step", (_LEFT + _WIDTH // 2 - 14, bottom + 16), _INK)
    return canvas


def _points(table: CurveTable, name: str) -> Curve:
    return [(row["step"], row[name]) for row in table if math.isfinite(row[name])]


def _draw(canvas: Image, lines: Mapping[str, Curve], last: float, *, logarithmic: bool) -> None:
    """Draw a panel at the lower end of a canvas."""
    top = len(canvas) - _PANEL
    canvas[top:, _LEFT : _LEFT + _WIDTH] = _FLOOR
    if not lines:
        _text(canvas, "none yet", (_LEFT + 12, top + 24), _FAINT)
        return
    values = [value for line in lines.values() for _, value in line]
    # A loss of exactly 0 has no logarithm.
    scale = _Scale(min(values), max(values), logarithmic=logarithmic and min(values) > 0)
    for step in range(_GRID + 1):
        y = top + round((1 - step / _GRID) * (_PANEL - 1))
        cv2.line(canvas, (_LEFT, y), (_LEFT + _WIDTH - 1, y), _RULE, 1)
        _text(canvas, f"{scale.value(step / _GRID):.3g}", (6, min(y + 4, len(canvas) - 2)), _FAINT)
    for number, (name, line) in enumerate(lines.items()):
        places = [
            (
                _LEFT + round(at / last * (_WIDTH - 1)),
                top + round((1 - scale.share(value)) * (_PANEL - 1)),
            )
            for at, value in line
        ]
        curve = [np.array(places, np.int32)]
        cv2.polylines(canvas, curve, False, _COLOURS[number], 2, cv2.LINE_AA)
        # Few values would be taken for straight progress.
        for place in places if len(places) < _DOTTED else ():
            cv2.circle(canvas, place, 3, _COLOURS[number], -1, cv2.LINE_AA)
        _text(canvas, name, (_LEFT + 380 + 190 * number, top - 8), _COLOURS[number])


class _Scale:
    """A value axis, straight or logarithmic."""

    def __init__(self, low: float, high: float, *, logarithmic: bool) -> None:
        if high == low:
            low, high = (low / 2, high * 2) if logarithmic else (low - 1, high + 1)
        self._low, self._high, self._logarithmic = low, high, logarithmic

    def share(self, value: float) -> float:
        """Return how far up a value is, 0 to 1."""
        if self._logarithmic:
            return math.log(value / self._low) / math.log(self._high / self._low)
        return (value - self._low) / (self._high - self._low)

    def value(self, share: float) -> float:
        """Undo `share`."""
        if self._logarithmic:
            return float(self._low * (self._high / self._low) ** share)
        return self._low + (self._high - self._low) * share


def _text(canvas: Image, text: str, origin: tuple[int, int], colour: Sequence[int]) -> None:
    cv2.putText(canvas, text, origin, _FONT, 0.42, colour, 1, cv2.LINE_AA)
