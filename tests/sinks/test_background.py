"""Writing beside tracking changes when files are written, never what is in them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rvsam_video.errors import OutputError
from rvsam_video.results import FrameResult
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.sinks.base import Mark, SinkWriter, create_sinks
from rvsam_video.sinks.names import SINK_NAMES

MakeResult = Callable[..., FrameResult]


class GatedSink:
    """Notes what it is given, when the gate lets it; fails at one frame if told to."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.frames: list[int] = []
        self.fails_at = fails_at
        self.closed = False

    def start(self, mark: Mark | None) -> None:
        self.frames = []

    def write(self, result: FrameResult) -> None:
        self.entered.set()
        self.gate.wait()
        if result.index == self.fails_at:
            raise OutputError("cannot write x: the disk is full")
        self.frames.append(result.index)

    def commit(self) -> Mark:
        return {"frames": len(self.frames)}

    def finish(self, complete: bool) -> list[Path]:
        return []

    def close(self) -> None:
        self.closed = True


def test_files_are_the_same_with_and_without(tmp_path: Path, make_result: MakeResult) -> None:
    for kind, name in ((SinkWriter, "plain"), (BackgroundWriter, "beside")):
        with kind(create_sinks(SINK_NAMES, tmp_path / name)) as sinks:
            sinks.start()
            for index in range(30):
                sinks.write(make_result(index))
                if index % 8 == 0:
                    sinks.commit()
            sinks.commit()
            sinks.finish(complete=True)
    plain, beside = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("plain", "beside")
    )
    assert plain == beside
    assert len(plain) > 30


def test_write_returns_before_the_frame_is_written(make_result: MakeResult) -> None:
    sink = GatedSink()
    writer = BackgroundWriter({"gated": sink}, depth=3)
    for index in range(3):
        writer.write(make_result(index))
    assert sink.frames == []
    sink.gate.set()
    assert writer.commit() == {"gated": {"frames": 3}}
    writer.close()


def test_no_more_frames_wait_than_allowed(make_result: MakeResult) -> None:
    sink = GatedSink()
    writer = BackgroundWriter({"gated": sink}, depth=2)
    writer.write(make_result(0))
    sink.entered.wait()
    blocked = threading.Thread(target=lambda: [writer.write(make_result(i)) for i in range(1, 4)])
    blocked.start()
    blocked.join(timeout=0.2)
    assert blocked.is_alive()
    sink.gate.set()
    blocked.join()
    writer.commit()
    writer.close()
    assert sink.frames == [0, 1, 2, 3]


def test_an_error_of_the_thread_reaches_the_caller_and_stays(make_result: MakeResult) -> None:
    sink = GatedSink(fails_at=1)
    sink.gate.set()
    writer = BackgroundWriter({"gated": sink})
    writer.write(make_result(0))
    writer.write(make_result(1))
    for action in (writer.commit, writer.commit, lambda: writer.finish(complete=False)):
        with pytest.raises(OutputError, match="the disk is full"):
            action()
    with pytest.raises(OutputError, match="the disk is full"):
        writer.write(make_result(2))
    writer.close()
    assert sink.frames == [0]
    assert sink.closed


def test_a_failed_thread_never_blocks_the_caller(make_result: MakeResult) -> None:
    sink = GatedSink(fails_at=0)
    sink.gate.set()
    writer = BackgroundWriter({"gated": sink}, depth=1)
    results = [make_result(0)] * 1000
    with pytest.raises(OutputError):
        collections.deque(map(writer.write, results), maxlen=0)
    writer.close()
    writer.close()


def test_the_thread_ends_with_the_block(make_result: MakeResult) -> None:
    sink = GatedSink()
    sink.gate.set()
    with BackgroundWriter({"gated": sink}) as writer:
        writer.write(make_result(0))
    assert sink.frames == [0]
    assert "rvsam-writer" not in [thread.name for thread in threading.enumerate()]
