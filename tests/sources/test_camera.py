"""Cameras, by a stand-in for OpenCV's capture: no test machine can be asked to have one."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import pytest

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import camera, open_source


class FakeCapture:
    """Gives the frames of `script` in order; None is one that does not come."""

    script: ClassVar[list[int | None]] = []
    made: ClassVar[list[FakeCapture]] = []

    def __init__(self, number):
        self.number, self.frames, self.released = number, iter(self.script), False
        FakeCapture.made.append(self)

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return bool(self.script)

    def read(self):
        value = next(self.frames, None)
        if value is None:
            return False, None
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :, 0] = value  # blue comes first in OpenCV
        return True, picture

    def release(self):
        self.released = True


@pytest.fixture
def plug_in(monkeypatch):
    def connect(*script):
        monkeypatch.setattr(FakeCapture, "script", list(script))
        monkeypatch.setattr(FakeCapture, "made", [])
        monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
        monkeypatch.setattr(camera, "TRY_AGAIN_SECONDS", 0)

    return connect


@pytest.mark.parametrize("what", [1, "1"])
def test_a_camera_is_a_live_source_of_rgb_frames(plug_in, what):
    plug_in(10, 20, 30)
    with open_source(what) as source:
        assert (source.name, source.size, source.live) == ("camera 1", (64, 48), True)
        assert source.frame_count is None
        frames = iter(source)
        taken = [next(frames) for _ in range(3)]
        assert source.report.clean

    assert FakeCapture.made[0].number == 1
    assert FakeCapture.made[0].released
    assert [frame.index for frame in taken] == [0, 1, 2]
    assert [frame.image[0, 0].tolist() for frame in taken] == [[0, 0, 10], [0, 0, 20], [0, 0, 30]]
    assert taken[0].time == 0 < taken[1].time < taken[2].time


def test_iterating_again_goes_on_where_it_was(plug_in):
    plug_in(10, 20, 30)
    with open_source(0) as source:
        assert [frame.index for frame in zip_one(source)] == [0]
        assert [frame.index for frame in zip_one(source)] == [1]


def zip_one(source):
    for frame in source:
        yield frame
        return


def test_frames_that_do_not_come_are_waited_for(plug_in):
    plug_in(None, None, 10, None, 20)
    with open_source(0) as source:
        frames = iter(source)
        assert [next(frames).index for _ in range(2)] == [0, 1]
        assert source.report.bad_packets == 1


def test_stop_ends_at_a_frame_that_does_not_come(plug_in):
    plug_in(10, 20, None, 30)
    with open_source(0, on_bad_frame="stop") as source:
        assert [frame.index for frame in source] == [0, 1]
        assert source.report.messages == ("stopped at a damaged picture after 2 frames",)


def test_a_camera_that_is_unplugged_is_an_error_behind_its_last_frame(plug_in):
    plug_in(10, 20)
    seen = []
    with open_source(0) as source, pytest.raises(SourceError, match="lost after frame 1; check"):
        seen.extend(frame.index for frame in source)
    with open_source(0) as source:
        frames = iter(source)
        next(frames)
        source.close()
        with pytest.raises(SourceError, match="camera 0 was closed"):
            next(frames)


@pytest.mark.parametrize("script", [(), (None,) * 20])
def test_a_camera_that_is_not_there_or_gives_nothing_is_refused(plug_in, script):
    plug_in(*script)
    with pytest.raises(SourceError, match="camera 3 gives no picture; check that it is plugged in"):
        open_source("3")
    assert FakeCapture.made[0].released


def test_opencv_is_silent_while_opening_and_gets_its_log_level_back(capfd):
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)
    try:
        with pytest.raises(SourceError, match="camera 77"):
            open_source(77)
        assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_WARNING
    finally:
        cv2.utils.logging.setLogLevel(before)
    assert capfd.readouterr().err == ""


def test_options_that_make_no_sense_for_a_camera_are_refused():
    with pytest.raises(UsageError, match="no camera -1; cameras are numbered from 0"):
        open_source(-1)
    with pytest.raises(UsageError, match="camera 0 is live, so it cannot begin at frame 5"):
        open_source(0, start=5)
    with pytest.raises(UsageError, match="'decord' reads video files only, not camera 0"):
        open_source(0, reader="decord")
