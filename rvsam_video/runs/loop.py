"""The one loop of runs: frames in, results into a run folder, a frame at a time.

`driving.drive` goes through to the end, as commands do. The page holds a `Run` and steps through
it, and can go back to a frame and take other prompts from there on. Either way what is on disk is
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError, RvsamError, SourceError
from rvsam_video.json_values import Json
from rvsam_video.results import FrameResult
from rvsam_video.runs.behind import BackwardRun
from rvsam_video.runs.checkpoint import Checkpoint, trusted
from rvsam_video.runs.feed import Feed
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.job import Job, RunListener, RunSummary, Silent, summary_of
from rvsam_video.runs.latency import Latencies, Timings
from rvsam_video.runs.options import CommonOptions
from rvsam_video.runs.stops import Stops
from rvsam_video.runs.visibility import Watched
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.snapshot import Arrays
from rvsam_video.sources.base import FrameSource
from rvsam_video.streaming.frame_session import FrameSession

CHECKPOINT_EVERY = 25
"""Frames between two checkpoints: at most this much work is done again after a kill."""

Prepare = Callable[[FrameSource], Job]
"""Loads networks and makes everything that depends on the source. It is called after the source is
open: a wrong path should not cost the loading of a network."""


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
        self._timings = Timings("reading", "tracking", "writing")
        self._latencies, self._watched = Latencies(), Watched()
        self._unsaved, self._resumed = 0, False
        self.frames = 0
        self.last: FrameResult | None = None
        self._behind: BackwardRun | None = None
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
            self._options.refuse_going_on(self.feed.source)
            # Times add up over all parts of a run.
            self._timings.seconds |= self.folder.record.timings
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

    def _stand_at(self, checkpoint: Checkpoint | None) -> None:
        """Stand where a checkpoint was made, or before the first frame."""
        self.ended, self.last, self._unsaved, self.frames = False, None, 0, 0
        self._watched = Watched()
        self._resumed = checkpoint is not None
        ways = self.job.ways()
        with self._trusting():
            if ways.direction == "forward":
                # A new one, never wound back: its state comes from the checkpoint alone.
                self.session = ways.forward()
            else:
                self._behind = self._opened.enter_context(
                    BackwardRun(self._options, ways, self.folder.path, checkpoint)
                )
                self.session = self._behind.session()
            if checkpoint is not None and self._behind_done:
                self._restore(checkpoint)
        self.feed.stand_at(checkpoint.next_frame if checkpoint is not None else 0)

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on forward from a checkpoint."""
        self.session.restore(checkpoint.state)
        self._watched = Watched(checkpoint.info)
        self.frames = int(str(checkpoint.info["frames"]))
        if self.next_frame != checkpoint.next_frame or self.frames < 0:
            msg = f"it says frame {checkpoint.next_frame} and holds {self.next_frame}"
            raise ValueError(msg)

    def _trusting(self) -> AbstractContextManager[None]:
        """Tell what follows from a damaged state from faults of this program's own."""
        return trusted(self.folder.path) if self._resumed else nullcontext()

    @property
    def _behind_done(self) -> bool:
        """Whether all that is tracked backward is there."""
        return self._behind is None or self._behind.done

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
            self.folder.renew()
            if self._behind is not None and not self._behind.done:
                return self._step_back(self._behind)
            with self._timings.of("reading"):
                if not self.feed.wait(give_up):
                    return []
                frame = self.feed.next()
            with (
                self._timings.of("tracking"),
                self._trusting(),
            ):
                results = self.session.flush() if frame is None else self.session.push(frame)
            self.ended = frame is None
            self._write(results)
            self._unsaved += 1
            # At the end the final files follow at once.
            if self._unsaved >= CHECKPOINT_EVERY and not self.ended:
                self.commit()
        return results

    def _step_back(self, behind: BackwardRun) -> list[FrameResult]:
        """Track one frame backward; nothing of it is final before the video is read forward."""
        with self._timings.of("reading"):
            frame = behind.read()
        with self._timings.of("tracking"), self._trusting():
            behind.push(frame)
        self._unsaved += 1
        if behind.done:
            self.session = behind.session()
        if behind.done or self._unsaved >= CHECKPOINT_EVERY:
            self.commit()
        if (news := behind.news()) is not None:
            self.listener.message(news)
        return []

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
        with self._timings.of("writing"):
            # After all are handed over: a listener that fails must not keep results from being
            # written.
            for result in results:
                writer.write(result)
        for result in results:
            self.frames += 1
            self.last = result
            self._watched.add(result)
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
            with self._trusting():
                self._writer.start(None if checkpoint is None else checkpoint.marks)
        return self._writer

    def commit(self) -> None:
        """Make everything so far durable: after this, a kill loses nothing of it.

        Raises:
            OutputError: if it cannot be written.
        """
        self._unsaved = 0
        known = {} if self._behind is None else self._behind.info()
        known |= {**self._watched.to_json(), **self._watched.counts}
        with self._timings.of("writing"):
            self.folder.save_checkpoint(
                Checkpoint(
                    next_frame=self.next_frame,
                    # The outputs first, the state after them: a checkpoint never speaks of bytes
                    # that are not there.
                    marks=self._opened_writer().commit(),
                    state=self._snapshot(),
                    info={"frames": self.frames, **known},
                )
            )
            # A live source cannot go back, so its stops would only fill the disk.
            if self._stops is not None and not self.live:
                self._stops.keep(self.next_frame, self.folder.checkpoint_file)
        self._count()

    def _snapshot(self) -> Arrays:
        """Return the state of what is under way: going backward, or forward after that."""
        behind = {} if self._behind is None else self._behind.snapshot()
        return self.session.snapshot() if self._behind_done else behind

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
            with self._trusting():
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
        """Return how the run stands, with the files that were written."""
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
            **self._watched.counts,
        }
        notes = self._watched.to_json()
        self.folder.update(timings=self._timings.seconds, counts=counts, notes=notes)

    def _tell(self) -> None:
        """Tell the listener and `run.json` what went wrong."""
        messages = [*self.feed.source.report.messages]
        if self.feed.dropped:
            messages.append(f"dropped {self.feed.dropped} frames that came faster than tracked")
        if self.live and self._latencies.count:
            messages.append(str(self._latencies))
            self.folder.update(timings=self._latencies.to_dict())
        if self.ended:
            messages += self.job.unused(self.session.last_index)
        for message in messages:
            # A resumed run meets the same damage again; it is told each time, and noted once.
            if message not in self.folder.record.messages:
                self.folder.update(message=message)
            self.listener.message(message)

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Let go of everything; what was committed can be resumed. Can be called twice."""
        self._close_writer()
        self._opened.close()
