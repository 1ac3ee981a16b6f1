"""`rvsam-video eval vot`: be a point tracker of the VOT toolkit, which scores what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.methods import (
    TrackerArguments,
    make_ready,
    say_licences,
    tracker_of,
    tracker_options,
)
from rvsam_video.cli.progress import reporter_for


@click.command("vot")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="What the toolkit made.  [default: the current folder, where it starts trackers]",
)
@tracker_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    folder: Path,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[TrackerArguments],
) -> None:
    """Follow points by the folder protocol of the VOT toolkit (vot-toolkit 0.9).

    \b
    In the toolkit's trackers.ini:
    [tapir]
    label = Online BootsTAPIR
    protocol = folder
    command = rvsam-video eval vot --tracker tapir-online
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.vot.folder import read_task, run_task
    from rvsam_video.methods import announced

    task = read_task(folder)
    part = tracker_of(given).resolve_tracker()
    with reporter_for(as_json=as_json) as reporter:
        make_ready([part], shown=not as_json)
        line = announced(part)
        reporter.say(f"{line}, {len(task.names)} points, {len(task.frames)} frames")
        say_licences([part], shown=not as_json)
        tracker = part.load_tracker()
        reporter.start(len(task.frames), 0)
        run_task(tracker, task, folder, reporter.step)
