"""A prompt is either usable or refused with a sentence; it fits its frames or says why not."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.errors import PromptError
from rvsam_video.prompts.prompt import Prompt, check_against_frame, merge_prompts

SIZE = (854, 480)


def test_create_turns_lists_into_the_documented_arrays():
    prompt = Prompt.create(3, 7, points=[[1, 2], [3, 4.5]], labels=[1, 0], box=(1, 2, 3, 4))
    assert (prompt.object_id, prompt.frame) == (3, 7)
    assert prompt.points.dtype == np.float32
    assert prompt.points.tolist() == [[1, 2], [3, 4.5]]
    assert prompt.labels.dtype == np.int8
    assert prompt.labels.tolist() == [1, 0]
    assert prompt.box is not None
    assert prompt.box.dtype == np.float32
    assert prompt.mask is None


def test_points_are_on_the_object_unless_said_otherwise():
    assert Prompt.create(points=[[1, 2], [3, 4]]).labels.tolist() == [1, 1]


def test_create_keeps_no_tie_to_the_callers_points():
    points = np.array([[1, 2]], np.float32)
    prompt = Prompt.create(points=points)
    points[:] = 0
    assert prompt.points.tolist() == [[1, 2]]


@pytest.mark.parametrize("white", [1, 255])
def test_a_mask_of_numbers_becomes_bool(white):
    mask = Prompt.create(mask=[[0, white], [0, 0]]).mask
    assert mask is not None
    assert mask.dtype == np.bool_
    assert mask.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"object_id": 0}, "the object id is 0; it must be a whole number from 1 to 255"),
        ({"object_id": 256}, "the object id is 256; it must be a whole number from 1 to 255"),
        ({"object_id": 1.5}, "the object id is 1.5; it must be a whole number"),
        ({"object_id": "cat"}, "the object id is 'cat'; it must be a whole number"),
        ({"frame": -1}, "the frame is -1; it must be a whole number from 0 to 2147483647"),
        ({"points": None}, "object 1 in frame 0 is empty; give at least a point, a box or a mask"),
        ({"points": []}, "is empty"),
        (
            {"points": [3, 4]},
            "the points of object 1 in frame 0 have shape (2,); it must be (N, 2)",
        ),
        ({"points": 5}, "have shape (); it must be (N, 2)"),
        ({"points": [[1, 2, 3]]}, "have shape (1, 3)"),
        ({"points": [[1, 2], [3]]}, "cannot be read as numbers"),
        ({"points": [["a", "b"]]}, "cannot be read as numbers"),
        ({"points": [[10**400, 1]]}, "cannot be read as numbers"),
        ({"points": [[np.nan, 3]]}, "point (nan, 3) of object 1 in frame 0 is not made of finite"),
        ({"points": [[1e39, 3]]}, "point (inf, 3)"),
        ({"labels": [1, 1]}, "has 1 points, but its labels have shape (2,)"),
        ({"labels": [2]}, "label 2 is unknown; use 1 (on the object) or 0 (off)"),
        ({"labels": [257]}, "label 257 is unknown"),
        ({"box": [1, 2, 3]}, "the box of object 1 in frame 0 has shape (3,)"),
        ({"box": [9, 2, 3, 4]}, "box (9, 2, 3, 4) of object 1 in frame 0 has its corners in the"),
        ({"box": [1, 2, 3, 1.5]}, "x0 <= x1 and y0 <= y1"),
        ({"box": [1, 2, np.inf, 4]}, "box (1, 2, inf, 4)"),
        ({"mask": np.zeros((3, 4), np.bool_)}, "the mask of object 1 in frame 0 is empty"),
        ({"mask": np.ones(3, np.bool_)}, "the mask of object 1 in frame 0 has shape (3,)"),
        ({"mask": np.full((3, 4), 0.5)}, "the mask is of type float64"),
        ({"mask": [[1, 2], [0, 0]]}, "holds several objects (numbers up to 2)"),
    ],
)
def test_what_no_frame_could_use_is_refused(arguments, message):
    with pytest.raises(PromptError, match=re.escape(message)):
        Prompt.create(**({"points": [[1, 2]]} | arguments))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", np.ones((1, 2))),
        ("points", [[1, 2]]),
        ("labels", np.ones(1, np.int64)),
        ("box", np.ones(4)),
        ("mask", np.ones((2, 2), np.uint8)),
    ],
)
def test_the_constructor_takes_the_documented_types_only(field, value):
    good = {"points": np.ones((1, 2), np.float32), "labels": np.ones(1, np.int8)}
    with pytest.raises(PromptError, match=f"the {field[:4]}.*Prompt.create converts"):
        Prompt(**(good | {field: value}))


def test_prompts_of_one_object_and_frame_are_joined():
    merged = merge_prompts(
        [
            Prompt.create(2, 5, points=[[1, 1]]),
            Prompt.create(1, 9, points=[[2, 2]]),
            Prompt.create(2, 5, points=[[3, 3]], labels=[0]),
            Prompt.create(2, 5, box=[0, 0, 9, 9]),
            Prompt.create(1, 5, points=[[4, 4]]),
        ]
    )
    assert [(item.frame, item.object_id) for item in merged] == [(5, 1), (5, 2), (9, 1)]
    assert merged[1].points.tolist() == [[1, 1], [3, 3]]
    assert merged[1].labels.tolist() == [1, 0]
    assert merged[1].box is not None
    assert merged[1].box.tolist() == [0, 0, 9, 9]


@pytest.mark.parametrize(
    ("twice", "message"),
    [
        ({"box": [0, 0, 1, 1]}, "object 1 in frame 0 has 2 boxes; give at most one"),
        ({"mask": [[1]]}, "object 1 in frame 0 has 2 masks"),
    ],
)
def test_an_object_has_one_box_and_one_mask_per_frame(twice, message):
    with pytest.raises(PromptError, match=message):
        merge_prompts([Prompt.create(**twice), Prompt.create(**twice)])


def test_a_point_outside_the_picture_is_refused_with_the_allowed_range():
    prompt = Prompt.create(points=[[10, 20], [900, 20]])
    message = (
        "point (900, 20) of object 1 in frame 0 is outside the picture; "
        "x must be 0 to 853 and y 0 to 479"
    )
    with pytest.raises(PromptError, match=f"^{re.escape(message)}$"):
        check_against_frame(prompt, SIZE)


@given(st.floats(0, 853, width=32), st.floats(0, 479, width=32))
def test_points_inside_the_picture_are_taken_as_they_are(x, y):
    prompt = Prompt.create(points=[[x, y]], box=[0, 0, x, y])
    assert check_against_frame(prompt, SIZE) is prompt


def test_a_box_over_the_edge_is_cut_to_the_picture_and_that_is_said(caplog):
    prompt = Prompt.create(4, 2, points=[[5, 6]], box=[-20, 10.5, 900, 30])
    with caplog.at_level(logging.WARNING):
        cut = check_against_frame(prompt, SIZE)
    assert cut.box is not None
    assert cut.box.tolist() == [0, 10.5, 853, 30]
    assert (cut.object_id, cut.frame, cut.points.tolist()) == (4, 2, [[5, 6]])
    assert "box (-20, 10.5, 900, 30) of object 4 in frame 2 reaches outside" in caplog.text
    assert "was cut to (0, 10.5, 853, 30)" in caplog.text


@pytest.mark.parametrize(
    "box", [[-9, 5, -1, 9], [854, 5, 900, 9], [5, 480, 9, 490], [0, -9, 9, -1]]
)
def test_a_box_wholly_outside_is_refused(box):
    with pytest.raises(PromptError, match=r"is outside the picture; x must be 0 to 853"):
        check_against_frame(Prompt.create(box=box), SIZE)


def test_a_mask_must_have_the_size_of_the_frames():
    message = "is 640x480 pixels, but the frames are 854x480"
    with pytest.raises(PromptError, match=message):
        check_against_frame(Prompt.create(mask=np.ones((480, 640), np.bool_)), SIZE)
    fitting = Prompt.create(mask=np.ones((480, 854), np.bool_))
    assert check_against_frame(fitting, SIZE) is fitting


@pytest.mark.parametrize("module", ["prompts", "points.choosing"])
def test_importing_prompts_is_light(module):
    heavy = {"cv2", "av", "torch", "PIL", "pycocotools"}
    code = f"import sys, rvsam_video.{module}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
