"""Writing beside tracking: a thread draws and encodes while the next frame is computed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from pathlib import Path

from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark, Sink, SinkWriter

DEFAULT_DEPTH = 4
"""Frames that may wait to be written: evens out slow ones, and bounds the memory."""


class BackgroundWriter(SinkWriter):
    """A `SinkWriter` whose `write` returns at once; the files are the same to the last byte.

    An error of the thread is raised by the next call of `write`, `commit` or `finish`, and by
    every one after it; frames that come after the error are not written.

    Args:
        sinks: name to sink, as `create_sinks` returns them.
        depth: frames that may wait; `write` waits when there are more.
    """

    def __init__(self, sinks: Mapping[str, Sink], depth: int = DEFAULT_DEPTH) -> None:
        super().__init__(sinks)
        self._queue: queue.Queue[FrameResult | None] = queue.Queue(maxsize=max(1, depth))
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def write(self, result: FrameResult) -> None:
        """Hand one frame to the thread; its arrays must not be changed afterwards.

        Raises:
            OutputError: if a sink could not write this or an earlier frame.
        """
        # At once, and not only at the next checkpoint: what is computed now could not be written.
        self._raise_error()
        if self._thread is None:
            # Begun with the first frame: `start` may still fail. A daemon, so that an interpreter
            # that ends in an error does not wait for it.
            self._thread = threading.Thread(target=self._work, name="rvsam-writer", daemon=True)
            self._thread.start()
        # Waits when the queue is full, so tracking never runs ahead by more than its depth.
        self._queue.put(result)

    def commit(self) -> dict[str, Mark]:
        """Wait until every frame is written, then commit as `SinkWriter` does.

        Raises:
            OutputError: if a sink could not write.
        """
        # Before the marks are taken: a checkpoint counts only what is written.
        self._drain()
        return super().commit()

    def finish(self, complete: bool) -> list[Path]:
        """Wait until every frame is written, end the thread, and build the final files.

        Raises:
            OutputError: if a sink could not write.
        """
        self._drain()
        # What waits is still written, in order: a run that ends early keeps the frames it has.
        self._stop()
        return super().finish(complete)

    def close(self) -> None:
        """Write what waits, end the thread and let go of all files; raises nothing."""
        self._stop()
        super().close()

    def _work(self) -> None:
        while (result := self._queue.get()) is not None:
            try:
                # After an error frames are only taken off the queue, or whoever puts one would wait
                # for ever.
                if self._error is None:
                    super().write(result)
            except BaseException as error:
                # Any failure, of whatever kind, belongs into the caller's thread.
                self._error = error
            finally:
                # For the None that ended the loop; `join` counts it as well.
                self._queue.task_done()
        self._queue.task_done()

    def _drain(self) -> None:
        self._queue.join()
        self._raise_error()

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
