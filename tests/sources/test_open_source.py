"""The one door: what it takes, what it refuses, and how a source behaves once it is open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_clips import FRAMES, Recipe, encode, read_number

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import open_source
from rvsam_video.sources.pixels.conversion import Orientation, orientation_of


def numbers(source):
    return [read_number(frame.image) for frame in source]


def test_importing_the_package_loads_neither_pyav_nor_opencv():
    code = (
        "import sys, rvsam_video.sources.opening; "
        "sys.exit(bool({'av', 'cv2', 'PIL', 'decord'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_that_the_package_does_not_have_is_an_attribute_error():
    import rvsam_video.sources

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = rvsam_video.sources.no_such_name


def test_a_file_can_be_read_again_from_the_beginning_also_after_half_a_reading(clip):
    path, whole = clip("mp4 H.264")
    with open_source(path) as source:
        half = iter(source)
        assert [next(half).index for _ in range(5)] == [0, 1, 2, 3, 4]
        assert source.report.frames >= 5
        assert numbers(source) == whole
        assert numbers(source) == whole
        assert source.report.frames == len(whole)


def test_two_readings_at_once_do_not_disturb_each_other(clip):
    path, whole = clip("mp4 H.264")
    with open_source(path) as source:
        pairs = list(zip(source, source, strict=True))

    assert len(pairs) == len(whole)
    assert all(np.array_equal(a.image, b.image) and a.time == b.time for a, b in pairs)


@pytest.mark.parametrize(
    "name", ["mp4 H.264", "MPEG-TS", "variable frame rate mp4", "10 % blank mp4", "cut off mkv"]
)
def test_starting_later_gives_the_same_frames_as_a_full_reading(clip, name):
    path, _ = clip(name)
    with open_source(path) as source:
        full = list(source)
        report = source.report
    with open_source(path, start=37) as source:
        rest = list(source)
        assert source.report == report

    assert [frame.index for frame in rest] == [frame.index for frame in full[37:]]
    assert [frame.time for frame in rest] == [frame.time for frame in full[37:]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, full[37:], strict=True))


def test_starting_behind_the_end_gives_nothing(clip):
    with open_source(clip("mp4 H.264")[0], start=FRAMES) as source:
        assert list(source) == []


def test_a_closed_source_says_that_it_was_closed(clip):
    source = open_source(clip("mp4 H.264")[0])
    frames = iter(source)
    next(frames)
    source.close()
    source.close()

    with pytest.raises(SourceError, match="was closed; open it again"):
        next(frames)
    with pytest.raises(SourceError, match="was closed; open it again"):
        next(iter(source))


def test_the_name_is_the_path_as_it_was_given(clip, monkeypatch):
    path, _ = clip("mp4 H.264")
    monkeypatch.chdir(path.parent)
    with open_source(path.name) as source:
        assert source.name == path.name
        assert not source.live


def test_a_file_name_with_colons_is_no_address(clip, tmp_path):
    path = tmp_path / "rec:12:30.mp4"
    path.write_bytes(clip("mp4 H.264")[0].read_bytes())
    with open_source(path) as source:
        assert len(list(source)) == FRAMES


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_a_file_name_that_is_no_text_can_still_be_printed(clip, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    path.write_bytes(clip("mp4 H.264")[0].read_bytes())
    with open_source(path) as source:
        source.name.encode("utf-8")
        assert len(list(source)) == FRAMES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reader": "ffmpeg"}, "reader is 'ffmpeg'; choose one of: pyav, decord"),
        ({"on_bad_frame": "ignore"}, "on_bad_frame is 'ignore'; choose one of: skip, stop"),
        ({"start": -1}, "start is -1; frames are numbered from 0"),
    ],
)
def test_options_that_do_not_exist_are_refused_with_those_that_do(clip, options, message):
    with pytest.raises(UsageError, match=message):
        open_source(clip("mp4 H.264")[0], **options)


def test_a_file_without_read_permission_is_refused(clip, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip("mp4 H.264")[0].read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SourceError, match="permission denied; change its access rights"):
        open_source(path)


def test_a_song_with_a_cover_picture_is_no_video(tmp_path):
    cover = tmp_path / "cover.png"
    encode(cover, Recipe(codec="png", pixels="rgb24", options={}, numbers=range(1)))
    song = tmp_path / "song.mp3"
    song.write_bytes(_id3_with_picture(cover.read_bytes()) + _second_of_mp3(tmp_path))
    with av.open(str(song)) as container:
        assert container.streams.video, "the cover must look like a video to FFmpeg"

    with pytest.raises(SourceError, match="holds sound but no video"):
        open_source(song)


def _id3_with_picture(picture):
    """A tag of ID3 version 2.3 that holds one picture."""
    body = b"\0image/png\0\3\0" + picture
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frame


def _second_of_mp3(folder):
    path = folder / "plain.mp3"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44100)
        sound = np.zeros((1, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_longer_sound_track_is_no_reason_to_miss_frames(tmp_path):
    path = tmp_path / "long_sound.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 44100 * 4), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44100
        for _ in range(30):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with open_source(path) as source:
        assert len(list(source)) == 30
        assert source.report.clean


def test_all_eight_orientations_put_a_corner_where_the_matrix_says():
    stored = np.zeros((2, 3, 3), np.uint8)
    stored[0, 0] = 255
    for turn in [(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)]:
        orientation = Orientation(*turn)
        shown = orientation.turn(stored)
        row, column = np.argwhere(shown[:, :, 0])[0]
        assert (shown.shape[1], shown.shape[0]) == orientation.size(3, 2)
        assert (row > 0) == orientation.flip_y
        assert (column > 0) == orientation.flip_x


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_matrix_and_pyavs_own_angle_agree(clip, degrees):
    path, _ = clip(f"rotated {degrees}")
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        turns = round(picture.rotation / 90) % 4
        stored = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)

        assert turns == degrees // 90
        assert np.array_equal(orientation_of(picture).turn(stored), np.rot90(stored, turns))
