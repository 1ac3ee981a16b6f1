"""`rvsam-video eval anomaly`: maps of anomalies on MVTec-AD from proposed boxes, as SAA+ does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

import click

from rvsam_video.cli.benchmarks.images.anomaly_options import (
    anomaly_options,
    anomaly_set,
    score_and_tell_anomaly,
)
from rvsam_video.cli.benchmarks.images.options import PictureRunArguments, picture_run_options
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FILE, FOLDER, report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.anomaly.unlikeness import SaliencyName


@click.command("anomaly", context_settings={"max_content_width": 100})
@anomaly_options
@click.option(
    "--proposals",
    type=FOLDER,
    required=True,
    help="Folder with CATEGORY.json: boxes, scores and phrases of a detector; "
    "demos/examples/grounding_dino_proposals.py writes them.",
)
@click.option(
    "--settings",
    type=FILE,
    help="Prompts, sizes and numbers of each category.  [default: those published]",
)
@click.option(
    "--channels",
    type=click.Choice(["bgr", "rgb"]),
    default="bgr",
    show_default=True,
    help="Order in which networks see the colours: bgr as published, rgb as they were trained.",
)
@click.option(
    "--saliency",
    type=click.Choice(["wide-resnet50-racm", "wide-resnet50-torchvision", "none"]),
    default="wide-resnet50-racm",
    show_default=True,
    help="What measures how unlike the rest a place is; fetched by rvsam-video weights fetch.",
)
@click.option("--saliency-checkpoint", type=FILE, help="A file of weights for it.")
@picture_run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    categories: str | None,
    proposals: Path,
    settings: Path | None,
    channels: Literal["bgr", "rgb"],
    saliency: SaliencyName,
    saliency_checkpoint: Path | None,
    out: Path,
    overwrite: bool,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[PictureRunArguments],
) -> None:
    """Draw maps of anomalies from proposed boxes, as SAA+ does, and score them: max-F1-pixel.

    --names takes CATEGORY/KIND/NAME.

    \b
    Example:
      rvsam-video eval anomaly --root mvtec_anomaly_detection --proposals boxes --out runs/mvtec
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.anomaly.run import (
        MAPS_FOLDER,
        AnomalyOptions,
        propose,
        run_anomaly,
    )
    from rvsam_video.evals.images.anomaly.settings import MVTEC_SETTINGS, load_settings

    chosen = anomaly_set(root, categories, given)
    options = AnomalyOptions(
        channels=channels, saliency=saliency, saliency_checkpoint=saliency_checkpoint
    )
    known = MVTEC_SETTINGS if settings is None else load_settings(settings)
    proposed = propose(chosen, proposals, known)
    stages = Stages(as_json, out)
    part = stages.segmenter(given)
    pace = stages.show(
        "drawing maps",
        len(proposed.pictures),
        lambda watch: run_anomaly(
            proposed,
            out,
            part,
            options,
            workers=workers,
            overwrite=overwrite,
            watch=watch,
        ),
    )
    without = sum(not len(item.boxes.scores) for item in proposed.pictures)
    notes = [f"{without} of {len(proposed.pictures)} pictures have no box of a defect"]
    if settings is not None or not options.is_published:
        notes.insert(0, "not the published protocol: settings, channels or saliency differ")
    score_and_tell_anomaly(
        stages, chosen, out / MAPS_FOLDER, workers=workers, notes=notes, more=[str(pace)]
    )
