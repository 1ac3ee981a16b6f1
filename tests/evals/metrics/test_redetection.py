"""Re-detection against the public evaluation, and by hand.

`data/point_redetection.npz` holds tracks with the output of `aj_rd.py` of google-deepmind/tapnet
(commit 7f13cb6).
"""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.redetection import redetection_scores

GOLDEN = golden("point_redetection")


@pytest.mark.parametrize("case", GOLDEN["names"].tolist())
def test_scores_equal_the_public_evaluation(case):
    names = ("truth", "hidden", "predicted", "predicted_hidden")
    found = redetection_scores(*(GOLDEN[f"{case}/{name}"] for name in names))
    assert found.returns == GOLDEN[f"{case}/returns"]
    # The public code divides and averages in single precision.
    np.testing.assert_allclose(
        list(found.named().values()), GOLDEN[f"{case}/scores"], rtol=0, atol=1e-6
    )


def seen(pattern):
    """Hidden frames of one point, written as `.` for hidden and `x` for visible."""
    return np.array([[letter == "." for letter in pattern]])


def score(truth, told, off=0.0):
    places = np.zeros((1, len(truth), 2))
    return redetection_scores(places, seen(truth), places + np.array([off, 0]), seen(told))


@pytest.mark.parametrize(
    ("truth", "returns"),
    [
        ("xxxxx", 0),
        ("xx...", 0),
        ("x..xx", 1),
        ("..xxx", 1),
        # Only what was hidden for longer than ever before comes back once more.
        ("x.x.x.x", 1),
        ("x.x..x.x", 2),
        ("x...x.x", 1),
    ],
)
def test_only_returns_from_longer_absences_count(truth, returns):
    assert score(truth, truth).returns == returns


def test_a_point_that_is_found_at_once_and_one_that_is_not():
    assert score("xx..xxxx", "xx..xxxx").after[1] == 1
    assert score("xx..xxxx", "xx......").after[1] == 0
    # Half of the time after the return.
    assert score("xx..xxxx", "xx....xx").after[1] == 0.5
    # What was said before it comes back does not matter.
    assert score("xx..xxxx", "..xxxxxx").after[1] == 1


def test_distances_include_their_limit():
    assert score("x.xx", "x.xx", off=4).after[1] == pytest.approx(3 / 5)
    assert score("x.xx", "x.xx", off=4.01).after[1] == pytest.approx(2 / 5)


def test_longer_absences_are_scored_apart():
    found = score("x" + "." * 5 + "xx", "x" + "." * 5 + "xx")
    assert (found.after[1], found.after[4]) == (1, 1)
    assert np.isnan(found.after[16])
    assert found.average == 1
    assert np.isnan(score("xxx", "xxx").average)


def test_shapes_that_do_not_fit_together_are_refused():
    hidden = np.zeros((2, 5), bool)
    with pytest.raises(UsageError, match=r"got \(2, 4, 2\), \(2, 5\)"):
        redetection_scores(np.zeros((2, 4, 2)), hidden, np.zeros((2, 5, 2)), hidden)
