"""What may be written after --points, --box and --mask, and what is answered to anything else."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rvsam_video.errors import PromptError
from rvsam_video.prompts.files import save_prompts
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.prompts.words import (
    load_query_points,
    needs_video,
    parse_box,
    parse_mask,
    parse_points,
    parse_prompts,
)

GRAMMAR_LIKE = st.text(alphabet="0123456789,.:@-+e ;/\\jsontxpg", max_size=30)


@pytest.mark.parametrize(
    ("text", "object_id", "frame", "point", "label"),
    [
        ("120,80", 1, 0, [120, 80], 1),
        ("120.5,80.25", 1, 0, [120.5, 80.25], 1),
        ("2:120,80", 2, 0, [120, 80], 1),
        ("120,80,0", 1, 0, [120, 80], 0),
        ("120,80@30", 1, 30, [120, 80], 1),
        ("255:.5,1e2,0@30", 255, 30, [0.5, 100], 0),
        (" 120,80 ", 1, 0, [120, 80], 1),
        ("-3,+4", 1, 0, [-3, 4], 1),
    ],
)
def test_a_point_names_its_object_label_and_frame(text, object_id, frame, point, label):
    (prompt,) = parse_points(text)
    assert (prompt.object_id, prompt.frame) == (object_id, frame)
    assert prompt.points.tolist() == [point]
    assert prompt.labels.tolist() == [label]


def test_points_in_one_value_stand_for_themselves():
    first, second = parse_points("2:10,20 30,40 2:50,60,0")
    assert (first.object_id, first.points.tolist()) == (1, [[30, 40]])
    assert (second.object_id, second.points.tolist()) == (2, [[10, 20], [50, 60]])
    assert second.labels.tolist() == [1, 0]


def test_a_box_names_its_object_and_frame():
    prompt = parse_box("2:10,20,110,220@30")
    assert (prompt.object_id, prompt.frame) == (2, 30)
    assert prompt.box is not None
    assert prompt.box.tolist() == [10, 20, 110, 220]
    assert parse_box("1,2,3,4").object_id == 1


def test_a_mask_names_its_object_and_frame(tmp_path):
    path = tmp_path / "cup.png"
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(path)
    (prompt,) = parse_mask(f"7:{path}@30")
    assert (prompt.object_id, prompt.frame) == (7, 30)
    assert prompt.mask is not None
    assert prompt.mask.tolist() == [[False, True]]


def test_a_mask_whose_name_looks_like_the_grammar_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.array([[0, 255]], np.uint8)).save("3:cup@7", format="PNG")
    (prompt,) = parse_mask("./3:cup@7@0")
    assert (prompt.object_id, prompt.frame) == (1, 0)


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_points, "", "--points has no value; write [OBJ:]X,Y"),
        (parse_points, "120", "--points '120' is not understood; write [OBJ:]X,Y[,LABEL][@FRAME]"),
        (parse_points, "1,2,3,4", "--points '1,2,3,4' is not understood"),
        (
            parse_points,
            "1,2,yes",
            "has the label 'yes'; a label is 1 (on the object) or 0 (off it)",
        ),
        (parse_points, "a,2", "--points 'a,2': 'a' is not a number"),
        (parse_points, "nan,2", "'nan' is not a number"),
        (parse_points, "1_0,2", "'1_0' is not a number"),
        (parse_points, "1e99,2", "point (inf, 2) of object 1 in frame 0 is not made of finite"),
        (parse_points, "cat:1,2", "'cat:1' is not a number"),
        (parse_points, "300:1,2", "the object id is 300; it must be a whole number from 1 to 255"),
        (parse_points, "1,2@9999999999", "the frame is 9999999999"),
        (parse_points, "1,2@-3", "'2@-3' is not a number"),
        (parse_points, "no-such.json", "no-such.json cannot be read"),
        (parse_box, "1,2,3", "--box '1,2,3' has 3 numbers instead of 4; write [OBJ:]X0,Y0,X1,Y1"),
        (parse_box, "1,2,x,4", "--box '1,2,x,4': 'x' is not a number"),
        (parse_box, "9,2,3,4", "has its corners in the wrong order"),
        (parse_mask, "2:@3", "--mask '2:@3' names no file; write [OBJ:]FILE[@FRAME]"),
        (parse_mask, "no-such.png", "the mask no-such.png cannot be read"),
        (parse_mask, "0:no-such.png", "no-such.png cannot be read"),
    ],
)
def test_what_is_not_understood_is_answered_with_the_grammar(parse, text, message):
    with pytest.raises(PromptError, match=re.escape(message)):
        parse(text)


class Clip:
    """A video of 320x240 pixels with ten frames a second."""

    size = (320, 240)

    def frame_at(self, seconds):
        return int(10 * seconds)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("320, 240", [[320, 240]]),
        ("(320,240)", [[320, 240]]),
        ("( 320 , 240 )", [[320, 240]]),
        ("[320, 240]", [[320, 240]]),
        ("320 240", [[320, 240]]),
        ("320 240 100 80", [[320, 240], [100, 80]]),
        ("(1, 2) (3, 4)", [[1, 2], [3, 4]]),
        ("1,2 3,4", [[1, 2], [3, 4]]),
        ("-5 10", [[-5, 10]]),
    ],
)
def test_points_are_understood_as_people_type_them(text, points):
    (prompt,) = parse_points(text)
    assert prompt.points.tolist() == points


def test_objects_labels_and_frames_may_stand_apart():
    (prompt,) = parse_points("2: (320, 240, 0) @ 30")
    assert (prompt.object_id, prompt.frame, prompt.labels.tolist()) == (2, 30, [0])
    assert parse_points("320 240 0")[0].labels.tolist() == [0]
    box = parse_box("(10, 20, 110, 220)").box
    assert box is not None
    assert box.tolist() == [10, 20, 110, 220]
    assert parse_box("10 20 110 220").box is not None


def test_percentages_are_parts_of_the_picture():
    (prompt,) = parse_points("50%,25% 0%,100% 10,50%", Clip())
    assert prompt.points.tolist() == [[159.5, 59.5], [0, 239], [10, 119.5]]
    box = parse_box("0%,0%,100%,50%", Clip()).box
    assert box is not None
    assert box.tolist() == [0, 0, 319, 119.5]
    with pytest.raises(PromptError, match="101% is not between 0% and 100%"):
        parse_points("101%,5%", Clip())
    with pytest.raises(PromptError, match="50% needs a video to be a part of; give pixels"):
        parse_points("50%,5%")


def test_times_are_frames():
    (prompt,) = parse_points("1,2@1.5s", Clip())
    assert prompt.frame == 15
    assert parse_box("1,2,3,4@2s", Clip()).frame == 20
    with pytest.raises(PromptError, match="the time @2s needs a video to count its frames in"):
        parse_points("1,2@2s")


@pytest.mark.parametrize(
    ("text", "needed"),
    [("1,2", False), ("50%,2", True), ("1,2@3", False), ("1,2@3s", True), ("a@b.png", False)],
)
def test_the_video_is_opened_only_where_it_is_needed(text, needed):
    assert needs_video([text]) == needed


printed = st.builds(
    Prompt.create,
    st.integers(1, 255),
    st.integers(0, 2**31 - 1),
    points=st.lists(
        st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32)),
        min_size=1,
        max_size=4,
    ),
)


@given(printed, st.sampled_from(["{o}:{x!r},{y!r}@{f}", "{o}: ({x!r}, {y!r}) @ {f}"]))
def test_prompts_that_are_printed_are_parsed_back(prompt, form):
    words = [
        form.format(o=prompt.object_id, x=x, y=y, f=prompt.frame) for x, y in prompt.points.tolist()
    ]
    (back,) = parse_points(" ".join(words))
    assert (back.object_id, back.frame) == (prompt.object_id, prompt.frame)
    np.testing.assert_array_equal(back.points, prompt.points)


@given(GRAMMAR_LIKE | st.text(max_size=30))
def test_any_text_parses_or_is_refused(text):
    for parse in (parse_points, parse_box, parse_mask):
        try:
            found = parse(text)
        except PromptError:
            continue
        assert all(isinstance(item, Prompt) for item in np.atleast_1d(np.array(found, object)))


@given(
    st.integers(1, 255),
    st.integers(0, 2**31 - 1),
    st.floats(-1e6, 1e6, width=32),
    st.floats(-1e6, 1e6, width=32),
    st.integers(0, 1),
)
def test_a_written_point_is_read_back(object_id, frame, x, y, label):
    (prompt,) = parse_points(f"{object_id}:{x!r},{y!r},{label}@{frame}")
    assert (prompt.object_id, prompt.frame) == (object_id, frame)
    assert prompt.points.tolist() == [[x, y]]
    assert prompt.labels.tolist() == [label]


def test_all_options_are_joined_by_object_and_frame(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(path)
    prompts = parse_prompts(
        points=["1:5,6", "2:7,8@4", "1:9,9,0"], boxes=["2:1,2,3,4"], masks=[str(path)]
    )
    assert [(item.frame, item.object_id) for item in prompts] == [(0, 1), (0, 2), (4, 2)]
    assert prompts[0].points.tolist() == [[5, 6], [9, 9]]
    assert prompts[0].mask is not None
    assert prompts[1].box is not None
    assert prompts[1].mask is not None


def test_no_options_are_no_prompts():
    assert parse_prompts() == []


def test_two_boxes_for_an_object_in_a_frame_are_refused():
    with pytest.raises(PromptError, match="object 1 in frame 0 has 2 boxes"):
        parse_prompts(boxes=["1,2,3,4", "1,2,3,5"])


def test_points_can_be_a_prompt_file(tmp_path):
    path = tmp_path / "clicks.JSON"
    save_prompts(
        path, [Prompt.create(2, 3, points=[[1, 2]]), Prompt.create(2, 3, box=[0, 0, 1, 1])]
    )
    (prompt,) = parse_points(str(path))
    assert (prompt.object_id, prompt.frame, prompt.points.tolist()) == (2, 3, [[1, 2]])
    assert prompt.box is not None


def test_points_can_be_a_query_point_file(tmp_path):
    path = tmp_path / "points.txt"
    path.write_text("3\n0;282.5,241.25 336.25,240.0 357.5,276.25 531.25,242.5\n\n 12; 1,2 3,4\n")
    first, second = parse_points(str(path))
    assert (first.object_id, first.frame) == (1, 0)
    assert first.points.tolist() == [
        [282.5, 241.25],
        [336.25, 240],
        [357.5, 276.25],
        [531.25, 242.5],
    ]
    assert first.labels.tolist() == [1, 1, 1, 0]
    assert (second.object_id, second.frame, second.labels.tolist()) == (2, 12, [1, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "begins with nothing; its first line must be the number of positive points"),
        ("three\n0;1,2", "begins with 'three'"),
        ("3\n", "holds 0 objects; allowed are 1 to 255"),
        ("3\n" + "0;1,2\n" * 256, "holds 256 objects; allowed are 1 to 255"),
        ("3\n1,2 3,4", "line 2, '1,2 3,4', is not understood; write FRAME;X,Y X,Y ..."),
        ("3\n0;", "line 2, '0;', is not understood"),
        ("3\n0;1,2\n\n0;1,2 3", "line 4: '3' is not a point"),
        ("3\n0;1,b", "line 2: 'b' is not a number"),
    ],
)
def test_a_damaged_query_point_file_names_the_line(tmp_path, content, message):
    path = tmp_path / "points.txt"
    path.write_text(content)
    with pytest.raises(PromptError, match=re.escape(message)):
        load_query_points(path)


@given(st.binary(max_size=60) | GRAMMAR_LIKE.map(str.encode))
def test_any_query_point_file_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "points.txt"
    path.write_bytes(b"1\n" + content)
    try:
        prompts = load_query_points(path)
    except PromptError:
        return
    assert prompts
