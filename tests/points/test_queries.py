"""What a request for points says of itself, and arrays and tables of points."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import Prompt, PromptError
from rvsam_video.points.queries import DEFAULT_GRID, PointRequest, query_points, read_point_table

ONE, TWO = [[5, 6]], [[1, 2], [3, 4]]
BOX = [0, 0, 29, 19]


@pytest.mark.parametrize(
    ("prompts", "grid", "words"),
    [
        ([], None, "a grid of 20x20 points"),
        ([], 7, "a grid of 7x7 points"),
        ([{"points": ONE}], None, "1 point"),
        ([{"points": ONE}, {"points": TWO}], None, "3 points"),
        ([{"points": ONE}], 3, "1 point and a grid of 3x3 points"),
        ([{"box": BOX}], None, "a grid of 20x20 points inside 1 region"),
        ([{"box": BOX}, {"box": BOX}], 4, "a grid of 4x4 points inside 2 regions"),
        (
            [{"box": BOX, "points": ONE}, {"mask": np.ones((40, 60), np.bool_)}],
            None,
            "1 point and a grid of 20x20 points inside 2 regions",
        ),
    ],
)
def test_a_request_says_what_it_follows(prompts, grid, words):
    given = [Prompt.create(**prompt) for prompt in prompts]
    assert str(PointRequest(prompts=given, grid=grid)) == words


def test_without_anything_a_grid_over_the_picture_is_followed():
    points, objects = PointRequest(query_frame=3).points((60, 40))
    assert len(points.ids) == DEFAULT_GRID**2
    assert set(points.frames.tolist()) == {3}
    assert not objects.any()


def test_a_box_holds_its_edges():
    prompt = Prompt.create(box=[4, 4, 14, 14])
    points, _ = PointRequest(prompts=[prompt], grid=4).points((40, 40))
    # Cells of 10 pixels have their centres at 4.5, 14.5 and so on, which belong to pixels 4 and 14.
    assert points.xy.tolist() == [[4.5, 4.5], [14.5, 4.5], [4.5, 14.5], [14.5, 14.5]]


def test_rows_of_an_array_are_points():
    points = query_points([[2, 5, 6], [0, 58.25, 39]], (60, 40))
    assert points.ids.tolist() == [0, 1]
    assert points.frames.tolist() == [2, 0]
    assert points.xy.tolist() == [[5, 6], [58.25, 39]]
    assert query_points([[5, 6]], (60, 40)).frames.tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "shape"),
        ([5, 6], "shape"),
        ([[1, 2, 3, 4]], "shape"),
        (np.zeros((0, 3)), "shape"),
        ([[0.5, 5, 6]], "frames are 0, 1, 2"),
        ([[-1, 5, 6]], "frames are 0, 1, 2"),
        ([[0, np.nan, 6]], "no numbers"),
        ([[0, 5, 40]], "outside"),
    ],
)
def test_arrays_that_hold_no_points_are_refused(rows, words):
    with pytest.raises(PromptError, match=words):
        query_points(rows, (60, 40))


def test_runs_of_one_frame_become_prompts():
    table = "frame,x,y,name\n2,1,2,a\n2,3,4,b\n5,6,7,c\n2,8,9,d\n"
    prompts = read_point_table(table, "points.csv")
    assert [prompt.frame for prompt in prompts] == [2, 5, 2]
    assert [len(prompt.points) for prompt in prompts] == [2, 1, 1]
    (other,) = read_point_table("x,y\n1,2\n", "points.csv", query_frame=4)
    assert other.frame == 4


@pytest.mark.parametrize(
    ("table", "words"),
    [("a,b\n1,2\n", "no columns x and y"), ("x,y\n", "no points"), ("x,y\n1,2\n3,b\n", "line 3")],
)
def test_tables_that_are_not_understood_are_refused(table, words):
    with pytest.raises(PromptError, match=words):
        read_point_table(table, "points.csv")
