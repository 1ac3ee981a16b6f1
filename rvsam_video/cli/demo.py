"""`rvsam-video demo`: track a rendered clip and compare with its exact truth."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.methods import MethodArguments, make_ready, method_of, method_options
from rvsam_video.cli.titles import TitledCommand

if TYPE_CHECKING:
    from rvsam_video.demos.run import DemoReport


@click.command("demo", cls=TitledCommand)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("rvsam-runs/demo"),
    show_default=True,
    help="Folder for the clip and the results; an earlier demo there is replaced.",
)
@click.option("--frames", type=click.IntRange(2, 10_000), default=72, show_default=True)
@method_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    out: Path,
    frames: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> int:
    """Track a rendered clip with exact truth; needs no file and no download."""
    from rvsam_video.cli.ending import stop_when_asked
    from rvsam_video.cli.progress import reporter_for
    from rvsam_video.cli.running import ShowRun, summary_values
    from rvsam_video.demos.run import run_demo

    reporter = reporter_for(as_json=as_json)
    with reporter, stop_when_asked(reporter.say) as asked:
        method = method_of(given)
        method.resolve()  # a wrong name should not wait for the clip
        reporter.say(f"rendering {frames} frames")
        report = run_demo(
            out,
            method=method,
            frames=frames,
            listener=ShowRun(reporter),
            should_stop=asked.is_set,
            ready=partial(make_ready, shown=not as_json),
        )
        scores = {str(item.object_id): round(item.mean_iou, 4) for item in report.objects}
        reporter.end({**summary_values(report.run), "mean_iou": scores}, _lines(report))
    return 0 if report.run.status == "complete" else asked.exit_code


def _lines(report: DemoReport) -> list[str]:
    run = report.run
    lines = [
        f"object {item.object_id}: mean IoU {item.mean_iou:.3f} "
        f"(worst {item.worst_iou:.3f} in frame {item.worst_frame})"
        for item in report.objects
    ]
    lines.append(f"{run.frames} frames in {run.seconds:.1f} s ({run.frames_per_second:.1f} fps)")
    lines.append(f"look at {run.folder / 'overlay.mp4'} and {report.contact_sheet}")
    x, y = report.click
    lines.append(f"try it yourself: rvsam-video track {report.clip} --points {x},{y}")
    return lines
