"""`Board`: the newest state and the newest picture, for any number of listening browsers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any

QUIET_SECONDS = 15.0
"""After so long without news a comment is sent, so that lost connections are noticed."""


class Board:
    """Holds one message per kind; a browser that is slow misses the ones between.

    Written by the worker's thread, read by the server's loop.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._messages: dict[str, tuple[int, str]] = {}
        self._count = 0
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False

    def post(self, kind: str, content: dict[str, Any]) -> None:
        """Put up a message in place of the last one of its kind."""
        with self._lock:
            self._count += 1
            # Only the newest of a kind: a slow browser skips pictures, and memory does not grow.
            self._messages[kind] = (self._count, json.dumps(content))
        self._wake()

    def close(self) -> None:
        """End all listening."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        # Copied under the lock, woken outside it: the loop may ask for the lock itself.
        with self._lock:
            listeners = list(self._listeners)
        for loop, event in listeners:
            if not loop.is_closed():
                # The event belongs to the server's loop, and this is the worker's thread.
                loop.call_soon_threadsafe(event.set)

    async def listen(self) -> AsyncIterator[str]:
        """Yield messages as server-sent events, beginning with those that are up now."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self._lock:
            self._listeners.add(entry)
        seen = 0
        try:
            while not self._closed:
                # Before looking: news that come in between set it again.
                event.clear()
                news = self._newer_than(seen)
                for count, kind, text in news:
                    seen = max(seen, count)
                    yield f"event: {kind}\ndata: {text}\n\n"
                if not news:
                    try:
                        await asyncio.wait_for(event.wait(), QUIET_SECONDS)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
            with self._lock:
                self._listeners.discard(entry)

    def _newer_than(self, seen: int) -> list[tuple[int, str, str]]:
        with self._lock:
            news = [
                (count, kind, text)
                for kind, (count, text) in self._messages.items()
                if count > seen
            ]
        # In the order in which they were put up.
        return sorted(news)
