"""Mean, recall and decay against the official evaluation of DAVIS (commit ac7c43f)."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.statistics import quarter_bounds, statistics

GOLDEN = golden("davis_stats")
LENGTHS = [int(length) for length in GOLDEN["lengths"]]
OFFICIAL_DECAY_BELOW = 256
"""From here on the official bounds, eight bits wide, no longer hold the indices."""


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ["", "nan"])
def test_statistics_equal_the_official_ones(length, kind):
    found = statistics(GOLDEN[f"x{kind}_{length}"])
    mean, recall, decay = GOLDEN[f"stat{kind}_{length}"]
    np.testing.assert_array_equal([found.mean, found.recall], [mean, recall])
    if length < OFFICIAL_DECAY_BELOW:
        np.testing.assert_array_equal(found.decay, decay)
    else:
        assert np.isfinite(found.decay)


@pytest.mark.parametrize("length", LENGTHS)
def test_quarters_are_parted_as_in_the_official_evaluation(length):
    assert np.array_equal(quarter_bounds(length), GOLDEN[f"ids_{length}"])


def test_decay_of_a_long_video_compares_its_ends():
    values = np.linspace(1, 0, 1001)
    found = statistics(values)
    assert found.decay == pytest.approx(values[:251].mean() - values[750:].mean())


@pytest.mark.parametrize("shape", [(0,), (2, 3)])
def test_anything_but_a_list_of_values_is_refused(shape):
    with pytest.raises(UsageError, match="cannot be summed up"):
        statistics(np.zeros(shape))
