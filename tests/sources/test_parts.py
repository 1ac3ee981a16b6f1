"""Parts of a video by frame or time, found without decoding what lies before, and backward."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import rvsam_video as rv
from rvsam_video.sources import open_source, seeking
from rvsam_video.sources.backward import (
    falling_frames,
    frames_at_a_time,
    given_frames,
    goes_back,
)
from rvsam_video.sources.part import ClipPart, moment, moment_text, part_of
from rvsam_video.sources.place import video_file

FRAMES = 90
KINDS = {
    "mp4": ("libx264", {"x264-params": "open-gop=1:bframes=4:b-pyramid=normal:scenecut=0"}),
    "mkv": ("libx264", {"x264-params": "open-gop=1:bframes=4:scenecut=0"}),
    "ts": ("libx264", {"bf": "3"}),
    "avi": ("mpeg4", {}),
    "webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
}

Row = tuple[int, float, bytes]


def rows(frames) -> list[Row]:
    return [(frame.index, frame.time, frame.image.tobytes()) for frame in frames]


@pytest.fixture(scope="module", params=sorted(KINDS))
def video(request, tmp_path_factory) -> Path:
    """A video whose pictures come at irregular times, with a key picture every 15 frames."""
    path = tmp_path_factory.mktemp("parts") / f"clip.{request.param}"
    codec, options = KINDS[request.param]
    random = np.random.default_rng(3)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.gop_size = 64, 48, 15
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 0
        for index in range(FRAMES):
            image = np.full((48, 64, 3), 2 * index, np.uint8)
            image[10:20, index % 50 : index % 50 + 10] = 255
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            time += int(random.integers(10, 90))
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def whole(video) -> list[Row]:
    with open_source(video) as source:
        found = rows(source)
    assert len(found) == FRAMES
    return found


@pytest.mark.parametrize("start", [1, 14, 15, 16, 44, 45, 77, FRAMES - 1])
def test_a_part_has_the_frames_of_the_whole(video, whole, start):
    part = ClipPart(start=start, end=start + 20, stride=3)
    with open_source(video, part=part) as source:
        assert rows(source) == whole[start : start + 20 : 3]
        assert rows(source) == whole[start : start + 20 : 3]
        assert source.report.clean


@pytest.mark.parametrize("at", [0, 13, 15, 31, 60, 88])
def test_a_part_by_time_begins_with_the_first_frame_that_is_not_before(video, whole, at):
    for early in (0.0, 0.002):
        start, end = max(0.0, whole[at][1] - early), whole[at][1] + 0.7
        with open_source(video, part=ClipPart(start=start, end=end)) as source:
            assert rows(source) == [row for row in whole if start <= row[1] < end]


def test_what_lies_before_a_part_is_not_decoded(video):
    for start in (50, 1.9):
        landing = seeking.find_landing(video_file(str(video)), start)
        assert landing is not None
        assert landing.index >= 15


@pytest.mark.parametrize("part", [ClipPart(start=500), ClipPart(start=99.5)])
def test_a_part_behind_the_end_is_an_error(video, part):
    with open_source(video, part=part) as source, pytest.raises(rv.SourceError, match="no frame"):
        list(source)


def test_a_part_is_read_on_from_any_of_its_frames(video, whole):
    with open_source(video, start=47, part=ClipPart(start=20, stride=2)) as source:
        assert rows(source) == whole[48::2]


@pytest.mark.parametrize(("part", "last"), [
    (ClipPart(), 200), (ClipPart(), 29), (ClipPart(start=7, stride=4), 50),
    (ClipPart(start=0.5, end=2.0), 200),
])  # fmt: skip
def test_backward_gives_the_same_frames(video, whole, part, last, monkeypatch):
    monkeypatch.setattr("rvsam_video.sources.seeking.frames_at_a_time", lambda size: 11)
    with open_source(video, part=part) as source:
        forward = [row for row in rows(source) if row[0] <= last]
        assert rows(source.falling(last)) == forward[::-1]
        assert forward


def test_where_nothing_is_certain_the_file_is_decoded_from_its_beginning(video, whole, monkeypatch):
    wrong = seeking.Landing(pts=12345678, index=40, seek=0)
    monkeypatch.setattr("rvsam_video.sources.video_file.find_landing", lambda *_: wrong)
    with open_source(video, part=ClipPart(start=50)) as source:
        assert rows(source) == whole[50:]


def test_pictures_have_parts_and_go_backward(tmp_path):
    for index in range(30):
        Image.new("RGB", (40, 30), (index, 0, 0)).save(tmp_path / f"{index:03d}.png")
    (tmp_path / "011.png").write_bytes(b"no picture")
    with open_source(tmp_path, part=ClipPart(start=0.4, end=25, stride=1)) as source:
        # 25 pictures a second: 0.4 s is picture 10.
        indices = [frame.index for frame in source]
        assert indices == [10, *range(12, 25)]
        assert source.frame_count == 15
        assert [frame.index for frame in source.falling(20)] == [*range(20, 11, -1), 10]
        assert source.stems[10] == "010"
    with pytest.raises(rv.SourceError, match="has no frame from 30"):
        open_source(tmp_path, part=ClipPart(start=30))


def test_anything_that_can_be_iterated_again_goes_backward(monkeypatch):
    monkeypatch.setattr("rvsam_video.sources.backward.MOST_FRAMES", 4)
    monkeypatch.setattr("rvsam_video.sources.backward.FEWEST_FRAMES", 4)

    class Again:
        def __iter__(self):
            return (np.full((4, 4, 3), index, np.uint8) for index in range(11))

    for pictures in (Again(), list(Again())):
        source = given_frames(pictures, None)
        assert goes_back(source)
        found = list(falling_frames(source, 8))
        assert [frame.index for frame in found] == list(range(8, -1, -1))
        assert all(frame.image[0, 0, 0] == frame.index for frame in found)
    assert not goes_back(given_frames(iter(Again()), None))
    assert frames_at_a_time((8000, 8000)) == 4


@pytest.mark.parametrize(("text", "value"), [
    ("300", 300), ("12.5s", 12.5), ("00:01:20", 80.0), ("01:20.25", 80.25), ("0s", 0.0),
])  # fmt: skip
def test_places_in_a_video(text, value):
    assert moment(text, "--start") == value
    assert type(moment(text, "--start")) is type(value)
    assert moment(moment_text(value), "--start") == value


@pytest.mark.parametrize("text", ["", "-1", "1.5", "12 s", "1:2:3:4", "nans", "1e3"])
def test_a_place_that_is_not_understood_is_told_with_the_grammar(text):
    with pytest.raises(rv.UsageError, match=r"--end is .* write a frame such as 300"):
        moment(text, "--end")


@pytest.mark.parametrize("given", [("20", "20", 1), ("5s", "4.5s", 1), (None, None, 0)])
def test_parts_without_frames_are_refused(given):
    with pytest.raises(rv.UsageError):
        part_of(*given)


def test_the_length_of_a_part_is_estimated():
    assert ClipPart(start=10, stride=3).expected(30, 25.0) == 7
    assert ClipPart(start=1.0, end=3.0).expected(100, 25.0) == 50
    assert ClipPart(end=50).expected(None, 25.0) == 50
    assert ClipPart(start=5).expected(None, 25.0) is None
    assert ClipPart(start=50).expected(30, 25.0) == 0


def test_a_pipe_is_not_read_backward(video, tmp_path):
    with open_source(video) as source:
        times = [frame.time for frame in source]
    assert all(one < other for one, other in pairwise(times))
    with pytest.raises(rv.UsageError, match="has no parts"):
        open_source("0", part=ClipPart(end=5))
