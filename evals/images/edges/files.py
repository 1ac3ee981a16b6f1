"""The files of a scored set of edges: the tables of the BSDS benchmark, and a plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....writing import replacing, writing
from ...sheet import FAINT, INK, Sheet
from .scoring import EdgeResult

BENCH_FOLDER = "bench"
CURVE_FILE = "precision_recall.png"

_SIDE, _MARGIN = 560, 64
_CURVE, _LEVEL = "#3b6fb6", "#dfe7dd"


def save_bench_tables(result: EdgeResult, folder: Path) -> list[Path]:
    """Write the tables of the benchmark, in its names and number formats.

    Args:
        result: a scored set.
        folder: takes the folder `bench`: NAME_ev1.txt with the counts of each picture,
            eval_bdry_thr.txt, eval_bdry_img.txt and eval_bdry.txt.

    Raises:
        OutputError: if they cannot be written.
    """
    scores, at = result.scores, result.thresholds
    tables = {
        f"{item.name}_ev1.txt": _lines(zip(at, *counts.table, strict=True))
        for item, counts in zip(result.chosen.pictures, result.counts, strict=True)
    }
    curve = scores.curve
    rows = zip(at, curve.recall, curve.precision, curve.f, strict=True)
    tables["eval_bdry_thr.txt"] = _lines(rows)
    tables["eval_bdry_img.txt"] = _lines(
        (number, point.threshold or 0, point.recall, point.precision, point.f)
        for number, point in enumerate(scores.pictures, 1)
    )
    ods, ois = scores.ods, scores.ois
    whole = (ods.threshold or 0, ods.recall, ods.precision, ods.f)
    tables["eval_bdry.txt"] = _lines([(*whole, ois.recall, ois.precision, ois.f, scores.ap)])
    bench = folder / BENCH_FOLDER
    with writing(bench):
        bench.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        with replacing(bench / name, durable=False) as temporary:
            temporary.write_text(text, encoding="ascii", newline="\n")
    return [bench / name for name in tables if name.startswith("eval_")]


def _lines(rows: Iterable[Iterable[float]]) -> str:
    return "".join(" ".join(f"{value:10g}" for value in row) + "\n" for row in rows)


def save_plot(result: EdgeResult, folder: Path) -> Path:
    """Draw precision over recall, with lines of equal F and the best point; return the path.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / CURVE_FILE
    with replacing(path) as temporary:
        _plot(result).finished().save(temporary, format="PNG")
    return path


def _plot(result: EdgeResult) -> Sheet:
    sheet = Sheet(_SIDE + 2 * _MARGIN, _SIDE + 2 * _MARGIN)
    scores, chosen = result.scores, result.chosen
    title = f"BSDS500 {chosen.split}, {len(chosen.pictures)} of {chosen.total} pictures"
    sheet.text((_MARGIN, 12), title, 16)
    line = f"ODS {scores.ods.f:.3f}   OIS {scores.ois.f:.3f}   AP {scores.ap:.3f}"
    sheet.text((_MARGIN, 36), line, 14, FAINT)
    for level in np.arange(1, 10) / 10:
        recall = np.linspace(level / (2 - level), 1, 400)
        _curve(sheet, recall, level * recall / (2 * recall - level), _LEVEL)
        sheet.text(_place(1, level / (2 - level)), f" F {level:.1f}", 11, FAINT, anchor="lm")
    for corner in (0, 1):
        sheet.line([_place(0, corner), _place(1, corner)], FAINT, 1)
        sheet.line([_place(corner, 0), _place(corner, 1)], FAINT, 1)
    for tick in np.arange(0, 11, 2) / 10:
        x, y = _place(tick, 0)
        sheet.text((x, y + 6), f"{tick:.1f}", 12, anchor="ma")
        x, y = _place(0, tick)
        sheet.text((x - 6, y), f"{tick:.1f}", 12, anchor="rm")
    x, y = _place(0.5, 0)
    sheet.text((x, y + 28), "recall", 14, anchor="ma")
    sheet.text((8, _MARGIN - 8), "precision", 12, anchor="lb")
    known = scores.curve.recall > 0
    _curve(sheet, scores.curve.recall[known], scores.curve.precision[known], _CURVE, width=2)
    x, y = _place(scores.ods.recall, scores.ods.precision)
    sheet.box((x - 4, y - 4, x + 4, y + 4), INK)
    return sheet


def _curve(
    sheet: Sheet,
    recall: NDArray[np.float64],
    precision: NDArray[np.float64],
    colour: str,
    width: int = 1,
) -> None:
    points = [_place(*pair) for pair in zip(recall, precision, strict=True)]
    if len(points) > 1:
        sheet.line(points, colour, width)


def _place(recall: float, precision: float) -> tuple[float, float]:
    return _MARGIN + _SIDE * float(recall), _MARGIN + _SIDE * (1 - float(precision))
