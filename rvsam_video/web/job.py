"""`TrackingJob`: a run that can go back to any frame, take a correction there, and go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError
from rvsam_video.frame import Frame
from rvsam_video.prompts.files import save_prompts
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult
from rvsam_video.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.identity import Json
from rvsam_video.runs.layout import PROMPTS_FILE, page_checkpoint
from rvsam_video.runs.loop import CHECKPOINT_EVERY
from rvsam_video.sinks.base import Mark, SinkContext, SinkWriter, create_sinks
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.sources import open_source, prefetch
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.prefetching import Policy, Prefetch
from rvsam_video.sources.reconnecting import RECONNECT_SECONDS, Reconnecting
from rvsam_video.streaming.engine import DECODE_AHEAD, VideoSegmenter
from rvsam_video.streaming.session import Session


@dataclass(frozen=True, slots=True)
class _Stop:
    """A place to go back to: the frame to push next there, and the file with the state."""

    next_frame: int
    path: Path


class TrackingJob(ClosesItself):
    """Objects followed through one source into a run folder.

    Args:
        source: whatever `open_source` takes.
        segmenter: the pair that tracks.
        folder: the run folder; a run that is there is replaced.
        save: names of outputs.

    Raises:
        SourceError: if the source cannot be read.
        OutputError: if the folder cannot be used.
    """

    def __init__(
        self, source: str, segmenter: VideoSegmenter, folder: Path, save: Sequence[str]
    ) -> None:
        self._what, self._segmenter, self._save = source, segmenter, tuple(save)
        self.source = self._open()
        try:
            command: dict[str, Json] = {"source": self.source.name, "page": True}
            self._folder = RunFolder.open(folder, command, overwrite=True)
        except BaseException:
            self.source.close()
            raise
        self._stops: list[_Stop] = []
        self._extra: _Stop | None = None
        self._writer: SinkWriter | None = None
        self._marks: Mapping[str, Mark] | None = None
        self._frames: Prefetch[Frame] | None = None
        self.last: FrameResult | None = None
        self.written = 0
        self.ended = False
        self._begin([])

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def live(self) -> bool:
        """Whether frames come by the clock, and cannot be read again."""
        return self.source.live

    @property
    def next_frame(self) -> int:
        """Index of the frame that is to come next; results may lag behind by the lookahead."""
        return self.session.last_index + 1

    def _begin(self, prompts: Sequence[Prompt]) -> None:
        self.session: Session = self._segmenter.session(prompts)
        self.ended, self.last = False, None

    def go_to(self, frame: int, prompts: Sequence[Prompt]) -> None:
        """Make `frame` one that is still to come, and take other prompts from there on.

        Everything tracked from the last place before it on is dropped, so a few frames may have
        to be tracked again. A live source cannot go back: there it takes only what is to come.

        Args:
            frame: index of the earliest frame whose prompts have changed.
            prompts: all prompts, also those of frames already tracked.

        Raises:
            OutputError: if what is written cannot be taken back.
        """
        if self.live:
            return
        candidates = [*self._stops, *([self._extra] if self._extra else [])]
        usable = [stop for stop in candidates if stop.next_frame <= frame]
        chosen = max(usable, key=lambda stop: stop.next_frame, default=None)
        self._stops = [stop for stop in self._stops if stop.next_frame <= frame]
        self._extra = self._extra if chosen is not None and chosen is self._extra else None
        checkpoint = load_checkpoint(chosen.path) if chosen else None
        self._close_writer()
        self._begin(prompts)
        self._marks = checkpoint.marks if checkpoint else None
        self.written = int(str(checkpoint.info["frames"])) if checkpoint else 0
        if checkpoint is not None:
            self.session.restore(checkpoint.state)
        self._restart_source(self.next_frame)
        self.save_prompts(prompts)

    def keep_place(self) -> None:
        """Remember this very place until the next regular one, to come back to it quickly."""
        if not self.live and self.next_frame > 0:
            self._extra = self._checkpoint()

    def step(self) -> list[FrameResult] | None:
        """Track one frame; return the results that became final, None after the last frame.

        Raises:
            SourceError: if the source is lost.
            OutputError: if a result cannot be written.
        """
        if self.ended:
            return None
        frame = self._next()
        if frame is None:
            results = self.session.flush()
            self._write(results)
            self.ended = True
            return results or None
        results = self.session.push(frame)
        self._write(results)
        if not self.live and self.written and self.written % CHECKPOINT_EVERY == 0 and results:
            self._stops.append(self._checkpoint())
            self._extra = None
        return results

    def finish(self) -> None:
        """Build the final files of what was tracked so far; tracking can go on afterwards.

        Raises:
            OutputError: if they cannot be written.
        """
        writer = self._writer
        if writer is not None:
            self._marks = writer.commit()
            writer.finish(self.ended)
            self._close_writer()
            self._folder.update(counts={"frames": self.written})

    def _next(self) -> Frame | None:
        if self._frames is None:
            policy: Policy = "drop" if self.live else "block"
            depth = 1 if self.live else DECODE_AHEAD
            self._frames = prefetch(self.source, depth, policy=policy)
        return next(self._frames, None)

    def _write(self, results: Sequence[FrameResult]) -> None:
        writer = self._writer or self._open_writer()
        for result in results:
            writer.write(result)
            self.written += 1
            self.last = result

    def _checkpoint(self) -> _Stop:
        stop = _Stop(self.next_frame, self.path / PARTS_FOLDER / page_checkpoint(self.next_frame))
        marks = (self._writer or self._open_writer()).commit()
        info = {"frames": self.written}
        state = self.session.snapshot()
        save_checkpoint(Checkpoint(self.next_frame, marks, state, info), stop.path)
        return stop

    def _open_writer(self) -> SinkWriter:
        """Go on writing where the marks say."""
        name = Path(self.source.name).stem or self.source.name
        self._writer = SinkWriter(create_sinks(self._save, self.path, SinkContext(name)))
        self._writer.start(self._marks)
        return self._writer

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _restart_source(self, start: int) -> None:
        self._close_frames()
        self.source.close()
        self.source = self._open(start)

    def _open(self, start: int = 0) -> FrameSource:
        source = open_source(self._what, start=start)
        if not source.live:
            return source
        return Reconnecting(source, partial(open_source, self._what), RECONNECT_SECONDS)

    def _close_frames(self) -> None:
        frames, self._frames = self._frames, None
        if frames is not None:
            frames.close()

    def save_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Write what is followed into the run folder, to be replayed.

        Raises:
            OutputError: if it cannot be written.
        """
        if prompts:
            path = self.path / PROMPTS_FILE
            save_prompts(path, prompts, frame_size=self.source.size, source=self.source.name)

    def close(self) -> None:
        """Close the source and the files, and say in `run.json` how the run ended."""
        self._close_writer()
        self._close_frames()
        self.source.close()
        with suppress(OutputError):
            self._folder.finish("complete" if self.ended else "interrupted")
        self._folder.close()
