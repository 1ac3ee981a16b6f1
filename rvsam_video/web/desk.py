"""`Desk`: one visitor's video, clicks and tracking, as they are worked on in one thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rvsam_video.errors import OutputError, RvsamError, UsageError
from rvsam_video.frame import Frame
from rvsam_video.results import FrameResult
from rvsam_video.runs.loop import Run
from rvsam_video.runs.objects import ObjectJob, RunOptions, sink_context
from rvsam_video.sinks.names import MASK_FOLDER
from rvsam_video.sources.base import FrameSource
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.streaming.session import Session
from rvsam_video.web.clicks import Click, ClickBook
from rvsam_video.web.frames import FrameReader
from rvsam_video.web.screen import Screen, with_masks

DeskState = Literal["empty", "ready", "tracking", "paused", "done"]


class Desk:
    """What a visitor works on. All methods belong into the one thread that works.

    Args:
        segmenter: what tracks; shared with other visitors.
        screen: what the visitor sees.
        later: takes work to be done after what is in line already.
    """

    def __init__(
        self,
        segmenter: VideoSegmenter,
        screen: Screen,
        later: Callable[[Callable[[], object]], object],
    ) -> None:
        self._segmenter, self._screen, self._later = segmenter, screen, later
        self._state: DeskState = "empty"
        self._book = ClickBook()
        self._run: Run | None = None
        self._reader: FrameReader | None = None
        self._mask_stem: Callable[[int], str] = str
        self._name = ""

    @property
    def empty(self) -> bool:
        """Whether no video is open."""
        return self._run is None

    def open(self, options: RunOptions, name: str) -> dict[str, Any]:
        """Start on a video; what was done before is closed."""
        self.close()
        # Before anything is noted: if it fails, the desk is empty, as `close` has left it.
        run = Run(options, self._job_of(options), _Notices(self._screen), seekable=True)
        self._run, self._name, self._state = run, name, "ready"
        self._mask_stem = sink_context(run.feed.source).mask_stem
        self._book = ClickBook()
        # One object is there from the start: the first click needs no choice.
        self._book.new_object()
        if run.live:
            self._state = "tracking"
            # A live picture moves before anything is clicked.
            self._later(self._step)
        else:
            self._reader = FrameReader(options.source)
            self._show(self._reader.frame(0))
        return self.tell()

    def _job_of(self, options: RunOptions) -> Callable[[FrameSource], ObjectJob]:
        return lambda source: ObjectJob(options, source, self._segmenter)

    def close(self) -> None:
        """Build the files of what was tracked, and let go of the video."""
        run, self._run = self._run, None
        reader, self._reader = self._reader, None
        if run is not None:
            # A full disk must not keep the visitor from going on to another video.
            with suppress(OutputError):
                run.finish()
            run.close()
        if reader is not None:
            reader.close()
        self._state, self._screen.frame = "empty", None

    def _opened(self) -> Run:
        if self._run is None:
            raise UsageError("there is no video yet; upload or choose one first")
        return self._run

    def view(self, index: int) -> bytes:
        """Return a frame as JPEG, with masks where it was tracked."""
        run = self._opened()
        if self._reader is None:
            raise UsageError("a live picture cannot be looked at again; pause it to see it stand")
        frame = self._screen.frame = self._reader.frame(index)
        return self._screen.jpeg(with_masks(frame, run.last, self._mask_file(frame)))

    def _mask_file(self, frame: Frame) -> Path:
        return self._opened().folder.path / MASK_FOLDER / f"{self._mask_stem(frame.index)}.png"

    def new_object(self) -> dict[str, Any]:
        """Make room for another object."""
        self._opened()
        key = self._book.new_object()
        return {**self.tell(), "added": key}

    def rename(self, object_id: int, name: str) -> dict[str, Any]:
        """Name an object."""
        self._opened()
        self._book.rename(object_id, name)
        return self.tell()

    def click(self, click: Click) -> dict[str, Any]:
        """Take a click, and show the mask that it gives."""
        run = self._opened()
        # First: a click means what is seen now, which must not move on meanwhile.
        self._hold()
        if run.live:
            # The page's number may be older than the picture that the session has reached.
            click = replace(click, frame=max(run.next_frame - 1, 0))
        self._book.add(click, run.feed.source.size)
        try:
            self._preview(click.frame)
        # Its prompt was refused further on; without this every later click would fail with it.
        except RvsamError:
            self._book.undo()
            raise
        return self.tell()

    def undo(self) -> dict[str, Any]:
        """Take the last click back."""
        self._opened()
        self._hold()
        click = self._book.undo()
        if click is not None:
            self._preview(click.frame)
        return self.tell()

    def remove(self, object_id: int) -> dict[str, Any]:
        """Forget an object, in all frames; live, from now on."""
        run = self._opened()
        self._hold()
        first = self._book.remove(object_id)
        if run.live:
            session = self._session()
            if object_id in session.object_ids:
                session.remove(object_id)
        elif first is not None:
            self._preview(first)
        return self.tell()

    def _session(self) -> Session:
        session = self._opened().session
        if not isinstance(session, Session):
            msg = "the page follows objects"
            raise TypeError(msg)
        return session

    def _job(self) -> ObjectJob:
        job = self._opened().job
        if not isinstance(job, ObjectJob):
            msg = "the page follows objects"
            raise TypeError(msg)
        return job.asking(self._book.prompts())

    def _preview(self, index: int) -> None:
        """Show what the clicks of a frame give, and make them count from there on."""
        run = self._opened()
        if run.live:
            self._add_live(run, index)
        # Trackers that look ahead answer frames later, so there the clicks are shown by themselves.
        elif index <= run.next_frame and self._segmenter.tracker.lookahead == 0:
            self._track_to(run, index)
        else:
            run.go_to(index, self._job())
            self._show_alone(index)

    def _add_live(self, run: Run, index: int) -> None:
        """Give the newest click to the running session; its mask is there at once."""
        click = self._book.clicks[-1] if self._book.clicks else None
        if click is None or click.frame != index:
            return
        prompt = click.to_prompt()
        self._session().add(
            prompt.object_id, points=prompt.points, labels=prompt.labels, box=prompt.box
        )
        run.change(self._job())
        self._show_alone(index)

    def _track_to(self, run: Run, index: int) -> None:
        """Go back before a frame, and track up to it and no further."""
        run.go_to(index, self._job())
        # The place gone back to is a checkpoint, up to some frames before the one wanted.
        while run.next_frame < index and not run.ended:
            run.step()
        if run.next_frame:
            run.commit()  # the next correction of this frame starts here
        for result in run.step():
            self._show_result(result)

    def _show_alone(self, index: int) -> None:
        """Show the masks that the clicks of one frame give by themselves."""
        frame = self._screen.frame if self._reader is None else self._reader.frame(index)
        if frame is None:
            return
        prompts = [item for item in self._book.prompts() if item.frame == frame.index]
        if not prompts:
            self._show(frame)
            return
        # A session of its own, thrown away: the run's must not see this frame yet.
        session = self._segmenter.session(prompts)
        results = [*session.push(frame), *session.flush()]
        if results:
            self._show_result(results[0])

    def track(self) -> dict[str, Any]:
        """Track on from where it is, until the end or `pause`."""
        run = self._opened()
        if not self._book.prompts() and not run.live:
            raise UsageError("nothing to follow yet; click on an object first")
        if self._state != "tracking":
            if run.ended:
                raise UsageError("the video is tracked to its end; correct a frame to go on there")
            # Clicks made before the first frame were only shown; now they become the run's command.
            if run.next_frame == 0:
                run.go_to(0, self._job())
            self._state = "tracking"
            self._later(self._step)
        return self.tell()

    def _step(self) -> None:
        """Track one frame, then wait in line again behind what the visitor asked meanwhile."""
        run = self._run
        # The line may hold a step from before a pause or another video.
        if run is None or self._state != "tracking":
            return
        try:
            results = run.step()
            for result in results:
                self._show_result(result)
            if run.ended:
                self._state = "done"
                run.build()
            # In between, each result puts its own picture up.
            if run.ended or not results:
                self.tell()
        except RvsamError as error:
            self._state = "paused"
            self._screen.message("problem", str(error))
            self.tell()
            return
        # Again in line, not in a loop: a pause or click that waits there comes first.
        self._later(self._step)

    def _hold(self) -> None:
        if self._state in ("tracking", "done"):
            self._state = "paused"

    def pause(self) -> dict[str, Any]:
        """Stop after the frame that is being tracked."""
        self._opened()
        if self._state == "tracking":
            self._hold()
        return self.tell()

    def stop(self) -> dict[str, Any]:
        """Stop, and build the files of what there is."""
        run = self._opened()
        self._hold()
        run.build()
        return self.tell()

    def files(self) -> tuple[Path, list[Path]]:
        """Build the files of what was tracked; return the run folder and what it holds."""
        run = self._opened()
        if self._state == "tracking":
            raise UsageError("tracking is under way; pause it to take its files")
        run.build()
        folder = run.folder.path
        # Working files and the lock begin with a dot.
        found = (path for path in folder.rglob("*") if path.is_file())
        return folder, sorted(path for path in found if not _hidden(path, folder))

    def _show(self, frame: Frame) -> None:
        run = self._opened()
        self._screen.show(frame, with_masks(frame, run.last, self._mask_file(frame)), run.frames)

    def _show_result(self, result: FrameResult) -> None:
        self._screen.show_result(result, self._opened().frames, tracking=self._state == "tracking")

    def tell(self) -> dict[str, Any]:
        """Put up and return the state, all that the page shows besides the picture."""
        run = self._run
        state: dict[str, Any] = {"state": self._state, "objects": self._book.to_json()}
        if run is not None:
            source = run.feed.source
            width, height = source.size
            state |= {
                "name": self._name,
                "width": width,
                "height": height,
                "frames": run.feed.expected,
                "live": run.live,
                "next": run.next_frame,
                "ended": run.ended,
            }
        self._screen.tell(state)
        return state


class _Notices:
    """Passes on what a run tells; frames are shown by the desk itself."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def message(self, text: str) -> None:
        """Show a sentence."""
        self._screen.message("notice", text)

    def started(self, total: int | None, done: int) -> None:
        """Ignore the start."""

    def result(self, result: FrameResult) -> None:
        """Ignore a frame."""


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
