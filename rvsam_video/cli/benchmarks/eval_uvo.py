"""`rvsam-video eval uvo`: find and follow everything in UVO, and score the tracks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.ending import exit_code_of
from rvsam_video.cli.methods import (
    MethodArguments,
    make_ready,
    method_of,
    method_options,
    say_licences,
)
from rvsam_video.cli.progress import reporter_for
from rvsam_video.cli.titles import TitledCommand
from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.evals.uvo.run import VideoState
    from rvsam_video.evals.uvo.truth import TruthVideo

_FILE = click.Path(path_type=Path)


@click.command("uvo", cls=TitledCommand, context_settings={"max_content_width": 100})
@click.option("--root", type=_FILE, required=True, help="Folder that holds UVOv1.0 or UVOv0.5.")
@click.option("--frames", type=_FILE, help="Folder of the frames.  [default: below --root]")
@click.option("--out", type=_FILE, required=True, help="Folder for results.json and scores.json.")
@click.option("--version", type=click.Choice(["1.0", "0.5"]), default="1.0", show_default=True)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True
)
@click.option("--videos", help="Ids of videos, with commas.  [default: all]")
@click.option("--most", type=click.IntRange(1), default=100, show_default=True, help="Objects.")
@click.option(
    "--propose-every",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Look for new objects in every so many frames; 0: in the first only, as SAM-PT.",
)
@method_options
@click.option("--overwrite", is_flag=True, help="Start again where another evaluation has been.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    frames: Path | None,
    out: Path,
    version: str,
    split: str,
    videos: str | None,
    most: int,
    propose_every: int,
    overwrite: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> int:
    """Find and follow everything in the videos of UVO, and score the tracks: AP and AR.

    Needs a segmenter with everything mode, so --preset paper, or --segmenter repvit-sam.

    \b
    Example:
      rvsam-video eval uvo --root data --preset paper --out runs/uvo
    """  # noqa: D301 (click reads \b)
    from rvsam_video.clips.instances import InstanceOptions
    from rvsam_video.evals.uvo.run import UvoOptions, run_uvo, uvo_frames
    from rvsam_video.evals.uvo.scores import uvo_annotations

    annotations = uvo_annotations(root, version=version, split=split)
    method = method_of(given).resolve()
    ids = _ids(videos)
    options = UvoOptions(
        annotations=annotations,
        frames=frames or uvo_frames(annotations, version=version),
        out=out,
        method=method,
        options=InstanceOptions(most=most, propose_every=propose_every),
        videos=ids,
        overwrite=overwrite,
    )
    reporter = reporter_for(as_json=as_json)
    with reporter:
        make_ready(method.parts, shown=not as_json)
        say_licences(method.parts, shown=not as_json)
        reporter.say(str(method))

        def progress(video: TruthVideo, state: VideoState) -> None:
            reporter.say(f"video {video.id}: {state}")

        try:
            results = run_uvo(options, progress)
        except KeyboardInterrupt as error:
            reporter.say(f"stopped; the same command goes on from here ({out})")
            return exit_code_of(error)
    published = ids is None and (version, split) == ("1.0", "val")
    _score(annotations, results, ids, published=published, as_json=as_json)
    return 0


def _score(
    annotations: Path, results: Path, videos: list[int] | None, *, published: bool, as_json: bool
) -> None:
    from rich.console import Console

    from rvsam_video.evals.tables import show
    from rvsam_video.evals.track_report import track_notes, track_tables, track_values
    from rvsam_video.evals.uvo.run import save_scores
    from rvsam_video.evals.uvo.scores import score_track_files

    report = score_track_files(annotations, results, videos=videos)
    save_scores(results.with_name("scores.json"), track_values(report))
    if as_json:
        click.echo(json.dumps({"event": "scores", **track_values(report)}))
        return
    show(track_tables(report, with_paper=published), Console())
    for note in track_notes(report):
        click.echo(f"note: {note}", err=True)


def _ids(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        msg = f"--videos is {text!r}; write ids with commas, such as 3,17"
        raise UsageError(msg) from error
