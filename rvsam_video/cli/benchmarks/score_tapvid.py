"""`rvsam-video score tapvid`: how well points were followed, on TAP-Vid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.benchmarks.tapvid_options import clip_names, show_points, tapvid_options

if TYPE_CHECKING:
    from rvsam_video.evals.metrics.points import QueryMode
    from rvsam_video.evals.tapvid.clips import Scale


@click.command("tapvid")
@tapvid_options
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with the tracks, NAME.npz a clip.",
)
def command(
    *,
    root: Path,
    results: Path,
    query_mode: QueryMode,
    scale: Scale,
    sequences: str | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Score point tracks on TAP-Vid: AJ, delta_avg, OA and AJ_RD."""
    from rvsam_video.evals.tapvid.clips import score_tapvid

    names = clip_names(sequences)
    show_points(score_tapvid(root, results, query_mode, scale=scale, names=names), as_json=as_json)
