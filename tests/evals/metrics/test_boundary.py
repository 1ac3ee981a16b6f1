"""The boundary measure F against the official evaluation of DAVIS, and its properties.

`data/davis_pairs.npz` holds mask pairs with the results of the DAVIS 2017 evaluation (commit
ac7c43f); masks called "real" are taken from the sample results that are published with it.
"""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.boundary import (
    boundary_map,
    boundary_radius,
    boundary_similarity,
    f_measures,
)
from rvsam_video.evals.metrics.index_maps import score_objects, score_pairs
from rvsam_video.evals.metrics.outlines import outlines_of
from rvsam_video.evals.metrics.region import region_similarity

GOLDEN = golden("davis_pairs")
TINY = [key.removeprefix("tiny_F_") for key in GOLDEN if key.startswith("tiny_F_")]

index_maps = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.uint8, shape, elements=st.integers(0, 11))] * 2)
)


def mask(kind, index):
    height, width = GOLDEN["shapes"][index]
    bits = np.unpackbits(GOLDEN[f"{kind}_{index:03d}"])
    return bits[: height * width].reshape(height, width).astype(np.bool_)


def pair(index):
    void = mask("void", index) if GOLDEN["has_void"][index] else None
    return mask("pred", index), mask("gt", index), void


def test_every_pair_equals_the_official_evaluation():
    for index, name in enumerate(GOLDEN["names"]):
        found = boundary_similarity(*pair(index), GOLDEN["bound_th"][index])
        assert found == GOLDEN["F"][index], name


def test_every_radius_and_count_equals_the_official_evaluation():
    for index, name in enumerate(GOLDEN["names"]):
        prediction, truth, void = pair(index)
        radius = boundary_radius(*truth.shape, GOLDEN["bound_th"][index])
        if void is not None:
            prediction, truth = prediction & ~void, truth & ~void
        ours, theirs = (outlines_of(one.astype(np.uint8), radius) for one in (prediction, truth))
        found = radius, ours.counts()[0], theirs.counts()[0], ours.matched(theirs)[0]
        keys = "radius", "n_pred_boundary", "n_gt_boundary", "pred_matched", "gt_matched"
        want = [GOLDEN[key][index] for key in keys]
        assert [*found, theirs.matched(ours)[0]] == want, name


@pytest.mark.parametrize("size", TINY)
def test_all_tiny_masks_equal_the_official_evaluation(size):
    masks = GOLDEN[f"tiny_mask_{size}"].astype(np.bool_)
    pairs = zip(np.roll(masks, -1, axis=0), masks, strict=True)
    assert [boundary_similarity(*both) for both in pairs] == GOLDEN[f"tiny_F_{size}"].tolist()
    maps = np.stack([boundary_map(one) for one in masks])
    assert np.array_equal(maps, GOLDEN[f"tiny_bmap_{size}"].astype(np.bool_))


def test_whole_frames_of_objects_equal_the_official_evaluation():
    for index, name in enumerate(GOLDEN["names"]):
        prediction, truth, void = pair(index)
        if GOLDEN["bound_th"][index] != 0.008:
            continue
        if void is not None:
            prediction, truth = prediction & ~void, truth & ~void
        want = GOLDEN["J"][index], GOLDEN["F"][index]
        numbered = prediction * np.uint8(10), truth * np.uint8(10)
        j, f = score_objects(*numbered, 11)
        assert (j[9], f[9]) == want, name
        j, f = score_pairs(prediction * np.uint8(3), truth * np.uint8(9), 3, 9)
        assert (j[2, 8], f[2, 8]) == want, name


@settings(deadline=None, max_examples=30)
@given(index_maps)
def test_all_objects_at_once_are_as_each_alone(maps):
    found, truth = maps
    j, f = score_objects(found, truth, 11)
    pairs_j, pairs_f = score_pairs(found, truth, 11, 11)
    for one in range(1, 12):
        for two in range(1, 12):
            both = found == one, truth == two
            want = region_similarity(*both), boundary_similarity(*both)
            assert (pairs_j[one - 1, two - 1], pairs_f[one - 1, two - 1]) == want
            if one == two:
                assert (j[one - 1], f[one - 1]) == want


@settings(deadline=None)
@given(index_maps, st.integers(0, 5))
def test_near_is_the_disk_around_each_boundary_pixel(maps, radius):
    planes = maps[0]
    outlines = outlines_of(planes, radius)
    y, x = np.divmod(outlines.positions - radius, planes.shape[1] + radius)
    far = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2 > radius**2
    for bit in range(8):
        on = outlines.bits >> bit & 1 == 1
        want = (~far[:, on]).any(axis=1)
        assert np.array_equal(outlines.near[outlines.positions] >> bit & 1 == 1, want)


def test_void_pixels_belong_to_neither():
    prediction, truth, void = np.random.default_rng(0).random((3, 20, 30)) < 0.3
    want = boundary_similarity(prediction & ~void, truth & ~void)
    assert boundary_similarity(prediction, truth, void) == want
    assert boundary_similarity(prediction | void, truth & ~void, void) == want


def test_without_boundaries_there_is_nothing_to_miss():
    none = np.zeros(4, np.int64)
    predicted, true = np.array([0, 0, 3, 3]), np.array([0, 3, 0, 3])
    assert f_measures(predicted, true, none, none).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("shapes", [[(3, 4), (4, 3)], [(3, 4), (3, 4), (3, 5)], [(3,), (3,)]])
def test_masks_of_different_shapes_are_refused(shapes):
    with pytest.raises(UsageError, match="cannot be compared; all must be"):
        boundary_similarity(*(np.ones(shape, np.bool_) for shape in shapes))
