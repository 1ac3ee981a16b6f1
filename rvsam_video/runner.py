"""A whole run: read a source, track, write everything into a run folder, resume after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from rvsam_video.engine import DECODE_AHEAD, DEFAULT_SEGMENTER, DEFAULT_TRACKER, VideoSegmenter
from rvsam_video.errors import OutputError, RvsamError, SourceError
from rvsam_video.frame import Frame
from rvsam_video.io import open_source, prefetch
from rvsam_video.io.background import BackgroundWriter
from rvsam_video.io.base import BadFrames, FrameSource, Reader
from rvsam_video.io.checkpoint import Checkpoint
from rvsam_video.io.image_sequence import ImageSequence
from rvsam_video.io.layout import PROMPTS_FILE
from rvsam_video.io.run_folder import RunFolder
from rvsam_video.io.run_identity import Json, fingerprint
from rvsam_video.io.sinks import SINK_NAMES, SinkContext, create_sinks
from rvsam_video.prompt_file import save_prompts
from rvsam_video.prompt_json import prompts_to_json
from rvsam_video.prompts import Prompt
from rvsam_video.results import FrameResult
from rvsam_video.segmenters import create_segmenter, weights_of
from rvsam_video.session import Session
from rvsam_video.settings import SegmentationSettings

CHECKPOINT_EVERY = 25
"""Frames between two checkpoints: at most this much work is done again after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a run reads, follows and writes.

    Attributes:
        source: whatever `open_source` takes.
        prompts: what to follow.
        out: the run folder.
        save: names of outputs, of `rvsam_video.io.sinks.SINK_NAMES`.
        tracker: registry name.
        segmenter: registry name.
        checkpoint: a file of weights for the segmenter, instead of the published ones.
        device: "auto", or a PyTorch device; for learned segmenters.
        backend: what runs the image encoder: "torch", "onnxruntime" or "openvino".
        settings: constants of the engine.
        overwrite: begin anew where another run has been.
        max_frames: read only frames with a lower index; None reads all.
        reader: what decodes video files.
        on_bad_frame: skip damaged frames, or stop at the first.
        live: when frames come faster than they are tracked, `drop` old ones or `block`; None
            drops for live sources only.
    """

    source: str
    prompts: list[Prompt]
    out: Path
    save: tuple[str, ...] = SINK_NAMES
    tracker: str = DEFAULT_TRACKER
    segmenter: str = DEFAULT_SEGMENTER
    checkpoint: Path | None = None
    device: str = "auto"
    backend: str = "torch"
    settings: SegmentationSettings = field(default_factory=SegmentationSettings)
    overwrite: bool = False
    max_frames: int | None = None
    reader: Reader = "pyav"
    on_bad_frame: BadFrames = "skip"
    live: Literal["drop", "block"] | None = None

    def command(self, source: FrameSource, weights: Mapping[str, str]) -> dict[str, Json]:
        """Return all that decides the results; a run is resumed only if this is the same."""
        path = Path(self.source)
        return {
            "source": str(path.resolve()) if path.exists() else source.name,
            "fingerprint": fingerprint(path) if path.exists() else None,
            "prompts": prompts_to_json(self.prompts),
            "save": sorted(self.save),
            "tracker": self.tracker,
            "segmenter": self.segmenter,
            "weights": weights.get("sha256"),
            "device": self.device,
            "backend": self.backend,
            "settings": self.settings.to_dict(),
            "max_frames": self.max_frames,
            "reader": self.reader,
            "on_bad_frame": self.on_bad_frame,
        }


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


def run(
    options: RunOptions,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Track a source into a run folder; go on where the same run was interrupted.

    Args:
        options: what to read, follow and write.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.

    Raises:
        UsageError: if a name or value makes no sense.
        PromptError: if a prompt does not fit the frames.
        SourceError: if the source cannot be read.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    listener = listener or Silent()
    with _open(options, 0) as source:
        # After the source: a wrong path should not cost the loading of a network.
        network = create_segmenter(
            options.segmenter, options.checkpoint, options.device, options.backend
        )
        weights = weights_of(options.segmenter, options.checkpoint)
        segmenter = VideoSegmenter(options.tracker, network, options.settings)
        writer = BackgroundWriter(create_sinks(options.save, options.out, _context(source)))
        session = segmenter.session(options.prompts)
        session.check_prompts(source.size)
        command = options.command(source, weights)
        with RunFolder.open(options.out, command, overwrite=options.overwrite) as folder:
            if folder.complete:
                listener.message(f"{folder.path} is already complete; --overwrite starts again")
                return _summary(folder, ())
            folder.update(
                # Segmenters without a network run where everything else does.
                device=str(getattr(network, "device", "cpu")),
                notes={"weights": weights},
            )
            if folder.checkpoint is None:
                save_prompts(
                    folder.path / PROMPTS_FILE,
                    options.prompts,
                    frame_size=source.size,
                    source=source.name,
                )
                return _Run(options, folder, session, writer, listener, should_stop).go(source)
            _refuse_unrepeatable(options, source)
            source.close()
            with _open(options, folder.checkpoint.next_frame) as rest:
                return _Run(options, folder, session, writer, listener, should_stop).go(rest)


def _open(options: RunOptions, start: int) -> FrameSource:
    return open_source(
        options.source, reader=options.reader, on_bad_frame=options.on_bad_frame, start=start
    )


def _context(source: FrameSource) -> SinkContext:
    """Name masks after the pictures of an image folder, as evaluation tools expect."""
    video_id = Path(source.name).stem or source.name
    if isinstance(source, ImageSequence) and len(set(source.stems)) == len(source.stems):
        return SinkContext(video_id, source.stems.__getitem__)
    return SinkContext(video_id)


def _refuse_unrepeatable(options: RunOptions, source: FrameSource) -> None:
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
    """One call of `run`: the loop over frames between two ends that may both be checkpoints."""

    def __init__(
        self,
        options: RunOptions,
        folder: RunFolder,
        session: Session,
        writer: BackgroundWriter,
        listener: RunListener,
        should_stop: Callable[[], bool],
    ) -> None:
        self.options, self.folder, self.session = options, folder, session
        self.writer = writer
        self.listener, self.should_stop = listener, should_stop
        self.frames = 0
        self.dropped = 0
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
        with closing(prefetch(source, DECODE_AHEAD, policy=policy)) as frames:
            unsaved = 0
            for frame in self._timed(iter(frames)):
                if limit is not None and frame.index >= limit:
                    break
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
        if complete:
            messages += [
                f"the prompt of {prompt.where} was not used: the video ended before it"
                for prompt in self.session.pending
            ]
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

    def _timed(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Pass frames on, timing the wait for each."""
        while True:
            with self._clock("reading"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame
