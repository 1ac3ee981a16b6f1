"""Do a run for the command line: show it, stop it in order, print how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from rvsam_video.cli.ending import stop_when_asked
from rvsam_video.cli.methods import make_ready
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.results import FrameResult
    from rvsam_video.runs.job import Ready, RunListener, RunSummary


class ShowRun:
    """Passes what a run tells on to a reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._done = 0

    def message(self, text: str) -> None:
        """Show a sentence."""
        self._reporter.say(text)

    def started(self, total: int | None, done: int) -> None:
        """Show the bar."""
        self._done = done
        self._reporter.start(total, done)

    def result(self, result: FrameResult) -> None:  # noqa: ARG002 (only counted)
        """Move the bar."""
        self._done += 1
        self._reporter.step(self._done)


def run_and_report(
    work: Callable[[RunListener, Callable[[], bool], Ready], RunSummary],
    *,
    as_json: bool,
) -> int:
    """Do a run and show it; return the exit code.

    Args:
        work: does the run; takes a listener, what is asked whether to stop, and what is called
            before networks are loaded.
        as_json: whether machines read the output.
    """
    reporter = reporter_for(as_json=as_json)
    with reporter, stop_when_asked(reporter.say) as asked:
        ready = partial(make_ready, shown=not as_json)
        summary = work(ShowRun(reporter), asked.is_set, ready)
        reporter.end(summary_values(summary), summary_lines(summary))
    return 0 if summary.status == "complete" else asked.exit_code


def summary_values(summary: RunSummary) -> dict[str, object]:
    """Return how a run ended, for machines."""
    return {
        "status": summary.status,
        "folder": str(summary.folder),
        "frames": summary.frames,
        "seconds": round(summary.seconds, 3),
        "fps": round(summary.frames_per_second, 2),
        "files": [str(path) for path in summary.files],
        "counts": summary.counts,
        "messages": list(summary.messages),
        "objects": {key: dict(seen) for key, seen in summary.objects.items()},
        "look_at": [asdict(doubt) for doubt in summary.look_at],
    }


def summary_lines(summary: RunSummary) -> list[str]:
    """Return how a run ended, for people."""
    from rvsam_video.runs.doubts import sentence
    from rvsam_video.sources.base import count

    speed = f"{count(summary.frames, 'frame')} in {summary.seconds:.1f} s"
    speed += f" ({summary.frames_per_second:.1f} fps)" if summary.frames else ""
    look = [text] if (text := sentence(summary.look_at)) else []
    if summary.status == "complete":
        first = f"{speed}; results are in {summary.folder}"
    elif summary.again:
        first = f"stopped after {speed}; the same command goes on from here ({summary.folder})"
    else:
        first = f"stopped after {speed}; what was tracked is in {summary.folder}"
    return [first, *_object_lines(summary), *look, *_look_line(summary)]


_LOOKED_AT_FIRST = ("overlay.mp4", "contact_sheet.png", "side-by-side.mp4", "cutout.mp4", "masks")
"""What shows at a glance whether a run went well, the best first."""

_MOST_OBJECTS = 20
"""Lines on single objects; with more of them the plots tell more."""


def _object_lines(summary: RunSummary) -> list[str]:
    from rvsam_video.sources.base import count

    lines = []
    for key, seen in list(summary.objects.items())[:_MOST_OBJECTS]:
        named = f" ({summary.names[key]})" if key in summary.names else ""
        hidden, low = seen["hidden"], seen["low_score"]
        line = f"object {key}{named}: hidden in {hidden} of {count(seen['frames'], 'frame')}"
        lines.append(f"{line}, of low score in {low}" if low else line)
    more = len(summary.objects) - _MOST_OBJECTS
    return [*lines, f"and {count(more, 'more object')}"] if more > 0 else lines


def _look_line(summary: RunSummary) -> list[str]:
    found = (summary.folder / name for name in _LOOKED_AT_FIRST)
    path = next((path for path in found if path.exists()), None)
    return [] if path is None else [f"look at {path} first"]
