"""`rvsam-video score anomaly`: max-F1-pixel of maps of any tool on MVTec-AD."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.benchmarks.images.anomaly_options import (
    anomaly_options,
    anomaly_set,
    score_and_tell_anomaly,
)
from rvsam_video.cli.benchmarks.images.options import (
    ChoiceArguments,
    choice_options,
    workers_option,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, report_options


@click.command("anomaly", context_settings={"max_content_width": 100})
@anomaly_options
@click.option(
    "--results",
    type=FOLDER,
    required=True,
    help="Folder with CATEGORY/KIND/NAME.npz, .png or .tiff: maps of any size.",
)
@click.option("--out", type=FOLDER, help="Folder for the scores.  [default: that of the maps]")
@choice_options
@workers_option
@report_options
def command(
    *,
    root: Path,
    categories: str | None,
    results: Path,
    out: Path | None,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[ChoiceArguments],
) -> None:
    """Score maps of anomalies on MVTec-AD: max-F1-pixel, AUROC and AP of each category.

    --names takes CATEGORY/KIND/NAME.

    \b
    Example:
      rvsam-video score anomaly --root mvtec_anomaly_detection --results maps
    """  # noqa: D301 (click reads \b)
    chosen = anomaly_set(root, categories, given)
    score_and_tell_anomaly(Stages(as_json, out or results), chosen, results, workers=workers)
