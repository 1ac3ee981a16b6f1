"""Times come from the file, whatever its frame rate; where they are missing they still rise."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered_clips import FRAMES, uneven_stamps

from rvsam_video.sources import open_source
from rvsam_video.sources.base import RisingClock


def times_of(path):
    with open_source(path) as source:
        return [frame.time for frame in source]


def test_a_variable_frame_rate_keeps_every_time_stamp_exactly(clip):
    expected = [stamp / 90_000 for stamp in uneven_stamps()]

    assert times_of(clip("variable frame rate mp4")[0]) == pytest.approx(expected, abs=1e-12)


def test_an_avi_with_repeated_frames_keeps_the_times_of_those_that_are_there(clip):
    expected = [3 * index / 30 for index in range(FRAMES)]

    assert times_of(clip("variable frame rate avi")[0]) == pytest.approx(expected, abs=1e-12)


def test_what_an_edit_list_cuts_away_does_not_count_in_time_either(clip):
    times = times_of(clip("edit list, 3 of 30 cut")[0])

    assert times == pytest.approx([index / 30 for index in range(27)], abs=1e-4)


def test_the_clock_of_a_second_recording_goes_on_from_the_first(clip):
    times = times_of(clip("two recordings joined")[0])

    steps = [later - earlier for earlier, later in pairwise(times)]
    assert steps == pytest.approx([1 / 30] * (2 * FRAMES - 1), abs=1e-3)


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6, allow_nan=False)),
    st.floats(0, 240, allow_subnormal=False).filter(lambda rate: rate == 0 or rate > 0.01),
)
def test_whatever_the_stamps_the_times_rise_and_true_ones_are_kept(stamps, rate):
    clock = RisingClock(rate)
    last = None
    for stamp in stamps:
        time = clock.read(stamp)
        assert last is None or time > last
        if stamp is not None and (last is None or stamp > last):
            assert time == stamp
        last = time


def test_a_missing_stamp_comes_one_interval_later():
    clock = RisingClock(50)

    assert [clock.read(stamp) for stamp in (None, None, 0.5, None)] == pytest.approx(
        [0.0, 0.02, 0.5, 0.52]
    )
