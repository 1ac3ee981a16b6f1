"""Live sources that are lost and come back, by a stand-in that breaks when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.sources import reconnecting
from rvsam_video.sources.base import ReadReport
from rvsam_video.sources.reconnecting import Reconnecting


class FakeStream(ClosesItself):
    """Gives so many frames, then breaks, or just ends."""

    name, live, frame_count = "camera 0", True, None

    def __init__(self, frames: int, *, breaks: bool = True, size: tuple[int, int] = (8, 6)) -> None:
        self._frames, self._breaks, self.size = frames, breaks, size
        self.closed = False
        self.report = ReadReport(frames=frames, bad_packets=1)

    def __iter__(self) -> Iterator[Frame]:
        width, height = self.size
        for index in range(self._frames):
            yield Frame(index, index / 10, np.full((height, width, 3), index, np.uint8))
        if self._breaks:
            raise SourceError("camera 0 was lost")

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(reconnecting, "LONGEST_WAIT_SECONDS", 0.02)


def connect(*script: FakeStream | None, patience: float = 0.3) -> Reconnecting:
    """Open the first; each try to reopen takes the next, None being a try in vain."""
    rest = iter(script[1:])

    def reopen() -> FakeStream:
        stream = next(rest, None)
        if stream is None:
            raise SourceError("camera 0 gives no picture")
        return stream

    assert script[0] is not None
    return Reconnecting(script[0], reopen, patience)


def test_frames_of_all_connections_make_one_video() -> None:
    streams = (FakeStream(3), None, None, FakeStream(2), FakeStream(4, breaks=False))
    source = connect(*streams)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(9))
    times = [frame.time for frame in frames]
    assert times == sorted(times)
    assert source.report.messages == ("camera 0 was lost 2 times and came back",)
    assert (source.report.frames, source.report.bad_packets) == (9, 3)
    assert all(stream.closed for stream in streams if stream is not None)


def test_a_picture_of_another_size_is_scaled_to_the_first() -> None:
    frames = list(connect(FakeStream(1), FakeStream(1, size=(16, 12), breaks=False)))
    assert [frame.size for frame in frames] == [(8, 6), (8, 6)]


def test_patience_ends_with_the_first_error() -> None:
    source = connect(FakeStream(2), patience=0.05)
    taken = []
    with pytest.raises(SourceError, match="camera 0 was lost"):
        taken.extend(iter(source))
    assert len(taken) == 2


def test_a_stream_that_just_ends_ends_after_the_patience() -> None:
    assert len(list(connect(FakeStream(2, breaks=False), patience=0.05))) == 2


def test_closing_ends_the_waiting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "FIRST_WAIT_SECONDS", 30.0)
    source = connect(FakeStream(1), patience=60)
    threading.Timer(0.1, source.close).start()
    began = time.monotonic()
    with pytest.raises(SourceError):
        list(source)
    assert time.monotonic() - began < 10
