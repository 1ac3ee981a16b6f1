"""`Desk`: one visitor's video, clicks and tracking, as they are worked on in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rvsam_video.errors import OutputError, RvsamError, UsageError
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult
from rvsam_video.runs.loop import CHECKPOINT_EVERY, Run
from rvsam_video.runs.objects import ObjectJob, RunOptions
from rvsam_video.runs.reopening import keep_working_files, reopen
from rvsam_video.sources.base import FrameSource
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.streaming.session import Session
from rvsam_video.web.changes import first_changes, recorded_prompts
from rvsam_video.web.clicks import Click, ClickBook
from rvsam_video.web.history import History, Standing
from rvsam_video.web.screen import Screen
from rvsam_video.web.view import View
from rvsam_video.web.workspace import Workspace

DeskState = Literal["empty", "ready", "tracking", "paused", "done"]

_PARTS = "parts"
_NEAR = 2 * CHECKPOINT_EVERY
"""Frames that are tracked while a click waits for its answer; further ones come in the back."""


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
        self._forget()

    def _forget(self) -> None:
        self._state: DeskState = "empty"
        self._key, self._name = "", ""
        self._run: Run | None = None
        self._view: View | None = None
        self._book, self._history = ClickBook(), History()
        # A complete run is looked at as it is; only a change opens it again.
        self._asleep = False
        # Where tracking stops by itself; the frames before it had been tracked already.
        self._goal: Standing | None = None
        # From which frame on the held masks of an object no longer hold.
        self._stale: dict[int, int] = {}

    @property
    def empty(self) -> bool:
        """Whether no video is open."""
        return self._run is None

    @property
    def busy(self) -> bool:
        """Whether tracking is under way."""
        return self._state == "tracking"

    @property
    def key(self) -> str:
        """The key of the open video in the workspace; empty if none is open."""
        return self._key

    @property
    def source(self) -> str:
        """What is open; empty if nothing is."""
        return "" if self._run is None else self._options.source

    def open(self, options: RunOptions, name: str, key: str) -> dict[str, Any]:
        """Open a video as it was left, or for the first time; the one before is put away.

        Args:
            options: of its run; prompts are not looked at.
            name: what it is called.
            key: its key in the workspace.
        """
        self.close()
        recorded = None if options.overwrite else recorded_prompts(options.out)
        saved = self._workspace.state(key)
        history, standing = _restored(saved, recorded)
        self._options = replace(options, prompts=standing_prompts(standing, recorded))
        # Before anything is noted: if it fails, the desk is empty, as `close` has left it.
        run = Run(self._options, self._job_of(), _Notices(self._screen), seekable=True)
        self._run, self._name, self._key, self._state = run, name, key, "ready"
        self._history, self._asleep = history, run.folder.complete
        self._book.stand_at(standing.names, standing.clicks)
        self._stale = {int(item): frame for item, frame in (saved or {}).get("stale", {}).items()}
        self._view = View(run, self._options.source, self._screen, self._workspace.page_folder(key))
        # The options hold for this opening; work on it afterwards must not begin anew.
        self._options = replace(self._options, overwrite=False)
        if not self._book.names:
            # One object is there from the start: the first click needs no choice.
            self._book.new_object()
        self._stand_as(standing, int((saved or {}).get("shown", 0)))
        self._save()
        return self.tell()

    def _stand_as(self, standing: Standing, shown: int) -> None:
        """Go on where a video was left."""
        run, view = self._opened(), self._seen()
        if run.live:
            self._state = "tracking"
            # A live picture moves before anything is clicked.
            self._later(self._step)
            return
        if self._asleep:
            self._state = "done"
        else:
            changes = first_changes(self._job_now().prompts, self._book.prompts())
            if changes:
                run.go_to(min(changes.values()), self._job())
            # A kill loses what came after the last checkpoint; it is tracked again.
            self._follow(standing)
            if run.next_frame and self._state == "ready":
                self._state = "paused"
        view.show(shown, run.next_frame if not self._asleep else None)

    def _job_of(self) -> Callable[[FrameSource], ObjectJob]:
        return lambda source: ObjectJob(self._options, source, self._segmenter)

    def close(self) -> None:
        """Build the files of what was tracked, and put the video away."""
        run, view = self._run, self._view
        if run is not None:
            # A full disk must not keep the visitor from going on to another video.
            with suppress(OutputError):
                self._save()
                self._finish(run)
            run.close()
        if view is not None:
            view.close()
        self._forget()
        self._screen.frame = None

    def _finish(self, run: Run) -> None:
        if self._asleep:
            return
        # Nothing was tracked, so there is nothing to build.
        if run.next_frame == 0:
            run.folder.finish("interrupted")
            return
        self._build(run)
        if run.ended and not run.live:
            keep_working_files(run.folder.path, self._workspace.page_folder(self._key) / _PARTS)
        run.finish()

    def _opened(self) -> Run:
        if self._run is None:
            raise UsageError("there is no video yet; upload or choose one first")
        return self._run

    def _seen(self) -> View:
        self._opened()
        if self._view is None:
            raise UsageError("there is no video yet; upload or choose one first")
        return self._view

    def _awake(self) -> Run:
        """Return the run as one that can go on; a complete one is opened again."""
        run = self._opened()
        if self._asleep:
            self._seen().hold(0, None)
            run.close()
            reopen(run.folder.path, self._workspace.page_folder(self._key) / _PARTS)
            options = replace(self._options, prompts=recorded_prompts(run.folder.path) or ())
            self._options, self._asleep = options, False
            self._run = run = Run(options, self._job_of(), _Notices(self._screen), seekable=True)
            self._seen().run = run
        return run

    def standing(self) -> Standing:
        """Return all that was said and reached so far."""
        run = self._opened()
        reach, ended = run.folder.record.counts.get("frames", 0), True
        if self._goal is not None:
            reach, ended = self._goal.reach, self._goal.ended
        elif not self._asleep:
            reach, ended = run.next_frame, run.ended
        return Standing(dict(self._book.names), tuple(self._book.clicks), reach, ended)

    def change(
        self, work: Callable[[ClickBook], object], frame: int | None = None
    ) -> dict[str, Any]:
        """Do something to the book, and make it count; `undo` takes it back.

        Args:
            work: what is done; if it is refused, nothing has happened.
            frame: the one to show afterwards; None for what was shown, and what had been tracked
                is tracked again at once.
        """
        run, before = self._opened(), self.standing()
        try:
            work(self._book)
            if tuple(self._book.clicks) != before.clicks:
                # A click means what is seen now, which must not move on meanwhile.
                self._hold()
            if run.live:
                self._count_live(run)
            else:
                self._take_up(before, frame)
        # Refused further on, for example by the run: without this all later work would fail, too.
        except RvsamError:
            self._book.stand_at(before.names, before.clicks)
            raise
        self._history.did(before)
        self._save()
        return self.tell()

    def click(self, click: Click) -> dict[str, Any]:
        """Take a click, box or mask, and show the mask that it gives."""
        run = self._opened()
        if run.live:
            # The page's number may be older than the picture that the session has reached.
            click = replace(click, frame=max(run.next_frame - 1, 0))
        size = run.feed.source.size
        told = self.change(lambda book: book.add(click, size), click.frame)
        if run.live:
            self._add_live(run, click)
        return told

    def new_object(self) -> dict[str, Any]:
        """Make room for another object."""
        added: list[int] = []
        told = self.change(lambda book: added.append(book.new_object()))
        return {**told, "added": added[0]}

    def load(self, prompts: list[Prompt]) -> dict[str, Any]:
        """Take prompts of a file."""
        size = self._opened().feed.source.size
        frame = min((item.frame for item in prompts), default=None)
        return self.change(lambda book: book.load(prompts, size), frame)

    def move(self, number: int, point: tuple[float, float]) -> dict[str, Any]:
        """Put a click somewhere else in its frame."""
        size, clicks = self._opened().feed.source.size, self._book.clicks
        frame = clicks[number].frame if 0 <= number < len(clicks) else None
        return self.change(lambda book: book.move(number, point, size), frame)

    def undo(self) -> dict[str, Any]:
        """Take the last step back, whatever it was."""
        return self._go(self._history.undo, "there is nothing to undo")

    def redo(self) -> dict[str, Any]:
        """Do again what was taken back last."""
        return self._go(self._history.redo, "there is nothing to do again")

    def _go(self, step: Callable[[Standing], Standing | None], nothing: str) -> dict[str, Any]:
        run, now = self._opened(), self.standing()
        target = step(now)
        if target is None:
            raise UsageError(nothing)
        self._hold()
        self._book.stand_at(target.names, target.clicks)
        if run.live:
            self._count_live(run)
        else:
            self._return_to(now, target)
        self._save()
        return self.tell()

    def _return_to(self, now: Standing, target: Standing) -> None:
        changes = first_changes(self._job_now().prompts, self._book.prompts())
        if not changes and (target.reach, target.ended) == (now.reach, now.ended):
            return
        run = self._awake()
        self._hold_masks(changes, now)
        place = min([*changes.values(), target.reach])
        if place < run.next_frame or changes:
            run.go_to(place, self._job())
        if not changes:
            self._seen().forget(target.reach)
        self._follow(target)
        if self._state != "tracking":
            self._seen().show(max(place - (0 if changes else 1), 0), run.next_frame)

    def _job_now(self) -> ObjectJob:
        job = self._opened().job
        if not isinstance(job, ObjectJob):
            msg = "the page follows objects"
            raise TypeError(msg)
        return job

    def _job(self) -> ObjectJob:
        return self._job_now().asking(self._book.prompts())

    def _take_up(self, before: Standing, frame: int | None) -> None:
        """Go back to the first frame that now asks for something else."""
        changes = first_changes(self._job_now().prompts, self._book.prompts())
        if not changes:
            return
        # Refused here, before anything is dropped.
        job, run = self._job(), self._awake()
        first = min(changes.values())
        self._hold_masks(changes, before)
        target = first if frame is None else frame
        near = target <= max(run.next_frame, before.reach - 1) and target - run.next_frame < _NEAR
        if frame is None or not near or self._segmenter.tracker.lookahead:
            run.go_to(first, job)
            if frame is None:
                self._follow(before)
            # Trackers that look ahead answer frames later, so the clicks are shown by themselves.
            if self._state != "tracking":
                self._seen().show_alone(self._segmenter, self._book.prompts(), target)
        else:
            self._track_to(run, job, first, target)

    def _hold_masks(self, changes: dict[int, int], before: Standing) -> None:
        """Hold what others look like in the frames that are to be tracked again."""
        if not changes:
            return
        self._seen().hold(min(changes.values()), before.reach)
        for key, frame in changes.items():
            self._stale[key] = min(frame, self._stale.get(key, frame))
            self._seen().scores.forget(frame, [key])

    def _follow(self, standing: Standing) -> None:
        """Track again up to where it had been."""
        run = self._opened()
        if standing.reach > run.next_frame or (standing.ended and not run.ended):
            if not self._book.prompts():
                return
            self._goal, self._state = standing, "tracking"
            self._later(self._step)

    def _track_to(self, run: Run, job: ObjectJob, first: int, index: int) -> None:
        """Go back before a frame, and track up to another and no further."""
        run.go_to(first, job)
        # The place gone back to is a checkpoint, up to some frames before the one wanted.
        while run.next_frame < index and not run.ended:
            self._note(run.step())
        if run.next_frame:
            run.commit()  # the next correction of this frame starts here
        results = run.step()
        self._note(results)
        for result in results:
            self._seen().show_result(result, tracking=False)

    def _note(self, results: Iterable[FrameResult]) -> None:
        for result in results:
            self._seen().scores.put(result.index, result.objects)

    def _count_live(self, run: Run) -> None:
        """Live, objects can be taken out from now on; what was clicked cannot be seen again."""
        session = run.session
        kept = {click.object_id for click in self._book.clicks}
        if isinstance(session, Session):
            for key in set(session.object_ids) - kept:
                session.remove(key)
        run.change(self._job())

    def _add_live(self, run: Run, click: Click) -> None:
        """Give a click to the running session; its mask is there at once."""
        prompt = click.to_prompt()
        if isinstance(run.session, Session):
            run.session.add(
                prompt.object_id,
                points=prompt.points,
                labels=prompt.labels,
                box=prompt.box,
                mask=prompt.mask,
            )
        self._seen().show_alone(self._segmenter, self._book.prompts(), click.frame)

    def track(self) -> dict[str, Any]:
        """Track on from where it is, until the end or `pause`."""
        run = self._opened()
        if not self._book.prompts() and not run.live:
            raise UsageError("nothing to follow yet; click on an object first")
        if self._state != "tracking":
            if run.ended:
                raise UsageError("the video is tracked to its end; correct a frame to go on there")
            before = self.standing()
            # Clicks made before the first frame were only shown; now they become the run's command.
            if run.next_frame == 0:
                run.go_to(0, self._job())
            if not run.live:
                self._history.did(before)
            self._state = "tracking"
            self._later(self._step)
        elif self._goal is not None:
            # It is under way to where it had been, and now goes further.
            self._history.did(self.standing())
            self._goal = None
        return self.tell()

    def _step(self) -> None:
        """Track one frame, then wait in line again behind what the visitor asked meanwhile."""
        run = self._run
        # The line may hold a step from before a pause or another video.
        if run is None or self._state != "tracking":
            return
        try:
            results = run.step()
            self._note(results)
            for result in results:
                self._seen().show_result(result, tracking=True)
            if run.ended:
                self._end(run)
            elif self._arrived(run):
                self.pause()
                return
            elif run.next_frame % CHECKPOINT_EVERY == 0:
                self._save()
            # In between, each result puts its own picture up.
            if run.ended or not results:
                self.tell()
        except RvsamError as error:
            self._state, self._goal = "paused", None
            self._screen.message("problem", str(error))
            self.tell()
            return
        # Again in line, not in a loop: a pause or click that waits there comes first.
        self._later(self._step)

    def _arrived(self, run: Run) -> bool:
        goal = self._goal
        return goal is not None and not goal.ended and run.next_frame >= goal.reach

    def _end(self, run: Run) -> None:
        self._state, self._goal = "done", None
        self._stale.clear()
        self._seen().end()
        run.build()
        self._save()

    def _hold(self) -> None:
        self._goal = None
        if self._state in ("tracking", "done"):
            self._state = "paused"

    def pause(self) -> dict[str, Any]:
        """Stop after the frame that is being tracked."""
        run = self._opened()
        if self._state == "tracking":
            self._hold()
            if run.next_frame and not run.live:
                # Now, not after some more frames: a pause is when people close their laptops.
                run.commit()
            self._save()
        return self.tell()

    def stop(self) -> dict[str, Any]:
        """Stop, and build the files of what there is."""
        run = self._opened()
        if not self._asleep:
            self._hold()
            self._build(run)
            if run.ended:
                self._state = "done"
        return self.tell()

    def _build(self, run: Run) -> None:
        """Build the files, with the names that objects have now."""
        asked = self._job()
        if asked.command != self._job_now().command and not run.live:
            end, ended = run.next_frame, run.ended
            # Sinks take names when they are opened; the last frames are tracked once more.
            run.go_to(max(end - 1, 0) if ended else end, asked)
            while run.next_frame < end or (ended and not run.ended):
                run.step()
        run.build()

    def files(self) -> tuple[Path, list[Path]]:
        """Build the files of what was tracked; return the run folder and what it holds."""
        run = self._opened()
        if self._state == "tracking":
            raise UsageError("tracking is under way; pause it to take its files")
        if not self._asleep:
            self._build(run)
        return run.folder.path, files_of(run.folder.path)

    def picture(self, index: int, *, full: bool = False) -> tuple[float, bytes]:
        """Return a frame's time in seconds, and the frame as JPEG, as it is."""
        return self._seen().picture(index, full=full)

    def masks(self, index: int) -> bytes | None:
        """Return the masks of a frame as an index PNG; None if there are none."""
        return self._seen().masks(index, None if self._asleep else self._opened().next_frame)

    def timeline(self) -> dict[str, str]:
        """Return what is known of each object in each frame, see `ScoreBook`."""
        return self._seen().scores.to_json()

    def tell(self) -> dict[str, Any]:
        """Put up and return the state, all that the page shows besides the picture."""
        run = self._run
        state: dict[str, Any] = {"state": self._state, "objects": self._book.to_json()}
        if run is not None:
            source, standing = run.feed.source, self.standing()
            width, height = source.size
            state |= {
                "key": self._key,
                "name": self._name,
                "width": width,
                "height": height,
                "frames": run.feed.expected,
                "live": run.live,
                "next": standing.reach if self._asleep else run.next_frame,
                "reach": standing.reach,
                "ended": run.ended,
                "held": self._seen().held.end,
                "stale": self._stale,
                "undo": len(self._history.past),
                "redo": len(self._history.future),
            }
        self._screen.tell(state)
        return state

    def _save(self) -> None:
        """Keep all that a later visit needs."""
        run, standing = self._opened(), self.standing()
        shown = self._screen.frame
        self._workspace.save(
            self._key,
            {
                "name": self._name,
                "source": self._options.source,
                "frames": run.feed.expected,
                "reach": standing.reach,
                "ended": standing.ended,
                "objects": len({click.object_id for click in standing.clicks}),
                "live": run.live,
                "shown": 0 if shown is None else shown.index,
                "stale": self._stale,
                "history": self._history.to_json(standing),
            },
        )
        self._seen().scores.save()


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


def files_of(folder: Path) -> list[Path]:
    """Return the results in a run folder; working files and the lock begin with a dot."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not _hidden(path, folder))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def standing_prompts(standing: Standing, recorded: list[Prompt] | None) -> list[Prompt]:
    """Return the prompts that a folder is opened with: those of its record, where it has one."""
    if recorded is not None:
        return recorded
    book = ClickBook()
    book.stand_at(standing.names, standing.clicks)
    return book.prompts()


def _restored(
    saved: dict[str, Any] | None, recorded: list[Prompt] | None
) -> tuple[History, Standing]:
    """Return where a video was left: as saved, else as its run says, else nowhere."""
    if saved is not None:
        # Damaged by whatever it was: the run's own record says most of it.
        with suppress(KeyError, IndexError, TypeError, ValueError):
            return History.from_json(saved["history"])
    book = ClickBook()
    book.take(recorded or ())
    return History(), Standing(dict(book.names), tuple(book.clicks))
