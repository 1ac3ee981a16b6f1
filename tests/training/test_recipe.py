"""Learning rates, step by step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from rvsam_video.errors import UsageError
from rvsam_video.training.recipe import RECIPES, Recipe, find_recipe

# Computed with timm's scheduler as EdgeSAM configures it.
EDGE_SAM = {
    0: 6.25e-08, 1: 2.5062375e-05, 250: 0.00625003125, 499: 0.012475000125, 500: 0.0062503125,
    501: 0.006230678559959342, 750: 0.0018311160884531992, 999: 6.558409462617488e-07,
}  # fmt: skip


@pytest.mark.parametrize("step", EDGE_SAM)
def test_edge_sam_has_the_rates_of_its_code(step):
    found = find_recipe("edge-sam").rate_at(step, 1000, 100)
    assert found == pytest.approx(EDGE_SAM[step], rel=1e-6)


def test_mobile_sam_halves_after_every_epoch():
    recipe = find_recipe("mobile-sam")
    rates = [recipe.rate_at(epoch * 10, 80, 10) for epoch in range(8)]
    assert rates == [1e-3 * 0.5**epoch for epoch in range(8)]
    assert recipe.rate_at(9, 80, 10) == 1e-3


def test_the_default_rises_then_falls_without_a_cliff():
    recipe = find_recipe("default")
    rates = [recipe.rate_at(step, 1000, 125) for step in range(1000)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(5e-4)
    assert max(rates) == rates[10] == 1e-3
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)
    assert all(one > other for one, other in pairwise(rates[10:]))


def test_rates_grow_with_the_batch():
    recipe = replace(find_recipe("default"), batch=64)
    assert recipe.rate_at(10, 1000, 125) == pytest.approx(4e-3)


def test_the_paper_has_plain_mse_and_eight_epochs():
    assert (RECIPES["paper"].loss, RECIPES["paper"].epochs) == ("mse", 8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "msee"}, "did you mean 'mse'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"warm_up": 1.0}, "warm_up is 1.0"),
        ({"average": 1.0}, "average is 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        Recipe(**changes)


def test_unknown_recipes_are_refused():
    with pytest.raises(UsageError, match="did you mean 'paper'"):
        find_recipe("papr")
