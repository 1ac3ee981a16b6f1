"""The optional reader: the same frames in any order, and plain words where it cannot."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hostile_clips import LONG
from numbered_clips import FRAMES, read_number

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import open_source


def test_without_decord_the_error_says_how_to_install_it(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(UsageError, match=r"pip install 'rvsam-video\[decord\]'"):
        open_source(clip("mp4 H.264")[0], reader="decord")


class TestWithDecord:
    @pytest.fixture(autouse=True)
    def _decord(self):
        pytest.importorskip("decord")

    @pytest.mark.parametrize("name", ["mp4 H.264", "rotated 90"])
    def test_both_readers_give_the_same_frames(self, clip, name):
        path, _ = clip(name)
        with open_source(path) as one, open_source(path, reader="decord") as other:
            assert one.size == other.size
            assert one.frame_count == other.frame_count
            for a, b in zip(one, other, strict=True):
                assert a.index == b.index
                assert a.time == pytest.approx(b.time, abs=1e-4)
                assert b.image.flags.c_contiguous
                assert np.array_equal(a.image, b.image)
            assert other.report.clean

    def test_frames_come_in_any_order(self, clip):
        with open_source(clip("mp4 H.264")[0], reader="decord") as source:
            full = list(source)
            for index in (59, 0, 31, 30, 1):
                frame = source.frame_at(index)
                assert (frame.index, frame.time) == (index, full[index].time)
                assert np.array_equal(frame.image, full[index].image)
            with pytest.raises(IndexError, match="frames 0 to 59, not 60"):
                source.frame_at(60)

    def test_starting_later_seeks(self, clip):
        with open_source(clip("mp4 H.264")[0], reader="decord", start=47) as source:
            frames = list(source)
            assert [read_number(frame.image) for frame in frames] == list(range(47, FRAMES))
            assert frames[0].index == 47
            assert source.report.frames == FRAMES

    def test_damage_leaves_a_gap_and_the_report_names_the_other_reader(self, clip):
        with open_source(clip("10 % blank mp4")[0], reader="decord") as source:
            frames = list(source)
            assert LONG // 2 < len(frames) < LONG
            assert frames[-1].index == LONG - 1
            assert "the reader 'pyav' may get more" in source.report.messages[0]
            assert len(source.report.messages) == 2
            assert source.report.bad_packets == LONG - len(frames)

    def test_a_frame_that_decord_cannot_decode_is_an_error_when_asked_for(self, clip, monkeypatch):
        import decord

        with open_source(clip("mp4 H.264")[0], reader="decord") as source:

            def fail(*_):
                raise decord.DECORDError("bad packet")

            monkeypatch.setattr(decord.VideoReader, "seek_accurate", fail)
            with pytest.raises(SourceError, match=r"frame 5 of .* is damaged; the reader 'pyav'"):
                source.frame_at(5)

    def test_stop_ends_at_the_damage(self, clip):
        with open_source(clip("10 % blank mp4")[0], reader="decord", on_bad_frame="stop") as source:
            frames = list(source)
            assert [frame.index for frame in frames] == list(range(len(frames)))
            message = f"stopped at a damaged frame after {len(frames)} of {LONG} frames"
            assert source.report.messages[-1] == message

    @pytest.mark.parametrize("name", ["GIF", "garbage", "cut off mp4, index last"])
    def test_what_decord_cannot_read_is_refused_with_the_way_out(self, clip, name):
        with pytest.raises(SourceError, match="cannot be read by decord; choose the reader 'pyav'"):
            open_source(clip(name)[0], reader="decord")

    def test_a_closed_source_says_so(self, clip):
        source = open_source(clip("mp4 H.264")[0], reader="decord")
        source.close()
        with pytest.raises(SourceError, match="was closed"):
            source.frame_at(0)


PLAIN = ("mp4 H.264", "mkv H.264", "webm VP9", "avi MJPEG", "mp4 HEVC 10 bit", "odd size 321x241")
TRICKY = (
    "rotated 90", "rotated 180", "mirrored", "mirrored and rotated 90", "mp4 AV1", "MPEG-TS", "GIF",
    "greyscale", "fragmented mp4", "variable frame rate mp4", "variable frame rate avi",
    "edit list, 3 of 30 cut", "no time stamps", "two recordings joined",
)  # fmt: skip


@pytest.mark.parametrize("name", [*PLAIN, *TRICKY])
def test_both_readers_give_the_same_or_one_refuses(clip, name):
    path, _ = clip(name)
    with open_source(path) as source:
        own = list(source)
    try:
        other = list(open_source(path, reader="decord"))
    except SourceError as error:
        assert "choose the reader 'pyav'" in str(error)  # noqa: PT017 (either way is right)
        return
    assert [frame.index for frame in other] == [frame.index for frame in own]
    assert [frame.time for frame in other] == pytest.approx(
        [frame.time for frame in own], abs=0.001
    )
    for one, two in zip(own, other, strict=True):
        assert np.abs(one.image.astype(int) - two.image).mean() < 6


def test_what_an_edit_list_cuts_away_is_not_given(clip):
    with pytest.raises(SourceError, match=r"30 frames instead of 27"):
        open_source(clip("edit list, 3 of 30 cut")[0], reader="decord")
