"""Reading ahead: nothing is lost, errors arrive, and no thread outlives its consumer."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered_clips import read_number

from rvsam_video.errors import UsageError
from rvsam_video.sources import open_source, prefetch

PATIENCE = 10
"""Seconds to wait for another thread before a test fails; none should come near."""


def prefetch_threads():
    return [t for t in threading.enumerate() if t.name == "rvsam-video-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    yield
    gc.collect()
    for thread in prefetch_threads():
        thread.join(PATIENCE)
    assert prefetch_threads() == []


@given(st.lists(st.integers(), max_size=50), st.integers(1, 7))
def test_every_item_comes_once_and_in_order(items, depth):
    with prefetch(items, depth) as ahead:
        assert list(ahead) == items
        assert list(ahead) == []
        assert ahead.dropped == 0


def test_the_thread_is_never_further_ahead_than_the_depth():
    begun = 0

    def produce():
        nonlocal begun
        for number in range(20):
            begun += 1
            yield number

    with prefetch(produce(), 3) as ahead:
        for taken, number in enumerate(ahead, start=1):
            assert number == taken - 1
            # Three wait, and one is in the hand of the thread.
            assert begun <= taken + 4


def test_an_error_comes_out_behind_the_items_before_it_with_its_trace():
    def produce():
        yield 1
        yield 2
        raise OSError("the cable was pulled")

    with prefetch(produce(), 5) as ahead:
        assert [next(ahead), next(ahead)] == [1, 2]
        with pytest.raises(OSError, match="the cable was pulled") as caught:
            next(ahead)
        assert caught.traceback[-1].name == "produce"
        with pytest.raises(StopIteration):
            next(ahead)


def test_what_cannot_be_iterated_at_all_is_an_error_of_the_consumer():
    with prefetch(7, 1) as ahead, pytest.raises(TypeError, match="not iterable"):
        next(ahead)


def endless(left):
    """Count for ever; set the event when nobody wants more."""
    try:
        yield from count()
    finally:
        left.set()


def test_closing_early_ends_the_thread_and_leaves_the_source():
    left = threading.Event()
    source = endless(left)
    ahead = prefetch(source, 2)
    assert next(ahead) == 0
    ahead.close()
    ahead.close()

    assert left.is_set()
    assert prefetch_threads() == []
    with pytest.raises(StopIteration):
        next(ahead)


def test_one_that_is_forgotten_ends_its_thread():
    left = threading.Event()
    ahead = prefetch(endless(left), 2)
    assert next(ahead) == 0
    del ahead
    gc.collect()

    assert left.wait(PATIENCE)


def test_one_that_its_own_thread_forgets_ends_without_a_fuss(monkeypatch):
    complaints, begun, left, kept = [], threading.Event(), threading.Event(), []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)

    def produce():
        try:
            begun.wait(PATIENCE)
            kept.clear()
            yield from count()
        finally:
            left.set()

    kept.append(prefetch(produce(), 1))
    begun.set()
    assert left.wait(PATIENCE)
    assert complaints == []


def test_one_that_was_never_read_ends_its_thread():
    left = threading.Event()
    prefetch(endless(left), 1).close()

    assert left.is_set()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_consumer_that_is_interrupted_leaves_no_thread(error):
    left = threading.Event()

    def consume():
        with prefetch(endless(left), 2) as ahead:
            for number in ahead:
                if number == 5:
                    raise error

    with pytest.raises(error):
        consume()
    assert left.is_set()


def test_a_source_that_hangs_does_not_hold_up_closing(monkeypatch):
    from rvsam_video.sources import prefetching

    monkeypatch.setattr(prefetching, "CLOSE_SECONDS", 0.1)
    answer, closed = threading.Event(), threading.Event()

    def produce():
        try:
            yield 1
            answer.wait(PATIENCE)
            yield 2
        finally:
            closed.set()

    ahead = prefetch(produce(), 1)
    assert next(ahead) == 1
    ahead.close()
    assert not closed.is_set()
    answer.set()
    assert closed.wait(PATIENCE)


_WAIT_FOR_EVER = """
import threading
from rvsam_video.sources import prefetch

def produce():
    print("waiting", flush=True)
    threading.Event().wait()
    yield 1

with prefetch(produce(), 1) as ahead:
    next(ahead)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process alone")
def test_ctrl_c_gets_through_to_a_consumer_that_waits():
    process = subprocess.Popen(
        [sys.executable, "-c", _WAIT_FOR_EVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode != 0
    assert errors.rstrip().endswith(b"KeyboardInterrupt")


def test_drop_keeps_the_newest_and_counts_the_rest():
    full = threading.Event()

    def produce():
        yield from range(10)
        full.set()

    with prefetch(produce(), 3, policy="drop") as ahead:
        assert full.wait(PATIENCE)
        assert list(ahead) == [7, 8, 9]
        assert ahead.dropped == 7


@pytest.mark.parametrize(
    ("depth", "policy", "message"),
    [
        (0, "block", "depth is 0; at least 1 item must fit"),
        (1, "hurry", "policy is 'hurry'; choose one of: block, drop"),
    ],
)
def test_options_that_do_not_exist_are_refused(depth, policy, message):
    with pytest.raises(UsageError, match=message):
        prefetch([], depth, policy=policy)


def test_a_video_read_ahead_is_the_same_video(clip):
    path, whole = clip("mp4 H.264")
    with open_source(path) as source, prefetch(source, 4) as ahead:
        assert [read_number(frame.image) for frame in ahead] == whole
        assert source.report.frames == len(whole)


def test_closing_the_video_first_ends_the_reading_ahead(clip):
    source = open_source(clip("mp4 H.264")[0])
    with prefetch(source, 1) as ahead:
        next(ahead)
        source.close()
        with pytest.raises(OSError, match="was closed"):
            list(ahead)
