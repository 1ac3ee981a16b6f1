"""`rvsam-video batch`: follow objects through many clips, by many workers and machines."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.ending import stop_when_asked
from rvsam_video.cli.methods import MethodArguments, make_ready, method_of, method_options
from rvsam_video.cli.options import (
    ClipArguments,
    clip_options,
    names_in,
    reading_of_clip,
    report_options,
)
from rvsam_video.sinks.names import DEFAULT_SINKS, SINK_NAMES

if TYPE_CHECKING:
    from rvsam_video.batch.loop import UnitEvent
    from rvsam_video.batch.report import ClipLine
    from rvsam_video.cli.progress import Reporter


class BatchArguments(ClipArguments, MethodArguments):
    """The options that other commands have as well."""


@click.command("batch", context_settings={"max_content_width": 100})
@click.argument("what", metavar="MANIFEST|FOLDER|PATTERN")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for a run folder each clip, batch.json and batch.csv; shared by all machines.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes here."
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="How often a clip that ends its worker is tried again without getting further.",
)
@click.option(
    "--save",
    default=",".join(DEFAULT_SINKS),
    show_default=True,
    help=f"What to write, separated by commas, of: {', '.join(SINK_NAMES)}.",
)
@method_options
@clip_options
@report_options
def command(
    *,
    what: str,
    out: Path,
    workers: int,
    retries: int,
    save: str,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[BatchArguments],
) -> int:
    """Follow objects through many clips into a run folder each.

    A manifest (.jsonl) has an object a line: "clip"; "prompts" (a prompt file), "points", "box" or
    "mask"; and options for this clip. In a folder, clip.mp4 lies beside clip.json, clip.txt or
    clip.png (a mask of frame 0). Workers take what nobody has, here and on every machine that runs
    the same command on the same folder; the same command goes on after any kill. Exits with 1 if a
    clip failed.

    \b
    Examples:
      rvsam-video batch clips/ --out runs --workers 2
      rvsam-video batch jobs.jsonl --out /shared/runs --save masks,rle
    """  # noqa: D301 (click reads \b)
    from rvsam_video.batch.clips import unit_list
    from rvsam_video.batch.crew import Crew
    from rvsam_video.batch.loop import WorkOrder
    from rvsam_video.batch.manifest import batch_clips
    from rvsam_video.batch.report import save_batch
    from rvsam_video.cli.progress import reporter_for
    from rvsam_video.runs.objects import RunOptions
    from rvsam_video.writing import writing

    common = RunOptions(
        source="",
        out=out,
        prompts=(),
        save=names_in(save),
        method=method_of(given),
        **reading_of_clip(given),
    )
    units = unit_list(batch_clips(what, common), out)
    # Once, in sight of the user, and not by every worker.
    make_ready(common.method.resolve().parts, shown=not as_json)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    order = WorkOrder(place=out, retries=retries, since=time.time(), workers=workers)
    reporter = reporter_for(as_json=as_json)
    with reporter, stop_when_asked(reporter.say) as asked, Crew(units, order) as crew:
        reporter.say(f"{len(units)} clips, {workers} worker{'s' * (workers > 1)}")
        show = _Show(reporter)
        for event in crew.events(asked.is_set):
            show.event(event)
        lines = save_batch(units, out)
        reporter.end(*_summary(lines, out))
    if asked.is_set():
        return asked.exit_code
    return int(any(line.status in ("failed", "killed") for line in lines))


class _Show:
    """Shows what each worker is at."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def event(self, event: UnitEvent) -> None:
        """Show one event; a line a worker where a bar can be shown."""
        if event.state == "tick":
            self._reporter.part(event.worker, event.name, event.frames)
        elif event.state == "begun":
            self._reporter.part(event.worker, event.name, 0)
        else:
            error = f": {event.error}" if event.error else ""
            self._reporter.say(f"worker {event.worker}: {event.name} {event.state}{error}")


def _summary(lines: list[ClipLine], out: Path) -> tuple[dict[str, object], list[str]]:
    counts = Counter(str(line.status) for line in lines)
    told = [f"{line.name}: {line.error}" for line in lines if line.error]
    number = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    frames = sum(line.frames for line in lines)
    told.append(f"{len(lines)} clips ({number}), {frames} frames; see {out / 'batch.csv'}")
    return {"clips": len(lines), "frames": frames, **counts, "folder": str(out)}, told
