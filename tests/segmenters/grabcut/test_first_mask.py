"""First masks: what one click, a few clicks or a box make of an object, without weights."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.first_mask.choice import (
    mask_from_box,
    mask_from_clicks,
    masks_from_clicks,
)
from rvsam_video.segmenters.grabcut.first_mask.colours import difference_from_ring

Mask = NDArray[np.bool_]

NO_POINTS = np.zeros((0, 2), np.float32)
NO_LABELS = np.zeros(0, np.int8)


def click(
    image: Image, *on: tuple[float, float], off: tuple[tuple[float, float], ...] = ()
) -> Mask:
    labels = [1] * len(on) + [0] * len(off)
    points = np.array([*on, *off], np.float32)
    return mask_from_clicks(image, points, np.array(labels, np.int8)).mask


def box_of(mask: Mask) -> NDArray[np.float32]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return np.array([x, y, x + width - 1, y + height - 1], np.float32)


def iou(first: Mask, second: Mask) -> float:
    return float((first & second).sum() / (first | second).sum())


def clicks_inside(mask: Mask, count: int, seed: int) -> list[tuple[int, int]]:
    """Random places that are not on the very edge, as people click."""
    rows, columns = np.nonzero(cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)))
    chosen = np.random.default_rng(seed).integers(len(rows), size=count)
    return [(int(columns[i]), int(rows[i])) for i in chosen]


@pytest.fixture(scope="module")
def two_halves() -> Image:
    """A disc at (160, 120), red above and blue below, on noisy grey."""
    grey = np.random.default_rng(5).integers(110, 130, (240, 320, 1)).repeat(3, axis=2)
    image = grey.astype(np.uint8)
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    disc = np.hypot(x - 160, y - 120) <= 40
    image[disc & (y < 120)] = (200, 30, 30)
    image[disc & (y >= 120)] = (30, 30, 200)
    return image


@pytest.fixture(scope="module")
def disc(two_halves: Image) -> Mask:
    return np.ptp(two_halves.astype(int), axis=2) > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("object_id", "what"), [(1, "freckled starfish"), (2, "veined stone"), (3, "spotted shell")]
)
def test_one_click_anywhere_finds_a_patterned_object(object_id: int, what: str, seed: int) -> None:
    clip = SyntheticClip(frames=1, seed=seed)
    image, truth = clip.frame(0).image, clip.truth(0) == object_id
    found = [iou(click(image, place), truth) for place in clicks_inside(truth, 4, seed)]
    assert np.mean(found) > 0.85, what
    assert min(found) > 0.6, what


def test_a_box_finds_each_object() -> None:
    clip = SyntheticClip(frames=1)
    image = clip.frame(0).image
    for object_id in clip.object_ids:
        truth = clip.truth(0) == object_id
        assert iou(mask_from_box(image, box_of(truth), NO_POINTS, NO_LABELS).mask, truth) > 0.9


def test_the_mask_stays_in_its_box() -> None:
    clip = SyntheticClip(frames=1)
    box = box_of(clip.truth(0) == 1) + np.array([20, 20, -20, -20], np.float32)
    mask = mask_from_box(clip.frame(0).image, box, NO_POINTS, NO_LABELS).mask
    found = box_of(mask)
    # A pixel of the grid may reach a little over the line.
    assert (found[:2] >= box[:2] - 2).all()
    assert (found[2:] <= box[2:] + 2).all()
    assert mask.any()


def test_clicks_on_unlike_parts_are_one_object(two_halves: Image, disc: Mask) -> None:
    mask = click(two_halves, (160, 100), (160, 140))
    assert mask[100, 160]
    assert mask[140, 160]
    assert iou(mask, disc) > 0.9


def test_a_click_beside_cuts_that_part_away(two_halves: Image, disc: Mask) -> None:
    upper = disc & (np.arange(240) < 120)[:, None]
    assert iou(click(two_halves, (160, 100), off=((160, 140),)), upper) > 0.9


def test_a_click_in_a_box_beside_the_object_cuts_too(two_halves: Image, disc: Mask) -> None:
    upper = disc & (np.arange(240) < 120)[:, None]
    points = np.array([[160, 100], [160, 140]], np.float32)
    mask = mask_from_box(two_halves, box_of(disc), points, np.array([1, 0], np.int8)).mask
    assert iou(mask, upper) > 0.9


def test_unlike_clicks_side_by_side_are_both_kept_to(two_halves: Image) -> None:
    mask = click(two_halves, (160, 112), off=((166, 112),))
    assert mask[112, 160]
    assert not mask[112, 166]


def test_a_plain_picture_gives_a_modest_disc() -> None:
    mask = click(np.full((240, 320, 3), 90, np.uint8), (100, 120))
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    assert 0.01 < mask.mean() < 0.1
    assert abs(width - height) <= 3
    assert abs(x + width / 2 - 100) < 3
    assert abs(y + height / 2 - 120) < 3


def test_an_object_cut_off_by_the_border_is_found() -> None:
    image = np.random.default_rng(2).integers(60, 90, (180, 240, 3)).astype(np.uint8)
    image[:50, 190:] = (230, 200, 60)
    truth = np.zeros((180, 240), np.bool_)
    truth[:50, 190:] = True
    assert iou(click(image, (239, 0)), truth) > 0.9
    assert iou(mask_from_box(image, box_of(truth), NO_POINTS, NO_LABELS).mask, truth) > 0.9


def test_grey_pictures_do(two_halves: Image, disc: Mask) -> None:
    grey = np.where(disc, 220, two_halves[..., 0])[..., None].repeat(3, axis=2).astype(np.uint8)
    assert iou(click(grey, (160, 120)), disc) > 0.95


def test_equal_inputs_give_equal_masks_whatever_ran_before() -> None:
    image = SyntheticClip(frames=1, size=(320, 180)).frame(0).image
    cv2.setRNGSeed(11)
    first = click(image, (85, 105))
    cv2.setRNGSeed(12)
    np.random.default_rng().random()
    np.testing.assert_array_equal(first, click(image, (85, 105)))


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90), seed=st.integers(0, 99), data=st.data())
def test_any_small_picture_and_place_has_an_answer(
    width: int, height: int, seed: int, data: st.DataObject
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    mask = click(image, (x, y))
    assert mask.shape == (height, width)
    assert mask.dtype == np.bool_
    assert mask[y, x]
    boxed = mask_from_box(image, np.array([0, 0, x, y], np.float32), NO_POINTS, NO_LABELS).mask
    assert boxed.shape == (height, width)


@pytest.mark.parametrize("object_id", [1, 2, 3])
def test_neither_a_speck_nor_the_whole_picture(object_id: int) -> None:
    clip = SyntheticClip(frames=1, seed=7, size=(854, 480))
    image, truth = clip.frame(0).image, clip.truth(0) == object_id
    for place in clicks_inside(truth, 3, 1):
        assert 0.2 * truth.sum() < click(image, place).sum() < 3 * truth.sum()


def test_a_mask_that_fills_the_grid_differs_from_nothing() -> None:
    colours = np.zeros((6, 8), np.int32)
    colours[:, 4:] = 1
    assert difference_from_ring(colours, np.ones((6, 8), np.bool_)) == 0
    assert difference_from_ring(colours, colours == 1) > 0.9


def test_alternatives_are_unlike_and_the_likeliest_comes_first(two_halves: Image) -> None:
    points, labels = np.array([[160, 100]], np.float32), np.ones(1, np.int8)
    found = masks_from_clicks(two_halves, points, labels)
    assert 2 <= len(found) <= 3
    assert all(iou(first.mask, second.mask) < 0.95 for first, second in pairwise(found))
    only = mask_from_clicks(two_halves, points, labels)
    np.testing.assert_array_equal(found[0].mask, only.mask)
    assert all(0 <= item.score <= 1 for item in found)
    assert all(item.mask[100, 160] for item in found)


def test_one_of_the_alternatives_is_the_whole_disc_or_its_half(
    two_halves: Image, disc: Mask
) -> None:
    points, labels = np.array([[160, 100]], np.float32), np.ones(1, np.int8)
    upper = disc & (np.arange(240) < 120)[:, None]
    masks = [item.mask for item in masks_from_clicks(two_halves, points, labels)]
    assert max(max(iou(mask, upper), iou(mask, disc)) for mask in masks) > 0.9


def test_a_box_that_all_masks_agree_on_is_scored_high(two_halves: Image, disc: Mask) -> None:
    clear = mask_from_box(two_halves, box_of(disc), NO_POINTS, NO_LABELS)
    assert clear.score > 0.8
    assert iou(clear.mask, disc) > 0.9
