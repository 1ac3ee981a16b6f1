"""Which pictures of a folder are its frames."""

from __future__ import annotations

import pytest
from numbered_clips import draw, read_number
from PIL import Image

from rvsam_video.cli.options import run_name
from rvsam_video.errors import SourceError
from rvsam_video.sources import open_source


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(draw(number)).save(folder / name)


FRAMES = [f"{number:05d}.png" for number in range(6)]


def numbers(source):
    return [read_number(frame.image) for frame in source]


def test_a_mask_and_a_thumbnail_are_no_frames(tmp_path):
    make(tmp_path, *FRAMES, "mask.png", "thumb.jpg")
    with open_source(tmp_path) as source:
        assert numbers(source) == [0, 1, 2, 3, 4, 5]
        (message,) = source.report.messages
    assert "left out 2 pictures" in message
    assert "mask.png" in message
    assert "thumb.jpg" in message
    with open_source(f"{tmp_path}/*.png") as source:
        assert numbers(source) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("names", [("a.png", "b.png", "c.png"), ("1.png", "2.png", "end.png")])
def test_pictures_that_are_not_named_alike_are_all_frames(tmp_path, names):
    make(tmp_path, *names)
    with open_source(tmp_path) as source:
        assert numbers(source) == [0, 1, 2]
        assert source.report.clean


def test_masks_beside_every_frame_are_refused(tmp_path):
    make(tmp_path, *(f"{n}{end}.png" for n in range(3) for end in ("", "_mask")))
    with pytest.raises(SourceError, match=r"two pictures of each frame, such as 0.png and 0_"):
        open_source(tmp_path)


def test_a_folder_of_videos_with_a_picture_is_refused(tmp_path):
    make(tmp_path, "cover.png")
    for name in ("a.mp4", "b.mov"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match=r"2 videos and 1 picture; give one .*\(a.mp4, b.mov"):
        open_source(tmp_path)


def test_a_preview_video_beside_frames_is_no_reason_to_refuse(tmp_path):
    make(tmp_path, *FRAMES)
    (tmp_path / "preview.mp4").write_bytes(b"x")
    with open_source(tmp_path) as source:
        assert numbers(source) == [0, 1, 2, 3, 4, 5]


def test_frames_one_level_deeper_are_named(tmp_path):
    make(tmp_path / "a", *FRAMES)
    with pytest.raises(SourceError, match=r"its folder a/ holds 6 pictures: give .*a$"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("%05d.png", [0, 1, 2, 3, 4, 5]), ("%03d.png", [0, 1, 2, 3, 4, 5]), ("f%d.png", [8, 9])],
)
def test_patterns_as_of_ffmpeg_are_understood(tmp_path, pattern, found):
    make(tmp_path, *FRAMES, "x1.png", "fa.png", "f8.png", "f10.png")
    with open_source(f"{tmp_path}/{pattern}") as source:
        assert numbers(source) == found


def test_a_pattern_of_a_width_wants_that_many_digits(tmp_path):
    make(tmp_path, "01.png", "001.png")
    with open_source(f"{tmp_path}/%03d.png") as source:
        assert numbers(source) == [1]


def test_runs_are_named_after_what_they_read(tmp_path, monkeypatch):
    make(tmp_path / "bees", *FRAMES)
    monkeypatch.chdir(tmp_path / "bees")
    assert run_name(".") == "bees"
    assert run_name("./") == "bees"
    assert run_name("../bees") == "bees"
    assert run_name(f"{tmp_path}/bees/*.png") == "bees"
    assert run_name("*.png") == "bees"
    assert run_name("../bees/%05d.png") == "bees"
    assert run_name("00001.png") == "00001"
    assert run_name("-") == "stdin"
    assert run_name("0") == "camera-0"
    assert run_name("rtsp://host/stream.sdp?x=1") == "stream"
    monkeypatch.chdir("/")
    assert run_name(".") == "run"
