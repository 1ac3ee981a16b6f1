"""What an evaluation of salient objects tells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ...metrics.saliency import mean_measures
from ...tables import TableRows
from ..gallery import Case, compared, grey_picture, save_gallery, tinted
from ..pictures import read_grey, read_picture
from ..published import DUTS_TABLE
from ..report import ImageReport, share
from .layout import SalientPicture, SalientSet, read_truth
from .scoring import Missing, SalientScore, read_masks, salient_files


def salient_report(
    chosen: SalientSet,
    scores: Sequence[SalientScore],
    results: Path,
    out: Path,
    *,
    missing: Missing,
) -> ImageReport:
    """Draw the gallery, and return what is to be told.

    Args:
        chosen: the set.
        scores: of its pictures.
        results: folder that was scored.
        out: takes the gallery.
        missing: what pictures without an overlapping mask counted.

    Raises:
        OutputError: if a file cannot be written.
    """
    measures = mean_measures([score.measures for score in scores])
    mae = float(np.mean([score.mae for score in scores]))
    lost = sum(score.found_nothing for score in scores)
    overlap = _mean([score.iou for score in scores])
    masks = _mean([np.nan if it.masks is None else it.masks for it in scores])
    values = {
        "MAE": mae,
        "mean IoU": overlap,
        "pictures": len(scores),
        "without an overlapping mask": lost,
        "mean masks": masks,
        "measures": measures,
    }
    own = TableRows(
        f"Salient objects, {len(scores)} of {chosen.total} pictures",
        ("MAE", "mean IoU", "masks a picture", "without a mask"),
        (
            (
                share(mae, 4),
                share(overlap, 4),
                share(masks, 1),
                f"{lost} ({lost / len(scores):.1%})",
            ),
        ),
    )
    usual = TableRows("", tuple(measures), (tuple(share(value) for value in measures.values()),))
    files = [_gallery(chosen, scores, results, out)]
    return ImageReport(
        values=values,
        headings=("picture", "masks", "chosen", "IoU", "MAE", "S", "wF"),
        rows=[
            (it.name, it.masks, it.chosen, it.iou, it.mae, it.measures.s, it.measures.weighted_f)
            for it in scores
        ],
        tables=[own, usual, DUTS_TABLE.beside((share(mae),), len(scores))],
        notes=_notes(chosen, scores, lost, missing),
        files=files,
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _notes(
    chosen: SalientSet, scores: Sequence[SalientScore], lost: int, missing: Missing
) -> list[str]:
    notes = []
    if len(scores) < chosen.total:
        notes.append(f"partial: {len(scores)} of {chosen.total} pictures")
    if any(score.masks is not None for score in scores):
        counted = "an error of 1" if missing == "one" else "an empty mask"
        notes.append(
            f"best mask by the truth; {lost} of {len(scores)} pictures have none that overlaps it "
            f"and counted as {counted}, in the measures of the second row as an empty one"
        )
    if any(score.measures.weighted_f is None for score in scores):
        notes.append('wF needs SciPy: pip install "rvsam-video[evals]"')
    return [*notes, DUTS_TABLE.difference]


def _gallery(chosen: SalientSet, scores: Sequence[SalientScore], results: Path, out: Path) -> Path:
    files = salient_files(chosen, results)
    pairs = sorted(zip(chosen.pictures, scores, strict=True), key=lambda pair: pair[1].mae)
    rows = [partial(_case, item, score, files[item.name]) for item, score in pairs]
    columns = ("picture and truth", "result", "right, wrong, left out")
    return save_gallery(out, "Salient objects by MAE", columns, rows)


def _case(item: SalientPicture, score: SalientScore, place: Path) -> Case:
    truth, image = read_truth(item.truth).relative, read_picture(item.picture)
    caption = f"{item.name}, MAE {score.mae:.3f}"
    if score.masks is None:
        found = read_grey(place)
        shown = grey_picture(found)
        mask = found > 0.5 if found.shape == truth.shape else np.zeros_like(truth)
    else:
        masks = read_masks(place, truth.shape)
        mask = np.zeros_like(truth) if score.chosen is None else masks[score.chosen]
        shown = tinted(image, mask)
        caption += f", IoU {score.iou:.3f}, {score.masks} masks"
    return Case(caption, [tinted(image, truth), shown, compared(image, mask, truth)])
