"""Folders, patterns and single pictures as videos."""

from __future__ import annotations

import numpy as np
import pytest
from numbered_clips import draw, read_number
from PIL import Image

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import open_source


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures whose names sort wrongly as text: 0.png, 1.png ... 11.png."""
    for number in range(12):
        Image.fromarray(draw(number)).save(tmp_path / f"frame{number}.png")
    return tmp_path


def test_a_folder_is_read_in_natural_order_at_25_frames_per_second(folder):
    (folder / "notes.txt").write_text("not a picture")
    (folder / "._frame3.png").write_text("what macOS leaves on other systems' disks")
    with open_source(folder) as source:
        frames = list(source)

    assert [read_number(frame.image) for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(12)])
    assert (source.size, source.frame_count, source.live) == ((320, 240), 12, False)
    assert source.report.clean


def test_a_pattern_chooses_pictures(folder):
    with open_source(f"{folder}/frame1*.png") as source:
        assert [read_number(frame.image) for frame in source] == [1, 10, 11]


def test_a_relative_pattern_starts_at_the_current_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with open_source(f"{folder.name}/*.png") as source:
        assert source.frame_count == 12


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    path = folder / "frame[1].png"
    Image.fromarray(draw(500)).save(path)
    with open_source(path) as source:
        assert [read_number(frame.image) for frame in source] == [500]


def test_a_single_picture_is_a_video_of_one_frame(folder):
    with open_source(folder / "frame7.png") as source:
        assert [(frame.index, read_number(frame.image)) for frame in source] == [(0, 7)]


def test_starting_later_and_jumping_give_the_same_frames(folder):
    with open_source(folder) as source, open_source(folder, start=5) as late:
        full, rest = list(source), list(late)
        assert [frame.index for frame in rest] == [5, 6, 7, 8, 9, 10, 11]
        assert late.report == source.report
        for frame in rest:
            assert np.array_equal(frame.image, full[frame.index].image)
            assert np.array_equal(frame.image, source.frame_at(frame.index).image)
            assert frame.time == full[frame.index].time
        with pytest.raises(IndexError, match="frames 0 to 11, not 12"):
            source.frame_at(12)


def test_a_broken_picture_leaves_a_gap_and_is_named(folder):
    broken = folder / "frame4.png"
    broken.write_bytes(broken.read_bytes()[:300])
    (folder / "frame6.png").write_bytes(b"no picture")
    with open_source(folder) as source:
        assert [frame.index for frame in source] == [0, 1, 2, 3, 5, 7, 8, 9, 10, 11]
        report = source.report
        assert (report.frames, report.bad_packets, report.expected) == (10, 2, 12)
        assert str(broken) in report.messages[0]
        assert report.messages[-1] == "passed over 2 damaged pictures"
        with pytest.raises(SourceError, match=r"frame4\.png cannot be read .*; replace the file"):
            source.frame_at(4)


def test_stop_ends_at_the_broken_picture(folder):
    (folder / "frame4.png").write_bytes(b"no picture")
    with open_source(folder, on_bad_frame="stop") as source:
        assert [frame.index for frame in source] == [0, 1, 2, 3]
        message = "stopped at a damaged picture after 4 of 12 frames"
        assert source.report.messages[-1] == message


def test_a_broken_first_picture_does_not_hide_the_size_of_the_others(folder):
    (folder / "frame0.png").write_bytes(b"no picture")
    with open_source(folder) as source:
        assert source.size == (320, 240)
        assert next(iter(source)).index == 1


def test_many_broken_pictures_are_counted_not_listed(folder):
    for number in range(1, 11):
        (folder / f"frame{number}.png").write_bytes(b"no picture")
    with open_source(folder) as source:
        assert [frame.index for frame in source] == [0, 11]
        assert source.report.bad_packets == 10
        assert len(source.report.messages) == 6


def test_a_folder_of_broken_pictures_alone_is_refused(folder):
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"12 of 12 pictures tried: .*frame0\.png.*replace them"):
        open_source(folder)


def test_pictures_of_another_size_end_the_reading_with_both_sizes(folder):
    Image.fromarray(draw(3, (360, 240))).save(folder / "frame3.png")
    message = r"frame3\.png is 360x240 pixels, but the first .* is 320x240; bring all to one size"
    with open_source(folder) as source, pytest.raises(SourceError, match=message):
        list(source)


def test_two_pictures_of_one_frame_are_refused_with_the_pattern_to_choose(folder):
    Image.fromarray(draw(3)).save(folder / "frame3.jpg")
    with pytest.raises(SourceError, match=r"frame3\.\w+ and frame3\.\w+ .* one frame twice"):
        open_source(folder)


def test_folders_and_patterns_without_pictures_say_what_they_hold(tmp_path, clip):
    with pytest.raises(SourceError, match="holds no pictures; pictures end in"):
        open_source(tmp_path)
    video = clip("mp4 H.264")[0].parent
    with pytest.raises(SourceError, match="holds no pictures; give one of the videos instead: "):
        open_source(video)
    with pytest.raises(SourceError, match="matches no pictures; give one of the videos"):
        open_source(f"{video}/pl*.mp4")
    with pytest.raises(SourceError, match="no file matches"):
        open_source(f"{tmp_path}/*.jpg")


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", ".png"),
        ("RGBA", ".png"),
        ("P", ".png"),
        ("LA", ".png"),
        ("CMYK", ".jpg"),
        ("1", ".png"),
    ],
)
def test_every_kind_of_picture_becomes_rgb_of_8_bits(tmp_path, mode, suffix):
    Image.fromarray(draw(77)).convert(mode).save(tmp_path / f"picture{suffix}")
    with open_source(tmp_path / f"picture{suffix}") as source:
        image = next(iter(source)).image

    assert (image.dtype, image.shape) == (np.uint8, (240, 320, 3))
    assert image.flags.c_contiguous
    assert read_number(image) == 77


def test_greyscale_of_16_bits_is_scaled_not_cut(tmp_path):
    ramp = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    with open_source(tmp_path / "deep.png") as source:
        image = next(iter(source)).image

    assert np.array_equal(image[:, :, 1].ravel(), np.arange(256))


def test_floating_point_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "heights.tif")
    with pytest.raises(SourceError, match="floating-point numbers; convert it to 8 bits"):
        open_source(tmp_path / "heights.tif")


def test_the_orientation_written_by_a_camera_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(np.rot90(draw(300, (240, 320)))).save(
        tmp_path / "phone.jpg", quality=95, exif=exif
    )
    with open_source(tmp_path / "phone.jpg") as source:
        assert source.size == (240, 320)
        assert read_number(next(iter(source)).image) == 300


def test_a_closed_sequence_says_so(folder):
    source = open_source(folder)
    frames = iter(source)
    next(frames)
    source.close()
    with pytest.raises(SourceError, match="was closed"):
        next(frames)


def test_decord_does_not_read_pictures(folder):
    with pytest.raises(UsageError, match="'decord' reads video files only"):
        open_source(folder, reader="decord")
