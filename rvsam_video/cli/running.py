"""Do a run for the command line: show it, stop it with Ctrl-C, print how it ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.main import INTERRUPTED
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.results import FrameResult
    from rvsam_video.runs.objects import RunListener, RunSummary


AUTO = "auto"
BEST_SEGMENTER, BEST_TRACKER = "repvit-sam", "cotracker3-online"
_BETTER = {"grabcut": BEST_SEGMENTER, "lucas-kanade": BEST_TRACKER}


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


def choose_segmenter(name: str, checkpoint: Path | None) -> str:
    """Replace `auto` by what can run without a download; the opening line says which."""
    return _chosen(name, checkpoint, BEST_SEGMENTER, "grabcut")


def choose_tracker(name: str, checkpoint: Path | None) -> str:
    """Replace `auto` by what can run without a download; the opening line says which."""
    return _chosen(name, checkpoint, BEST_TRACKER, "lucas-kanade")


def _chosen(name: str, checkpoint: Path | None, best: str, without_weights: str) -> str:
    if name != AUTO:
        return name
    return best if checkpoint is not None or _in_cache(best) else without_weights


def _in_cache(name: str) -> bool:
    from rvsam_video.weights.fetch import cached_file, find_weights

    return cached_file(find_weights(name)).is_file()


def run_and_report(
    work: Callable[[RunListener, Callable[[], bool]], RunSummary],
    networks: Mapping[str, Path | None],
    opening: str,
    *,
    as_json: bool,
) -> int:
    """Do a run and show it; return the exit code.

    Args:
        work: does the run; takes a listener, and what is asked whether to stop.
        networks: names of the parts of the run, and files of weights given for them.
        opening: says what is about to run.
        as_json: whether machines read the output.
    """
    prepare_networks(networks, shown=not as_json)
    reporter = reporter_for(as_json=as_json)
    with reporter, stop_on_interrupt(reporter) as asked:
        reporter.say(opening)
        summary = work(ShowRun(reporter), asked.is_set)
        reporter.end(summary_values(summary), summary_lines(summary))
    return 0 if summary.status == "complete" else INTERRUPTED


def prepare_networks(networks: Mapping[str, Path | None], *, shown: bool) -> None:
    """Fetch weights that are not there, and let learned parts keep freed memory.

    Args:
        networks: names of the parts of a run, and files of weights given for them.
        shown: whether to show the progress of downloads.

    Raises:
        WeightsError: if weights cannot be fetched.
    """
    from rvsam_video.cli.weights import download_progress
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory
    from rvsam_video.weights.fetch import PUBLISHED, checkpoint_path

    learned = [name for name in networks if name in PUBLISHED]
    if learned:
        keep_freed_memory()  # before the first thread: later ones would not profit
    for name in learned:
        if networks[name] is None and not _in_cache(name):
            with download_progress(name, shown=shown) as progress:
                checkpoint_path(name, progress=progress)


def show_notices(networks: Mapping[str, Path | None], *, shown: bool) -> None:
    """Say what users must be told of the licences of weights that are there.

    Args:
        networks: as for `prepare_networks`.
        shown: false where machines read the output.

    Raises:
        WeightsError: if a file is not there.
    """
    from rvsam_video.weights.fetch import PUBLISHED, describe_weights

    for name, path in networks.items():
        if shown and name in PUBLISHED and (notice := describe_weights(name, path).get("notice")):
            click.echo(notice, err=True)


def about_part(name: str, checkpoint: Path | None) -> str:
    """Return the name of a tracker or segmenter, and where its weights are from."""
    from rvsam_video.weights.fetch import PUBLISHED

    if name in PUBLISHED:
        return f"{name} ({checkpoint or f'published weights, {PUBLISHED[name].licence}'})"
    better = _BETTER.get(name)
    hint = f"; rvsam-video weights fetch {better} gets a better one" if better else ""
    return f"{name} (no weights needed{hint})"


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
    }


def summary_lines(summary: RunSummary) -> list[str]:
    """Return how a run ended, for people."""
    speed = f"{summary.frames} frames in {summary.seconds:.1f} s"
    speed += f" ({summary.frames_per_second:.1f} fps)" if summary.frames else ""
    if summary.status == "complete":
        return [f"{speed}; results are in {summary.folder}"]
    return [f"stopped after {speed}; the same command goes on from here ({summary.folder})"]


@contextmanager
def stop_on_interrupt(reporter: Reporter) -> Iterator[threading.Event]:
    """Let the first Ctrl-C set an event, and the second stop at once.

    Signals reach the main thread only; in another one the block runs without this.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        reporter.say("stopping after this frame; press Ctrl-C again to stop at once")

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, previous)
