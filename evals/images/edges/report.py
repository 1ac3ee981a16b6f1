"""What an evaluation of edges tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from ...metrics.edge_scores import BSDS_TOLERANCE, EdgePoint
from ...tables import TableRows
from ..gallery import Case, grey_picture, save_gallery
from ..pictures import read_grey, read_picture
from ..published import EDGES_TABLE
from ..report import ImageReport, share
from .files import save_bench_tables, save_plot
from .layout import EdgePicture, read_annotators
from .scoring import EdgeResult, edge_files

_ABOUT_MATCHING = (
    "pixels are matched exactly; the official matcher draws random edges, so its results differ "
    "from run to run and its F is about 0.0001 to 0.0003 lower"
)


def edge_report(
    result: EdgeResult, results: Path, out: Path, *, tolerance: float = BSDS_TOLERANCE
) -> ImageReport:
    """Write tables, plot and gallery, and return what is to be told.

    Args:
        result: a scored set.
        results: folder of the maps.
        out: takes the files.
        tolerance: that was scored with.

    Raises:
        OutputError: if a file cannot be written.
    """
    files = [*save_bench_tables(result, out), save_plot(result, out)]
    files.append(_gallery(result, results, out))
    pictures = result.chosen.pictures
    rows = [
        (item.name, annotators, point.threshold, point.recall, point.precision, point.f)
        for item, annotators, point in zip(
            pictures, result.annotators, result.scores.pictures, strict=True
        )
    ]
    notes = [_ABOUT_MATCHING, EDGES_TABLE.difference]
    if len(pictures) < result.chosen.total:
        notes.insert(0, f"partial: {len(pictures)} of {result.chosen.total} pictures")
    return ImageReport(
        values=_values(result, tolerance),
        headings=("picture", "annotators", "threshold", "recall", "precision", "F"),
        rows=rows,
        tables=_tables(result),
        notes=notes,
        files=files,
    )


def _values(result: EdgeResult, tolerance: float) -> Mapping[str, object]:
    scores = result.scores
    return {
        "benchmark": f"BSDS500 {result.chosen.split}",
        "pictures": len(result.chosen.pictures),
        "tolerance": tolerance,
        "ODS": asdict(scores.ods),
        "OIS": asdict(scores.ois),
        "AP": scores.ap,
        "AP (trapezoid)": scores.ap_trapezoid,
        "R50": scores.r50,
    }


def _tables(result: EdgeResult) -> list[TableRows]:
    scores, count = result.scores, len(result.chosen.pictures)
    own = TableRows(
        f"BSDS500 {result.chosen.split}, {count} of {result.chosen.total} pictures",
        ("", "threshold", "recall", "precision", "F"),
        (
            ("ODS", *_cells(scores.ods.threshold, scores.ods)),
            ("OIS", *_cells(None, scores.ois)),
        ),
    )
    areas = TableRows(
        "",
        ("AP", "AP (trapezoid)", "R50"),
        ((share(scores.ap), share(scores.ap_trapezoid), share(scores.r50)),),
    )
    values = (share(scores.ods.f), share(scores.ois.f), share(scores.ap))
    return [own, areas, EDGES_TABLE.beside(values, count)]


def _cells(threshold: float | None, point: EdgePoint) -> tuple[str, ...]:
    return (
        share(threshold, 2),
        share(point.recall),
        share(point.precision),
        share(point.f),
    )


def _gallery(result: EdgeResult, results: Path, out: Path) -> Path:
    maps = edge_files(result.chosen, results)
    scored = zip(result.chosen.pictures, result.scores.pictures, strict=True)
    ranked = sorted(scored, key=lambda pair: -pair[1].f)
    rows = [
        partial(_case, item, maps[item.name], f"{item.name}, F {point.f:.3f}")
        for item, point in ranked
    ]
    title = f"BSDS500 {result.chosen.split}: F at each picture's best threshold"
    return save_gallery(out, title, ("picture", "annotators", "edges"), rows)


def _case(item: EdgePicture, edges: Path, caption: str) -> Case:
    drawn = np.mean(read_annotators(item.truth), axis=0)
    pictures = [grey_picture(drawn), grey_picture(read_grey(edges))]
    if item.picture.is_file():
        pictures.insert(0, read_picture(item.picture))
    else:
        pictures.insert(0, grey_picture(np.zeros(drawn.shape)))
    return Case(caption, pictures)
