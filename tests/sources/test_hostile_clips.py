"""Every file that is known to break readers: which frames come out, and what the report says."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from hostile_clips import CLIPS, LONG, MATRICES, packets
from numbered_clips import Recipe, encode, is_upright, read_number

from rvsam_video.errors import SourceError
from rvsam_video.sources import open_source

NEEDS = {"mp4 AV1": "libsvtav1", "cut off mp4 AV1": "libsvtav1", "10 % blank mp4 AV1": "libsvtav1"}


def clip_or_skip(clip, name):
    encoder = NEEDS.get(name)
    if encoder is not None and encoder not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {encoder}")
    return clip(name)


def read(path, **options):
    with open_source(path, **options) as source:
        frames = list(source)
        return source, frames, [read_number(frame.image) for frame in frames]


SOUND = [
    "mp4 H.264",
    "mkv H.264",
    "webm VP9",
    "mp4 AV1",
    "MPEG-TS",
    "GIF",
    "avi MJPEG",
    "mp4 HEVC 10 bit",
    "odd size 321x241",
    "transparent",
    "greyscale",
    "fragmented mp4",
    "variable frame rate mp4",
    "variable frame rate avi",
    "edit list, 3 of 30 cut",
    "no time stamps",
    *MATRICES,
]


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("on_bad_frame", ["skip", "stop"])
def test_every_frame_of_a_sound_file_comes_out_once_and_nothing_is_reported(
    clip, name, on_bad_frame
):
    path, whole = clip_or_skip(clip, name)
    source, frames, numbers = read(path, on_bad_frame=on_bad_frame)

    assert numbers == whole
    assert source.report.messages == ()
    assert source.report.clean
    assert source.report.frames == len(whole)
    assert [frame.index for frame in frames] == list(range(len(whole)))


@pytest.mark.parametrize("name", [*SOUND, "two recordings joined"])
def test_images_are_upright_rgb_of_the_announced_size(clip, name):
    path, _ = clip_or_skip(clip, name)
    source, frames, _ = read(path)

    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.size == source.size
        assert name == "greyscale" or is_upright(frame.image)


@pytest.mark.parametrize(
    ("name", "size"),
    [("rotated 90", (240, 320)), ("rotated 180", (240, 320)), ("odd size 321x241", (321, 241))],
)
def test_the_size_is_that_of_the_displayed_picture(clip, name, size):
    with open_source(clip(name)[0]) as source:
        assert source.size == size


def test_the_number_of_frames_is_known_before_reading_where_the_file_tells(clip):
    for name in ("mp4 H.264", "variable frame rate avi", "mkv H.264", "edit list, 3 of 30 cut"):
        path, whole = clip(name)
        with open_source(path) as source:
            assert source.frame_count == len(whole), name


def test_a_change_of_size_scales_the_rest_to_the_first_size_and_says_so(clip):
    path, whole = clip("two recordings joined")
    source, _, numbers = read(path)

    assert numbers == whole
    assert source.size == (320, 240)
    assert (
        "the picture changes from 320x240 to 640x480 pixels at frame 60; "
        "from there on it is scaled to 320x240"
    ) in source.report.messages


CUT_OFF = [
    ("cut off mp4, index first", f"of {LONG} frames"),
    ("cut off mp4 AV1", f"of {LONG} frames"),
    ("cut off fragmented mp4", "frames"),
    ("cut off mkv", f"of about {LONG} frames"),
    ("cut off webm", f"of about {LONG} frames"),
    ("cut off avi", f"of about {LONG} frames"),
]


@pytest.mark.parametrize(("name", "expected"), CUT_OFF)
def test_a_file_that_was_cut_off_gives_all_its_frames_and_says_that_it_ended_early(
    clip, name, expected
):
    path, whole = clip_or_skip(clip, name)
    source, _, numbers = read(path)

    # A last packet that is only partly there may give a picture, or take its neighbour along.
    assert len(whole) - 1 <= len(numbers) <= len(whole) + 1
    assert numbers[:-1] == list(range(len(numbers) - 1))
    early = [text for text in source.report.messages if text.startswith("ended early")]
    assert len(early) == 1
    assert early[0].startswith(f"ended early: {len(numbers)} ")
    assert early[0].endswith(f"{expected}; the file is cut off or damaged")
    # What the decoder still held when the file ended was whole.
    assert source.report.damaged_frames <= len(numbers) - min(len(whole), len(numbers))


def test_a_cut_off_transport_stream_claims_nothing_since_nobody_can_know(clip):
    path, whole = clip("cut off MPEG-TS")
    source, _, numbers = read(path)

    assert len(numbers) >= len(whole) - 1
    assert not any("ended early" in text for text in source.report.messages)


def test_an_mp4_whose_index_was_cut_off_is_refused_with_a_way_out(clip):
    path, _ = clip("cut off mp4, index last")
    with pytest.raises(SourceError, match=r"without its index.*copy it again"):
        open_source(path)


BLANK = [
    ("10 % blank mp4", 15, "passed over"),
    ("10 % blank mp4 AV1", 15, "passed over"),
    ("10 % blank mkv", 30, "nothing could be read from the file between"),
    ("10 % blank webm", 30, "nothing could be read from the file between"),
    ("10 % blank avi", 2, "packets could not be found"),
    ("10 % blank MPEG-TS", 15, "passed over 1 damaged packet"),
]


@pytest.mark.parametrize(("name", "most_lost", "message"), BLANK)
def test_reading_goes_on_behind_a_blank_stretch_and_reports_it(clip, name, most_lost, message):
    path, whole = clip_or_skip(clip, name)
    source, frames, numbers = read(path)

    right = set(numbers) & set(whole)
    assert len(right) >= len(whole) - most_lost
    assert numbers[-1] == LONG - 1
    assert any(message in text for text in source.report.messages)
    # The index counts the frames there are; time goes on as the file says.
    assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("name", ["10 % blank mp4", "30 specks mp4"])
def test_sound_pictures_keep_their_order_behind_damage(clip, name):
    path, _ = clip(name)
    _, frames, numbers = read(path)

    # Those that are sound show the number that goes with their time.
    sound = [n for n, frame in zip(numbers, frames, strict=True) if n == round(frame.time * 30)]
    assert len(sound) > LONG // 2
    assert max(round(frame.time * 30) for frame in frames) == LONG - 1


def test_a_file_of_which_only_the_end_behind_the_pictures_is_missing_has_all_frames(tmp_path):
    path = tmp_path / "no_cues.mkv"
    numbers = encode(path, Recipe())
    end = max(end for _, end, _ in packets(path))
    assert path.stat().st_size > end + 8
    path.write_bytes(path.read_bytes()[: end + 4])
    source, _, got = read(path)

    assert got == numbers
    assert source.report.clean


def test_pictures_that_build_on_a_lost_one_are_given_but_counted(clip):
    path, whole = clip("30 specks mp4")
    source, _, numbers = read(path)
    report = source.report

    assert len(numbers) == len(whole) - report.bad_packets
    assert report.bad_packets > 0
    assert report.damaged_frames > 0
    assert f"{report.damaged_frames} frames may look wrong" in " ".join(report.messages)


@pytest.mark.parametrize(
    "name",
    [
        "10 % blank mp4",
        "10 % blank webm",
        "10 % blank MPEG-TS",
        "cut off mp4, index first",
        "cut off fragmented mp4",
    ],
)
def test_stop_ends_at_the_first_damage_with_all_that_was_sound_before_it(clip, name):
    path, whole = clip(name)
    source, frames, numbers = read(path, on_bad_frame="stop")

    sound = next((i for i, number in enumerate(whole) if number != i), len(whole))
    # Not every codec notices that the end of a packet was overwritten.
    assert numbers[:sound] == list(range(min(sound, len(numbers))))
    # Of the frames before the damage, some were predicted from one that came behind it.
    assert sound - 4 <= len(numbers) <= sound + 1
    assert source.report.frames == len(frames)
    assert source.report.damaged_frames == 0
    assert "stopped at a damaged packet after" in source.report.messages[-1]


REFUSED = {
    "cut off mp4, index last",
    "empty",
    "text",
    "text.txt",
    "garbage",
    "missing",
    "sound only",
}


@pytest.mark.parametrize("name", [name for name in CLIPS if name not in REFUSED])
def test_times_rise_in_every_clip(clip, name):
    _, frames, _ = read(clip_or_skip(clip, name)[0])
    times = [frame.time for frame in frames]

    assert all(later > earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "is empty (0 bytes); copy or record it again"),
        ("text", "is a text file, not a video; give the video itself"),
        ("text.txt", "is a text file, not a video; give the video itself"),
        ("garbage", "is no video that can be read"),
        ("missing", "there is no file"),
        ("sound only", "holds sound but no video; give a file that holds a video"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence_with_the_path(clip, name, message):
    path, _ = clip(name)
    with pytest.raises(SourceError) as caught:
        open_source(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Errno" not in str(caught.value)
