"""Holes in Matroska files: what is one, and what only looks like one."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

from rvsam_video.sources.damage import HoleFinder

VIDEO, SOUND = 0, 1


def find(*packets, form="matroska,webm"):
    """Return the holes between packets given as (stream, position, size, milliseconds)."""
    finder = HoleFinder(
        SimpleNamespace(format=SimpleNamespace(name=form)),
        SimpleNamespace(index=VIDEO, average_rate=Fraction(25)),
    )
    found = []
    for stream, position, size, time in packets:
        packet = SimpleNamespace(
            stream_index=stream, pos=position, size=size, pts=time, time_base=Fraction(1, 1000)
        )
        found.append(finder.see(packet))
    return [hole for hole in found if hole is not None]


def test_packet_behind_packet_has_no_hole_whatever_the_frame_rate():
    assert find((VIDEO, 100, 900, 0), (VIDEO, 1006, 500, 40), (VIDEO, 1512, 80, 9000)) == []


def test_lost_bytes_and_lost_time_together_are_a_hole():
    packets = (VIDEO, 100, 900, 0), (VIDEO, 1006, 500, 40), (VIDEO, 9000, 80, 500)
    assert find(*packets) == [(0.04, 0.5)]
    assert find(*packets, form="mpegts") == []


def test_bytes_of_something_else_between_frames_in_time_are_no_hole():
    assert find((VIDEO, 100, 900, 0), (VIDEO, 9000, 80, 40)) == []


def test_sound_fills_the_bytes_between_frames():
    assert find((VIDEO, 100, 900, 0), (SOUND, 1006, 5000, 20), (VIDEO, 6012, 80, 500)) == []


def test_several_packets_of_sound_in_one_block_have_one_position():
    sound = [(SOUND, 1006, 700, 20 * n) for n in range(8)]
    assert find((VIDEO, 100, 900, 0), *sound, (VIDEO, 6620, 80, 500)) == []


def test_frames_that_do_not_come_in_the_order_of_display_leave_no_hole():
    order = [0, 160, 80, 40, 120, 320, 240, 200]
    frames = [(VIDEO, 100 * n, 94, time) for n, time in enumerate(order)]
    assert find(*frames, (VIDEO, 9000, 94, 360)) == []
