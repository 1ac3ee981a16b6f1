"""Patches: how they are cut out, what counts as alike, and where one is found again."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video.trackers.lucas_kanade.patches import cut_patches, find_patch, patch_similarity

WIDTH, HEIGHT, SIDE = 60, 40, 5


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def _at(*places: tuple[float, float]) -> np.ndarray:
    return np.array(places, np.float32)


def test_a_patch_is_what_lies_around_a_place(picture: np.ndarray) -> None:
    whole, between = cut_patches(picture, _at((20, 10), (20.5, 10.25)), SIDE)
    np.testing.assert_array_equal(whole, picture[8:13, 18:23])
    right = (picture[8:14, 18:23].astype(float) + picture[8:14, 19:24]) / 2
    np.testing.assert_allclose(between, 0.75 * right[:-1] + 0.25 * right[1:], atol=1)


def test_beyond_the_picture_its_edge_is_repeated(picture: np.ndarray) -> None:
    corner, opposite, far = cut_patches(
        picture, _at((0, 0), (WIDTH - 1, HEIGHT - 1), (-1e6, 1e6)), SIDE
    )
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), "edge")
    np.testing.assert_array_equal(corner, padded[:SIDE, :SIDE])
    np.testing.assert_array_equal(opposite, padded[-SIDE:, -SIDE:])
    np.testing.assert_array_equal(far, np.broadcast_to(picture[-1, 0], (SIDE, SIDE, 3)))


def test_more_points_than_one_call_of_the_library_takes(picture: np.ndarray) -> None:
    places = np.random.default_rng(0).integers(2, 38, (9000, 2)).astype(np.float32)
    patches = cut_patches(picture, places, SIDE)
    for row in (0, 3275, 3276, 3277, 8999):
        x, y = places[row].astype(int)
        np.testing.assert_array_equal(patches[row], picture[y - 2 : y + 3, x - 2 : x + 3])


def test_alike_is_what_looks_the_same_and_has_the_same_brightness() -> None:
    rng = np.random.default_rng(1)
    patch = rng.uniform(40, 120, (1, 15, 15, 3)).astype(np.float32)
    other = rng.uniform(40, 120, (1, 15, 15, 3)).astype(np.float32)
    assert patch_similarity(patch, patch) == pytest.approx(1)
    assert patch_similarity(patch, 160 - patch) < -0.8
    assert abs(float(patch_similarity(patch, other)[0])) < 0.2
    brighter = [float(patch_similarity(patch, patch + shift)[0]) for shift in (15, 60, 120)]
    assert brighter == pytest.approx([1 / (1 + 1 / 16), 0.5, 0.2], abs=1e-3)


def test_the_noise_of_flat_patches_does_not_make_them_unlike() -> None:
    rng = np.random.default_rng(2)
    first, second = (100 + rng.normal(0, 1.5, (2, 1, 15, 15, 3))).astype(np.float32)
    assert patch_similarity(first, second) > 0.85


@pytest.mark.parametrize(("dx", "dy"), [(6, 0), (-6, 0), (0, 6), (0, -6), (6, -6), (2, 3)])
def test_a_patch_is_found_as_far_as_it_is_looked_for(picture: np.ndarray, dx: int, dy: int) -> None:
    patch = picture[18:23, 28:33].astype(np.float32)
    centre = np.array([30 - dx, 20 - dy], np.float32)
    found = find_patch(picture, patch, centre, 6)
    assert found is not None
    place, correlation = found
    np.testing.assert_allclose(place, [30, 20], atol=0.5)
    assert correlation == pytest.approx(1, abs=1e-4)
    if max(abs(dx), abs(dy)) == 6:
        missed = find_patch(picture, patch, centre, 5)
        assert missed is not None
        assert missed[1] < 0.9


@pytest.mark.parametrize("place", [(2, 2), (WIDTH - 3, HEIGHT - 3)])
def test_a_patch_is_found_up_to_the_corners(picture: np.ndarray, place: tuple[int, int]) -> None:
    x, y = place
    patch = picture[y - 2 : y + 3, x - 2 : x + 3].astype(np.float32)
    found = find_patch(picture, patch, np.array([x, y], np.float32), 4)
    assert found is not None
    np.testing.assert_array_equal(found[0], place)


def test_where_no_whole_patch_fits_nothing_is_looked_for(picture: np.ndarray) -> None:
    patch = picture[:5, :5].astype(np.float32)
    assert find_patch(picture[:4], patch, np.array([10, 1], np.float32), 3) is None
    assert find_patch(picture, patch, np.array([WIDTH + 40, 20], np.float32), 3) is None
    assert find_patch(picture[:5], patch, np.array([2, 1], np.float32), 3) is not None


@pytest.mark.parametrize("shift", [(0.3, 0), (-0.3, 0), (0, 0.4), (0, -0.4), (0.25, -0.35)])
def test_a_place_is_found_to_a_fraction_of_a_pixel(shift: tuple[float, float]) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def blob(centre_x: float, centre_y: float) -> np.ndarray:
        grey = 30 + 200 * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / 18)
        return np.repeat(grey[..., None], 3, 2).astype(np.uint8)

    patch = blob(30, 20)[13:28, 23:38].astype(np.float32)
    found = find_patch(blob(30 + shift[0], 20 + shift[1]), patch, _at((31, 18))[0], 5)
    assert found is not None
    np.testing.assert_allclose(found[0], [30 + shift[0], 20 + shift[1]], atol=0.06)
