"""The loop of a run: frames in, results into a run folder, resumable after a kill."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from rvsam_video.streaming.engine import DECODE_AHEAD
from rvsam_video.errors import OutputError, RvsamError, SourceError, UsageError
from rvsam_video.frame import Frame
from rvsam_video.runs.checkpoint import Checkpoint
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.identity import Json
from rvsam_video.runs.latency import Latencies
from rvsam_video.results import FrameResult
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.sinks.base import Sink
from rvsam_video.sources import prefetch
from rvsam_video.sources.base import FrameSource
from rvsam_video.snapshot import Arrays
from rvsam_video.trackers.base import PointTracker

CHECKPOINT_EVERY = 25
"""Frames between two checkpoints: at most this much work is done again after a kill."""


class FrameSession(Protocol):
    """Turns the frames of one video into results; `Session` and `PointSession` are such."""

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that became final."""

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back."""

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on."""

    def restore(self, arrays: Arrays) -> None:
        """Go on where `snapshot` was taken."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One kind of run, ready to begin.

    Attributes:
        session: takes the frames.
        sinks: take the results, by name.
        command: all that decides the results; a run is resumed only if this is the same.
        device: what the networks run on.
        weights: file, hash and licence of each network's weights, by their name in `run.json`.
        begin: writes what is known before the first frame into the run folder.
        unused: says at the end what was asked for and never came.
    """

    session: FrameSession
    sinks: Mapping[str, Sink]
    command: Mapping[str, Json]
    device: str
    weights: Mapping[str, Mapping[str, str]]
    begin: Callable[[Path], None]
    unused: Callable[[], list[str]]

    @property
    def notices(self) -> list[str]:
        """What must be told of the licences of the weights."""
        return [facts["notice"] for facts in self.weights.values() if "notice" in facts]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How a run ended.

    Attributes:
        folder: the run folder.
        status: `complete`, or `interrupted` when it was asked to stop.
        frames: frames tracked, those of earlier parts of a resumed run included.
        seconds: time this took, likewise.
        files: what was written.
        counts: bad and dropped frames and the like.
        messages: sentences for people.
    """

    folder: Path
    status: Literal["complete", "interrupted"]
    frames: int
    seconds: float
    files: tuple[Path, ...]
    counts: dict[str, int]
    messages: tuple[str, ...]

    @property
    def frames_per_second(self) -> float:
        """Average speed, reading and writing included."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


class RunListener(Protocol):
    """Is told what a run does."""

    def message(self, text: str) -> None:
        """Take a sentence for people."""

    def started(self, total: int | None, done: int) -> None:
        """Tracking begins; `total` frames are expected (None: unknown), `done` are there."""

    def result(self, result: FrameResult) -> None:
        """A frame is final."""


class Silent:
    """A listener that ignores everything."""

    def message(self, text: str) -> None:
        """Ignore a sentence."""

    def started(self, total: int | None, done: int) -> None:
        """Ignore the start."""

    def result(self, result: FrameResult) -> None:
        """Ignore a frame."""


def drive(
    options: CommonOptions,
    prepare: Callable[[FrameSource], Job],
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Do a run, or go on where the same run was interrupted.

    Args:
        options: what to read, and where to write.
        prepare: loads networks and makes everything that depends on the source. It is called
            after the source is open: a wrong path should not cost the loading of a network.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.

    Raises:
        UsageError: if a name or value makes no sense.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    listener = listener or Silent()
    with options.open() as source:
        job = prepare(source)
        for notice in job.notices:
            listener.message(notice)
        with RunFolder.open(options.out, job.command, overwrite=options.overwrite) as folder:
            if folder.complete:
                listener.message(f"{folder.path} is already complete; --overwrite starts again")
                return _summary(folder, ())
            folder.update(device=job.device, notes=job.weights)
            if folder.checkpoint is None:
                job.begin(folder.path)
                return _Run(options, folder, job, listener, should_stop).go(source)
            _refuse_unrepeatable(options, source)
            source.close()
            with options.open(folder.checkpoint.next_frame) as rest:
                return _Run(options, folder, job, listener, should_stop).go(rest)


def refuse_endless(tracker: PointTracker, source: FrameSource) -> None:
    """Refuse a tracker that answers at the end of the video for a source that has none.

    Raises:
        UsageError: naming what to choose instead.
    """
    if source.live and tracker.lookahead == sys.maxsize:
        msg = (
            f"{tracker.name} answers at the end of the video, but {source.name} is live and would "
            "fill the memory first; choose a tracker that streams, such as cotracker3-online"
        )
        raise UsageError(msg)


def _refuse_unrepeatable(options: CommonOptions, source: FrameSource) -> None:
    if source.live or options.source == "-":
        msg = (
            f"{options.out} holds an interrupted run of {source.name}, which cannot be read again "
            "from the same frame on; use --overwrite, or another folder with --out"
        )
        raise OutputError(msg)


def _summary(folder: RunFolder, files: tuple[Path, ...]) -> RunSummary:
    record = folder.record
    return RunSummary(
        folder=folder.path,
        status="complete" if folder.complete else "interrupted",
        frames=record.counts.get("frames", 0),
        seconds=record.timings.get("total", 0.0),
        files=files,
        counts=dict(record.counts),
        messages=record.messages,
    )


class _Run:
    """One call of `drive`: the loop over frames between two ends that may both be checkpoints."""

    def __init__(
        self,
        options: CommonOptions,
        folder: RunFolder,
        job: Job,
        listener: RunListener,
        should_stop: Callable[[], bool],
    ) -> None:
        self.options, self.folder, self.job = options, folder, job
        self.session = job.session
        self.writer = BackgroundWriter(job.sinks)
        self.listener, self.should_stop = listener, should_stop
        self.frames = 0
        self.dropped = 0
        self.latencies = Latencies()
        self.arrived: dict[int, float] = {}
        self.timings = dict.fromkeys(("total", "reading", "tracking", "writing"), 0.0)

    def go(self, source: FrameSource) -> RunSummary:
        """Do the run, and leave a folder that is complete or can be resumed, come what may."""
        try:
            self._restore()
            try:
                complete = self._track(source)
            except SourceError:
                self._commit(source)
                self.writer.finish(False)
                raise
            files = tuple(self.writer.finish(complete))
        except RvsamError as error:
            self.folder.finish("failed", str(error))
            raise
        finally:
            self.writer.close()
        self._tell(source, complete)
        self.folder.finish("complete" if complete else "interrupted")
        return _summary(self.folder, files)

    def _restore(self) -> None:
        checkpoint = self.folder.checkpoint
        if checkpoint is None:
            self.writer.start()
            return
        self.session.restore(checkpoint.state)
        self.writer.start(checkpoint.marks)
        self.frames = int(str(checkpoint.info["frames"]))
        self.timings |= self.folder.record.timings
        self.listener.message(f"resuming {self.folder.path} at frame {checkpoint.next_frame}")

    def _track(self, source: FrameSource) -> bool:
        """Push all frames and write their results; return whether the source came to its end."""
        limit = self.options.max_frames
        total = source.frame_count
        if limit is not None:
            total = limit if total is None else min(limit, total)
        self.listener.started(total, self.frames)
        policy = self.options.live or ("drop" if source.live else "block")
        # What waits is late: a live picture is taken when it is wanted, not before.
        depth = 1 if policy == "drop" else DECODE_AHEAD
        with closing(prefetch(_arriving(source), depth, policy=policy)) as frames:
            unsaved = 0
            for arrived, frame in self._timed(iter(frames)):
                if limit is not None and frame.index >= limit:
                    break
                self.arrived[frame.index] = arrived
                with self._clock("tracking"):
                    results = self.session.push(frame)
                self._write(results)
                self.dropped = frames.dropped
                unsaved += 1
                stop = self.should_stop()
                if stop or unsaved == CHECKPOINT_EVERY:
                    unsaved = 0
                    self._commit(source)
                if stop:
                    return False
        self._write(self.session.flush())
        return True

    def _write(self, results: list[FrameResult]) -> None:
        with self._clock("writing"):
            for result in results:
                self.writer.write(result)
        for result in results:
            self.frames += 1
            self.latencies.add(time.monotonic() - self.arrived.pop(result.index))
            self.listener.result(result)

    def _commit(self, source: FrameSource) -> None:
        """Make everything so far durable: after this, a kill loses nothing of it."""
        with self._clock("writing"):
            self.folder.save_checkpoint(
                Checkpoint(
                    next_frame=self.session.last_index + 1,
                    marks=self.writer.commit(),
                    state=self.session.snapshot(),
                    info={"frames": self.frames},
                )
            )
        self._count(source)

    def _count(self, source: FrameSource) -> None:
        """Put timings and counts into `run.json`."""
        report, before = source.report, self.folder.record.counts
        counts = {
            "frames": self.frames,
            # A resumed image folder does not read the pictures before its start again.
            "bad_packets": max(report.bad_packets, before.get("bad_packets", 0)),
            "damaged_frames": max(report.damaged_frames, before.get("damaged_frames", 0)),
            "dropped": self.dropped,
        }
        self.folder.update(timings=self.timings, counts=counts)

    def _tell(self, source: FrameSource, complete: bool) -> None:
        """Tell the listener and `run.json` what went wrong."""
        self._count(source)
        messages = [*source.report.messages]
        if self.dropped:
            messages.append(f"dropped {self.dropped} frames that came faster than tracked")
        if source.live and self.latencies.count:
            messages.append(str(self.latencies))
            self.timings |= self.latencies.to_dict()
            self.folder.update(timings=self.timings)
        if complete:
            messages += self.job.unused()
        for message in messages:
            if message not in self.folder.record.messages:
                self.folder.update(message=message)
            self.listener.message(message)

    @contextmanager
    def _clock(self, part: str) -> Iterator[None]:
        """Add the time that the block takes to a part's timing, and to the total."""
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self.timings[part] += spent
        self.timings["total"] += spent

    def _timed(self, frames: Iterator[tuple[float, Frame]]) -> Iterator[tuple[float, Frame]]:
        """Pass frames on, timing the wait for each."""
        while True:
            with self._clock("reading"):
                item = next(frames, None)
            if item is None:
                return
            yield item


def _arriving(source: FrameSource) -> Iterator[tuple[float, Frame]]:
    """Give each frame with the time at which it was there, by the monotonic clock."""
    for frame in source:
        yield time.monotonic(), frame
