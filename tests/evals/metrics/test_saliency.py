"""Measures of salient objects, held against PySODMetrics 1.6.2."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden, golden_part
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics import saliency
from rvsam_video.evals.metrics.saliency import (
    mean_absolute_error,
    mean_measures,
    saliency_measures,
    stretched,
)

CASES = sorted({key.split("/")[0] for key in golden("images/saliency_measures")}, key=int)
NAMES = ("mae", "s", "weighted_f", "f_adaptive", "e_adaptive", "f_curve", "e_curve")


def measured(name):
    arrays = golden_part("images/saliency_measures", name)
    return saliency_measures(stretched(arrays["found"] / 255.0), arrays["truth"] > 128)


@pytest.mark.parametrize("name", CASES)
def test_measures_of_the_golden_maps(name):
    arrays, found = golden_part("images/saliency_measures", name), measured(name)
    for measure in NAMES:
        expected = arrays[measure]
        # The public code has no number for some blank truths; a number is right there.
        known = np.isfinite(expected)
        value = np.asarray(getattr(found, measure))
        np.testing.assert_allclose(value[known], expected[known], atol=1e-12, err_msg=measure)
        assert np.isfinite(value).all()


def test_a_set_is_the_mean_of_its_pictures_and_curves_are_averaged_first():
    each = [measured(name) for name in CASES]
    mean = mean_measures(each)
    assert mean["MAE"] == pytest.approx(np.mean([item.mae for item in each]))
    curve = np.mean([item.f_curve for item in each], axis=0)
    assert mean["maxF"] == curve.max() < np.mean([item.f_curve.max() for item in each])
    assert mean["meanE"] == np.mean([item.e_curve for item in each], axis=0).mean()


def test_without_scipy_weighted_f_is_not_known(monkeypatch):
    monkeypatch.setattr(saliency, "find_spec", lambda _: None)
    found = measured("7")
    assert found.weighted_f is None
    assert np.isnan(mean_measures([found])["wF"])


@given(
    found=hnp.arrays(np.float64, (5, 7), elements=st.floats(0, 1)),
    truth=hnp.arrays(np.bool_, (5, 7)),
)
def test_an_error_is_a_share_and_a_perfect_map_has_none(found, truth):
    assert 0 <= mean_absolute_error(found, truth) <= 1
    assert mean_absolute_error(truth.astype(float), truth) == 0


def test_a_map_of_another_size_is_refused():
    with pytest.raises(UsageError, match=r"\(3, 4\) cannot be measured by a truth of \(4, 3\)"):
        saliency_measures(np.zeros((3, 4)), np.zeros((4, 3), np.bool_))
