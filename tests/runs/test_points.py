"""A run of points: three outputs that agree, interrupted anywhere, resumed to the same bytes."""

from __future__ import annotations

import csv
import json
import sys
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import av
import numpy as np
import pytest

from rvsam_video import Frame, FrameResult, OutputError, Prompt, UsageError
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.methods import Method
from rvsam_video.points.queries import PointRequest
from rvsam_video.results import PointState, PointTable
from rvsam_video.runs.points import PointRunOptions, run_points
from rvsam_video.sinks.base import SinkContext
from rvsam_video.sinks.drawing import draw_overlay
from rvsam_video.sinks.points import ArraysSink
from rvsam_video.trackers import TRACKERS, QueryPoints, TrackerEntry

FRAMES = 30


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    SyntheticClip(frames=FRAMES, size=(160, 90)).write(path)
    return path


def options_for(video, out):
    late = Prompt.create(object_id=3, frame=12, points=[[80, 45]])
    request = PointRequest(prompts=[late], grid=4)
    return PointRunOptions(source=str(video), out=out, request=request)


@pytest.fixture
def options(video, tmp_path):
    return options_for(video, tmp_path / "run")


@pytest.fixture(scope="module")
def finished(video, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("finished") / "run"
    run_points(options_for(video, out))
    return out


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def test_a_run_writes_every_output_and_nothing_else(finished):
    assert sorted(contents(finished)) == ["overlay.mp4", "points.csv", "points.npz"]
    with av.open(str(finished / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == FRAMES
    record = json.loads((finished / "run.json").read_text())
    assert record["command"]["tracker"] == "lucas-kanade"
    assert record["notes"]["tracker_weights"] == {}


def test_the_arrays_have_the_documented_layout(finished):
    arrays = np.load(finished / "points.npz")
    shapes = {name: (arrays[name].shape, str(arrays[name].dtype)) for name in arrays}
    assert shapes == {
        "frames": ((30,), "int64"),
        "times": ((30,), "float64"),
        "ids": ((17,), "int64"),
        "queries": ((17, 3), "float32"),
        "xy": ((30, 17, 2), "float32"),
        "visible": ((30, 17), "bool"),
        "confidence": ((30, 17), "float32"),
    }
    assert arrays["frames"].tolist() == list(range(FRAMES))
    assert arrays["queries"][0].tolist() == [12, 80, 45]
    assert np.isnan(arrays["xy"][:12, 0]).all()
    assert not arrays["visible"][:12, 0].any()
    assert arrays["xy"][12, 0].tolist() == [80, 45]
    assert np.isfinite(arrays["xy"][:, 1:]).all()


def test_table_and_arrays_agree(finished):
    arrays = np.load(finished / "points.npz")
    rows = list(csv.DictReader((finished / "points.csv").read_text().splitlines()))
    assert len(rows) == np.isfinite(arrays["xy"][..., 0]).sum()
    for row in rows:
        place = int(row["frame"]), int(row["point_id"])
        xy = [float(row["x"]), float(row["y"])]
        assert xy == pytest.approx(arrays["xy"][place].tolist(), abs=6e-4)
        assert int(row["visible"]) == arrays["visible"][place]
        assert row["object_id"] == ("3" if place[1] == 0 else "0")


@pytest.mark.parametrize("frame", [0, 13, 26])
def test_a_stopped_run_goes_on_to_the_same_bytes(options, finished, frame):
    seen = []

    class Count:
        def message(self, text): ...
        def started(self, total, done): ...
        def result(self, result):
            seen.append(result.index)

    first = run_points(options, Count(), lambda: len(seen) > frame)
    assert first.status == "interrupted"
    assert len(np.load(options.out / "points.npz")["frames"]) == frame + 1
    second = run_points(options, Count())
    assert second.status == "complete"
    assert seen == list(range(FRAMES))
    assert contents(options.out) == contents(finished)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"trail": 3}, "trail"), ({"request": PointRequest(grid=5)}, "points")],
)
def test_another_command_refuses_to_mix(options, change, named):
    short = replace(options, max_frames=2, save=("csv",))
    run_points(short)
    with pytest.raises(OutputError, match=named):
        run_points(replace(short, **change))
    assert run_points(replace(short, **change, overwrite=True)).frames == 2


def test_points_after_the_end_are_reported(options):
    late = PointRequest(prompts=[Prompt.create(frame=99, points=[[1, 1]])], grid=2)
    summary = run_points(replace(options, request=late, max_frames=2))
    assert summary.messages == ("the points of frame 99 were not used: the video ended before it",)


def test_a_live_source_needs_a_tracker_that_streams(options, fakes, monkeypatch):
    whole = TrackerEntry(build=lambda _asked: fakes.DriftTracker(lookahead=sys.maxsize))
    monkeypatch.setitem(TRACKERS._entries, "whole", whole)
    options = replace(options, method=Method(tracker="whole"))
    camera = SimpleNamespace(
        live=True, name="camera 0", size=(160, 90), frame_count=None, close=lambda: None
    )
    monkeypatch.setattr("rvsam_video.runs.options.open_source", lambda *_, **__: camera)
    with pytest.raises(UsageError, match=r"camera 0 is live.*cotracker3-online"):
        run_points(options)
    assert not options.out.exists()


def test_an_unknown_output_makes_nothing(options):
    with pytest.raises(UsageError, match="overlay, npz, csv"):
        run_points(replace(options, save=("masks",)))
    assert not options.out.exists()


# The arrays, however long the video


def table_of(count, xy=None, states=None):
    xy = np.zeros((count, 2), np.float32) if xy is None else np.asarray(xy, np.float32)
    ones = np.ones(count)
    states = ones if states is None else np.asarray(states)
    return PointTable(
        np.arange(count), np.zeros(count, np.int64), ones.astype(np.int8), xy,
        ones.astype(np.float32), states.astype(np.int8),
    )  # fmt: skip


def test_arrays_are_put_together_without_holding_them(tmp_path):
    count, frames = 2000, 1200
    ids = np.arange(count)
    queries = QueryPoints(ids, np.zeros(count, np.int64), np.zeros((count, 2), np.float32))
    sink = ArraysSink(tmp_path, SinkContext(queries=queries))
    sink.start(None)
    result = FrameResult(0, 0.0, np.zeros((2, 2, 3), np.uint8), (), table_of(count))
    tracemalloc.start()
    for _ in range(frames):
        sink.write(result)
    (path,) = sink.finish(True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 30e6
    assert peak < 16e6
    assert np.load(path)["xy"].shape == (frames, count, 2)


# The overlay


def drawn(xy, states, trails, size=(60, 40)):
    image = np.zeros((size[1], size[0], 3), np.uint8)
    table = table_of(len(xy), xy, states)
    frame = Frame(0, 0.0, image)
    return draw_overlay(FrameResult(0, 0.0, frame.image, (), table, np.asarray(trails, np.float32)))


def test_seen_points_are_filled_and_hidden_ones_hollow():
    here = [[15, 20], [45, 20]]
    states = [PointState.VISIBLE, PointState.HIDDEN]
    picture = drawn(here, states, np.full((2, 1, 2), np.nan))
    assert picture[20, 15].any()
    assert not picture[20, 45].any()
    assert picture[12:29, 37:54].any()


def test_points_have_colours_of_their_own_and_none_outside_the_picture():
    here = [[15, 20], [45, 20], [30, -3]]
    states = [PointState.VISIBLE, PointState.VISIBLE, PointState.OUTSIDE]
    picture = drawn(here, states, np.full((3, 1, 2), np.nan))
    assert picture[20, 15].tolist() != picture[20, 45].tolist()
    assert not picture[:8].any()


def test_a_trail_is_broken_where_the_point_was_not_seen():
    nan = [np.nan, np.nan]
    trail = [[5, 20], [15, 20], nan, [35, 20], [50, 20]]
    picture = drawn([[50, 20]], [PointState.VISIBLE], [trail])
    assert picture[20, 6:15].any(axis=1).all()
    assert not picture[:, 18:32].any()
    assert picture[20, 36:50].any(axis=1).all()
