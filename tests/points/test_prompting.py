"""From the points of a frame to prompts: own points, points of others, and the passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video import PointTable, SegmentationSettings
from rvsam_video.points.prompting import object_prompts, prompt_plan


def table(states, labels, objects):
    count = len(states)
    xy = np.stack([np.arange(count), np.arange(count)], 1).astype(np.float32)
    return PointTable(
        ids=np.arange(count),
        object_ids=np.asarray(objects),
        labels=np.asarray(labels, np.int8),
        xy=xy,
        confidence=np.ones(count, np.float32),
        states=np.asarray(states, np.int8),
    )


POINTS = table([1, 0, 1, 1, -2, 1, 1, -3], [1, 1, 0, 1, 1, 0, 1, 1], [1, 1, 1, 2, 2, 2, 3, 3])


def test_own_points_come_first_then_the_visible_positives_of_the_others():
    prompts = object_prompts(POINTS, dict.fromkeys((1, 2, 3)), SegmentationSettings(), 0)
    assert [prompt.point_ids.tolist() for prompt in prompts] == [
        [0, 2, -1, -1],
        [3, 5, -1, -1],
        [6, -1, -1],
    ]
    assert [prompt.labels.tolist() for prompt in prompts] == [
        [1, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 0, 0],
    ]
    assert prompts[2].points[:, 0].tolist() == [6, 0, 3]


def test_only_objects_that_are_asked_for_together_see_each_other():
    prompts = object_prompts(POINTS, dict.fromkeys((1, 3)), SegmentationSettings(), 0)
    assert prompts[0].points[:, 0].tolist() == [0, 2, 6]


@given(st.integers(0, 30), st.integers(0, 3), st.integers(0, 5))
def test_at_most_so_many_points_of_others_the_same_in_every_run(most, seed, frame):
    many = table([1] * 21, [1] * 21, [1] + [2] * 10 + [3] * 10)
    settings = SegmentationSettings(max_other_negatives=most, seed=seed)
    ids = dict.fromkeys((1, 2, 3))
    first, second = (object_prompts(many, ids, settings, frame)[0] for _ in range(2))
    others = first.points[first.point_ids == -1, 0]
    assert len(others) == min(most, 20)
    assert len(set(others.tolist())) == len(others)
    assert np.array_equal(first.points, second.points)


@pytest.mark.parametrize(
    ("negatives", "exact", "expected"),
    [(1, False, "auto"), (0, False, "auto"), (1, True, "always"), (0, True, "never")],
)
def test_the_public_code_decides_on_a_second_pass_once_for_all(negatives, exact, expected):
    settings = SegmentationSettings(negative_points=negatives, sam_pt_exact=exact)
    plan = prompt_plan(settings)
    assert plan.positives_first == expected
    assert plan.negatives_suffice == exact
    assert plan.scale_box == (not exact)
