"""`VideoWork`: one video that is worked on: its run, what was clicked, and how both go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError
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

_PARTS = "parts"
_NEAR = 2 * CHECKPOINT_EVERY
"""Frames that are tracked while a click waits for its answer; further ones come in the back."""


class VideoWork:
    """A run in its folder, the book of clicks, and what is seen of both.

    Args:
        options: of the run; prompts are not looked at.
        name: what the video is called.
        key: its key in the workspace.
        segmenter: what tracks.
        screen: what the visitor sees.
        workspace: where all is kept.

    Attributes:
        name: what the video is called.
        key: its key in the workspace.
        run: the run.
        view: pictures and masks.
        book: objects and clicks.
        history: for undo and redo.
        asleep: whether the run is complete and looked at as it is; only a change opens it again.
        goal: where tracking stops by itself; the frames before had been tracked already.

    Raises:
        RvsamError: if the source, or the run that is in the folder, cannot be opened.
    """

    def __init__(
        self,
        options: RunOptions,
        name: str,
        key: str,
        segmenter: VideoSegmenter,
        screen: Screen,
        workspace: Workspace,
    ) -> None:
        self.name, self.key = name, key
        self._segmenter, self._screen, self._workspace = segmenter, screen, workspace
        recorded = None if options.overwrite else recorded_prompts(options.out)
        self._saved = workspace.state(key) or {}
        self.history, self._left = _restored(self._saved, recorded)
        self.book = ClickBook()
        self.book.stand_at(self._left.names, self._left.clicks)
        # Those of the folder's record, where it has one: else it would be another run's folder.
        asked = self.book.prompts() if recorded is None else recorded
        self._options = replace(options, prompts=asked)
        self.run = self._new_run()
        # The options hold for this opening; work on it afterwards must not begin anew.
        self._options = replace(self._options, overwrite=False)
        self.asleep = self.run.folder.complete
        self.goal: Standing | None = None
        # From which frame on the held masks of an object no longer hold.
        self._stale = {int(item): frame for item, frame in self._saved.get("stale", {}).items()}
        self.view = View(self.run, options.source, screen, workspace.page_folder(key))
        if not self.book.names:
            # One object is there from the start: the first click needs no choice.
            self.book.new_object()

    def _new_run(self) -> Run:
        notices = _Notices(self._screen, self._options.out)
        return Run(self._options, self._job_of, notices, seekable=True)

    def _job_of(self, source: FrameSource) -> ObjectJob:
        return ObjectJob(self._options, source, self._segmenter)

    @property
    def source(self) -> str:
        """What is open."""
        return self._options.source

    @property
    def tracked(self) -> int | None:
        """Frames that are tracked; None for all."""
        return None if self.asleep else self.run.next_frame

    def go_on(self) -> bool:
        """Show the frame that was left; return whether tracking is to go on to where it was."""
        follow = False
        if not self.asleep:
            changes = first_changes(self.job_now.prompts, self.book.prompts())
            if changes:
                self.run.go_to(min(changes.values()), self.job())
            # A kill loses what came after the last checkpoint; it is tracked again.
            follow = self._follow(self._left)
        self.view.show(int(self._saved.get("shown", 0)), self.tracked)
        return follow

    def standing(self) -> Standing:
        """Return all that was said and reached so far."""
        reach, ended = self.run.folder.record.counts.get("frames", 0), True
        if self.goal is not None:
            reach, ended = self.goal.reach, self.goal.ended
        elif not self.asleep:
            reach, ended = self.run.next_frame, self.run.ended
        return Standing(dict(self.book.names), tuple(self.book.clicks), reach, ended)

    @property
    def job_now(self) -> ObjectJob:
        """What the run asks for now."""
        job = self.run.job
        if not isinstance(job, ObjectJob):
            msg = "the page follows objects"
            raise TypeError(msg)
        return job

    def job(self) -> ObjectJob:
        """Return what it is to ask for by the book."""
        return self.job_now.asking(self.book.prompts())

    def _awake(self) -> Run:
        """Return the run as one that can go on; a complete one is opened again."""
        if self.asleep:
            self.view.hold(0, None)
            self.run.close()
            reopen(self.run.folder.path, self._workspace.page_folder(self.key) / _PARTS)
            recorded = recorded_prompts(self.run.folder.path) or ()
            self._options, self.asleep = replace(self._options, prompts=recorded), False
            self.run = self.view.run = self._new_run()
        return self.run

    def take_up(self, before: Standing, frame: int | None) -> bool:
        """Go back to the first frame that now asks for something else.

        Args:
            before: where it was.
            frame: the one to show; None to have tracked again what had been.

        Returns:
            whether tracking is to go on by itself.
        """
        changes = first_changes(self.job_now.prompts, self.book.prompts())
        if not changes:
            return False
        # Refused here, before anything is dropped.
        job, run = self.job(), self._awake()
        first = min(changes.values())
        self._hold_masks(changes, before)
        target = first if frame is None else frame
        near = target <= max(run.next_frame, before.reach - 1) and target - run.next_frame < _NEAR
        if frame is not None and near and self._segmenter.tracker.lookahead == 0:
            self._track_to(job, first, target)
            return False
        run.go_to(first, job)
        follow = frame is None and self._follow(before)
        # Trackers that look ahead answer frames later, so the clicks are shown by themselves.
        if not follow:
            self.view.show_alone(self._segmenter, self.book.prompts(), target)
        return follow

    def _track_to(self, job: ObjectJob, first: int, index: int) -> None:
        """Go back before a frame, and track up to another and no further."""
        run = self.run
        run.go_to(first, job)
        # The place gone back to is a checkpoint, up to some frames before the one wanted.
        while run.next_frame < index and not run.ended:
            self.note(run.step())
        if run.next_frame:
            run.commit()  # the next correction of this frame starts here
        results = run.step()
        self.note(results)
        for result in results:
            self.view.show_result(result, tracking=False)

    def return_to(self, now: Standing, target: Standing) -> bool:
        """Make the run fit the book after undo or redo; return whether tracking is to go on."""
        changes = first_changes(self.job_now.prompts, self.book.prompts())
        if not changes and (target.reach, target.ended) == (now.reach, now.ended):
            return False
        run = self._awake()
        self._hold_masks(changes, now)
        place = min([*changes.values(), target.reach])
        if place < run.next_frame or changes:
            run.go_to(place, self.job())
        if not changes:
            self.view.forget(target.reach)
        follow = self._follow(target)
        if not follow:
            self.view.show(max(place - (0 if changes else 1), 0), run.next_frame)
        return follow

    def _hold_masks(self, changes: dict[int, int], before: Standing) -> None:
        """Hold what others look like in the frames that are to be tracked again."""
        if not changes:
            return
        self.view.hold(min(changes.values()), before.reach)
        for key, frame in changes.items():
            self._stale[key] = min(frame, self._stale.get(key, frame))
            self.view.scores.forget(frame, [key])

    def _follow(self, standing: Standing) -> bool:
        """Set the goal to where it had been; return whether that lies ahead."""
        ahead = standing.reach > self.run.next_frame or (standing.ended and not self.run.ended)
        if not ahead or not self.book.prompts():
            return False
        self.goal = standing
        return True

    @property
    def arrived(self) -> bool:
        """Whether the goal is reached, if there is one before the end."""
        goal = self.goal
        return goal is not None and not goal.ended and self.run.next_frame >= goal.reach

    def note(self, results: Iterable[FrameResult]) -> None:
        """Note scores of tracked frames."""
        for result in results:
            self.view.scores.put(result.index, result.objects)

    def end(self) -> None:
        """All is tracked: build the files, and let go of what was held."""
        self.goal = None
        self._stale.clear()
        self.view.end()
        self.run.build()

    def count_live(self) -> None:
        """Live, objects can be taken out from now on; what was clicked cannot be seen again."""
        session = self.run.session
        kept = {click.object_id for click in self.book.clicks}
        if isinstance(session, Session):
            for key in set(session.object_ids) - kept:
                session.remove(key)
        self.run.change(self.job())

    def add_live(self, click: Click) -> None:
        """Give a click to the running session; its mask is there at once."""
        prompt = click.to_prompt()
        if isinstance(self.run.session, Session):
            self.run.session.add(
                prompt.object_id,
                points=prompt.points,
                labels=prompt.labels,
                box=prompt.box,
                mask=prompt.mask,
            )
        self.view.show_alone(self._segmenter, self.book.prompts(), click.frame)

    def build(self) -> None:
        """Build the files, with the names that objects have now."""
        run = self.run
        if self.asleep:
            return
        asked = self.job()
        if asked.command != self.job_now.command and not run.live:
            end, ended = run.next_frame, run.ended
            # Sinks take names when they are opened; the last frames are tracked once more.
            run.go_to(max(end - 1, 0) if ended else end, asked)
            while run.next_frame < end or (ended and not run.ended):
                run.step()
        run.build()

    def close(self) -> None:
        """Build the files of what was tracked, and let go of the video."""
        # A full disk must not keep the visitor from going on to another video.
        with suppress(OutputError):
            self.save()
            self._finish()
        self.run.close()
        self.view.close()

    def _finish(self) -> None:
        run = self.run
        if self.asleep:
            return
        # Nothing was tracked, so there is nothing to build.
        if run.next_frame == 0:
            run.folder.finish("interrupted")
            return
        self.build()
        if run.ended and not run.live:
            keep_working_files(run.folder.path, self._workspace.page_folder(self.key) / _PARTS)
        run.finish()

    def facts(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        run, standing = self.run, self.standing()
        width, height = run.feed.source.size
        return {
            "key": self.key,
            "name": self.name,
            "width": width,
            "height": height,
            "frames": run.feed.expected,
            "live": run.live,
            "next": standing.reach if self.asleep else run.next_frame,
            "reach": standing.reach,
            "ended": run.ended,
            "held": self.view.held.end,
            "stale": self._stale,
            "undo": len(self.history.past),
            "redo": len(self.history.future),
        }

    def save(self) -> None:
        """Keep all that a later visit needs.

        Raises:
            OutputError: if it cannot be written.
        """
        standing, shown = self.standing(), self._screen.frame
        self._workspace.save(
            self.key,
            {
                "name": self.name,
                "source": self.source,
                "frames": self.run.feed.expected,
                "reach": standing.reach,
                "ended": standing.ended,
                "objects": len({click.object_id for click in standing.clicks}),
                "live": self.run.live,
                "shown": 0 if shown is None else shown.index,
                "stale": self._stale,
                "history": self.history.to_json(standing),
            },
        )
        self.view.scores.save()


class _Notices:
    """Passes on what a run tells; frames are shown by the desk itself."""

    def __init__(self, screen: Screen, folder: Path) -> None:
        self._screen, self._folder = screen, folder

    def message(self, text: str) -> None:
        """Show a sentence, without the folders of this machine."""
        self._screen.message("notice", text.replace(str(self._folder), self._folder.name))

    def started(self, total: int | None, done: int) -> None:
        """Ignore the start."""

    def result(self, result: FrameResult) -> None:
        """Ignore a frame."""


def _restored(saved: dict[str, Any], recorded: list[Prompt] | None) -> tuple[History, Standing]:
    """Return where a video was left: as saved, else as its run says, else nowhere."""
    # Damaged by whatever it was: the run's own record says most of it.
    with suppress(KeyError, IndexError, TypeError, ValueError):
        return History.from_json(saved["history"])
    book = ClickBook()
    book.take(recorded or ())
    return History(), Standing(dict(book.names), tuple(book.clicks))


Change = Callable[[ClickBook], object]
"""What is done to the book; refused with an error, it must have changed nothing."""
