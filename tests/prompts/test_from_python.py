"""Prompts as programs give them, and prompts that cannot work together."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video.errors import PromptError
from rvsam_video.prompts.from_python import as_prompts, check_whole
from rvsam_video.prompts.prompt import Prompt

CLICK = Prompt.create(2, 5, points=[[10, 20]])


@pytest.mark.parametrize(
    ("given", "points", "labels"),
    [
        ([10, 20], [[10, 20]], [1]),
        ((10.5, 20), [[10.5, 20]], [1]),
        ([[10, 20]], [[10, 20]], [1]),
        ([[10, 20], [30, 40]], [[10, 20], [30, 40]], [1, 1]),
        ([[10, 20, 1], [30, 40, 0]], [[10, 20], [30, 40]], [1, 0]),
        (np.array([[10, 20], [30, 40]]), [[10, 20], [30, 40]], [1, 1]),
        ({"points": [[10, 20]]}, [[10, 20]], [1]),
        ({"points": [10, 20], "labels": [0]}, [[10, 20]], [0]),
        ([{"points": [[10, 20, 0]]}], [[10, 20]], [0]),
    ],
)
def test_points_may_be_given_plainly(given, points, labels):
    (prompt,) = as_prompts(given)
    assert (prompt.object_id, prompt.frame) == (1, 0)
    assert prompt.points.tolist() == points
    assert prompt.labels.tolist() == labels


def test_prompts_and_mappings_may_be_mixed():
    mask = np.eye(4, dtype=bool)
    first, second, third = as_prompts(
        [CLICK, {"object": 3, "frame": 7, "box": [1, 2, 3, 4]}, {"object_id": 4, "mask": mask}]
    )
    assert first is CLICK
    assert (second.object_id, second.frame) == (3, 7)
    assert second.box is not None
    assert (third.object_id, third.mask is not None) == (4, True)
    assert as_prompts(CLICK) == [CLICK]
    assert as_prompts([]) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "prompts are given as None; give a Prompt"),
        (5, "prompts are given as 5"),
        ("320,240", "prompts are given as '320,240'"),
        ([None], "points have shape"),
        ([[]], "the prompt of object 1 in frame 0 is empty"),
        ([CLICK, [1, 2]], "points are given as"),
        ([[1, 2, 3, 4]], "points have shape"),
        ({"point": [1, 2]}, "a prompt has the name 'point'; allowed: object, object_id, frame"),
        ({"object": 1, "object_id": 2, "points": [[1, 2]]}, "a prompt has the name 'object'"),
        ({"points": [[1, 2, 1]], "labels": [1]}, "points have a label each"),
        ({"object": "bee", "points": [[1, 2]]}, "the object id is 'bee'"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(given, message):
    with pytest.raises(PromptError, match=message.replace("[", r"\[")):
        as_prompts(given)


def test_an_object_of_background_alone_is_refused():
    off = Prompt.create(3, points=[[1, 2]], labels=[0])
    with pytest.raises(PromptError, match="object 3 has only points off it"):
        check_whole([CLICK, off])
    check_whole([off, Prompt.create(3, points=[[1, 2]])])
    check_whole([off, Prompt.create(3, box=[1, 2, 3, 4])])


def test_an_object_that_is_shown_later_begins_there(caplog):
    check_whole([Prompt.create(points=[[9, 9]], labels=[0]), Prompt.create(1, 8, points=[[9, 9]])])
    assert "object 1 has only points off it (label 0) before frame 8" in caplog.text


def test_a_frame_behind_the_last_is_refused():
    check_whole([CLICK], 6)
    check_whole([CLICK], None)
    with pytest.raises(PromptError, match="frame 5 comes too late: the last frame is 4"):
        check_whole([CLICK], 5)


@pytest.mark.parametrize(
    ("prompt", "warned"),
    [
        (Prompt.create(points=[[0.25, 0.4]]), True),
        (Prompt.create(box=[0, 0, 1, 1]), True),
        (Prompt.create(points=[[1, 1]]), False),
        (Prompt.create(points=[[0.25, 4]]), False),
        (Prompt.create(mask=np.ones((2, 2), bool)), False),
    ],
)
def test_fractions_of_the_picture_are_warned_of(caplog, prompt, warned):
    check_whole([prompt])
    assert ("written in percent, as in 50%,30%" in caplog.text) == warned
