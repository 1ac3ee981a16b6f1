"""`Studio`: one visitor's video, clicks and tracking; everything happens in one worker thread."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from rvsam_video.errors import OutputError, RvsamError, UsageError
from rvsam_video.frame import Frame, Image
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import five_digits
from rvsam_video.sinks.names import MASK_FOLDER
from rvsam_video.sinks.small_jpeg import small_jpeg
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.clicks import Click, ClickBook
from rvsam_video.web.events import Board
from rvsam_video.web.frames import FrameReader
from rvsam_video.web.job import TrackingJob
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.views import overlay_from_file, overlay_of

State = Literal["empty", "ready", "tracking", "paused", "done"]
T = TypeVar("T")

_RATE_FRAMES = 30
"""Frames over which the speed shown is the average."""


class Studio:
    """What a visitor does, in the order it was asked for.

    Every public method returns at once with a future, but `close`; what goes wrong is in it.

    Args:
        segmenter: the pair that tracks; shared with other visitors.
        folder: of this visitor, for uploads and runs.
        settings: of the page.
    """

    def __init__(self, segmenter: VideoSegmenter, folder: Path, settings: WebSettings) -> None:
        self.board = Board()
        self.folder = folder
        self._segmenter, self._settings = segmenter, settings
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rvsam-page")
        self._state: State = "empty"
        self._book = ClickBook()
        self._job: TrackingJob | None = None
        self._reader: FrameReader | None = None
        self._shown: Frame | None = None
        self._name = ""
        self._times: deque[float] = deque(maxlen=_RATE_FRAMES)
        self._runs = 0

    def open(self, source: str, name: str) -> Future[dict[str, Any]]:
        """Start on a video; what was done before is closed."""
        return self._do(lambda: self._open(source, name))

    def open_once(self, source: str, name: str) -> Future[dict[str, Any]]:
        """Start on a video unless one is open, as when the page is loaded again."""
        return self._do(lambda: self._open(source, name) if self._job is None else self._tell())

    def view(self, frame: int) -> Future[bytes]:
        """Return a frame as JPEG, with masks where it was tracked."""
        return self._do(lambda: self._view(frame))

    def new_object(self) -> Future[dict[str, Any]]:
        """Make room for another object."""
        return self._do(self._new_object)

    def rename(self, object_id: int, name: str) -> Future[dict[str, Any]]:
        """Name an object."""
        return self._do(lambda: self._changed(lambda: self._book.rename(object_id, name)))

    def click(self, click: Click) -> Future[dict[str, Any]]:
        """Take a click, and show the mask that it gives."""
        return self._do(lambda: self._click(click))

    def undo(self) -> Future[dict[str, Any]]:
        """Take the last click back."""
        return self._do(self._undo)

    def remove(self, object_id: int) -> Future[dict[str, Any]]:
        """Forget an object, in all frames."""
        return self._do(lambda: self._remove(object_id))

    def track(self) -> Future[dict[str, Any]]:
        """Track on from where it is, until the end or `pause`."""
        return self._do(self._track)

    def pause(self) -> Future[dict[str, Any]]:
        """Stop after the frame that is being tracked."""
        return self._do(self._pause)

    def stop(self) -> Future[dict[str, Any]]:
        """Stop, and build the files of what there is."""
        return self._do(self._stop)

    def files(self) -> Future[tuple[Path, list[Path]]]:
        """Build the files of what was tracked; return the run folder and what it holds."""
        return self._do(self._files)

    def close(self) -> None:
        """End the work and let go of the video."""
        self.board.close()
        with suppress(RuntimeError):
            self._worker.submit(self._close_video)
        self._worker.shutdown(wait=True)

    def _do(self, work: Callable[[], T]) -> Future[T]:
        return self._worker.submit(work)

    # From here on everything runs in the worker's thread.

    def _open(self, source: str, name: str) -> dict[str, Any]:
        self._close_video()
        self._runs += 1
        fixed = self._settings.out if source == self._settings.source else None
        folder = fixed or self.folder / f"run-{self._runs:03d}"
        self._job = TrackingJob(source, self._segmenter, folder, self._settings.save)
        self._name, self._book, self._state = name, ClickBook(), "ready"
        self._book.new_object()
        if self._job.live:
            self._state = "tracking"
            self._worker.submit(self._step)
        else:
            self._reader = FrameReader(source)
            self._show(self._reader.frame(0))
        return self._tell()

    def _close_video(self) -> None:
        job, self._job = self._job, None
        reader, self._reader = self._reader, None
        if job is not None:
            with suppress(OutputError):
                job.finish()
            job.close()
        if reader is not None:
            reader.close()
        self._state, self._shown = "empty", None

    def _opened(self) -> TrackingJob:
        if self._job is None:
            raise UsageError("there is no video yet; upload or choose one first")
        return self._job

    def _view(self, index: int) -> bytes:
        self._opened()
        if self._reader is None:
            raise UsageError("a live picture cannot be looked at again; pause it to see it stand")
        frame = self._reader.frame(index)
        self._shown = frame
        return self._jpeg(self._with_masks(frame))

    def _with_masks(self, frame: Frame) -> Image:
        path = self._opened().path / MASK_FOLDER / f"{five_digits(frame.index)}.png"
        last = self._opened().last
        if last is not None and last.index == frame.index:
            return overlay_of(last)
        return overlay_from_file(frame, path) if path.is_file() else frame.image

    def _new_object(self) -> dict[str, Any]:
        self._opened()
        key = self._book.new_object()
        return {**self._tell(), "added": key}

    def _changed(self, change: Callable[[], None]) -> dict[str, Any]:
        self._opened()
        change()
        return self._tell()

    def _click(self, click: Click) -> dict[str, Any]:
        job = self._opened()
        self._hold()
        if job.live:
            click = Click(
                click.object_id, job.session.last_index, click.point, click.label, click.box
            )
        self._book.add(click, job.source.size)
        try:
            self._preview(click.frame)
        except RvsamError:
            self._book.undo()
            raise
        return self._tell()

    def _undo(self) -> dict[str, Any]:
        self._opened()
        self._hold()
        click = self._book.undo()
        if click is not None:
            self._preview(click.frame)
        return self._tell()

    def _remove(self, object_id: int) -> dict[str, Any]:
        job = self._opened()
        self._hold()
        first = self._book.remove(object_id)
        if job.live:
            if object_id in job.session.object_ids:
                job.session.remove(object_id)
        elif first is not None:
            self._preview(first)
        return self._tell()

    def _preview(self, index: int) -> None:
        """Show what the clicks of a frame give, and make them count from there on."""
        job = self._opened()
        if job.live:
            self._add_live(job, index)
        elif index <= job.next_frame and self._segmenter.tracker.lookahead == 0:
            self._track_to(job, index)
        else:
            job.keep_place()
            job.go_to(index, self._book.prompts())
            self._show_alone(index)

    def _add_live(self, job: TrackingJob, index: int) -> None:
        """Give the newest click to the running session; its mask is there at once."""
        click = self._book.clicks[-1] if self._book.clicks else None
        if click is None or click.frame != index:
            return
        prompt = click.to_prompt()
        job.session.add(
            prompt.object_id, points=prompt.points, labels=prompt.labels, box=prompt.box
        )
        job.save_prompts(self._book.prompts())
        self._show_alone(index)

    def _track_to(self, job: TrackingJob, index: int) -> None:
        """Go back before a frame, and track up to it and no further."""
        job.go_to(index, self._book.prompts())
        while job.next_frame < index and job.step() is not None:
            pass
        job.keep_place()
        results = job.step() or []
        for result in results:
            self._show_result(result)

    def _show_alone(self, index: int) -> None:
        """Show the masks that the clicks of one frame give by themselves."""
        frame = self._shown if self._reader is None else self._reader.frame(index)
        if frame is None:
            return
        prompts = [item for item in self._book.prompts() if item.frame == frame.index]
        if not prompts:
            self._show(frame)
            return
        session = self._segmenter.session(prompts)
        results = [*session.push(frame), *session.flush()]
        if results:
            self._show_result(results[0])

    def _track(self) -> dict[str, Any]:
        job = self._opened()
        if not self._book.prompts() and not job.live:
            raise UsageError("nothing to follow yet; click on an object first")
        if self._state != "tracking":
            if job.ended:
                raise UsageError("the video is tracked to its end; correct a frame to go on there")
            if job.next_frame == 0:
                job.go_to(0, self._book.prompts())
            self._state = "tracking"
            self._times.clear()
            self._worker.submit(self._step)
        return self._tell()

    def _step(self) -> None:
        """Track one frame, then wait in line again behind what the visitor asked meanwhile."""
        job = self._job
        if job is None or self._state != "tracking":
            return
        try:
            results = job.step()
            if results is None or job.ended:
                self._finish(job, results or [])
                return
            for result in results:
                self._times.append(time.monotonic())
                self._show_result(result)
            if not results:
                self._tell()
        except RvsamError as error:
            self._state = "paused"
            self.board.post("problem", {"message": str(error)})
            self._tell()
            return
        self._worker.submit(self._step)

    def _finish(self, job: TrackingJob, results: Sequence[FrameResult]) -> None:
        for result in results:
            self._show_result(result)
        self._state = "done"
        job.finish()
        self._tell()

    def _hold(self) -> None:
        if self._state in ("tracking", "done"):
            self._state = "paused"

    def _pause(self) -> dict[str, Any]:
        self._opened()
        if self._state == "tracking":
            self._hold()
        return self._tell()

    def _stop(self) -> dict[str, Any]:
        job = self._opened()
        self._hold()
        job.finish()
        return self._tell()

    def _files(self) -> tuple[Path, list[Path]]:
        job = self._opened()
        if self._state == "tracking":
            raise UsageError("tracking is under way; pause it to take its files")
        job.finish()
        found = (path for path in job.path.rglob("*") if path.is_file())
        return job.path, sorted(path for path in found if not _hidden(path, job.path))

    def _show(self, frame: Frame) -> None:
        self._shown = frame
        self._post(frame, self._with_masks(frame), {})

    def _show_result(self, result: FrameResult) -> None:
        frame = Frame(result.index, result.time, result.image)
        self._shown = frame
        scores = {
            str(item.object_id): round(item.score, 3) if item.visible else None
            for item in result.objects
        }
        self._post(frame, overlay_of(result), scores)

    def _post(self, frame: Frame, picture: Image, scores: dict[str, float | None]) -> None:
        self.board.post(
            "frame",
            {
                "index": frame.index,
                "time": round(frame.time, 3),
                "fps": self._speed(),
                "scores": scores,
                "tracked": self._opened().written,
                "jpeg": base64.b64encode(self._jpeg(picture)).decode("ascii"),
            },
        )

    def _speed(self) -> float | None:
        if self._state != "tracking" or len(self._times) < 2:
            return None
        return round((len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6), 1)

    def _jpeg(self, picture: Image) -> bytes:
        return small_jpeg(picture, self._settings.view_width, self._settings.jpeg_quality)

    def _tell(self) -> dict[str, Any]:
        """Put up and return the state, all that the page shows besides the picture."""
        job = self._job
        state: dict[str, Any] = {"state": self._state, "objects": self._book.to_json()}
        if job is not None:
            width, height = job.source.size
            state |= {
                "name": self._name,
                "width": width,
                "height": height,
                "frames": job.source.frame_count,
                "live": job.live,
                "next": job.next_frame,
                "ended": job.ended,
            }
        self.board.post("state", state)
        return state


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
