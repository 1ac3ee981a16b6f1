"""What is drawn where: masks, contours, dots, rings, crosses and ids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsam_video.results import FrameResult, ObjectResult, PointState, PointTable
from rvsam_video.sinks.colours import drawing_colour
from rvsam_video.sinks.drawing import MASK_OPACITY, draw_overlay

MakeResult = Callable[..., FrameResult]
GREY = 100


def scene(
    masks: dict[int, np.ndarray], points: list[tuple[float, float, int, int]] | None = None
) -> FrameResult:
    """Return a grey 80x60 frame; points are x, y, label, state, all of object 1."""
    rows = np.array(points or [], np.float32).reshape(-1, 4)
    table = PointTable(
        ids=np.arange(len(rows)),
        object_ids=np.ones(len(rows), np.int64),
        labels=rows[:, 2].astype(np.int8),
        xy=rows[:, :2],
        confidence=np.ones(len(rows), np.float32),
        states=rows[:, 3].astype(np.int8),
    )
    objects = tuple(
        ObjectResult(key, mask, 1.0, np.zeros((1, 1), np.float32)) for key, mask in masks.items()
    )
    return FrameResult(0, 0.0, np.full((60, 80, 3), GREY, np.uint8), objects, table)


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def changed(result: FrameResult) -> np.ndarray:
    return (draw_overlay(result) != result.image).any(axis=2)


def test_a_mask_is_tinted_in_its_colour_and_nothing_else_changes() -> None:
    result = scene({2: box(20, 25, 60, 50)})
    drawn = draw_overlay(result)
    mixed = (1 - MASK_OPACITY) * GREY + MASK_OPACITY * np.array(drawing_colour(2))
    np.testing.assert_allclose(drawn[38, 40], mixed, atol=1)
    assert (drawn[:, :15] == GREY).all()
    assert (drawn[:, 65:] == GREY).all()


def test_the_contour_is_in_the_full_colour() -> None:
    drawn = draw_overlay(scene({2: box(20, 25, 60, 50)}))
    assert tuple(drawn[38, 20]) == drawing_colour(2)


def test_the_source_picture_is_not_changed(make_result: MakeResult) -> None:
    result = make_result(8)
    before = result.image.copy()
    assert draw_overlay(result).shape == before.shape
    np.testing.assert_array_equal(result.image, before)


def test_empty_masks_and_no_points_draw_nothing() -> None:
    assert not changed(scene({1: box(0, 0, 0, 0)})).any()


def test_a_used_point_is_a_filled_dot_in_its_colour() -> None:
    drawn = draw_overlay(scene({}, [(40, 30, 1, PointState.VISIBLE)]))
    assert tuple(drawn[30, 40]) == drawing_colour(1)


def test_a_hidden_point_is_a_hollow_ring() -> None:
    drawn = draw_overlay(scene({}, [(40, 30, 1, PointState.HIDDEN)]))
    assert tuple(drawn[30, 40]) == (GREY, GREY, GREY)
    assert (drawn[30, 30:40] != GREY).any()


def test_a_negative_point_is_a_cross() -> None:
    drawn = draw_overlay(scene({}, [(40, 30, 0, PointState.VISIBLE)]))
    assert tuple(drawn[30, 40]) == drawing_colour(1)
    assert (drawn[27, 37] != GREY).any()
    assert tuple(drawn[22, 40]) == tuple(drawn[30, 48]) == (GREY, GREY, GREY)


@pytest.mark.parametrize(
    "point",
    [
        (40, 30, 1, PointState.OUTSIDE),
        (-3, 30, 1, PointState.VISIBLE),
        (40, 1e9, 0, PointState.HIDDEN),
        (float("nan"), 30, 1, PointState.VISIBLE),
    ],
)
def test_points_outside_the_picture_are_left_out(point: tuple[float, float, int, int]) -> None:
    assert not changed(scene({}, [point])).any()


def test_a_used_point_lies_over_a_hidden_one() -> None:
    spots = [(40, 30, 1, PointState.VISIBLE), (40, 30, 1, PointState.HIDDEN)]
    assert tuple(draw_overlay(scene({}, spots))[30, 40]) == drawing_colour(1)


def test_a_visible_object_carries_its_id_inside_the_picture() -> None:
    """The tag of an object at the top edge moves down instead of out of sight."""
    low, high = changed(scene({1: box(30, 40, 50, 55)})), changed(scene({1: box(30, 0, 50, 15)}))
    assert low[20:36].any()
    assert high[0].any()


def test_different_ids_are_written_differently() -> None:
    tags = [draw_overlay(scene({key: box(30, 40, 50, 55)}))[15:36] for key in (1, 11)]
    widths = [(tag != GREY).any(axis=(0, 2)).sum() for tag in tags]
    assert widths[1] > widths[0]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_picture_size_and_any_mask_can_be_drawn(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.5
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    item = ObjectResult(255, np.asfortranarray(mask), 1.0, np.zeros((1, 1), np.float32))
    points = scene({}, [(0, 0, 1, 1), (width - 1, height - 1, 0, 0)]).points
    drawn = draw_overlay(FrameResult(0, 0.0, noise[::-1], (item,), points))
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8
