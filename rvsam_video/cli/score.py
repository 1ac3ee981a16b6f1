"""`rvsam-video score`: score masks, tracks or points that are already there, made by any tool."""

from __future__ import annotations

import click

from rvsam_video.cli.group import Later, LazyGroup

_COMMANDS = {
    "compare": Later(
        "rvsam_video.cli.benchmarks.score_compare", "Put the scores of several runs in a table."
    ),
    "davis": Later(
        "rvsam_video.cli.benchmarks.score_davis", "J and F of masks on DAVIS 2016 or 2017."
    ),
    "tapvid": Later(
        "rvsam_video.cli.benchmarks.score_tapvid", "AJ, delta_avg and OA of points on TAP-Vid."
    ),
    "uvo": Later(
        "rvsam_video.cli.benchmarks.score_uvo", "AP and AR of object tracks on UVO, YouTube-VIS."
    ),
}


@click.command("score", cls=LazyGroup, later=_COMMANDS)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """Score results that are already there, made by any tool."""
