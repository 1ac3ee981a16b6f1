"""`rvsam-video eval`: run the tracker on a benchmark and score what comes out."""

from __future__ import annotations

import click

from rvsam_video.cli.group import Later, LazyGroup

_COMMANDS = {
    "davis": Later(
        "rvsam_video.cli.benchmarks.eval_davis", "DAVIS 2016 or 2017 from the first masks."
    ),
    "tapvid": Later(
        "rvsam_video.cli.benchmarks.eval_tapvid", "Point trackers on TAP-Vid, at 256x256."
    ),
    "uvo": Later("rvsam_video.cli.benchmarks.eval_uvo", "Everything in UVO, found and followed."),
}


@click.command("eval", cls=LazyGroup, later=_COMMANDS)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """Run the tracker on a benchmark and score what comes out."""
