"""Draw the edges of BSDS500 with a segmenter, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ....json_values import Json
from ....methods import Part
from ....writing import replacing, writing
from ...workers import Watch
from ..pictures import read_picture, refuse_gaps
from ..running import (
    Pace,
    Work,
    evaluation_folder,
    everything_in_this_process,
    go_through,
    identity_of,
)
from .drawing import EdgeSettings, draw_edges
from .layout import EdgePicture, EdgeSet

EDGES_FOLDER = "edges"


def run_edges(
    chosen: EdgeSet,
    out: Path,
    part: Part,
    settings: EdgeSettings,
    *,
    workers: int = 1,
    overwrite: bool = False,
    watch: Watch[float | None] | None = None,
) -> Pace:
    """Draw the edges of every picture to `OUT/edges/NAME.png`.

    A picture whose map is there is not done again: the same command goes on where it was killed.

    Args:
        chosen: from `find_bsds`.
        out: folder of the evaluation; made if it is missing.
        part: the segmenter, from `Method.resolve_segmenter`.
        settings: how edges are drawn.
        workers: processes, each with the network; pictures are shared out among them.
        overwrite: begin anew where another evaluation has been.
        watch: is told how far it is: ticks are pictures.

    Raises:
        UsageError: if the segmenter has no everything mode.
        WeightsError: if weights cannot be had.
        SourceError: if a picture is missing or damaged.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    there = {item.name: 1 for item in chosen.pictures if item.picture.is_file()}
    refuse_gaps([item.name for item in chosen.pictures], there, f"picture in {chosen.root}")
    # Here too, so that what is wrong with a network shows before the folder is made.
    everything_in_this_process(part, workers)
    command = _command(chosen, part, settings)
    results = f"{EDGES_FOLDER}/*.png"
    with evaluation_folder(out, command, results=[results], overwrite=overwrite) as folder:
        with writing(out):
            (out / EDGES_FOLDER).mkdir(exist_ok=True)
        work = Work(
            partial(_is_there, out=out),
            partial(_draw, out=out, part=part, settings=settings, workers=workers),
        )
        return go_through(chosen.pictures, work, folder, workers=workers, watch=watch)


def _command(chosen: EdgeSet, part: Part, settings: EdgeSettings) -> Mapping[str, Json]:
    return {
        "evaluation": "edges",
        "data": str(chosen.root.resolve()),
        "split": chosen.split,
        "edges": asdict(settings),
        **identity_of(part),
    }


def _target(item: EdgePicture, out: Path) -> Path:
    return out / EDGES_FOLDER / f"{item.name}.png"


def _is_there(item: EdgePicture, out: Path) -> bool:
    return _target(item, out).is_file()


def _draw(item: EdgePicture, out: Path, part: Part, settings: EdgeSettings, workers: int) -> None:
    segmenter = everything_in_this_process(part, workers)
    drawn = draw_edges(segmenter, read_picture(item.picture), settings)
    told = PngInfo()
    told.add_text("masks", str(drawn.masks))
    with replacing(_target(item, out)) as temporary:
        Image.fromarray(drawn.strength).save(temporary, format="PNG", pnginfo=told)
