"""From the points of a frame to prompts: own points, points of others, and the passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video import PointTable, Prompt, SegmentationSettings
from rvsam_video.points.prompting import (
    correction_prompt,
    object_prompts,
    prompt_plan,
    start_prompt,
    without_points,
)


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


def test_the_points_of_others_may_be_left_out():
    settings = SegmentationSettings(other_objects_as_negatives=False)
    prompts = object_prompts(POINTS, dict.fromkeys((1, 2, 3)), settings, 0)
    assert [prompt.point_ids.tolist() for prompt in prompts] == [[0, 2], [3, 5], [6]]
    (alone,) = object_prompts(POINTS, {1: None}, SegmentationSettings(), 0)
    assert alone.point_ids.tolist() == [0, 2]


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
    assert plan.clip_score == (not exact)


def test_an_object_starts_from_what_is_said_of_it_and_what_is_elsewhere():
    said = Prompt.create(7, points=[[3, 4], [5, 6]], labels=[1, 0], box=[1, 2, 30, 40])
    elsewhere = np.array([[9, 9]], np.float32)
    prompt = start_prompt(said, 40, elsewhere, SegmentationSettings(refinements=2))
    assert (prompt.object_id, prompt.plan.refinements) == (7, 2)
    assert prompt.points.tolist() == [[3, 4], [5, 6], [9, 9]]
    assert prompt.labels.tolist() == [1, 0, 0]
    assert prompt.point_ids.tolist() == [40, 41, -1]
    assert prompt.box is not None
    assert prompt.memory is None


def test_a_correction_comes_after_the_objects_own_visible_points():
    said = Prompt.create(2, points=[[30, 31]], labels=[0])
    memory = {"seen": np.array(3)}
    prompt = correction_prompt(said, np.array([8]), POINTS, memory, SegmentationSettings())
    assert prompt.object_id == 2
    assert prompt.points.tolist() == [[3, 3], [5, 5], [30, 31]]
    assert prompt.labels.tolist() == [1, 0, 0]
    assert prompt.point_ids.tolist() == [3, 5, 8]
    assert prompt.memory is memory
    less = without_points(prompt, [3, 8])
    assert (less.points.tolist(), less.labels.tolist()) == ([[5, 5]], [0])
    assert less.point_ids.tolist() == [5]
    assert less.memory is memory
