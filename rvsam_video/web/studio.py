"""`Studio`: the door to one visitor's desk; everything asked is done in line, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rvsam_video.runs.objects import RunOptions
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.clicks import Click
from rvsam_video.web.desk import Desk
from rvsam_video.web.events import Board
from rvsam_video.web.screen import Screen
from rvsam_video.web.settings import WebSettings

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
        folder: of this visitor.
    """

    def __init__(self, segmenter: VideoSegmenter, folder: Path, settings: WebSettings) -> None:
        self.board, self.folder, self._settings = Board(), folder, settings
        # One thread for each visitor: the order of requests is the order of work, and no lock is
        # needed.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rvsam-page")
        self._segmenter = segmenter
        self._desk = Desk(segmenter, Screen(self.board, settings), self._worker.submit)
        self._runs = 0

    def open(self, source: str, name: str) -> Future[dict[str, Any]]:
        """Start on a video; what was done before is closed."""
        return self.do(lambda desk: desk.open(self._options(source), name))

    def open_once(self, source: str, name: str) -> Future[dict[str, Any]]:
        """Start on a video unless one is open, as when the page is loaded again."""
        return self.do(
            lambda desk: desk.open(self._options(source), name) if desk.empty else desk.tell()
        )

    def _options(self, source: str) -> RunOptions:
        self._runs += 1
        # The folder asked for belongs to the video asked for; what is uploaded goes elsewhere.
        fixed = self._settings.out if source == self._settings.source else None
        out = fixed or self.folder / f"run-{self._runs:03d}"
        return replace(self._settings.run, source=source, out=out, prompts=(), overwrite=True)

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
        """Do something at the desk when its turn comes."""
        return self._worker.submit(lambda: work(self._desk))

    def close(self) -> None:
        """End the work and let go of the video."""
        self.board.close()
        # It is shut down already if this is the second time.
        with suppress(RuntimeError):
            self._worker.submit(self._desk.close)
        self._worker.shutdown(wait=True)
