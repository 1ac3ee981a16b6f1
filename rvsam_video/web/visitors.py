"""`Visitors`: one studio per browser, and the putting away of those that nobody looks at."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

from rvsam_video.errors import UsageError
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.studio import Studio
from rvsam_video.web.workspace import PAGE_FOLDER
from rvsam_video.writing import writing

LEFT_SECONDS = 10.0
"""Without an open page for so long, a visitor has left and makes room for another."""

_SHARED = "everybody"


@dataclass(slots=True)
class Visitor:
    """A browser that came, by the secret in its cookie.

    Attributes:
        key: the secret.
        studio: its video and tracking.
        listening: event streams that are open; a visitor who looks is never put away.
    """

    key: str
    studio: Studio
    listening: int = 0
    _used: float = field(default_factory=time.monotonic)

    def touch(self) -> None:
        """Note that the visitor is there."""
        self._used = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Time since the visitor asked for something; 0 while it looks or its video is tracked."""
        return 0.0 if self.listening or self.studio.busy else time.monotonic() - self._used


class Visitors:
    """All visitors, each with a folder of its own that nobody else's requests can reach.

    Nothing of what they did is ever removed but old uploads; a browser that comes back finds it.

    Args:
        segmenter: the pair that tracks, shared: it holds no state of any video.
        folder: for their work; that of all browsers together if the page is shared.
        settings: of the page.
    """

    def __init__(self, segmenter: VideoSegmenter, folder: Path, settings: WebSettings) -> None:
        self._segmenter, self._folder, self._settings = segmenter, folder, settings
        self._lock = Lock()
        self._known: dict[str, Visitor] = {}
        self._leaving: dict[str, Event] = {}
        self._closed = False

    def find(self, key: str | None) -> Visitor | None:
        """Return the visitor with this secret, if there is one, or its work is on disk."""
        if self._settings.shared:
            key = _SHARED
        with self._lock:
            visitor = self._known.get(key or "")
        if visitor is not None:
            visitor.touch()
            return visitor
        # Not before the folder is looked for: a made-up secret must cost nothing.
        if key and (key == _SHARED or self._folder_of(key).is_dir()):
            return self._enter(key)
        return None

    def welcome(self) -> Visitor:
        """Make a new visitor.

        Raises:
            UsageError: if there are too many already.
            OutputError: if its folder cannot be made.
        """
        return self._enter(secrets.token_urlsafe(24))

    def _folder_of(self, key: str) -> Path:
        if key == _SHARED:
            return self._folder
        # Not the cookie's secret: names of folders end up in messages and logs.
        return self._folder / f"visitor-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def _enter(self, key: str) -> Visitor:
        self.clean()
        leaving = self._leaving.get(key)
        if leaving is not None:
            # Its folder is locked until it is put away.
            leaving.wait()
        with self._lock:
            if self._closed:
                raise UsageError("the page is being closed; start it again")
            if key in self._known:
                return self._known[key]
            if len(self._known) >= self._settings.max_visitors:
                self._put_away_locked([self._longest_away()])
            folder = self._folder_of(key)
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            visitor = Visitor(key, Studio(self._segmenter, folder, self._settings))
            self._known[key] = visitor
            return visitor

    def _longest_away(self) -> Visitor:
        away = max(self._known.values(), key=lambda visitor: visitor.idle_seconds)
        idle = away.idle_seconds
        # Whoever looks, or waits for tracking, is not idle at all.
        if idle == 0 or idle < min(LEFT_SECONDS, self._settings.keep_seconds):
            msg = (
                f"{len(self._known)} people use this page already, as many as it takes; "
                "try again later, or start it with a larger --max-visitors"
            )
            raise UsageError(msg)
        return away

    def clean(self) -> int:
        """Put away visitors who have been away too long; return how many."""
        with self._lock:
            gone = [
                visitor
                for visitor in self._known.values()
                if visitor.idle_seconds > self._settings.keep_seconds
            ]
            self._put_away_locked(gone)
        return len(gone)

    def _put_away_locked(self, gone: Iterable[Visitor]) -> None:
        for visitor in gone:
            del self._known[visitor.key]
            done = self._leaving[visitor.key] = Event()
            # In a thread of its own: ending a run takes seconds, and others come meanwhile.
            Thread(target=self._close, args=(visitor, done), daemon=True).start()

    def _close(self, visitor: Visitor, done: Event) -> None:
        try:
            visitor.studio.close()
        finally:
            with self._lock:
                self._leaving.pop(visitor.key, None)
            done.set()

    def make_room(self, size: int) -> None:
        """Remove the oldest uploads until another one fits into the quota.

        Args:
            size: bytes that are to come.

        Raises:
            UsageError: if what is being worked on leaves no room for it.
            OutputError: if one cannot be removed.
        """
        uploads = [
            path
            for pattern in ("", "visitor-*/")
            for path in self._folder.glob(f"{pattern}{PAGE_FOLDER}/uploads/*")
            if path.is_file()
        ]
        with self._lock:
            visitors = list(self._known.values())
        open_now = {visitor.studio.source for visitor in visitors}
        total = sum(path.stat().st_size for path in uploads)
        for path in sorted(uploads, key=lambda path: path.stat().st_mtime):
            if total + size <= self._settings.max_disk:
                return
            if str(path) not in open_now:
                total -= path.stat().st_size
                with writing(path):
                    path.unlink(missing_ok=True)
        if total + size > self._settings.max_disk:
            raise UsageError("there is no room for another upload; remove videos from the list")

    def end_streams(self) -> None:
        """End what browsers listen to, so that the server can end in order."""
        with self._lock:
            everyone = list(self._known.values())
        for visitor in everyone:
            visitor.studio.board.close()

    def close(self) -> None:
        """Put everybody away, and wait for it."""
        with self._lock:
            self._closed = True
            everyone = list(self._known.values())
            self._known.clear()
            leaving = list(self._leaving.values())
        for visitor in everyone:
            visitor.studio.close()
        for done in leaving:
            done.wait()
