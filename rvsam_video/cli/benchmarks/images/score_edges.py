"""`rvsam-video score edges`: ODS, OIS and AP of maps of edges that any tool has drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.benchmarks.images.edges_options import edge_options, score_and_tell
from rvsam_video.cli.benchmarks.images.options import (
    ChoiceArguments,
    choice_of,
    choice_options,
    workers_option,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, report_options


@click.command("edges", context_settings={"max_content_width": 100})
@edge_options
@click.option(
    "--results",
    type=FOLDER,
    required=True,
    help="Folder with NAME.png: grey, 8 or 16 bits, in the size of the picture.",
)
@click.option("--out", type=FOLDER, help="Folder for the tables.  [default: that of the maps]")
@choice_options
@workers_option
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    split: str,
    thresholds: int,
    tolerance: float,
    results: Path,
    out: Path | None,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[ChoiceArguments],
) -> None:
    """Score maps of edges on BSDS500: ODS, OIS, AP, and the tables of its benchmark.

    \b
    Example:
      rvsam-video score edges --root BSDS500 --results maps --workers 8
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.edges.layout import find_bsds

    chosen = find_bsds(root, split, choice_of(given))
    score_and_tell(
        Stages(as_json, out or results),
        chosen,
        results,
        thresholds=thresholds,
        tolerance=tolerance,
        workers=workers,
    )
