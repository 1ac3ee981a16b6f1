"""Thinning, matching and scores of edges, held against public codes and their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from golden_data import document, golden, golden_part
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.edge_matching import AnnotatedEdges
from rvsam_video.evals.metrics.edge_scores import (
    EdgeCounts,
    average_precision,
    edge_counts,
    edge_scores,
    thresholds,
)
from rvsam_video.evals.metrics.thinning import thinned

EXPECTED = document("images/edges")
CASES = EXPECTED["cases in this order"]
AT = thresholds()
TIES = 2, 1e-3
"""Which pixels of equal cost are matched decides a few of those right: at least, and as a share."""

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def case(name):
    """Strength in [0, 1] and the annotators' edges."""
    arrays = golden_part("images/edges", name)
    shape = tuple(arrays["shape"])
    edges = np.unpackbits(arrays["boundaries"], count=int(np.prod(shape))).reshape(shape) > 0
    return arrays["strength"] / 255.0, list(edges)


def test_thresholds_are_those_of_the_benchmark():
    np.testing.assert_array_equal(AT, golden("images/edges")["thresholds"])


@pytest.mark.parametrize("name", CASES)
def test_counts_of_the_golden_maps(name):
    strength, annotators = case(name)
    found = edge_counts(strength, annotators, AT)
    exact = EdgeCounts.of(golden_part("images/edges", name)["exact"])
    np.testing.assert_array_equal(found.recalled, exact.recalled)
    np.testing.assert_array_equal(found.annotated, exact.annotated)
    np.testing.assert_array_equal(found.drawn, exact.drawn)
    limit = np.maximum(TIES[0], TIES[1] * exact.right)
    assert (abs(found.right - exact.right) <= limit).all()


@pytest.mark.parametrize("name", CASES)
def test_the_public_matcher_loses_pairs_and_never_has_more(name):
    arrays = golden_part("images/edges", name)
    for run in arrays["public_runs"]:
        lost = arrays["exact"][0] - run[0]
        assert (lost >= 0).all()
        assert (lost <= 7).all()


@pytest.mark.parametrize("which", ["exact", "public, run 1", "public, run 2"])
def test_scores_of_the_golden_counts(which):
    tables = []
    for name in CASES:
        arrays = golden_part("images/edges", name)
        runs = arrays["public_runs"]
        tables.append(
            arrays["exact"] if which == "exact" else runs[min(int(which[-1]), len(runs)) - 1]
        )
    scores = edge_scores([EdgeCounts.of(table) for table in tables], AT)
    expected = EXPECTED[which]
    ods, ois, close = scores.ods, scores.ois, dict(rel=0, abs=1e-9)
    found = [ods.threshold, ods.recall, ods.precision, ods.f]
    assert found == pytest.approx(expected["ODS interpolated (BSDS bench): T R P F"], **close)
    best = int(scores.curve.f.argmax())
    plain = [
        AT[best],
        scores.curve.recall[best],
        scores.curve.precision[best],
        scores.curve.f[best],
    ]
    assert plain == pytest.approx(expected["ODS plain (py-bsds500): T R P F"], **close)
    found = [ois.recall, ois.precision, ois.f]
    assert found == pytest.approx(expected["OIS: R P F"], **close)
    bench = expected["AP bench (recall 0:.01:1, 101 values x 0.01)"]
    assert scores.ap == pytest.approx(bench, **close)
    port = average_precision(scores.curve, np.arange(0, 1, 0.01))
    assert port == pytest.approx(expected["AP py-bsds500 (100 values)"], **close)
    other = expected["AP trapezoid over thresholds (SCESAME)"]
    assert scores.ap_trapezoid == pytest.approx(other, **close)
    assert scores.r50 == pytest.approx(expected["R50"], **close)
    each = [point.f for point in scores.pictures]
    # Between thresholds F can only be higher than at them.
    assert (np.array(each) >= np.array(expected["per image best F"]) - 1e-9).all()


def test_the_official_program_is_met_where_it_was_run():
    """Its five pictures are not in here; what was counted of them is."""
    official = EXPECTED[
        "official MATLAB outputs in BIDS/BSDS500 bench/data (5 pictures, thresholds 1/6 .. 5/6)"
    ]
    counts = np.array(official["exact matching on the same files: counts cntR sumR cntP sumP"]).T
    scores = edge_scores([EdgeCounts.of(counts)], thresholds(5))
    published = official["test_2/eval_bdry.txt: T R P F, OIS R P F, AP"]
    assert scores.ods.f == pytest.approx(published[3], abs=2e-4)
    assert scores.ap == pytest.approx(published[-1], abs=2e-4)
    table = np.array(official["test_2/eval_bdry_thr.txt: T R P F"])
    np.testing.assert_allclose(scores.curve.recall, table[:, 1], atol=5e-4)
    np.testing.assert_allclose(scores.curve.precision, table[:, 2], atol=6e-4)


def naive_thinned(mask):
    """By the definition: every pixel looks at its neighbours, two half-steps in turn."""
    mask = mask.copy()
    around = [(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)]
    while True:
        before = mask.copy()
        for half in (0, 1):
            gone = []
            for row, column in np.argwhere(mask):
                x = [None]
                for down, right in around:
                    inside = 0 <= row + down < mask.shape[0] and 0 <= column + right < mask.shape[1]
                    x.append(bool(inside and mask[row + down, column + right]))
                x.append(x[1])
                crossings = sum(not x[i] and (x[i + 1] or x[i + 2]) for i in (1, 3, 5, 7))
                fewest = min(
                    sum(x[i] or x[i + 1] for i in (1, 3, 5, 7)),
                    sum(x[i + 1] or x[i + 2] for i in (1, 3, 5, 7)),
                )
                first = (x[2] or x[3] or not x[8]) and x[1]
                second = (x[6] or x[7] or not x[4]) and x[5]
                if crossings == 1 and 2 <= fewest <= 3 and not (second if half else first):
                    gone.append((row, column))
            for pixel in gone:
                mask[pixel] = False
        if (mask == before).all():
            return mask


@given(mask=masks)
def test_thinning_is_what_its_definition_says(mask):
    found = thinned(mask)
    np.testing.assert_array_equal(found, naive_thinned(mask))
    np.testing.assert_array_equal(thinned(found), found)


def cost(pairs, one, other):
    return sum(round(100 * np.hypot(*(one[i] - other[j]))) for i, j in pairs)


def cheapest(one, other, reach):
    """The cheapest matching with the most pairs, by trying all."""
    near = [
        (i, j)
        for i, j in itertools.product(range(len(one)), range(len(other)))
        if ((one[i] - other[j]) ** 2).sum() <= reach**2
    ]
    for size in range(min(len(one), len(other)), 0, -1):
        fitting = [
            pairs
            for pairs in itertools.combinations(near, size)
            if len({i for i, _ in pairs}) == len({j for _, j in pairs}) == size
        ]
        if fitting:
            return size, min(cost(pairs, one, other) for pairs in fitting)
    return 0, 0


pixels = st.lists(st.integers(0, 24), min_size=0, max_size=5, unique=True)


def drawn(places):
    mask = np.zeros((5, 5), np.bool_)
    mask.ravel()[places] = True
    return mask


@settings(max_examples=60)
@given(first=pixels, second=pixels, reach=st.sampled_from([1.0, 1.5, 2.3]))
def test_as_many_pixels_as_possible_are_matched(first, second, reach):
    one, other = drawn(first), drawn(second)
    mine, theirs = AnnotatedEdges(other, reach).match(one)
    most, _ = cheapest(np.argwhere(one), np.argwhere(other), reach)
    assert mine.sum() == theirs.sum() == most
    back, forth = AnnotatedEdges(one, reach).match(other)
    assert (back.sum(), forth.sum()) == (most, most)


def test_near_partners_are_preferred():
    """Three pixels in a row, two annotated: the far end is the one that stays alone."""
    found, truth = np.zeros((1, 9), np.bool_), np.zeros((1, 9), np.bool_)
    found[0, [2, 3, 6]] = True
    truth[0, [3, 4]] = True
    mine, theirs = AnnotatedEdges(truth, 2.0).match(found)
    assert theirs.all()
    np.testing.assert_array_equal(mine, [True, True, False])
    mine, _ = AnnotatedEdges(truth, 4.0).match(found)
    np.testing.assert_array_equal(mine, [True, True, False])


@pytest.mark.parametrize("name", ["thick", "one_blank_annotator"])
def test_mirrored_maps_have_the_same_recall(name):
    strength, annotators = case(name)
    at = thresholds(9)
    # The maps are thin already, so that thinning cannot prefer a side.
    lines = thinned(strength > 0.5) * strength
    plain = edge_counts(lines, annotators, at)
    turned = edge_counts(lines[:, ::-1], [item[:, ::-1] for item in annotators], at)
    difference = abs(plain.recalled - turned.recalled)
    assert (difference <= 0.05 * plain.recalled + 2).all()
    np.testing.assert_array_equal(plain.annotated, turned.annotated)


def test_equal_maps_are_perfect_and_blank_ones_are_zero():
    edges = np.zeros((40, 50), np.bool_)
    edges[10, 5:45] = True
    scores = edge_scores([edge_counts(edges.astype(float), [edges], AT)], AT)
    assert (scores.ods.f, scores.ois.f, scores.r50) == (1.0, 1.0, None)
    blank = edge_scores([edge_counts(np.zeros((40, 50)), [edges], AT)], AT)
    assert (blank.ods.f, blank.ap, blank.ap_trapezoid) == (0.0, 0.0, 0.0)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(UsageError, match=r"shape \(4, 5\) cannot be scored .*\(5, 4\)"):
        edge_counts(np.zeros((4, 5)), [np.zeros((5, 4), np.bool_)], AT)
    with pytest.raises(UsageError, match="of shapes none"):
        edge_counts(np.zeros((4, 5)), [], AT)
    with pytest.raises(UsageError, match="no pictures"):
        edge_scores([], AT)
