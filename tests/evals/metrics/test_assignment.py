"""The assignment of objects to proposals: best, and where several are, SciPy's."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.assignment import best_assignment

tables = st.tuples(st.integers(0, 3), st.integers(0, 4)).flatmap(
    lambda sizes: hnp.arrays(
        np.float64, (sum(sizes), sizes[1]), elements=st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0])
    )
)


@given(tables)
def test_no_other_assignment_is_better(scores):
    proposals, objects = scores.shape
    found = best_assignment(scores)
    assert len(set(found.tolist())) == objects
    best = max(
        sum(scores[p, o] for o, p in enumerate(choice))
        for choice in permutations(range(proposals), objects)
    )
    assert scores[found, np.arange(objects)].sum() == pytest.approx(best)


# What scipy.optimize.linear_sum_assignment (1.17) gives for the negated scores; each table has
# several best assignments.
TIES = [
    (["000", "000", "000", "000"], [0, 1, 2]),
    (["2202", "1110", "2001", "1100"], [2, 3, 1, 0]),
    (["00020", "12001", "02022", "20111", "12102"], [3, 1, 4, 0, 2]),
    (["1201", "2001", "2021", "0122", "2002", "2200"], [1, 0, 2, 3]),
    (["111", "201", "002", "000", "002", "110", "220", "000"], [1, 6, 2]),
    (["21101", "20200", "22022", "11222", "10201", "20020", "22211"], [0, 2, 1, 5, 3]),
]


@pytest.mark.parametrize(("rows", "want"), TIES)
def test_of_equally_good_assignments_it_is_that_of_scipy(rows, want):
    scores = np.array([[float(digit) for digit in row] for row in rows])
    assert best_assignment(scores).tolist() == want


@pytest.mark.parametrize("shape", [(3, 4), (2,)])
def test_tables_that_cannot_be_assigned_are_refused(shape):
    with pytest.raises(UsageError, match="cannot be assigned"):
        best_assignment(np.zeros(shape))


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(UsageError, match="finite"):
        best_assignment(np.full((2, 2), np.nan))
