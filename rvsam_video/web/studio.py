"""`Studio`: the door to one visitor's desk; everything asked is done in line, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rvsam_video.errors import UsageError
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.clicks import Click
from rvsam_video.web.desk import Desk
from rvsam_video.web.events import Board
from rvsam_video.web.limits import check_pixels
from rvsam_video.web.screen import Screen
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.workspace import Workspace

Answer = TypeVar("Answer")


class Studio:
    """What a visitor does, in the order it was asked for.

    Every public method returns at once with a future, but `close`; what goes wrong is in it.

    Args:
        segmenter: the pair that tracks; shared with other visitors.
        folder: of this visitor, for uploads and runs.
        settings: of the page.

    Attributes:
        board: the visitor's browsers listen there.
        workspace: where all is kept.
    """

    def __init__(self, segmenter: VideoSegmenter, folder: Path, settings: WebSettings) -> None:
        self.board, self._settings = Board(), settings
        # The folder asked for belongs to the video asked for, and others stand beside it.
        self.workspace = Workspace(folder if settings.out is None else settings.out.parent)
        # One thread for each visitor: the order of requests is the order of work, and no lock is
        # needed.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rvsam-page")
        self._segmenter = segmenter
        screen = Screen(self.board, settings)
        self._desk = Desk(segmenter, screen, self._worker.submit, self.workspace)

    @property
    def busy(self) -> bool:
        """Whether tracking is under way."""
        return self._desk.busy

    @property
    def source(self) -> str:
        """The source of the open video; empty if none is."""
        return self._desk.source

    def open(self, source: str, name: str, *, again: bool = False) -> Future[dict[str, Any]]:
        """Open a video as it was left; the one before is put away.

        Args:
            source: what is opened.
            name: what it is called.
            again: track anew what another method has tracked; the clicks stay.
        """
        return self.do(lambda desk: self._open(desk, source, name, again=again))

    def reopen(self, key: str, *, again: bool = False) -> Future[dict[str, Any]]:
        """Open a video of the list."""

        def work(desk: Desk) -> dict[str, Any]:
            state = self.workspace.find(key)
            return self._open(desk, str(state["source"]), str(state["name"]), again=again)

        return self.do(work)

    def open_once(self, source: str, name: str) -> Future[dict[str, Any]]:
        """Open a video unless one is open, as when the page is loaded again."""
        return self.do(lambda desk: self._open(desk, source, name) if desk.empty else desk.tell())

    def _open(self, desk: Desk, source: str, name: str, *, again: bool = False) -> dict[str, Any]:
        check_pixels(source, self._settings.max_pixels)
        fixed = self._settings.out if source == self._settings.source else None
        key = self.workspace.key_of(source, name) if fixed is None else fixed.name
        # What is open is opened as it is; twice would wait for its own lock.
        if desk.key == key and not again:
            return desk.tell()
        run = self._settings.run
        options = replace(run, source=source, out=self.workspace.run_folder(key), prompts=())
        # Said once on the command line, it holds for the first opening there.
        once = run.overwrite and fixed is not None and self.workspace.state(key) is None
        return desk.open(replace(options, overwrite=again or once), name, key)

    def discard(self, key: str) -> Future[dict[str, Any]]:
        """Remove a video of the list with its results."""

        def work(desk: Desk) -> dict[str, Any]:
            self.workspace.find(key)
            if desk.key == key:
                desk.close()
            self.workspace.discard(key)
            return desk.tell()

        return self.do(work)

    def about(self) -> dict[str, Any]:
        """Return what tracks, and what must be told of the licences of its weights."""
        pair = self._segmenter.pair
        weights = () if pair is None else pair.weights().values()
        notices = [facts["notice"] for facts in weights if "notice" in facts]
        return {"method": str(pair or "own parts"), "notices": notices}

    def click(self, click: Click) -> Future[dict[str, Any]]:
        """Take a click, and show the mask that it gives."""
        return self.do(lambda desk: desk.click(click))

    def do(self, work: Callable[[Desk], Answer]) -> Future[Answer]:
        """Do something at the desk when its turn comes.

        Raises:
            UsageError: if the studio was closed.
        """
        try:
            return self._worker.submit(lambda: work(self._desk))
        except RuntimeError as error:
            raise UsageError("your session has ended; load the page again") from error

    def close(self) -> None:
        """End the work and let go of the video."""
        self.board.close()
        # It is shut down already if this is the second time.
        with suppress(RuntimeError):
            self._worker.submit(self._desk.close)
        self._worker.shutdown(wait=True)
