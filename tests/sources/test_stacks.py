"""Many pictures in one file, and pictures of more than 8 bits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numbered_clips import draw, read_number
from PIL import Image, TiffImagePlugin

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import open_source

COUNT = 7


@pytest.fixture
def pictures():
    return [Image.fromarray(draw(number)) for number in range(COUNT)]


def save(path, pictures, **options):
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


@pytest.mark.parametrize(
    ("name", "options", "times"),
    [
        ("stack.tif", {}, [n / 25 for n in range(COUNT)]),
        ("movie.webp", {"duration": 40, "lossless": True}, [n * 0.04 for n in range(COUNT)]),
        ("movie.png", {"duration": 100}, [n * 0.1 for n in range(COUNT)]),
        (
            "uneven.apng",
            {"duration": [10, 20, 30, 40, 50, 60, 70], "format": "PNG"},
            [0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.21],
        ),
    ],
)
def test_all_pictures_of_a_file_are_read_with_their_times(tmp_path, pictures, name, options, times):
    path = save(tmp_path / name, pictures, **options)
    with open_source(path) as source:
        frames = list(source)
        assert [read_number(frame.image) for frame in frames] == list(range(COUNT))
        assert [frame.time for frame in frames] == pytest.approx(times)
        assert (source.frame_count, source.size) == (COUNT, (320, 240))
        assert source.report.clean
        again = [source.frame_at(index) for index in (5, 0, 3)]
    assert [(frame.index, read_number(frame.image)) for frame in again] == [(5, 5), (0, 0), (3, 3)]
    assert [frame.time for frame in again] == pytest.approx([times[5], times[0], times[3]])
    with open_source(path, start=4) as late:
        assert [(frame.index, read_number(frame.image)) for frame in late] == [
            (4, 4),
            (5, 5),
            (6, 6),
        ]
    with open_source(path, fps=10) as slow:
        assert [frame.time for frame in slow] == pytest.approx([n / 10 for n in range(COUNT)])


def test_small_copies_of_pages_are_no_frames(tmp_path, pictures):
    small = [picture.resize((80, 60)) for picture in pictures]
    path = tmp_path / "pyramid.tif"
    with TiffImagePlugin.AppendingTiffWriter(path, new=True) as writer:
        for large, reduced in zip(pictures, small, strict=True):
            large.save(writer, format="TIFF")
            writer.newFrame()
            reduced.save(writer, format="TIFF", tiffinfo={254: 1})
            writer.newFrame()
    with open_source(path) as source:
        assert [read_number(frame.image) for frame in source] == list(range(COUNT))


def test_pages_of_several_sizes_are_refused(tmp_path, pictures):
    path = save(tmp_path / "mixed.tif", [*pictures[:2], pictures[2].resize((100, 60))])
    with (
        open_source(path) as source,
        pytest.raises(SourceError, match=r"picture 2 of .* is 100x60"),
    ):
        list(source)


def test_the_first_picture_of_a_png_may_be_no_frame(tmp_path, pictures):
    path = tmp_path / "default.png"
    pictures[6].save(
        path, save_all=True, append_images=pictures[:3], default_image=True, duration=40
    )
    with open_source(path) as source:
        assert [read_number(frame.image) for frame in source] == [0, 1, 2]


def test_a_stack_that_breaks_off_gives_what_is_whole(tmp_path, pictures):
    path = save(tmp_path / "movie.webp", pictures, duration=40, lossless=True)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(path)
    path = save(tmp_path / "stack.tif", pictures, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    with open_source(path) as source:
        found = [(frame.index, read_number(frame.image)) for frame in source]
        assert source.report.bad_packets >= 1
    assert 0 < len(found) < COUNT
    assert all(index == number for index, number in found)


def test_a_stack_in_a_folder_of_others_is_named(tmp_path, pictures):
    for name in ("1.tif", "2.tif"):
        save(tmp_path / name, pictures)
    with open_source(tmp_path) as source:
        assert len(list(source)) == 2
        assert "1.tif holds 7 pictures, of which the first is used" in source.report.messages[0]


@pytest.mark.parametrize(("bits", "suffix"), [(12, "png"), (10, "tif"), (8, "png"), (14, "png")])
@pytest.mark.parametrize("colour", [False, True])
def test_deep_pictures_are_shown_by_the_bits_they_use(tmp_path, bits, suffix, colour):
    for number in range(4):
        picture = (draw(number).astype(np.uint32) << bits >> 8).astype(np.uint16)
        picture[0, 0] = (1 << bits) - 1
        picture = picture[..., ::-1] if colour else picture[..., 0]
        cv2.imwrite(str(tmp_path / f"{number}.{suffix}"), picture)
    with open_source(tmp_path) as source:
        frames = list(source)
        (message,) = source.report.messages
    assert f"16 bits, of which {bits} are used: values up to {2**bits - 1} are" in message
    for number, frame in enumerate(frames):
        assert read_number(frame.image) == number
        truth = draw(number) if colour else np.repeat(draw(number)[..., :1], 3, 2)
        assert np.abs(frame.image[1:].astype(int) - truth[1:].astype(int)).max() <= 1


def test_sixteen_full_bits_are_said_nothing_about(tmp_path):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    cv2.imwrite(str(tmp_path / "deep.png"), ramp)
    with open_source(tmp_path / "deep.png") as source:
        (frame,) = source
        assert source.report.clean
    np.testing.assert_array_equal(frame.image[..., 0], (ramp >> 8).astype(np.uint8))


def test_a_deep_stack_is_shown_by_the_bits_of_its_pages(tmp_path):
    pages = [Image.fromarray(np.full((60, 80), value, np.uint16)) for value in (100, 1000, 4000)]
    with open_source(save(tmp_path / "stack.tif", pages)) as source:
        assert [int(frame.image[0, 0, 0]) for frame in source] == [100 >> 4, 1000 >> 4, 4000 >> 4]
        assert "of which 12 are used" in source.report.messages[0]


def test_the_rate_of_pictures_can_be_given_and_that_of_videos_not(tmp_path, clip):
    for number in range(3):
        Image.fromarray(draw(number)).save(tmp_path / f"{number}.png")
    with open_source(tmp_path, fps=2.5) as source:
        assert [frame.time for frame in source] == pytest.approx([0, 0.4, 0.8])
    with pytest.raises(UsageError, match="has times of its own"):
        open_source(clip("mp4 H.264")[0], fps=10)
    with pytest.raises(UsageError, match="fps is 0; it must be a number above 0"):
        open_source(tmp_path, fps=0)


def test_pictures_that_claim_too_much_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 100_000
    with pytest.raises(SourceError, match="20000x20000 pixels are more than the 67108864"):
        open_source(path)
    Image.fromarray(draw(1)).save(path)
    monkeypatch.setenv("RVSAM_MAX_PIXELS", "1000")
    with pytest.raises(SourceError, match="RVSAM_MAX_PIXELS to at least 76800"):
        open_source(path)
