"""`rvsam-video finish`: the files of a run that was killed, from what it had written."""

from __future__ import annotations

from pathlib import Path

import click

from rvsam_video.cli.options import report_options


@click.command("finish")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@report_options
def command(*, folder: Path, as_json: bool, debug: bool) -> int:  # noqa: ARG001
    """Make overlay, tables and all other files of the unfinished run in FOLDER.

    They hold what was tracked up to its last checkpoint, at most 25 frames before the end. The
    source is not needed, so this also works for cameras and streams; a run of a file can still be
    gone on with, by its own command.

    \b
    Example:
      rvsam-video finish rvsam-runs/camera-0
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.progress import reporter_for
    from rvsam_video.cli.running import ShowRun, summary_lines, summary_values
    from rvsam_video.runs.finishing import finish_run

    with reporter_for(as_json=as_json) as reporter:
        summary = finish_run(folder, ShowRun(reporter))
        reporter.end(summary_values(summary), summary_lines(summary))
    return 0
