"""CoTracker behind a session: objects that come late, points that are refilled, killed runs."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import Frame, Prompt, SegmentationSettings, Session
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.cotracker.variants import CoTrackerSettings

SETTINGS = SegmentationSettings(positive_points=4, refill_below=0.9, refill_score=0.5)


@pytest.fixture
def session(fakes, fake_network):
    options = CoTrackerSettings(network_size=(64, 48), iterations=1, visibility_threshold=0.285)
    tracker = CoTracker("fake", fake_network(), options)
    prompts = [
        Prompt.create(object_id=1, frame=0, points=[[20, 24]]),
        Prompt.create(object_id=2, frame=9, points=[[40, 30]]),
    ]
    return lambda: Session(tracker, fakes.DiscSegmenter(), SETTINGS, prompts)


@pytest.fixture
def frames(soft_clip):
    return [Frame(index, index / 25, image) for index, image in enumerate(soft_clip)]


def _late_object(session, frame):
    session.add(3, points=[[30, 12]], frame=frame)


def test_objects_start_in_their_frame_and_points_are_refilled(session, frames):
    run, results = session(), []
    for frame in frames:
        results += run.push(frame)
        if frame.index == 17:
            _late_object(run, 17)
    results += run.flush()
    assert [result.index for result in results] == list(range(30))
    assert [list(results[index].masks) for index in (0, 8, 9, 16, 17)] == [
        [1], [1], [1, 2], [1, 2], [1, 2, 3],
    ]  # fmt: skip
    first, last = (
        set(table.ids[table.object_ids == 1].tolist())
        for table in (results[0].points, results[-1].points)
    )
    assert last - first
    click = results[9].points
    np.testing.assert_array_equal(click.xy[click.object_ids == 2][0], [40, 30])


def test_a_restored_session_goes_on_as_if_nothing_happened(session, frames):
    whole = session()
    expected = [result for frame in frames for result in whole.push(frame)] + whole.flush()
    run, results = session(), []
    for frame in frames:
        if frame.index % 3 == 2:
            saved = {key: value.copy() for key, value in run.snapshot().items()}
            run = session()
            run.restore(saved)
        results += run.push(frame)
    results += run.flush()
    assert len(results) == len(expected)
    for one, two in zip(results, expected, strict=True):
        np.testing.assert_array_equal(one.points.ids, two.points.ids)
        np.testing.assert_array_equal(one.points.xy, two.points.xy)
        np.testing.assert_array_equal(one.index_map(), two.index_map())
