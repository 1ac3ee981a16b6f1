"""Do a run for the command line: show it, stop it with Ctrl-C, print how it ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rvsam_video.cli.main import INTERRUPTED
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.results import FrameResult
    from rvsam_video.runner import RunOptions, RunSummary


AUTO = "auto"
BEST_SEGMENTER = "repvit-sam"
WITHOUT_WEIGHTS = "grabcut"


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
    if name != AUTO:
        return name
    there = _in_cache(BEST_SEGMENTER)
    return BEST_SEGMENTER if there or checkpoint is not None else WITHOUT_WEIGHTS


def _in_cache(name: str) -> bool:
    from rvsam_video.checkpoints import cached_file, find_checkpoint

    return cached_file(find_checkpoint(name)).is_file()


def run_and_report(options: RunOptions, *, as_json: bool) -> int:
    """Do a run and show it; return the exit code."""
    from rvsam_video.runner import run

    prepare_segmenter(options.segmenter, options.checkpoint, shown=not as_json)
    reporter = reporter_for(as_json=as_json)
    with reporter, stop_on_interrupt(reporter) as asked:
        reporter.say(opening_line(options))
        summary = run(options, ShowRun(reporter), asked.is_set)
        reporter.end(summary_values(summary), summary_lines(summary))
    return 0 if summary.status == "complete" else INTERRUPTED


def prepare_segmenter(name: str, checkpoint: Path | None, *, shown: bool) -> None:
    """Do what a learned segmenter needs before anything starts: get its weights, showing how far.

    Args:
        name: of any segmenter.
        checkpoint: a file of weights that is used instead of the published ones.
        shown: whether people see a bar.
    """
    from rvsam_video.checkpoints import checkpoint_path
    from rvsam_video.cli.weights import download_progress
    from rvsam_video.segmenters import SAM_VARIANTS
    from rvsam_video.segmenters.allocator import keep_freed_memory

    if name not in SAM_VARIANTS:
        return
    keep_freed_memory()  # before the first thread: later ones would not profit
    if checkpoint is None and not _in_cache(name):
        with download_progress(name, shown=shown) as progress:
            checkpoint_path(name, progress=progress)


def opening_line(options: RunOptions) -> str:
    """Say what is about to track: nothing is chosen silently."""
    objects = sorted({prompt.object_id for prompt in options.prompts})
    noun = "object" if len(objects) == 1 else "objects"
    return (
        f"tracker {options.tracker}, segmenter {options.segmenter} ({_about(options)}); "
        f"{noun} {', '.join(map(str, objects))}"
    )


def _about(options: RunOptions) -> str:
    from rvsam_video.segmenters import SAM_VARIANTS

    if options.segmenter not in SAM_VARIANTS:
        return f"no weights needed; rvsam-video weights fetch {BEST_SEGMENTER} gets a better one"
    weights = options.checkpoint or f"published weights, {SAM_VARIANTS[options.segmenter].licence}"
    return f"{weights}, device {options.device}, backend {options.backend}"


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
