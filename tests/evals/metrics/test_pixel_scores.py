"""Scores of pixels, held against the public code of SAA+ and against trying every threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from golden_data import document, golden
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.pixel_scores import pixel_scores


def test_scores_of_the_golden_category():
    arrays = golden("images/anomaly")
    found = pixel_scores(arrays["score/maps"].ravel(), arrays["score/truth_64"].ravel() > 0)
    expected = document("images/anomaly")["category_score_percent"]
    assert 100 * found.max_f1 == pytest.approx(expected["p_f1"], abs=1e-6)
    assert 100 * found.auroc == pytest.approx(expected["p_roc"], abs=1e-6)
    assert 100 * found.average_precision == pytest.approx(expected["p_ap"], abs=1e-6)


values = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.booleans()), min_size=2, max_size=12
)


@given(pairs=values)
def test_the_highest_f1_is_that_of_one_threshold(pairs):
    found, truth = (np.array(part) for part in zip(*pairs, strict=True))
    scores = pixel_scores(found, truth)
    every = [
        2 * (truth & (found >= at)).sum() / max(1, (found >= at).sum() + truth.sum())
        for at in np.unique(found)
    ]
    if len(every) > 1:
        assert scores.max_f1 == pytest.approx(max(every))
        above = found >= scores.threshold
        reached = 2 * (truth & above).sum() / max(1, above.sum() + truth.sum())
        assert reached == pytest.approx(scores.max_f1)
    else:
        assert scores.max_f1 == 0


@given(pairs=values)
def test_only_the_order_of_values_counts(pairs):
    found, truth = (np.array(part) for part in zip(*pairs, strict=True))
    plain, bent = pixel_scores(found, truth), pixel_scores(np.exp(3 * found), truth)
    assert (plain.max_f1, plain.average_precision) == pytest.approx(
        (bent.max_f1, bent.average_precision), nan_ok=True
    )
    assert plain.auroc == pytest.approx(bent.auroc, nan_ok=True)


def test_without_anything_true_there_is_nothing_to_find():
    scores = pixel_scores(np.array([0.1, 0.2]), np.array([False, False]))
    assert scores.max_f1 == 0
    assert math.isnan(scores.auroc)
    assert math.isnan(scores.average_precision)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(UsageError, match=r"\(2,\) cannot be scored by a truth of \(3,\)"):
        pixel_scores(np.zeros(2), np.zeros(3, np.bool_))
