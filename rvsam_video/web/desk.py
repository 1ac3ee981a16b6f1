"""`Desk`: what one visitor does: opening, clicking, tracking, undoing, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rvsam_video.errors import RvsamError, UsageError
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.runs.loop import CHECKPOINT_EVERY
from rvsam_video.runs.objects import RunOptions
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.clicks import Click
from rvsam_video.web.history import Standing
from rvsam_video.web.screen import Screen
from rvsam_video.web.video import Change, VideoWork
from rvsam_video.web.workspace import Workspace

DeskState = Literal["empty", "ready", "tracking", "paused", "done"]


class Desk:
    """What a visitor works on. All methods belong into the one thread that works.

    Args:
        segmenter: what tracks; shared with other visitors.
        screen: what the visitor sees.
        later: takes work to be done after what is in line already.
        workspace: where all is kept.
    """

    def __init__(
        self,
        segmenter: VideoSegmenter,
        screen: Screen,
        later: Callable[[Callable[[], object]], object],
        workspace: Workspace,
    ) -> None:
        self._segmenter, self._screen, self._later = segmenter, screen, later
        self._workspace = workspace
        self._video: VideoWork | None = None
        self._state: DeskState = "empty"

    @property
    def empty(self) -> bool:
        """Whether no video is open."""
        return self._video is None

    @property
    def busy(self) -> bool:
        """Whether tracking is under way."""
        return self._state == "tracking"

    @property
    def key(self) -> str:
        """The key of the open video in the workspace; empty if none is open."""
        return "" if self._video is None else self._video.key

    @property
    def source(self) -> str:
        """What is open; empty if nothing is."""
        return "" if self._video is None else self._video.source

    def open(self, options: RunOptions, name: str, key: str) -> dict[str, Any]:
        """Open a video as it was left, or for the first time; the one before is put away.

        Args:
            options: of its run; prompts are not looked at.
            name: what it is called.
            key: its key in the workspace.
        """
        self.close()
        # If it fails, the desk is empty, as `close` has left it.
        self._video = video = VideoWork(
            options, name, key, self._segmenter, self._screen, self._workspace
        )
        if video.run.live:
            # A live picture moves before anything is clicked.
            self._start()
        elif video.go_on():
            self._start()
        elif video.asleep:
            self._state = "done"
        else:
            self._state = "paused" if video.run.next_frame else "ready"
        video.save()
        return self.tell()

    def close(self) -> None:
        """Build the files of what was tracked, and put the video away."""
        video, self._video = self._video, None
        self._state = "empty"
        if video is not None:
            video.close()
        self._screen.frame = None

    def _opened(self) -> VideoWork:
        if self._video is None:
            raise UsageError("there is no video yet; upload or choose one first")
        return self._video

    def change(self, work: Change, frame: int | None = None) -> dict[str, Any]:
        """Do something to the book, and make it count; `undo` takes it back.

        Args:
            work: what is done; if it is refused, nothing has happened.
            frame: the one to show afterwards; None for what was shown, and what had been tracked
                is tracked again at once.
        """
        video = self._opened()
        before = video.standing()
        try:
            work(video.book)
            if tuple(video.book.clicks) != before.clicks:
                # A click means what is seen now, which must not move on meanwhile.
                self._hold()
            if video.run.live:
                video.count_live()
            elif video.take_up(before, frame):
                self._start()
        # Refused further on, for example by the run: without this all later work would fail, too.
        except RvsamError:
            video.book.stand_at(before.names, before.clicks)
            raise
        video.history.did(before)
        video.save()
        return self.tell()

    def click(self, click: Click) -> dict[str, Any]:
        """Take a click, box or mask, and show the mask that it gives."""
        video = self._opened()
        if video.run.live:
            # The page's number may be older than the picture that the session has reached.
            click = replace(click, frame=max(video.run.next_frame - 1, 0))
        size = video.run.feed.source.size
        told = self.change(lambda book: book.add(click, size), click.frame)
        if video.run.live:
            video.add_live(click)
        return told

    def new_object(self) -> dict[str, Any]:
        """Make room for another object."""
        added: list[int] = []
        told = self.change(lambda book: added.append(book.new_object()))
        return {**told, "added": added[0]}

    def load(self, prompts: list[Prompt]) -> dict[str, Any]:
        """Take prompts of a file."""
        size = self._opened().run.feed.source.size
        frame = min((item.frame for item in prompts), default=None)
        return self.change(lambda book: book.load(prompts, size), frame)

    def move(self, number: int, point: tuple[float, float]) -> dict[str, Any]:
        """Put a click somewhere else in its frame."""
        video = self._opened()
        size, clicks = video.run.feed.source.size, video.book.clicks
        frame = clicks[number].frame if 0 <= number < len(clicks) else None
        return self.change(lambda book: book.move(number, point, size), frame)

    def undo(self) -> dict[str, Any]:
        """Take the last step back, whatever it was."""
        return self._go(self._opened().history.undo, "there is nothing to undo")

    def redo(self) -> dict[str, Any]:
        """Do again what was taken back last."""
        return self._go(self._opened().history.redo, "there is nothing to do again")

    def _go(self, step: Callable[[Standing], Standing | None], nothing: str) -> dict[str, Any]:
        video = self._opened()
        now = video.standing()
        target = step(now)
        if target is None:
            raise UsageError(nothing)
        self._hold()
        video.book.stand_at(target.names, target.clicks)
        if video.run.live:
            video.count_live()
        elif video.return_to(now, target):
            self._start()
        video.save()
        return self.tell()

    def track(self) -> dict[str, Any]:
        """Track on from where it is, until the end or `pause`."""
        video = self._opened()
        run = video.run
        if not video.book.prompts() and not run.live:
            raise UsageError("nothing to follow yet; click on an object first")
        if not self.busy:
            if run.ended:
                raise UsageError("the video is tracked to its end; correct a frame to go on there")
            before = video.standing()
            # Clicks made before the first frame were only shown; now they become the run's command.
            if run.next_frame == 0:
                run.go_to(0, video.job())
            if not run.live:
                video.history.did(before)
            self._start()
        elif video.goal is not None:
            # It is under way to where it had been, and now goes further.
            video.history.did(video.standing())
            video.goal = None
        return self.tell()

    def _start(self) -> None:
        self._state = "tracking"
        self._later(self._step)

    def _step(self) -> None:
        """Track one frame, then wait in line again behind what the visitor asked meanwhile."""
        video = self._video
        # The line may hold a step from before a pause or another video.
        if video is None or not self.busy:
            return
        run = video.run
        try:
            results = run.step()
            video.note(results)
            for result in results:
                video.view.show_result(result, tracking=True)
            if run.ended:
                self._state = "done"
                video.end()
                video.save()
            elif video.arrived:
                self.pause()
                return
            elif run.next_frame % CHECKPOINT_EVERY == 0:
                video.save()
            # In between, each result puts its own picture up.
            if run.ended or not results:
                self.tell()
        except RvsamError as error:
            self._hold()
            self._screen.message("problem", str(error))
            self.tell()
            return
        # Again in line, not in a loop: a pause or click that waits there comes first.
        self._later(self._step)

    def _hold(self) -> None:
        self._opened().goal = None
        if self._state in ("tracking", "done"):
            self._state = "paused"

    def pause(self) -> dict[str, Any]:
        """Stop after the frame that is being tracked."""
        video = self._opened()
        if self.busy:
            self._hold()
            if video.run.next_frame and not video.run.live:
                # Now, not after some more frames: a pause is when people close their laptops.
                video.run.commit()
            video.save()
        return self.tell()

    def stop(self) -> dict[str, Any]:
        """Stop, and build the files of what there is."""
        video = self._opened()
        if not video.asleep:
            self._hold()
            video.build()
            if video.run.ended:
                self._state = "done"
        return self.tell()

    def files(self) -> tuple[Path, list[Path]]:
        """Build the files of what was tracked; return the run folder and what it holds."""
        video = self._opened()
        if self.busy:
            raise UsageError("tracking is under way; pause it to take its files")
        video.build()
        return video.run.folder.path, files_of(video.run.folder.path)

    def picture(self, index: int, *, full: bool = False) -> tuple[float, bytes]:
        """Return a frame's time in seconds, and the frame as JPEG, as it is."""
        return self._opened().view.picture(index, full=full)

    def masks(self, index: int) -> bytes | None:
        """Return the masks of a frame as an index PNG; None if there are none."""
        video = self._opened()
        return video.view.masks(index, video.tracked)

    def timeline(self) -> dict[str, str]:
        """Return what is known of each object in each frame, see `ScoreBook`."""
        return self._opened().view.scores.to_json()

    def tell(self) -> dict[str, Any]:
        """Put up and return the state, all that the page shows besides the picture."""
        state: dict[str, Any] = {"state": self._state, "objects": []}
        if self._video is not None:
            state["objects"] = self._video.book.to_json()
            state |= self._video.facts()
        self._screen.tell(state)
        return state


def files_of(folder: Path) -> list[Path]:
    """Return the results in a run folder; working files and the lock begin with a dot."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not _hidden(path, folder))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
