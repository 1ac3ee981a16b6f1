"""`Visitors`: one studio per browser, its folder, and the cleaning up after those who left."""

from __future__ import annotations

import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from rvsam_video.errors import UsageError
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.studio import Studio


@dataclass(slots=True)
class Visitor:
    """A browser that came, by the secret in its cookie.

    Attributes:
        key: the secret.
        studio: its video and tracking.
        listening: event streams that are open; a visitor who looks is never removed.
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
        """Time since the visitor asked for something; 0 while an event stream is open."""
        return 0.0 if self.listening else time.monotonic() - self._used


class Visitors:
    """All visitors, each with a folder of its own that nobody else's requests can reach.

    Args:
        segmenter: the pair that tracks, shared: it holds no state of any video.
        folder: for their folders; removed at `close`.
        settings: of the page.
    """

    def __init__(self, segmenter: VideoSegmenter, folder: Path, settings: WebSettings) -> None:
        self._segmenter, self._folder, self._settings = segmenter, folder, settings
        self._lock = Lock()
        self._known: dict[str, Visitor] = {}

    def find(self, key: str | None) -> Visitor | None:
        """Return the visitor with this secret, if there is one."""
        with self._lock:
            visitor = self._known.get(key or "")
        if visitor is not None:
            visitor.touch()
        return visitor

    def welcome(self) -> Visitor:
        """Make a new visitor.

        Raises:
            UsageError: if there are too many already.
        """
        # First: somebody who left may have freed a place.
        self.clean()
        with self._lock:
            if len(self._known) >= self._settings.max_visitors:
                msg = (
                    f"{len(self._known)} people use this page already, as many as it takes; "
                    "try again later, or start it with a larger --max-visitors"
                )
                raise UsageError(msg)
            key = secrets.token_urlsafe(24)
            # Not the cookie's secret: names of folders end up in messages and logs.
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir(parents=True, mode=0o700)
            visitor = Visitor(key, Studio(self._segmenter, folder, self._settings))
            self._known[key] = visitor
            return visitor

    def clean(self) -> int:
        """Remove visitors who have been away too long, with their files; return how many."""
        with self._lock:
            gone = [
                visitor
                for visitor in self._known.values()
                if visitor.idle_seconds > self._settings.keep_seconds
            ]
            # Outside the lock: ending a run takes seconds, and others come meanwhile.
            for visitor in gone:
                del self._known[visitor.key]
        for visitor in gone:
            _remove(visitor)
        return len(gone)

    def close(self) -> None:
        """End everything and remove all visitors' files."""
        with self._lock:
            everyone = list(self._known.values())
            self._known.clear()
        for visitor in everyone:
            _remove(visitor)


def _remove(visitor: Visitor) -> None:
    visitor.studio.close()
    shutil.rmtree(visitor.studio.folder, ignore_errors=True)
