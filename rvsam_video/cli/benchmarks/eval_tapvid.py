"""`rvsam-video eval tapvid`: follow the points of TAP-Vid with a tracker, and score them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.tapvid_options import clip_names, show_points, tapvid_options
from rvsam_video.cli.ending import exit_code_of
from rvsam_video.cli.methods import (
    TrackerArguments,
    make_ready,
    say_licences,
    tracker_of,
    tracker_options,
)
from rvsam_video.cli.progress import reporter_for
from rvsam_video.cli.titles import TitledCommand

if TYPE_CHECKING:
    from rvsam_video.evals.metrics.points import QueryMode
    from rvsam_video.evals.tapvid.clips import Scale


@click.command("tapvid", cls=TitledCommand)
@tapvid_options
@tracker_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the tracks and scores.json; the same command goes on where it was stopped.",
)
def command(
    *,
    root: Path,
    out: Path,
    query_mode: QueryMode,
    scale: Scale,
    sequences: str | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[TrackerArguments],
) -> int:
    """Run a point tracker on TAP-Vid at 256x256 and score it: AJ, delta_avg, OA and AJ_RD."""
    from rvsam_video.evals.tapvid.clips import score_tapvid
    from rvsam_video.evals.tapvid.run import TapvidOptions, run_tapvid
    from rvsam_video.evals.track_report import point_values
    from rvsam_video.methods import announced
    from rvsam_video.writing import replacing

    names = clip_names(sequences)
    options = TapvidOptions(root=root, out=out, mode=query_mode, scale=scale, names=names)
    part = tracker_of(given).resolve_tracker(evaluation=True)
    reporter = reporter_for(as_json=as_json)
    with reporter:
        make_ready([part], shown=not as_json)
        line = announced(part)
        reporter.say(f"{line}, queries {query_mode}, 256x256 pixels, scale {scale}")
        say_licences([part], shown=not as_json)

        def progress(name: str, there: bool) -> None:
            reporter.say(f"{name}: {'was there already' if there else 'done'}")

        follow = part.load_tracker()
        try:
            identity = {**part.identity(), "device": part.place}
            run_tapvid(follow, options, progress, identity=identity)
        except KeyboardInterrupt as error:
            reporter.say(f"stopped; the same command goes on from here ({out})")
            return exit_code_of(error)
    report = score_tapvid(root, out, query_mode, scale=scale, names=names)
    with replacing(out / "scores.json") as temporary:
        temporary.write_text(json.dumps(point_values(report), indent=2) + "\n", encoding="utf-8")
    show_points(report, as_json=as_json)
    return 0
