"""Reading ahead in a thread, so that decoding overlaps with the work on earlier frames."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread, current_thread
from typing import Generic, Literal, TypeVar, get_args

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import UsageError

Policy = Literal["block", "drop"]
"""When the reader is ahead by the full depth: wait, or drop the oldest for the newest."""

DECODE_AHEAD = 4
"""Frames decoded while the engine works on another: enough to smooth out key frames."""

CLOSE_SECONDS = 2.0
"""How long closing waits for the thread. It ends at once, unless the source itself is waiting for
a camera or the network; then it ends by itself as soon as that answers."""

WAKE_SECONDS = 0.2
"""How often a waiting consumer looks up: on Windows a wait without end ignores Ctrl-C."""

_T = TypeVar("_T")


def prefetch(items: Iterable[_T], depth: int, *, policy: Policy = "block") -> Prefetch[_T]:
    """Read ahead in a background thread.

    Args:
        items: what to read, such as a `FrameSource`. The thread alone iterates over it, and
            closes the iterator, but not the source, when it ends.
        depth: most items to hold at a time, at least 1.
        policy: `block` makes the thread wait for the consumer, so that every item arrives;
            `drop` lets go of the oldest item instead, so that a live source is never held up and
            the consumer sees what is new; `dropped` counts them.

    Returns:
        an iterator over the items; close it, or use it in a `with` statement.

    Raises:
        UsageError: if the depth or policy is not allowed.
    """
    if depth < 1:
        msg = f"depth is {depth}; at least 1 item must fit"
        raise UsageError(msg)
    if policy not in get_args(Policy):
        msg = f"policy is {policy!r}; choose one of: {', '.join(get_args(Policy))}"
        raise UsageError(msg)
    return Prefetch(items, depth, policy)


class Prefetch(ClosesItself, Generic[_T]):
    """An iterator over items that a thread reads ahead; made by `prefetch`.

    What the source raises comes out of `next` after the items before it. The thread holds no
    reference to this object, so one that is forgotten, by an exception or Ctrl-C, ends its thread
    as well.
    """

    def __init__(self, items: Iterable[_T], depth: int, policy: Policy) -> None:
        self._belt: _Belt[_T] = _Belt(depth, policy)
        # A daemon: one that hangs in a camera's driver must not keep the program from ending.
        thread = Thread(
            target=_fill, args=(self._belt, items), name="rvsam-video-prefetch", daemon=True
        )
        # Bound to belt and thread only: with `self` in it this object would never be let go.
        self._finish = weakref.finalize(self, _end, self._belt, thread)
        thread.start()

    @property
    def dropped(self) -> int:
        """How many items were dropped so far, never to be seen."""
        return self._belt.dropped

    def __iter__(self) -> Iterator[_T]:
        """Return the iterator itself."""
        return self

    def __next__(self) -> _T:
        """Return the next item, waiting for it if need be; raise what the source raised."""
        return self._belt.take()

    def ready(self, seconds: float = WAKE_SECONDS) -> bool:
        """Wait at most so long; return whether `next` would answer at once."""
        return self._belt.ready(seconds)

    def close(self) -> None:
        """End the thread and let go of what it read; may be called more than once."""
        self._finish()


class _Belt(Generic[_T]):
    """A queue between two threads that either side can end."""

    def __init__(self, depth: int, policy: Policy) -> None:
        self._depth, self._drop = depth, policy == "drop"
        self._items: deque[_T] = deque()
        # Its lock may be taken twice: a finalizer can run in the middle of any method.
        self._changed = Condition()
        self._ended = self._cancelled = False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: _T) -> bool:
        """Add an item, making room as the policy says; False if nobody wants it any more."""
        with self._changed:
            # A loop: waking up does not mean that there is room, another reason may have woken it.
            while len(self._items) >= self._depth and not self._cancelled:
                if self._drop:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            if self._cancelled:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> _T:
        with self._changed:
            while not self._items and not self._ended:
                self._changed.wait(WAKE_SECONDS)
            # Items before the end and before the error: what was read is given out in full.
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
            # Raised once; whoever asks again gets the ordinary end.
            error, self._error = self._error, None
        raise error or StopIteration

    def ready(self, seconds: float) -> bool:
        """Wait at most so long for an item or the end; return whether one of them is there."""
        with self._changed:
            if not self._items and not self._ended:
                self._changed.wait(seconds)
            return bool(self._items) or self._ended

    def end(self, error: BaseException | None) -> None:
        """Say that no more items come, and what to raise instead, if anything."""
        with self._changed:
            self._ended = True
            self._error = None if self._cancelled else error
            self._changed.notify_all()

    def cancel(self) -> None:
        """Say that no more items are wanted."""
        with self._changed:
            self._cancelled = self._ended = True
            self._items.clear()
            self._error = None
            self._changed.notify_all()


def _fill(belt: _Belt[_T], items: Iterable[_T]) -> None:
    iterator: Iterator[_T] | None = None
    error: BaseException | None = None
    try:
        iterator = iter(items)
        for item in iterator:
            if not belt.put(item):
                break
        # A generator that was left early holds files open, and must be closed in its own thread.
        if (close := getattr(iterator, "close", None)) is not None:
            close()
    # All of them, also KeyboardInterrupt: a thread that dies silently would leave a reader waiting.
    except BaseException as raised:
        error = raised
    belt.end(error)


def _end(belt: _Belt[_T], thread: Thread) -> None:
    belt.cancel()
    # The garbage collector may run this in the very thread that is to end.
    if thread is not current_thread():
        thread.join(CLOSE_SECONDS)
