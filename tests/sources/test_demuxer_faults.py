"""Faults of the library below, injected between it and the decoder."""

from __future__ import annotations

import av
import pytest
from numbered_clips import FRAMES, Recipe, encode, read_number

from rvsam_video.errors import SourceError
from rvsam_video.sources import open_source
from rvsam_video.sources import video_file as reading


class Faulty:
    """A container whose packets go through `fault` before anybody sees them."""

    def __init__(self, container, fault):
        self._container, self._fault = container, fault

    def __getattr__(self, name):
        """Leave everything else to the real container."""
        return getattr(self._container, name)

    def demux(self):
        return self._fault(self._container.demux())


@pytest.fixture
def inject(monkeypatch):
    def replace(fault):
        real = reading.open_container
        monkeypatch.setattr(reading, "open_container", lambda place: Faulty(real(place), fault))

    return replace


def failing(error, at, times=1):
    """Raise `error` in place of the packet numbered `at`, so many times; then go on."""
    state = {"packets": 0, "failures": 0}

    def fault(packets):
        while True:
            if state["packets"] == at and state["failures"] < times:
                state["failures"] += 1
                raise error
            state["packets"] += 1
            packet = next(packets, None)
            if packet is None:
                return
            yield packet

    return fault


def invalid():
    return av.error.InvalidDataError(1094995529, "Invalid data found when processing input")


@pytest.mark.parametrize("times", [1, 7])
def test_packets_that_cannot_be_found_are_passed_over_as_one_piece(clip, inject, times):
    path, whole = clip("mp4 H.264")
    inject(failing(invalid(), at=30, times=times))
    with open_source(path) as source:
        assert [read_number(frame.image) for frame in source] == whole
        assert source.report.bad_packets == 1


def test_stop_ends_where_a_packet_cannot_be_found(clip, inject):
    inject(failing(invalid(), at=30))
    with open_source(clip("mp4 H.264")[0], on_bad_frame="stop") as source:
        numbers = [read_number(frame.image) for frame in source]
        assert numbers == list(range(len(numbers)))
        assert 25 <= len(numbers) <= 30
        assert source.report.messages[-1].startswith("stopped at a damaged packet")


def test_a_file_in_which_nothing_more_is_ever_found_ends_with_what_was_there(clip, inject):
    inject(failing(invalid(), at=30, times=10**9))
    with open_source(clip("mp4 H.264")[0]) as source:
        numbers = [read_number(frame.image) for frame in source]
        assert numbers == list(range(30))
        assert f"ended early: 30 of {FRAMES} frames; the file is cut off or damaged" in (
            source.report.messages
        )


def test_a_disk_that_fails_is_an_error_behind_the_last_frame(clip, inject):
    inject(failing(av.error.OSError(5, "Input/output error"), at=30))
    numbers = []
    with (
        open_source(clip("mp4 H.264")[0]) as source,
        pytest.raises(SourceError, match=r"lost after frame 29 \(input/output error\); check the"),
    ):
        numbers.extend(read_number(frame.image) for frame in source)
    assert numbers == list(range(30))


def test_streams_that_appear_late_do_not_cost_the_last_frames(clip, inject):
    def trip(packets):
        for packet in packets:
            if not packet.size:
                raise IndexError("list index out of range")
            yield packet

    path, whole = clip("MPEG-TS")
    inject(trip)
    with open_source(path) as source:
        frames = list(source)
    assert [read_number(frame.image) for frame in frames] == whole
    assert frames[-1].time - frames[0].time == pytest.approx((FRAMES - 1) / 30, abs=1e-4)


def test_a_picture_that_damage_has_held_back_for_too_long_is_left_out(tmp_path, inject):
    path = tmp_path / "forward.mp4"
    whole = encode(path, Recipe(options={"preset": "veryfast", "bf": "0", "g": "100"}))
    fail = failing(invalid(), at=30)

    def hold_back(packets):
        for packet in fail(packets):
            # The 36th picture says that it belongs before the 20th, which was given long ago.
            if packet.pts == 35 * 512:
                packet.pts = 19 * 512 + 1
            yield packet

    inject(hold_back)
    with open_source(path) as source:
        numbers = [read_number(frame.image) for frame in source]
    assert numbers == [number for number in whole if number != 35]


def test_an_empty_packet_in_the_middle_does_not_end_the_video(clip, inject):
    def add_empty(packets):
        for number, packet in enumerate(packets):
            yield packet
            if number == 20:
                empty = av.Packet()
                empty.stream, empty.time_base = packet.stream, packet.time_base
                empty.pts = empty.dts = packet.dts
                yield empty

    path, whole = clip("mp4 H.264")
    inject(add_empty)
    with open_source(path) as source:
        assert [read_number(frame.image) for frame in source] == whole
        assert source.report.clean


def test_a_title_in_an_old_encoding_does_not_keep_a_video_from_being_read(tmp_path):
    path = tmp_path / "titled.mp4"
    encode(path, Recipe(numbers=range(5)))
    # The name of the handler is the text that every MP4 file holds.
    path.write_bytes(path.read_bytes().replace(b"VideoHandler", b"Vid\xe9oHandl\xe9r"))
    with open_source(path) as source:
        assert len(list(source)) == 5


def test_a_first_frame_that_is_damaged_says_how_to_read_on(clip, inject):
    inject(failing(invalid(), at=0))
    with pytest.raises(SourceError, match=r"before its first whole frame; .* pass over bad"):
        open_source(clip("mp4 H.264")[0], on_bad_frame="stop")
