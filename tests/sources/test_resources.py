"""Reading leaves nothing behind: no memory, no open files, no word on standard error."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import av
import psutil
import pytest
from numbered_clips import Recipe, encode

from rvsam_video.sources import open_source, prefetch

MEGABYTE = 2**20


def is_open(path: Path) -> bool:
    """Whether this process holds the file open."""
    return str(path) in [file.path for file in psutil.Process().open_files()]


def test_the_file_is_closed_at_the_end_on_closing_and_on_forgetting(clip):
    path, _ = clip("mp4 H.264")

    with open_source(path) as source:
        assert is_open(path)
        list(source)
        assert not is_open(path)

    with open_source(path) as source:
        next(iter(source))
    assert not is_open(path)

    source = open_source(path)
    frames = iter(source)
    next(frames)
    assert is_open(path)
    del source, frames
    assert not is_open(path)


def test_an_iteration_that_is_left_closes_the_file_though_the_source_stays_open(clip):
    path, _ = clip("mp4 H.264")
    with open_source(path) as source:
        for frame in source:
            if frame.index == 3:
                break
        assert not is_open(path)


def test_a_file_that_cannot_be_read_is_not_left_open(clip):
    for name in ("garbage", "sound only", "cut off mp4, index last"):
        path, _ = clip(name)
        with pytest.raises(OSError, match=path.name):
            open_source(path)
        gc.collect()
        assert not is_open(path)


def test_half_read_videos_do_not_pile_up(clip):
    path, _ = clip("mp4 H.264")

    def read_half(times: int) -> int:
        for _ in range(times):
            with open_source(path) as source, prefetch(source, 2) as ahead:
                next(ahead)
        # PyAV 17 leaves its own decoders to the garbage collector.
        gc.collect()
        return psutil.Process().num_threads()

    before = read_half(1)
    assert read_half(30) <= before
    assert not is_open(path)


def test_reading_a_long_clip_twice_does_not_grow(tmp_path):
    path = tmp_path / "long.mp4"
    encode(path, Recipe(numbers=[number % 1000 for number in range(1500)]))

    def read() -> int:
        with open_source(path) as source:
            assert sum(1 for _ in source) == 1500
        gc.collect()
        return psutil.Process().memory_info().rss

    first = read()
    # 1500 frames are 330 MB as images; a few MB are the allocator's own ways.
    assert read() - first < 20 * MEGABYTE


def test_damaged_files_are_read_without_a_word_on_standard_error(clip):
    path, _ = clip("30 specks mp4")
    code = (
        "import sys\nfrom rvsam_video.sources import open_source\n"
        "with open_source(sys.argv[1]) as source: list(source)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_program_that_listens_to_ffmpeg_keeps_its_log(clip):
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log, open_source(clip("30 specks mp4")[0]) as source:
            list(source)
        assert av.logging.get_level() == av.logging.ERROR
        assert log
    finally:
        av.logging.set_level(before)
