"""`rvsam-video eval tapvid`: follow the points of TAP-Vid with a tracker, and score them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.benchmarks.tapvid_options import clip_names, show_points, tapvid_options
from rvsam_video.cli.main import INTERRUPTED
from rvsam_video.cli.progress import reporter_for

if TYPE_CHECKING:
    from rvsam_video.evals.metrics.points import QueryMode
    from rvsam_video.evals.tapvid.clips import Scale


@click.command("tapvid")
@tapvid_options
@click.option("--tracker", default="lucas-kanade", show_default=True, help="What follows points.")
@click.option(
    "--tracker-checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the tracker, instead of the published ones.",
)
@click.option("--device", default="auto", show_default=True, help="For networks: cpu, cuda, mps.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the tracks and scores.json; the same command goes on where it was stopped.",
)
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    tracker: str,
    tracker_checkpoint: Path | None,
    device: str,
    out: Path,
    query_mode: QueryMode,
    scale: Scale,
    sequences: str | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> int:
    """Run a point tracker on TAP-Vid at 256x256 and score it: AJ, delta_avg and OA."""
    from rvsam_video.cli.running import prepare_networks, show_notices
    from rvsam_video.evals.tapvid.clips import score_tapvid
    from rvsam_video.evals.tapvid.run import TapvidOptions, run_tapvid
    from rvsam_video.evals.track_report import point_values
    from rvsam_video.trackers import create_tracker, weights_of
    from rvsam_video.writing import replacing

    names = clip_names(sequences)
    options = TapvidOptions(root=root, out=out, mode=query_mode, scale=scale, names=names)
    reporter = reporter_for(as_json=as_json)
    with reporter:
        reporter.say(f"tracker {tracker}, queries {query_mode}, 256x256 pixels, scale {scale}")

        def progress(name: str, there: bool) -> None:
            reporter.say(f"{name}: {'was there already' if there else 'done'}")

        networks = {tracker: tracker_checkpoint}
        prepare_networks(networks, shown=not as_json)
        follow = create_tracker(tracker, tracker_checkpoint, device)
        weights = weights_of(tracker, tracker_checkpoint)
        show_notices(networks, shown=not as_json)
        try:
            run_tapvid(follow, options, progress, weights=weights.get("sha256"))
        except KeyboardInterrupt:
            reporter.say(f"stopped; the same command goes on from here ({out})")
            return INTERRUPTED
    report = score_tapvid(root, out, query_mode, scale=scale, names=names)
    with replacing(out / "scores.json") as temporary:
        temporary.write_text(json.dumps(point_values(report), indent=2) + "\n", encoding="utf-8")
    show_points(report, as_json=as_json)
    return 0
