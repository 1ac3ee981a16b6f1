"""What `eval edges` and `score edges` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, with_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.edges.layout import EdgeSet

_Function = TypeVar("_Function", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--root", type=FOLDER, required=True, help="Folder with images and groundTruth (BSDS500)."
    ),
    click.option(
        "--split", type=click.Choice(["test", "val", "train"]), default="test", show_default=True
    ),
    click.option(
        "--thresholds",
        type=click.IntRange(2, 999),
        default=99,
        show_default=True,
        help="So many, evenly between 0 and 1.",
    ),
    click.option(
        "--tolerance",
        type=click.FloatRange(0, 0.1, min_open=True),
        default=0.0075,
        show_default=True,
        help="How far from the truth an edge may lie, as a share of the diagonal.",
    ),
)


def edge_options(function: _Function) -> _Function:
    """Add the options that both commands have."""
    return with_options(function, _OPTIONS)


def score_and_tell(
    stages: Stages,
    chosen: EdgeSet,
    results: Path,
    *,
    thresholds: int,
    tolerance: float,
    workers: int,
    more: tuple[str, ...] = (),
) -> None:
    """Score maps of edges, and print and save what came out.

    Raises:
        SourceError: if a map is missing or does not fit.
        OutputError: if files cannot be written.
    """
    from rvsam_video.evals.images.edges.report import edge_report
    from rvsam_video.evals.images.edges.scoring import score_edges

    result = stages.show(
        "scoring",
        len(chosen.pictures),
        lambda watch: score_edges(
            chosen,
            results,
            stages.out,
            count=thresholds,
            tolerance=tolerance,
            workers=workers,
            watch=watch,
        ),
    )
    report = edge_report(result, results, stages.out, tolerance=tolerance)
    stages.tell(report, stages.out, *more)
