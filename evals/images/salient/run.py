"""Find everything in the pictures of a set, picture by picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from ....json_values import Json
from ....methods import Part
from ....segmenters.sam.automatic import AutomaticSettings, automatic_masks
from ....writing import replacing, writing
from ...workers import Watch
from ..pictures import read_picture
from ..running import (
    Pace,
    Work,
    evaluation_folder,
    everything_in_this_process,
    go_through,
    identity_of,
)
from .layout import SalientPicture, SalientSet

EVERYTHING_FOLDER = "everything"


def run_salient(
    chosen: SalientSet,
    out: Path,
    part: Part,
    *,
    points_per_side: int = 32,
    workers: int = 1,
    overwrite: bool = False,
    watch: Watch[float | None] | None = None,
) -> Pace:
    """Write the masks of everything in each picture to `OUT/everything/NAME.json`.

    A picture whose masks are there is not done again: the same command goes on where it was killed.

    Args:
        chosen: from `find_salient`.
        out: folder of the evaluation; made if it is missing.
        part: the segmenter, from `Method.resolve_segmenter`.
        points_per_side: of the grid of points; 32 is SAM's default.
        workers: processes, each with the network; pictures are shared out among them.
        overwrite: begin anew where another evaluation has been.
        watch: is told how far it is: ticks are pictures.

    Raises:
        UsageError: if the segmenter has no everything mode.
        WeightsError: if weights cannot be had.
        SourceError: if a picture is damaged.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    # Here too, so that what is wrong with a network shows before the folder is made.
    everything_in_this_process(part, workers)
    command: dict[str, Json] = {
        "evaluation": "salient objects",
        "images": str(chosen.images.resolve()),
        "points_per_side": points_per_side,
        **identity_of(part),
    }
    results = [f"{EVERYTHING_FOLDER}/*.json"]
    with evaluation_folder(out, command, results=results, overwrite=overwrite) as folder:
        with writing(out):
            (out / EVERYTHING_FOLDER).mkdir(exist_ok=True)
        settings = AutomaticSettings(points_per_side=points_per_side)
        work = Work(
            partial(_is_there, out=out),
            partial(_find, out=out, part=part, settings=settings, workers=workers),
        )
        return go_through(chosen.pictures, work, folder, workers=workers, watch=watch)


def _target(item: SalientPicture, out: Path) -> Path:
    return out / EVERYTHING_FOLDER / f"{item.name}.json"


def _is_there(item: SalientPicture, out: Path) -> bool:
    return _target(item, out).is_file()


def _find(
    item: SalientPicture, out: Path, part: Part, settings: AutomaticSettings, workers: int
) -> None:
    image = read_picture(item.picture)
    masks = automatic_masks(everything_in_this_process(part, workers), image, settings)
    content = {
        "size": [image.shape[0], image.shape[1]],
        "masks": [
            {
                "counts": mask.counts,
                "predicted_iou": mask.predicted_iou,
                "stability": mask.stability,
                "point": mask.point,
            }
            for mask in masks
        ],
    }
    with replacing(_target(item, out)) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="ascii")
