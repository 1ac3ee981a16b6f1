"""Points chosen from masks: equal to SAM-PT's where that is determined, as good where it is not.

`data/sam_pt_points.npz` was made by running SAM-PT (commit 874ff7e) on ten masks in the picture of
`data/synthetic_picture.py`: for each mask the erosions, the corners, complete k-medoids runs with
their start, and how well the points of each method spread over many seeds.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from synthetic_picture import synthetic_picture

from rvsam_video.errors import UsageError
from rvsam_video.points.choosing import (
    EROSION_SHARES,
    diagonal,
    erode,
    mixed_split,
    object_rng,
    query_points_of_mask,
    select_points,
    select_points_sam_pt,
    shi_tomasi,
)
from rvsam_video.points.kmedoids import kmedoids

GOLDEN = golden("sam_pt_points")
HEIGHT, WIDTH = GOLDEN["image_size"]
PICTURE = synthetic_picture(HEIGHT, WIDTH, seed=72, shapes=14)


def unpacked(bits):
    return np.unpackbits(bits)[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH).astype(np.bool_)


MASKS = {
    str(name): unpacked(bits)
    for name, bits in zip(GOLDEN["mask_names"], GOLDEN["masks_packed"], strict=True)
}
FILLED = [name for name in MASKS if name != "empty"]
METHODS = ["kmedoids", "shi-tomasi", "random", "mixed"]
CLUSTERINGS = [key.removesuffix("/inertia") for key in GOLDEN if key.endswith("/inertia")]
SPREADS = [
    key
    for key in GOLDEN
    if "/spread/" in key and key.split("/")[2].split("_")[0] in {"kmedoids", "random", "mixed"}
]

select_any = pytest.mark.parametrize("select", [select_points, select_points_sam_pt])


def inside(points, mask):
    """Whether every point is a whole pixel of the mask."""
    columns, rows = points.astype(int).T
    return bool(np.array_equal(points, points.astype(int)) and mask[rows, columns].all())


def different(points):
    return len(np.unique(points, axis=0)) == len(points)


def nearest(mask, points):
    """Mean distance of the pixels of a mask to the nearest point."""
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows], 1)[:, None].astype(np.float32)
    return float(np.sqrt(np.square(pixels - points[None]).sum(-1)).min(1).mean())


def test_the_picture_is_the_one_the_golden_data_were_made_with():
    assert zlib.crc32(PICTURE.tobytes()) == GOLDEN["picture_crc32"]
    gray = cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)
    assert zlib.crc32(gray.tobytes()) == GOLDEN["gray_crc32"]


@pytest.mark.parametrize("name", FILLED)
def test_erosion_equals_sam_pt(name):
    mask = MASKS[name]
    assert diagonal(mask) == GOLDEN[f"{name}/diagonal"]
    sizes = [int(share * diagonal(mask)) for share in EROSION_SHARES]
    assert sizes == GOLDEN[f"{name}/erode_sizes"].tolist()
    for share, bits in zip(EROSION_SHARES, GOLDEN[f"{name}/eroded_packed"], strict=True):
        assert np.array_equal(erode(mask, share, sam_pt=True), unpacked(bits))


@pytest.mark.parametrize("count", [1, 4, 8, 16])
@pytest.mark.parametrize("name", FILLED)
def test_corners_equal_sam_pt(name, count):
    found = int(GOLDEN[f"{name}/shi_tomasi_{count}/from_detector"])
    golden = GOLDEN[f"{name}/shi_tomasi_{count}/points"]
    corners = shi_tomasi(MASKS[name], PICTURE, count, sam_pt=True)
    assert np.array_equal(corners, golden[:found])
    whole = select_points_sam_pt(
        MASKS[name], count, "shi-tomasi", image=PICTURE, rng=object_rng(0, 1, 0)
    )
    assert whole.shape == golden.shape
    assert np.array_equal(whole[:found], golden[:found])
    assert inside(whole, MASKS[name])
    if MASKS[name].sum() < count - found:
        assert np.array_equal(whole, golden)  # the same pixels repeated


@pytest.mark.parametrize("key", CLUSTERINGS)
def test_kmedoids_from_the_same_start_equals_sam_pt(key):
    pixels = GOLDEN[f"{key}/fit_pixels_yx"]
    start = GOLDEN[f"{key}/initial_medoids"]
    found = kmedoids(pixels, len(start), start)
    assert np.array_equal(found.medoids, GOLDEN[f"{key}/medoid_indices"])
    assert np.array_equal(pixels[found.medoids], GOLDEN[f"{key}/centres_yx"])
    assert found.last_round == GOLDEN[f"{key}/iterations"]
    assert found.inertia == pytest.approx(float(GOLDEN[f"{key}/inertia"]), abs=1e-9)


@pytest.mark.parametrize("key", CLUSTERINGS)
def test_kmedoids_from_its_own_start_is_as_good(key):
    pixels = GOLDEN[f"{key}/fit_pixels_yx"]
    found = kmedoids(pixels, len(GOLDEN[f"{key}/initial_medoids"]))
    assert found.inertia == pytest.approx(float(GOLDEN[f"{key}/inertia"]), rel=0.1)


@given(st.data())
def test_no_medoid_can_be_improved_within_its_cluster(data):
    cells = data.draw(st.lists(st.integers(0, 399), min_size=1, max_size=60, unique=True))
    points = np.stack(np.divmod(np.array(cells), 20), 1)
    count = data.draw(st.integers(1, len(cells)))
    found = kmedoids(points, count)
    assert len(set(found.medoids.tolist())) == count
    distances = np.hypot(*np.moveaxis(points[:, None] - points[None], -1, 0))
    labels = distances[found.medoids].argmin(axis=0)
    for cluster, medoid in enumerate(found.medoids):
        members = np.flatnonzero(labels == cluster)
        sums = distances[np.ix_(members, members)].sum(axis=1)
        assert distances[medoid, members].sum() <= sums.min() + 1e-9
    assert found.inertia == pytest.approx(distances[found.medoids].min(axis=0).sum())


@pytest.mark.parametrize("count", [0, 4])
def test_kmedoids_needs_as_many_points_as_medoids(count):
    with pytest.raises(ValueError, match=f"{count} medoids of 3 points; count must be 1 to 3"):
        kmedoids(np.eye(3)[:, :2], count)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 16, 72])
def test_mixed_points_are_split_as_in_sam_pt(count):
    assert mixed_split(count) == tuple(GOLDEN[f"disc/mixed_{count}/split"])


@pytest.mark.parametrize("method", ["random", "kmedoids"])
@pytest.mark.parametrize("name", MASKS)
def test_what_needs_no_randomness_equals_sam_pt(name, method):
    counts = [count for count in (1, 8, 16) if GOLDEN[f"{name}/deterministic_{count}"]]
    for count in counts:
        points = select_points_sam_pt(MASKS[name], count, method, rng=object_rng(0, 1, 0))
        assert np.array_equal(points, GOLDEN[f"{name}/{method}_{count}/seed72"])
    assert bool(counts) == (name in {"three", "eight", "empty"})


@pytest.mark.parametrize("key", SPREADS)
@select_any
def test_points_spread_as_in_sam_pt(select, key):
    name, _, label = key.split("/")
    method, count = label.split("_")
    found = [
        nearest(
            MASKS[name],
            select(MASKS[name], int(count), method, image=PICTURE, rng=object_rng(seed, 1, 0)),
        )
        for seed in range(3)
    ]
    mean, low, high = GOLDEN[key][:, 0]
    if method == "kmedoids":
        assert np.mean(found) <= 1.1 * mean
    elif len(np.unique(found)) > 1:
        # Few seeds against many: their mean lies well within the range that SAM-PT's seeds cover.
        assert 0.85 * low <= np.mean(found) <= 1.15 * high
    else:
        assert np.mean(found) <= mean


def test_kmedoids_spread_clearly_better_than_random_points():
    mask = MASKS["big_disc"]
    for seed in range(3):
        even = select_points(mask, 16, "kmedoids", rng=object_rng(seed, 1, 0))
        loose = select_points(mask, 16, "random", rng=object_rng(seed, 1, 0))
        assert nearest(mask, even) < 0.85 * nearest(mask, loose)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FILLED)
@select_any
def test_points_are_pixels_of_the_mask(select, name, method):
    for count in (1, 3, 16):
        points = select(MASKS[name], count, method, image=PICTURE, rng=object_rng(5, 1, 0))
        assert points.dtype == np.float32
        assert inside(points, MASKS[name])


@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)),
    st.integers(0, 20),
    st.sampled_from(METHODS),
    st.integers(0, 2**32 - 1),
)
def test_selected_points_are_all_different_and_as_many_as_there_can_be(mask, count, method, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*mask.shape, 3), np.uint8)
    points = select_points(mask, count, method, image=image, rng=object_rng(seed, 1, 0))
    assert points.shape == (min(count, mask.sum()), 2)
    assert different(points)
    assert inside(points, mask)


@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)),
    st.integers(0, 20),
    st.sampled_from(METHODS),
    st.integers(0, 2**32 - 1),
)
def test_sam_pt_always_gives_as_many_points_as_asked_for(mask, count, method, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*mask.shape, 3), np.uint8)
    points = select_points_sam_pt(mask, count, method, image=image, rng=object_rng(seed, 1, 0))
    assert points.shape == (count, 2)
    assert inside(points, mask) if mask.any() else not points.any()
    if method == "random" and count <= mask.sum():
        assert different(points)


def test_a_mask_without_pixels_gives_no_points_or_zeros():
    rng = object_rng(0, 1, 0)
    for method in METHODS:
        assert select_points(MASKS["empty"], 8, method, rng=rng).shape == (0, 2)
        assert np.array_equal(
            select_points_sam_pt(MASKS["empty"], 8, method, rng=rng), np.zeros((8, 2))
        )


def test_more_points_than_the_sample_holds_can_be_asked_for():
    points = select_points(MASKS["full"], 1100, "kmedoids", rng=object_rng(0, 1, 0))
    assert len(points) == 1100
    assert different(points)


def test_points_depend_on_seed_object_and_frame_alone():
    def points(*key):
        rng = object_rng(*key)
        return select_points(MASKS["disc"], 8, "mixed", image=PICTURE, rng=rng).tolist()

    assert points(1, 2, 3) == points(1, 2, 3)
    keys = [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4)]
    assert len({str(points(*key)) for key in keys}) == 4


def test_positive_points_come_first_and_negatives_from_the_rest_of_the_picture():
    mask = MASKS["two"]
    xy, labels = query_points_of_mask(
        mask, positive=16, negative=5, method="mixed", image=PICTURE, rng=object_rng(0, 1, 0)
    )
    assert labels.dtype == np.int8
    assert labels.tolist() == [1] * 16 + [0] * 5
    assert inside(xy[:16], mask)
    assert inside(xy[16:], ~mask)


def test_query_points_of_corners_equal_sam_pt():
    golden = GOLDEN["query_points/big_disc_t0__two_t1"]
    frames = [PICTURE, PICTURE[:, ::-1]]
    for expected, name, image, found in zip(
        golden, ["big_disc", "two"], frames, [4, 2], strict=True
    ):
        xy, labels = query_points_of_mask(
            MASKS[name],
            positive=4,
            negative=2,
            method="shi-tomasi",
            negative_method="shi-tomasi",
            image=image,
            rng=object_rng(0, 1, 0),
            select=select_points_sam_pt,
        )
        assert labels.tolist() == [1, 1, 1, 1, 0, 0]
        assert np.array_equal(xy[:found], expected[:found, 1:])
        assert np.array_equal(xy[4:], expected[4:, 1:])


def test_a_mask_that_fills_the_picture_has_no_negatives():
    xy, labels = query_points_of_mask(
        MASKS["full"], positive=4, negative=3, rng=object_rng(0, 1, 0)
    )
    assert labels.tolist() == [1, 1, 1, 1]
    assert len(xy) == 4


@pytest.mark.parametrize("image", [None, PICTURE[:-1]])
def test_corners_need_the_picture_of_the_mask(image):
    with pytest.raises(UsageError, match=r"they need the \(H, W, 3\) frame of the mask, 240x320"):
        select_points(MASKS["disc"], 4, "shi-tomasi", image=image, rng=object_rng(0, 1, 0))


@select_any
def test_an_unknown_method_is_refused(select):
    message = "no point selection named 'grid'; choose one of: kmedoids, shi-tomasi, random, mixed"
    with pytest.raises(UsageError, match=message):
        select(MASKS["disc"], 4, "grid", rng=object_rng(0, 1, 0))


def test_by_default_erosion_is_symmetric_and_by_nothing_where_there_is_nothing_to_take():
    mask = np.zeros((60, 60), np.bool_)
    mask[10:51, 10:51] = True
    assert np.array_equal(erode(mask, 0.0), mask)
    assert np.array_equal(erode(mask, 0.04), mask)  # a side of 2 is rounded down to 1
    eroded = erode(mask, 0.08)  # 4, rounded down to 3
    y, x = np.nonzero(eroded)
    assert (x.min(), x.max(), y.min(), y.max()) == (11, 49, 11, 49)
