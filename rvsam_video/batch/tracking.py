"""`track_many`: many clips, tracked by worker processes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rvsam_video.batch.clips import ClipUnit, summary_of_unit, unit_list
from rvsam_video.batch.crew import Crew
from rvsam_video.batch.loop import DEFAULT_RETRIES, WorkOrder
from rvsam_video.batch.manifest import batch_clips, clip_of
from rvsam_video.batch.report import save_batch
from rvsam_video.methods import Method
from rvsam_video.runs.job import RunSummary
from rvsam_video.runs.objects import RunOptions
from rvsam_video.sinks.names import DEFAULT_SINKS
from rvsam_video.writing import writing


def track_many(
    jobs: str | Path | Iterable[Mapping[str, Any]],
    out: str | Path,
    *,
    workers: int = 1,
    retries: int = DEFAULT_RETRIES,
    method: Method | None = None,
    save: Iterable[str] = DEFAULT_SINKS,
) -> Iterator[RunSummary]:
    """Track many clips in worker processes; finished runs come in the order in which they end.

    The same call again goes on where this one was killed, and so do calls on other machines that
    share the folder. Workers are started anew: a script guards the call by
    `if __name__ == "__main__":`.

    Args:
        jobs: a manifest (.jsonl), a folder in which `clip.mp4` lies beside `clip.json`, a pattern,
            or one mapping a clip with the keys of a manifest's line: `clip`, and one of `prompts`
            (a file, or a list of `Prompt`), `points`, `box` and `mask`; and options.
        out: folder of the run folders; `batch.json` and `batch.csv` there say how each clip went.
        workers: processes on this machine.
        retries: how often a clip that ends its worker is tried again without getting further.
        method: tracker and segmenter, for clips that name none.
        save: names of outputs, likewise.

    Yields:
        a summary for each clip that is complete, also for those that were before.

    Raises:
        UsageError: if a job is not understood.
        PromptError: if the prompts of one cannot be read.
        OutputError: if the folder cannot be written.
    """
    place = Path(out)
    common = RunOptions(
        source="",
        out=place,
        prompts=(),
        save=tuple(save),
        method=method or Method(),
        direction="auto",
    )
    if isinstance(jobs, str | Path):
        clips = batch_clips(jobs, common)
    else:
        clips = [clip_of(job, common, Path()) for job in jobs]
    units = unit_list(clips, place)
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    yield from _finished(units, place, workers, retries)


def _finished(
    units: list[ClipUnit], place: Path, workers: int, retries: int
) -> Iterator[RunSummary]:
    by_name = {unit.name: unit for unit in units}
    for unit in units:
        if unit.complete() and (there := summary_of_unit(unit)) is not None:
            del by_name[unit.name]
            yield there
    order = WorkOrder(place=place, retries=retries, since=time.time(), workers=workers)
    try:
        with Crew(units, order) as crew:
            for event in crew.events():
                unit = by_name[event.name]
                if event.state == "complete" and (done := summary_of_unit(unit)) is not None:
                    yield done
    finally:
        save_batch(units, place)
