"""Region similarity J against the official evaluation of DAVIS, and its properties.

`data/davis_pairs.npz` holds mask pairs with the results of the DAVIS 2017 evaluation (commit
ac7c43f); masks called "real" are taken from the sample results that are published with it.
"""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.region import region_similarities, region_similarity

GOLDEN = golden("davis_pairs")
TINY = [key.removeprefix("tiny_J_") for key in GOLDEN if key.startswith("tiny_J_")]

clips = hnp.array_shapes(min_dims=3, max_dims=3, max_side=8).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape)] * 3)
)


def mask(kind, index):
    height, width = GOLDEN["shapes"][index]
    bits = np.unpackbits(GOLDEN[f"{kind}_{index:03d}"])
    return bits[: height * width].reshape(height, width).astype(np.bool_)


def test_every_pair_equals_the_official_evaluation():
    for index, name in enumerate(GOLDEN["names"]):
        void = mask("void", index) if GOLDEN["has_void"][index] else None
        found = region_similarity(mask("pred", index), mask("gt", index), void)
        assert found == GOLDEN["J"][index], name


@pytest.mark.parametrize("size", TINY)
def test_all_tiny_masks_equal_the_official_evaluation(size):
    masks = GOLDEN[f"tiny_mask_{size}"].astype(np.bool_)
    found = region_similarities(np.roll(masks, -1, axis=0), masks)
    assert np.array_equal(found, GOLDEN[f"tiny_J_{size}"])


def test_two_empty_masks_agree_and_one_alone_does_not():
    empty, full = np.zeros((3, 4), np.bool_), np.ones((3, 4), np.bool_)
    assert region_similarity(empty, empty) == 1
    assert region_similarity(full, empty) == 0
    assert region_similarity(empty, full) == 0


@given(clips)
def test_a_clip_is_scored_frame_by_frame(masks):
    prediction, truth, void = masks
    found = region_similarities(prediction, truth, void)
    assert found.dtype == np.float64
    assert found.tolist() == [region_similarity(*frame) for frame in zip(*masks, strict=True)]


@given(clips)
def test_similarity_is_symmetric_and_one_only_for_equal_masks(masks):
    first, second, _ = masks
    found = region_similarities(first, second)
    assert np.array_equal(found, region_similarities(second, first))
    assert np.array_equal(found == 1, (first == second).all(axis=(1, 2)))
    assert ((found >= 0) & (found <= 1)).all()


@given(clips)
def test_void_pixels_do_not_count(masks):
    prediction, truth, void = masks
    found = region_similarities(prediction, truth, void)
    assert np.array_equal(found, region_similarities(prediction ^ void, truth, void))
    assert np.array_equal(found, region_similarities(prediction, truth | void, void))


@pytest.mark.parametrize("shapes", [[(3, 4), (4, 3)], [(3, 4), (3, 4), (3, 5)], [(3,), (3,)]])
def test_masks_of_different_shapes_are_refused(shapes):
    with pytest.raises(UsageError, match="cannot be compared; all must be"):
        region_similarity(*(np.ones(shape, np.bool_) for shape in shapes))
