"""The one loop of runs: frames in, results into a run folder, a frame at a time.

`drive` goes through to the end, as commands do. The page holds a `Run` and steps through it, and
can go back to a frame and take other prompts from there on. Either way what is on disk is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError, RvsamError, SourceError
from rvsam_video.json_values import Json
from rvsam_video.results import FrameResult
from rvsam_video.runs.checkpoint import Checkpoint
from rvsam_video.runs.doubts import LOOK_AT, Doubts
from rvsam_video.runs.feed import Feed
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.job import FrameSession, Job, RunListener, RunSummary, Silent, summary_of
from rvsam_video.runs.latency import Latencies
from rvsam_video.runs.options import CommonOptions
from rvsam_video.runs.stops import Stops
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.sources.base import FrameSource

CHECKPOINT_EVERY = 25
"""Frames between two checkpoints: at most this much work is done again after a kill."""

Prepare = Callable[[FrameSource], Job]
"""Loads networks and makes everything that depends on the source. It is called after the source is
open: a wrong path should not cost the loading of a network."""


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


class Run(ClosesItself):
    """One source being tracked into its folder.

    Args:
        options: what to read, and where to write.
        prepare: makes the job.
        listener: is told what happens.
        seekable: keep places to come back to, see `go_to`.

    Attributes:
        listener: is told what happens.
        feed: where frames come from.
        job: what is run.
        folder: where it is written.
        session: turns frames into results.
        frames: how many results are written.
        last: the newest result, None before the first.
        ended: whether the video came to its end.

    Raises:
        UsageError: if a name or value makes no sense.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """

    session: FrameSession

    def __init__(
        self,
        options: CommonOptions,
        prepare: Prepare,
        listener: RunListener | None = None,
        *,
        seekable: bool = False,
    ) -> None:
        self._options, self.listener = options, listener or Silent()
        self._writer: BackgroundWriter | None = None
        self._built: list[Path] | None = None
        self._timings = dict.fromkeys(("total", "reading", "tracking", "writing"), 0.0)
        self._latencies = Latencies()
        self._doubts = Doubts()
        self._unsaved = 0
        self._resumed = False
        self.frames = 0
        self.last: FrameResult | None = None
        self._opened = ExitStack()
        try:
            # The source first, then the networks, then the folder: what costs least fails first.
            self.feed = self._opened.enter_context(Feed(options))
            self.job = prepare(self.feed.source)
            self.folder = self._opened.enter_context(
                RunFolder.open(options.out, self.job.command, overwrite=options.overwrite)
            )
            self.ended = self.folder.complete
            self._stops = Stops(self.folder.path) if seekable else None
            if not self.ended:
                self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Begin in an empty folder, or go on where its checkpoint is."""
        for facts in self.job.weights.values():
            if "notice" in facts:
                self.listener.message(facts["notice"])
        checkpoint = self.folder.checkpoint
        if checkpoint is not None:
            self._refuse_unrepeatable()
            # Times add up over all parts of a run.
            self._timings |= self.folder.record.timings
        # What `finish_run` asks for, which has no source to look at.
        kept: dict[str, Json] = {"again": not (self.live or self._options.once)}
        self.folder.update(
            device=self.job.device,
            notes={**self.job.weights, "source": {**kept, **self.job.facts()}},
        )
        # Again when resuming: what it writes is the same, and may have been removed.
        self.job.begin(self.folder.path)
        self._stand_at(checkpoint)
        if checkpoint is not None:
            self.listener.message(f"resuming {self.folder.path} at frame {checkpoint.next_frame}")

    def _refuse_unrepeatable(self) -> None:
        if self.live or self._options.once:
            msg = (
                f"{self._options.out} holds an interrupted run of {self.feed.source.name}, which "
                "cannot be read again from the same frame on; `rvsam-video finish "
                f"{self._options.out}` makes the files of what was tracked; use --overwrite to "
                "start again, or another folder with --out"
            )
            raise OutputError(msg)

    def _stand_at(self, checkpoint: Checkpoint | None) -> None:
        """Stand where a checkpoint was made, or before the first frame."""
        # A new one, never wound back: its state comes from the checkpoint alone.
        self.session = self.job.session()
        self.ended, self.last, self._unsaved, self.frames = False, None, 0, 0
        self._doubts = Doubts()
        if checkpoint is not None:
            self._resumed = True
            with self._trusting_state():
                self.session.restore(checkpoint.state)
                self.frames = int(str(checkpoint.info["frames"]))
                self._doubts = Doubts(checkpoint.info.get(LOOK_AT))
                if self.next_frame != checkpoint.next_frame or self.frames < 0:
                    msg = f"it says frame {checkpoint.next_frame} and holds {self.next_frame}"
                    raise ValueError(msg)
        self.feed.stand_at(checkpoint.next_frame if checkpoint is not None else 0)

    @contextmanager
    def _trusting_state(self) -> Iterator[None]:
        """Say in one sentence when what a run goes on from does not fit together.

        Raises:
            OutputError: in place of any other error, if the run goes on from a checkpoint.
        """
        try:
            yield
        except RvsamError:
            raise
        except Exception as error:
            if not self._resumed:
                raise
            # Whoever changed a working file may have made anything of it, so any error can follow.
            msg = (
                f"cannot go on with {self.folder.path}: its working files are damaged or were "
                f"changed ({type(error).__name__}: {error}); use --overwrite to start again"
            )
            raise OutputError(msg) from error

    @property
    def live(self) -> bool:
        """Whether frames come by the clock, and cannot be read again."""
        return self.feed.source.live

    @property
    def next_frame(self) -> int:
        """Index of the frame that is to come next; results may lag behind by the lookahead."""
        return self.session.last_index + 1

    def step(self, give_up: Callable[[], bool] = lambda: False) -> list[FrameResult]:
        """Track one frame, or end the video; return the results that became final.

        Args:
            give_up: asked while no frame comes; once it says yes, nothing is done.

        Raises:
            SourceError: if the source is lost; what there is can be resumed.
            OutputError: if a result cannot be written.
        """
        with self._noting_failure():
            with self._clock("reading"):
                if not self.feed.wait(give_up):
                    return []
                frame = self.feed.next()
            with self._clock("tracking"), self._trusting_state():
                results = self.session.flush() if frame is None else self.session.push(frame)
            self.ended = frame is None
            self._write(results)
            self._unsaved += 1
            # At the end the final files follow at once.
            if self._unsaved >= CHECKPOINT_EVERY and not self.ended:
                self.commit()
        return results

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Leave a folder that says why it failed and can be resumed."""
        try:
            yield
        except RvsamError as error:
            if isinstance(error, SourceError):
                # What was read is worth having; the reason of the failure is the first one.
                with suppress(OutputError):
                    self.build()
            self.folder.finish("failed", str(error))
            raise

    def _write(self, results: list[FrameResult]) -> None:
        writer = self._opened_writer()
        with self._clock("writing"):
            # After all are handed over: a listener that fails must not keep results from being
            # written.
            for result in results:
                writer.write(result)
        for result in results:
            self.frames += 1
            self.last = result
            self._doubts.add(result)
            if (age := self.feed.age(result.index)) is not None:
                self._latencies.add(age)
            self.listener.result(result)

    def _opened_writer(self) -> BackgroundWriter:
        """Return what writes, opened behind the last checkpoint if it is not open."""
        # What was built no longer holds all there is.
        self._built = None
        if self._writer is None:
            checkpoint = self.folder.checkpoint
            self._writer = BackgroundWriter(self.job.sinks())
            with self._trusting_state():
                self._writer.start(None if checkpoint is None else checkpoint.marks)
        return self._writer

    def commit(self) -> None:
        """Make everything so far durable: after this, a kill loses nothing of it.

        Raises:
            OutputError: if it cannot be written.
        """
        self._unsaved = 0
        with self._clock("writing"):
            self.folder.save_checkpoint(
                Checkpoint(
                    next_frame=self.next_frame,
                    # The outputs first, the state after them: a checkpoint never speaks of bytes
                    # that are not there.
                    marks=self._opened_writer().commit(),
                    state=self.session.snapshot(),
                    info={"frames": self.frames, LOOK_AT: self._doubts.to_json()},
                )
            )
            # A live source cannot go back, so its stops would only fill the disk.
            if self._stops is not None and not self.live:
                self._stops.keep(self.next_frame, self.folder.checkpoint_file)
        self._count()

    def change(self, job: Job) -> None:
        """Take a job that asks for something else from now on; what is tracked stays.

        Raises:
            OutputError: if it cannot be noted.
        """
        self.job = job
        self.folder.change_command(job.command)
        job.begin(self.folder.path)

    def go_to(self, frame: int, job: Job) -> None:
        """Make `frame` one that is still to come, and take another job from there on.

        Everything tracked from the last place before it on is dropped, so a few frames may have to
        be tracked again. A live source cannot go back: there the job counts from now on.

        Args:
            frame: index of the earliest frame that the new job asks something else of.
            job: the new one; before that frame it asks for the same.

        Raises:
            OutputError: if what is written cannot be taken back.
        """
        if self.live:
            self.change(job)
            return
        # Nothing has to be dropped, so what there is becomes the place to go on from.
        if frame >= self.next_frame > 0:
            self.commit()
        # Writes what waits; then the outputs can be opened anew behind an earlier mark.
        self._close_writer()
        self._built = None
        # In this order a kill leaves a folder that some job can go on with: the old one until the
        # command is changed, the new one from then on.
        place = None if self._stops is None else self._stops.back_to(frame)
        self.folder.stand_at(place)
        self.change(job)
        self._stand_at(self.folder.checkpoint)

    def build(self) -> list[Path]:
        """Build the final files of what there is; the run can go on afterwards.

        Raises:
            OutputError: if they cannot be written.
        """
        if self._built is None:
            # So that the run can go on after this; a run that ended has nothing left to go on with.
            if not self.ended:
                self.commit()
            with self._trusting_state():
                self._built = self._opened_writer().finish(self.ended)
            # Finished sinks cannot go on; the next result opens them again behind the checkpoint.
            self._close_writer()
            self.folder.update(files=self._built)
            self._count()
        return self._built

    def finish(self) -> RunSummary:
        """Build the final files, and say in `run.json` how the run ended.

        Raises:
            OutputError: if something cannot be written.
        """
        with self._noting_failure():
            files = self.build()
            self._tell()
            self.folder.finish("complete" if self.ended else "interrupted")
        return self.summary(files)

    def summary(self, files: list[Path] | None = None) -> RunSummary:
        """Return how the run stands.

        Args:
            files: what was written.
        """
        return summary_of(self.folder.record, self.folder.path, files or ())

    def _count(self) -> None:
        """Put timings and counts into `run.json`."""
        report, before = self.feed.source.report, self.folder.record.counts
        counts = {
            "frames": self.frames,
            # A resumed image folder does not read the pictures before its start again.
            "bad_packets": max(report.bad_packets, before.get("bad_packets", 0)),
            "damaged_frames": max(report.damaged_frames, before.get("damaged_frames", 0)),
            "dropped": self.feed.dropped,
        }
        notes = {LOOK_AT: self._doubts.to_json()}
        self.folder.update(timings=self._timings, counts=counts, notes=notes)

    def _tell(self) -> None:
        """Tell the listener and `run.json` what went wrong."""
        messages = [*self.feed.source.report.messages]
        if self.feed.dropped:
            messages.append(f"dropped {self.feed.dropped} frames that came faster than tracked")
        if self.live and self._latencies.count:
            messages.append(str(self._latencies))
            self.folder.update(timings=self._latencies.to_dict())
        if self.ended:
            messages += self.job.unused()
        for message in messages:
            # A resumed run meets the same damage again; it is told each time, and noted once.
            if message not in self.folder.record.messages:
                self.folder.update(message=message)
            self.listener.message(message)

    @contextmanager
    def _clock(self, part: str) -> Iterator[None]:
        """Add the time that the block takes to a part's timing, and to the total."""
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self._timings[part] += spent
        self._timings["total"] += spent

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Let go of everything; what was committed can be resumed. Can be called twice."""
        self._close_writer()
        self._opened.close()
