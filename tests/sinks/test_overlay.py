"""The overlay video: it plays anywhere, with the source's times, size and picture."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import made_results
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.errors import OutputError
from rvsam_video.results import FrameResult
from rvsam_video.sinks import video_parts
from rvsam_video.sinks import videos as drawn_video
from rvsam_video.sinks.base import SinkWriter, create_sinks
from rvsam_video.sinks.drawing import draw_overlay
from rvsam_video.sinks.video_parts import TICKS_PER_SECOND, PresentationClock

MakeResult = Callable[..., FrameResult]
MILLISECOND = 0.001
SMPTE170M = 6
"""Number of the BT.601 matrix in the H.264 standard."""


def write_overlay(folder: Path, results: Sequence[FrameResult]) -> Path:
    with SinkWriter(create_sinks(["overlay"], folder)) as sinks:
        sinks.start()
        for result in results:
            sinks.write(result)
        sinks.commit()
        (path,) = sinks.finish(complete=True)
    return path


def read_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([index / 25 for index in range(60)], id="constant rate"),
        pytest.param([index * 1001 / 30000 for index in range(60)], id="29.97"),
        pytest.param([1.4 + index / 50 for index in range(30)], id="transport stream start"),
        pytest.param([0.0, 0.1, 0.15, 0.9, 0.91, 3.0, 7.5], id="variable rate"),
        pytest.param([2.5], id="one frame"),
    ],
)
def test_times_are_those_of_the_source(
    times: list[float], tmp_path: Path, make_result: MakeResult
) -> None:
    path = write_overlay(tmp_path, [make_result(i, time=t) for i, t in enumerate(times)])
    np.testing.assert_allclose(read_times(path), times, atol=MILLISECOND)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([0.0, 0.0, 0.0, 0.04], id="equal"),
        pytest.param([0.0, 1.0, 0.5, 2.0], id="falling"),
        pytest.param([0.0, float("nan"), float("inf"), 1.0], id="not numbers"),
        pytest.param([-3.0, -2.0, -1.0, 0.0], id="negative"),
        pytest.param([1.8e9, 1.8e9 + 0.5, 1.8e9 + 1, 1.8e9 + 1.5], id="wall clock"),
    ],
)
def test_times_that_no_video_can_have_still_give_one(
    times: list[float], tmp_path: Path, make_result: MakeResult
) -> None:
    path = write_overlay(tmp_path, [make_result(i, time=t) for i, t in enumerate(times)])
    found = read_times(path)
    assert len(found) == len(times)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] < 10


@given(st.lists(st.floats(), min_size=1, max_size=50))
def test_time_stamps_rise_strictly_whatever_the_times(times: list[float]) -> None:
    clock = PresentationClock()
    ticks = [clock.ticks(time) for time in times]
    assert all(later > earlier for earlier, later in itertools.pairwise(ticks))
    assert ticks[0] >= 0
    assert max(np.diff([0, *ticks])) < 2**32


def test_a_clock_that_is_set_goes_on_in_its_rhythm() -> None:
    clock = PresentationClock()
    seconds = [clock.ticks(t) / TICKS_PER_SECOND for t in (0.0, 100.0, 5.0, 5.5, 9e9, 9e9 + 1)]
    np.testing.assert_allclose(seconds, [0, 100, 100.001, 100.501, 100.502, 101.502])


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50), st.integers(0, 10))
def test_rising_times_are_kept_to_the_tick(steps: list[int], start: int) -> None:
    times = start + np.cumsum([0, *steps]) / TICKS_PER_SECOND
    clock = PresentationClock()
    assert [clock.ticks(time) for time in times.tolist()] == [
        round(time * TICKS_PER_SECOND) for time in times.tolist()
    ]


@pytest.mark.parametrize("size", [(64, 48), (61, 48), (64, 43), (61, 43), (17, 1)])
def test_odd_sizes_are_padded_and_the_file_says_so(
    size: tuple[int, int], tmp_path: Path, make_result: MakeResult
) -> None:
    results = [make_result(index, size=size) for index in range(3)]
    path = write_overlay(tmp_path, results)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.width, stream.height == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        comment = container.metadata.get("comment", "")
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    odd = size[0] % 2 or size[1] % 2
    expected = f"padded from {size[0]}x{size[1]}: right {size[0] % 2}, bottom {size[1] % 2}"
    assert comment == (expected if odd else "")
    drawn = draw_overlay(results[0])
    difference = np.abs(decoded[: size[1], : size[0]].astype(int) - drawn)
    assert difference.mean() < 20


def test_colours_survive_the_way_into_the_file(tmp_path: Path, make_result: MakeResult) -> None:
    """The matrix of the conversion is in the file: greens stay green in any player."""
    result = make_result(0, size=(64, 48))
    result.image[:] = (20, 200, 40)
    objects: tuple[()] = ()
    plain = FrameResult(0, 0.0, result.image, objects, result.points)
    with av.open(str(write_overlay(tmp_path, [plain]))) as container:
        frame = next(container.decode(video=0))
        pixel = frame.to_ndarray(format="rgb24")[24, 40]
    assert frame.colorspace == SMPTE170M
    np.testing.assert_allclose(pixel.astype(int), (20, 200, 40), atol=6)


def test_the_index_stands_at_the_front_so_that_browsers_start_at_once(
    tmp_path: Path, make_result: MakeResult
) -> None:
    content = write_overlay(tmp_path, [make_result(i) for i in range(30)]).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_what_a_killed_run_leaves_can_be_played(tmp_path: Path, make_result: MakeResult) -> None:
    with SinkWriter(create_sinks(["overlay"], tmp_path)) as sinks:
        sinks.start()
        for index in range(60):
            sinks.write(make_result(index))
        sinks.commit()
    with av.open(str(tmp_path / ".parts" / "overlay.h264")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 50
    assert not (tmp_path / "overlay.mp4").exists()


_ENCODE = """
import runpy, sys
from pathlib import Path
from rvsam_video.sinks.base import SinkWriter, create_sinks

make_result = runpy.run_path(sys.argv[1])["make_result"]
with SinkWriter(create_sinks(["overlay"], Path(sys.argv[2]))) as sinks:
    sinks.start()
    for index in range(25):
        sinks.write(make_result(index, size=(426, 240)))
    sinks.finish(complete=True)
"""


def test_the_bytes_do_not_depend_on_what_was_in_memory_before(tmp_path: Path) -> None:
    """The C library fills fresh memory with two patterns (glibc only); encoders may read it."""
    contents = set()
    for pattern in ("0", "1"):
        made = made_results.__file__
        command = [sys.executable, "-c", _ENCODE, made, tmp_path / pattern]
        subprocess.run(command, check=True, env=os.environ | {"MALLOC_PERTURB_": pattern})
        contents.add((tmp_path / pattern / "overlay.mp4").read_bytes())
    assert len(contents) == 1


def test_held_frames_do_not_pile_up(tmp_path: Path, make_result: MakeResult) -> None:
    with SinkWriter(create_sinks(["overlay"], tmp_path)) as sinks:
        sinks.start()
        for index in range(200):
            sinks.write(make_result(index, size=(16, 16)))
            if index % 10 == 0:
                sinks.commit()
        assert len(list((tmp_path / ".parts").glob("*.yuv"))) <= 2


def test_frames_of_another_size_are_refused(tmp_path: Path, make_result: MakeResult) -> None:
    with SinkWriter(create_sinks(["overlay"], tmp_path)) as sinks:
        sinks.start()
        sinks.write(make_result(0, size=(64, 48)))
        with pytest.raises(OutputError, match=r"frame 1 is 48x64 pixels.*64x48"):
            sinks.write(make_result(1, size=(48, 64)))


def test_a_full_disk_while_joining_is_one_sentence_and_leaves_no_half_file(
    tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise av.error.FFmpegError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(video_parts.av, "open", full)
    with pytest.raises(OutputError, match=r"overlay\.mp4: the disk is full; free some space"):
        write_overlay(tmp_path, [make_result(0)])
    assert [path.name for path in tmp_path.iterdir()] == [".parts"]


def test_a_pyav_without_the_encoder_says_so(
    tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = dataclasses.replace(video_parts.H264, encoder="libx999")
    monkeypatch.setattr(drawn_video, "H264", missing)
    with pytest.raises(OutputError, match=r"cannot encode overlay\.mp4; reinstall it"):
        write_overlay(tmp_path, [make_result(0)])
