"""`rvsam-video eval salient`: find everything in DUTS-TE, and score the best mask."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.benchmarks.images.options import PictureRunArguments, picture_run_options
from rvsam_video.cli.benchmarks.images.salient_options import (
    SalientArguments,
    salient_options,
    salient_set,
    score_and_tell_salient,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import report_options


class _Arguments(SalientArguments, PictureRunArguments):
    pass


@click.command("salient", context_settings={"max_content_width": 100})
@salient_options
@click.option(
    "--points-per-side",
    type=click.IntRange(1, 128),
    default=32,
    show_default=True,
    help="Of the grid of points; three masks each.",
)
@picture_run_options
@report_options
def command(
    *,
    points_per_side: int,
    out: Path,
    overwrite: bool,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[_Arguments],
) -> None:
    """Find everything in every picture, and score the mask that fits the truth best: MAE.

    Needs a segmenter of the SAM family.

    \b
    Example:
      rvsam-video eval salient --root DUTS-TE --out runs/salient
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.salient.run import EVERYTHING_FOLDER, run_salient

    chosen = salient_set(given, given)
    stages = Stages(as_json, out)
    part = stages.segmenter(given)
    pace = stages.show(
        "finding everything",
        len(chosen.pictures),
        lambda watch: run_salient(
            chosen,
            out,
            part,
            points_per_side=points_per_side,
            workers=workers,
            overwrite=overwrite,
            watch=watch,
        ),
    )
    score_and_tell_salient(
        stages,
        chosen,
        out / EVERYTHING_FOLDER,
        missing=given["missing"],
        workers=workers,
        more=[str(pace)],
    )
