"""`rvsam-video eval edges`: draw the edges of BSDS500 with a segmenter, and score them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.images.edges_options import edge_options, score_and_tell
from rvsam_video.cli.benchmarks.images.options import (
    PictureRunArguments,
    choice_of,
    picture_run_options,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.edges.drawing import Variant


@click.command("edges", context_settings={"max_content_width": 100})
@edge_options
@click.option(
    "--variant",
    type=click.Choice(["paper", "public"]),
    default="paper",
    show_default=True,
    help="paper: no mask is filtered out; public: by predicted IoU and stability, and masks are "
    "suppressed in batches of 64 points first.",
)
@click.option(
    "--points-per-side",
    type=click.IntRange(1, 128),
    default=16,
    show_default=True,
    help="Of the grid of points; three masks each.",
)
@click.option(
    "--clear-frame",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="Pixels along the picture's frame without edges; published code draws one there.",
)
@click.option(
    "--blur",
    type=click.IntRange(0, 31),
    default=3,
    show_default=True,
    help="Side of the Gaussian filter before edges are thinned; 0: none.",
)
@picture_run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    split: str,
    thresholds: int,
    tolerance: float,
    variant: Variant,
    points_per_side: int,
    clear_frame: int,
    blur: int,
    out: Path,
    overwrite: bool,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[PictureRunArguments],
) -> None:
    """Draw the edges of BSDS500 from the masks of everything, and score them: ODS, OIS, AP.

    Needs a segmenter of the SAM family.

    \b
    Example:
      rvsam-video eval edges --root BSDS500 --out runs/edges
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.edges.drawing import EdgeSettings
    from rvsam_video.evals.images.edges.layout import find_bsds
    from rvsam_video.evals.images.edges.run import EDGES_FOLDER, run_edges

    chosen = find_bsds(root, split, choice_of(given))
    settings = replace(
        EdgeSettings.variant(variant),
        points_per_side=points_per_side,
        clear_frame=clear_frame,
        blur=blur,
    )
    stages = Stages(as_json, out)
    part = stages.segmenter(given)
    pace = stages.show(
        "drawing edges",
        len(chosen.pictures),
        lambda watch: run_edges(
            chosen, out, part, settings, workers=workers, overwrite=overwrite, watch=watch
        ),
    )
    score_and_tell(
        stages,
        chosen,
        out / EDGES_FOLDER,
        thresholds=thresholds,
        tolerance=tolerance,
        workers=workers,
        more=(str(pace),),
    )
