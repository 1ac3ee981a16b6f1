"""Points whose surroundings changed: the public code's codes, and the same frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from sam_pt_cases import Case, ScriptedTracker

from rvsam_video import Frame, Prompt, SegmentationSettings, Session
from rvsam_video.clips.frames import ClipFrames
from rvsam_video.clips.points import ClipObject, choose_queries, join_queries, track_queries
from rvsam_video.points.patch_filter import PatchFilter, patches, similarity
from rvsam_video.results import PointState

CASES = [(3, 0.01), (3, 0.2), (5, 0.3), (3, None)]
SIMILARITY = 1e-3
"""OpenCV looks Lab values up in a table; the nearest threshold is 0.0037 away."""


@pytest.fixture
def golden():
    return Case("patch")


def objects_of(golden):
    labels = np.ones(golden["query_points"].shape[1], np.int8)
    return [
        ClipObject(object_id=k + 1, frame=int(points[0, 0]), points=points[:, 1:], labels=labels)
        for k, points in enumerate(golden["query_points"])
    ]


def settings_of(size, threshold, **changes):
    values = {"patch_size": size, "patch_threshold": threshold, "border": 0.01}
    return SegmentationSettings(**(values | {"sam_pt_exact": True} | changes))


def tracked(golden, settings):
    clip = ClipFrames(lambda: golden["frames"])
    queries = join_queries(choose_queries(clip, objects_of(golden), settings))
    tracker = ScriptedTracker(golden["in_trajectories"], golden["in_visibilities"])
    return track_queries(clip, clip.size, tracker, queries, [[1, 2]], settings)


@pytest.mark.parametrize(("size", "threshold"), CASES)
def test_codes_are_the_public_ones(golden, size, threshold):
    points = tracked(golden, settings_of(size, threshold))
    expected = golden[f"patch{size}_{threshold}/visibilities"]
    assert np.array_equal(points.states.reshape(expected.shape), expected)


@pytest.mark.parametrize(("size", "threshold"), CASES[:3])
def test_similarities_are_the_public_ones(golden, size, threshold):
    queries = golden["query_points"]
    for k, points in enumerate(queries):
        home = golden["frames"][int(points[0, 0])]
        reference = patches(home, points[:, 1:], size, swapped_colours=True)
        for t, frame in enumerate(golden["frames"]):
            own = patches(frame, golden["in_trajectories"][t, k], size, swapped_colours=True)
            expected = golden[f"patch{size}_{threshold}/similarity"][t, k]
            np.testing.assert_allclose(similarity(own, reference), expected, atol=SIMILARITY)


def test_by_default_red_is_red():
    red = np.zeros((9, 9, 3), np.uint8)
    red[..., 0] = 255
    centre = np.array([[4, 4]], np.float32)
    lightness, green_red, blue_yellow = patches(red, centre, 1)[0]
    assert (round(lightness), round(green_red), round(blue_yellow)) == (53, 80, 67)
    assert patches(red, centre, 1, swapped_colours=True)[0, 2] < 0


def test_a_patch_holds_the_pixels_around_a_place_and_zeros_beyond_the_picture():
    picture = np.random.default_rng(3).integers(0, 255, (9, 12, 3), np.uint8)
    places = [(5, 4), (0, 0), (11, 8), (0, 8), (6.5, 3.25)]
    found = patches(picture, np.array(places, np.float32), 3).reshape(-1, 3, 3, 3)
    pixels = np.stack(np.meshgrid(np.arange(12), np.arange(9)), -1).reshape(-1, 2)
    lab = patches(picture, pixels.astype(np.float32), 1).reshape(9, 12, 3)
    padded = np.pad(lab, ((1, 1), (1, 1), (0, 0)))
    for (x, y), patch in zip(places[:4], found, strict=False):
        np.testing.assert_allclose(patch, padded[y : y + 3, x : x + 3], atol=1e-3)
    right = (lab[2:6, 5:8] + lab[2:6, 6:9]) / 2
    np.testing.assert_allclose(found[4], 0.75 * right[:-1] + 0.25 * right[1:], atol=1e-3)


def test_a_white_picture_is_as_light_as_can_be():
    white = np.full((3, 3, 3), 255, np.uint8)
    assert patches(white, np.array([[1, 1]], np.float32), 1)[0, 0] == pytest.approx(100, abs=0.01)


def test_similar_means_above_the_threshold():
    picture = np.full((9, 9, 3), 90, np.uint8)
    ids, places = np.array([3]), np.array([[4, 4]], np.float32)
    for threshold, state in ((1.0, PointState.PATCH_DIFFERS), (0.999, PointState.VISIBLE)):
        judge = PatchFilter(3, threshold, swapped_colours=False)
        judge.begin(ids, places, picture)
        assert judge.judge(ids, places, np.ones(1, np.int8), picture).tolist() == [state]


def test_frame_by_frame_gives_the_codes_after_the_query_frame(golden):
    places, visible = golden["in_trajectories"][:, 0], golden["in_visibilities"][:, 0]
    ids = np.arange(places.shape[1])
    judge = PatchFilter(3, 0.2, swapped_colours=True)
    judge.begin(ids, golden["query_points"][0, :, 1:], golden["frames"][0])
    found = []
    for t, frame in enumerate(golden["frames"]):
        states = np.where(visible[t], PointState.VISIBLE, PointState.HIDDEN).astype(np.int8)
        again = PatchFilter(3, 0.2, swapped_colours=True)
        again.restore(judge.snapshot())
        judge = again
        found.append(judge.judge(ids, places[t], states, frame))
    expected = golden["patch3_0.2/visibilities"][:, 0]
    inside = expected != PointState.OUTSIDE
    assert np.array_equal(np.array(found)[inside], expected[inside])
    judge.drop(ids)
    assert len(judge.snapshot()["ids"]) == 0


def test_a_session_says_that_a_point_was_covered(fakes):
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (48, 64, 3), np.uint8)
    covered = texture.copy()
    covered[20:30, 15:25] = 255 - covered[20:30, 15:25]
    images = [texture, texture, covered, texture]
    settings = SegmentationSettings(
        add_points_to_clicks=False, refill_below=0, patch_threshold=0.01
    )
    session = Session(
        fakes.DriftTracker(step=(0, 0)),
        fakes.DiscSegmenter(),
        settings,
        [Prompt.create(points=[[20, 24]])],
    )
    results = [session.push(Frame(t, t, image))[0] for t, image in enumerate(images)]
    states = [PointState(result.points.states[0]).name for result in results]
    assert states == ["VISIBLE", "VISIBLE", "PATCH_DIFFERS", "AFTER_PATCH_DIFFERS"]
