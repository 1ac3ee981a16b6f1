"""Points alone: which ones are followed, frame by frame, and going on after a break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.points.queries import PointRequest, grid_points, read_point_table
from rvsam_video.results import PointState
from rvsam_video.streaming.point_session import PointSession

# Which points


@given(st.integers(1, 30), st.integers(30, 200), st.integers(30, 200))
def test_a_grid_has_one_point_in_the_middle_of_every_cell(count, width, height):
    places = grid_points(count, (width, height))
    assert places.shape == (count * count, 2)
    assert ((places > -0.5) & (places < (width - 0.5, height - 0.5))).all()
    cells = np.floor((places + 0.5) / (width / count, height / count) + 1e-6)
    assert len(np.unique(cells, axis=0)) == count * count
    assert places.mean(axis=0) == pytest.approx([(width - 1) / 2, (height - 1) / 2], abs=1e-3)


def test_a_grid_keeps_to_its_region():
    region = np.zeros((40, 60), np.bool_)
    region[10:20, 30:50] = True
    inside = grid_points(12, (60, 40), region)
    everywhere = grid_points(12, (60, 40))
    x, y = everywhere.T
    expected = everywhere[(x > 29.5) & (x < 49.5) & (y > 9.5) & (y < 19.5)]
    assert inside.tolist() == expected.tolist()
    assert len(inside) == 12


def points_of(request, size=(60, 40)):
    points, objects = request.points(size)
    rows = np.column_stack((points.frames, points.xy)).tolist()
    return points.ids.tolist(), rows, objects.tolist()


def test_points_are_numbered_as_they_were_given():
    prompts = [
        rv.Prompt.create(frame=3, points=[[5, 6]]),
        rv.Prompt.create(object_id=7, points=[[1, 2], [3, 4]], labels=[1, 0]),
    ]
    ids, rows, objects = points_of(PointRequest(prompts=prompts))
    assert ids == [0, 1, 2]
    assert rows == [[3, 5, 6], [0, 1, 2], [0, 3, 4]]
    assert objects == [1, 7, 7]


def test_a_grid_joins_points_only_if_asked_for():
    prompts = [rv.Prompt.create(points=[[5, 6]])]
    ids, rows, objects = points_of(PointRequest(prompts=prompts, grid=2, query_frame=4))
    assert ids == [0, 1, 2, 3, 4]
    assert rows[1:] == [[4, 14.5, 9.5], [4, 44.5, 9.5], [4, 14.5, 29.5], [4, 44.5, 29.5]]
    assert objects == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["mask", "box"])
def test_the_grid_fills_masks_and_boxes(kind):
    mask = np.zeros((40, 60), np.bool_)
    mask[:20, :30] = True
    region = {"mask": mask} if kind == "mask" else {"box": [0, 0, 29, 19]}
    prompts = [rv.Prompt.create(object_id=2, frame=1, **region)]
    _, rows, objects = points_of(PointRequest(prompts=prompts, grid=4))
    assert rows == [[1, 7, 4.5], [1, 22, 4.5], [1, 7, 14.5], [1, 22, 14.5]]
    assert objects == [2, 2, 2, 2]


def test_a_region_between_the_points_of_the_grid_is_said():
    mask = np.zeros((40, 60), np.bool_)
    mask[0, 0] = True
    with pytest.raises(rv.PromptError, match="finer one with --grid"):
        PointRequest(prompts=[rv.Prompt.create(mask=mask)], grid=3).points((60, 40))


def test_a_table_of_points():
    prompts = read_point_table("frame,y,x,what\n0,2,1,a\n0,4,3.5,b\n,6,5,c\n", "p.csv", 9)
    assert points_of(PointRequest(prompts=prompts))[1] == [[0, 1, 2], [0, 3.5, 4], [9, 5, 6]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no columns x and y"),
        ("a,b\n1,2\n", "no columns x and y"),
        ("x,y\n", "holds no points"),
        ("x,y\n1,2\n3,four\n", "p.csv line 3"),
        ("x,y\n1\n", "p.csv line 2"),
        ("frame,x,y\n0.5,1,2\n", "p.csv line 2"),
    ],
)
def test_a_table_that_is_not_understood_is_named(text, sentence):
    with pytest.raises(rv.PromptError, match=sentence):
        read_point_table(text, "p.csv")


# From Python


def test_every_frame_comes_out_once_with_the_points_that_live_in_it(fakes, make_frames):
    tracker = fakes.DriftTracker(lookahead=3, step=(1, 2))
    queries = [[0, 5, 6], [4, 10, 10]]
    tracked = list(rv.track_points(make_frames(8), queries, tracker=tracker, direction="forward"))
    assert [points.frame_index for points in tracked] == list(range(8))
    assert [points.ids.tolist() for points in tracked] == [[0]] * 4 + [[0, 1]] * 4
    assert tracked[7].xy.tolist() == [[12, 20], [13, 16]]


def test_bare_pictures_are_frames(fakes, make_frames):
    images = [frame.image for frame in make_frames(3)]
    tracked = list(rv.track_points(images, grid=2, tracker=fakes.DriftTracker()))
    assert [len(points.ids) for points in tracked] == [4, 4, 4]


def test_lucas_kanade_follows_a_file(tmp_path):
    clip = SyntheticClip(frames=6, size=(320, 180))
    clip.write(tmp_path / "clip.mp4")
    prompt = next(prompt for prompt in clip.prompts() if len(prompt.points))
    (first, *_, last) = rv.track_points(tmp_path / "clip.mp4", prompt.points[:1])
    x, y = np.rint(last.xy[0]).astype(int)
    assert first.xy.tolist() == prompt.points[:1].tolist()
    assert np.linalg.norm(last.xy - first.xy) > 1
    assert clip.truth(5)[y, x] == prompt.object_id


@pytest.mark.parametrize(
    ("queries", "sentence"),
    [
        ([], "shape"),
        ([[1, 2, 3, 4]], "shape"),
        ([[0, 64, 3]], "outside the picture"),
        ([[0.5, 3, 3]], "frames are 0, 1, 2"),
        ([[-1, 3, 3]], "frames are 0, 1, 2"),
        ([[np.nan, 3]], "no numbers"),
    ],
)
def test_queries_that_make_no_sense(fakes, make_frames, queries, sentence):
    tracker = fakes.DriftTracker()
    with pytest.raises(rv.PromptError, match=sentence):
        next(rv.track_points(make_frames(1), queries, tracker=tracker))


def test_frames_of_another_size_are_refused(fakes, make_frames):
    frames = [*make_frames(1), rv.Frame(1, 0.1, np.zeros((10, 10, 3), np.uint8))]
    with pytest.raises(rv.UsageError, match="10x10"):
        list(rv.track_points(frames, grid=2, tracker=fakes.DriftTracker()))


# In a run


def session_of(tracker, trail=3):
    request = PointRequest(prompts=[rv.Prompt.create(points=[[5, 6]])], grid=2, query_frame=2)
    return PointSession(tracker, *request.points((64, 48)), trail)


def results_of(session, frames):
    return [result for frame in frames for result in session.push(frame)]


def test_results_hold_trails_of_what_was_seen(fakes, make_frames):
    session = session_of(fakes.DriftTracker(lookahead=1, step=(-4, 0)))
    results = results_of(session, make_frames(5)) + session.flush()
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert [len(result.points) for result in results] == [1, 1, 5, 5, 5]
    assert results[1].trails[0].tolist() == [[nan, nan], [5, 6], [1, 6]]
    # The first point left the picture after frame 1: its trail ends.
    assert results[3].points.states[0] == PointState.OUTSIDE
    assert results[3].trails[0].tolist() == [[1, 6], [nan, nan], [nan, nan]]
    assert results[4].trails[1, :, 0].tolist() == [15.5, 11.5, 7.5]


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_a_session_goes_on_from_its_snapshot(fakes, make_frames, cut):
    frames = make_frames(7)
    whole = session_of(fakes.DriftTracker(lookahead=2))
    expected = results_of(whole, frames) + whole.flush()
    first, second = (session_of(fakes.DriftTracker(lookahead=2)) for _ in range(2))
    results = results_of(first, frames[:cut])
    second.restore(first.snapshot())
    assert second.last_index == cut - 1
    results += results_of(second, frames[cut:]) + second.flush()
    assert [result.index for result in results] == list(range(7))
    for one, other in zip(results, expected, strict=True):
        assert one.points.ids.tolist() == other.points.ids.tolist()
        assert np.array_equal(one.points.xy, other.points.xy)
        assert np.array_equal(one.trails, other.trails, equal_nan=True)
        assert np.array_equal(one.image, other.image)
