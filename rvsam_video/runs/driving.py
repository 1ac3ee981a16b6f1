"""`drive`: a run from its beginning, or from where it was interrupted, to its end."""

from __future__ import annotations

from collections.abc import Callable

from rvsam_video.runs.job import RunListener, RunSummary
from rvsam_video.runs.loop import Prepare, Run
from rvsam_video.runs.options import CommonOptions


def drive(
    options: CommonOptions,
    prepare: Prepare,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Do a run, or go on where the same run was interrupted.

    Args:
        options: what to read, and where to write.
        prepare: makes the job.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.

    Raises:
        UsageError: if a name or value makes no sense.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    with Run(options, prepare, listener) as run:
        if run.folder.complete:
            run.listener.message(f"{run.folder.path} is already complete; --overwrite starts again")
            return run.summary()
        run.listener.started(run.feed.expected, run.frames)
        while not run.ended:
            run.step(should_stop)
            # After a step, never in the middle of one: what is written then belongs together.
            if should_stop():
                break
        return run.finish()
