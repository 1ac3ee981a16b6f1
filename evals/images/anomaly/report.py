"""What an evaluation of anomalies tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ...tables import TableRows
from ..gallery import Case, compared, grey_picture, save_gallery, tinted
from ..pictures import read_picture
from ..published import MVTEC_TABLE
from ..report import ImageReport, percent
from .layout import AnomalyPicture, AnomalySet, read_defect
from .scoring import AnomalyScores, anomaly_files, read_map, resized_map


def anomaly_report(
    chosen: AnomalySet,
    scores: Mapping[str, AnomalyScores],
    results: Path,
    out: Path,
    *,
    notes: Sequence[str] = (),
) -> ImageReport:
    """Draw the gallery, and return what is to be told.

    Args:
        chosen: the set.
        scores: by category.
        results: folder of the maps.
        out: takes the gallery.
        notes: that come first.

    Raises:
        OutputError: if a file cannot be written.
    """
    counts = {name: len(item.pictures) for name, item in scores.items()}
    mean = float(np.mean([item.pixels.max_f1 for item in scores.values()]))
    cells = [
        (
            name,
            str(counts[name]),
            percent(item.pixels.max_f1, 2),
            percent(item.pixels.auroc),
            percent(item.pixels.average_precision),
            str(item.empty),
        )
        for name, item in scores.items()
    ]
    total = len(chosen.pictures)
    cells.append((f"mean of {len(scores)}", str(total), percent(mean, 2), "", "", ""))
    told = list(notes)
    if total < chosen.total:
        told.insert(0, f"partial: {total} of {chosen.total} pictures")
    headings = ("category", "pictures", "F_p", "AUROC", "AP", "nothing found")
    return ImageReport(
        values={
            "F_p": mean,
            "pictures": total,
            "categories": {
                name: {
                    "F_p": item.pixels.max_f1,
                    "threshold": item.pixels.threshold,
                    "AUROC": item.pixels.auroc,
                    "AP": item.pixels.average_precision,
                    "pictures": counts[name],
                    "nothing found": item.empty,
                }
                for name, item in scores.items()
            },
        },
        headings=("category", "kind", "picture", "F1 at the category's threshold"),
        rows=[
            (item.category, item.kind, item.name, scores[item.category].pictures[item.title])
            for item in chosen.pictures
        ],
        tables=[
            TableRows("MVTec-AD, percent of pixels", headings, tuple(cells)),
            MVTEC_TABLE.beside((percent(mean, 2),), total),
        ],
        notes=[*told, MVTEC_TABLE.difference],
        files=_gallery(chosen, scores, results, out),
    )


def _gallery(
    chosen: AnomalySet, scores: Mapping[str, AnomalyScores], results: Path, out: Path
) -> list[Path]:
    files = anomaly_files(chosen, results)
    ranked = [
        (scores[item.category].pictures[item.title], item)
        for item in chosen.pictures
        if item.truth is not None
    ]
    if not ranked:
        return []
    ranked.sort(key=lambda pair: -pair[0])
    rows = [
        partial(_case, item, files[item.title], scores[item.category], f1) for f1, item in ranked
    ]
    columns = ("picture and truth", "map", "right, wrong, left out")
    title = "Defects by F1 at the threshold of their category"
    return [save_gallery(out, title, columns, rows)]


def _case(item: AnomalyPicture, place: Path, scores: AnomalyScores, f1: float) -> Case:
    image = read_picture(item.picture)
    side = max(image.shape[:2])
    square = np.asarray(cv2.resize(image, (side, side)), np.uint8)
    truth, found = read_defect(item, side), resized_map(read_map(place), side)
    above = found >= scores.pixels.threshold
    shown = grey_picture(found / max(float(found.max()), 1e-9))
    pictures = [tinted(square, truth), shown, compared(square, above, truth)]
    return Case(f"{item.title}, F1 {f1:.3f}", pictures)
