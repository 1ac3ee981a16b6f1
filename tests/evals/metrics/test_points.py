"""Metrics of point tracks against the public evaluations, and what must hold for any tracks.

`data/point_metrics.npz` holds tracks with the output of `evaluation_datasets.py` of
google-deepmind/tapnet (commit c2cbab8) and, under `dense/`, of `evaluator.py` of
facebookresearch/co-tracker (commit 82e02e8).
"""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.points import dense_point_scores, point_scores

GOLDEN = golden("point_metrics")
CASES = GOLDEN["names"].tolist()


def video(case, index):
    parts = (GOLDEN[f"{case}/{name}"] for name in ("query", "gt", "gt_occ", "pred", "pred_occ"))
    return [part[index] for part in parts], str(GOLDEN[f"{case}/mode"])


def values(arrays, mode):
    named = point_scores(*arrays, mode).named()
    return [named[name] for name in GOLDEN["metric_names"].tolist()]


@pytest.mark.parametrize("case", CASES)
def test_every_video_equals_the_public_evaluation(case):
    for index in range(len(GOLDEN[f"{case}/query"])):
        found = values(*video(case, index))
        assert np.array_equal(found, GOLDEN[f"{case}/tapnet"][:, index], equal_nan=True)


@pytest.mark.parametrize("case", ["first_small", "strided_small", "batch_of_three"])
def test_every_single_track_equals_the_public_evaluation(case):
    (arrays, mode) = video(case, 0)
    for track in range(len(arrays[0])):
        found = values([array[track : track + 1] for array in arrays], mode)
        expected = GOLDEN[f"{case}/tapnet_trackwise"][:, 0, track]
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("case", GOLDEN["dense/names"].tolist())
def test_dense_scores_equal_the_public_evaluation(case):
    part = {key: GOLDEN[f"dense/{case}/{key}"] for key in ("traj", "vis", "pred", "hw")}
    height, width = part["hw"].tolist()
    found = dense_point_scores(
        part["traj"][0], part["vis"][0] > 0.5, part["pred"][0], (width, height)
    )
    keys = GOLDEN[f"dense/{case}/keys"].tolist()
    assert found.keys() == set(keys)
    # The public code adds up in float32.
    assert [found[key] for key in keys] == pytest.approx(GOLDEN[f"dense/{case}/values"], abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["first", "strided"]))
def test_scores_are_shares_and_rise_with_the_distance(seed, mode):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 256, (5, 7, 2))
    hidden = rng.random((5, 7)) < 0.3
    queries = np.concatenate([rng.integers(0, 5, (5, 1)), truth[:, 0, ::-1]], axis=1)
    guess = truth + rng.normal(0, 5, truth.shape)
    scores = point_scores(queries, truth, hidden, guess, rng.random((5, 7)) < 0.3, mode)
    known = [value for value in scores.named().values() if not np.isnan(value)]
    assert all(0 <= value <= 1 for value in known)
    assert not np.any(np.diff(scores.within) < 0)
    perfect = point_scores(queries, truth, hidden, truth, hidden, mode)
    assert perfect.occlusion_accuracy == 1
    assert all(np.isnan(value) or value == 1 for value in perfect.named().values())


def test_frames_before_the_query_count_only_in_strided_mode():
    truth = np.zeros((1, 3, 2))
    guess = truth.copy()
    guess[0, 0] = 100
    hidden = np.zeros((1, 3), bool)
    queries = np.array([[1.0, 0.0, 0.0]])
    assert point_scores(queries, truth, hidden, guess, hidden, "first").mean_within == 1
    assert point_scores(queries, truth, hidden, guess, hidden, "strided").mean_within == 0.5


def test_shapes_that_do_not_fit_together_are_refused():
    truth, hidden = np.zeros((2, 3, 2)), np.zeros((2, 3), bool)
    with pytest.raises(UsageError, match="point tracks need"):
        point_scores(np.zeros((1, 3)), truth, hidden, truth, hidden, "first")
    with pytest.raises(UsageError, match="point tracks need"):
        point_scores(np.zeros((2, 3)), truth, hidden[0], truth, hidden, "first")
    with pytest.raises(UsageError, match="dense point tracks need"):
        dense_point_scores(truth, hidden.T, truth, (256, 256))
