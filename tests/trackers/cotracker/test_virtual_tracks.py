"""What points may and may not learn of each other through the virtual tracks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rvsam_video.trackers.cotracker.attention import VirtualTrackTransformer


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(3)
    return VirtualTrackTransformer(16, outputs=2, depth=2, logits=2).eval().requires_grad_(False)


def _tokens(points: int, frames: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(points, frames, 16, generator=torch.Generator().manual_seed(seed))


def _close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_updates_follow_the_order_of_the_points(transformer):
    tokens = _tokens(7)
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    assert transformer(tokens).shape == (7, 3, 4)
    _close(transformer(tokens[order]), transformer(tokens)[order])


def test_points_learn_of_each_other_and_of_other_frames(transformer):
    tokens, changed = _tokens(3), _tokens(3)
    changed[2, 1] += 1
    difference = (transformer(changed) - transformer(tokens)).abs().amax(-1)
    assert (difference > 1e-5).all()


@pytest.mark.parametrize("points", [5, 63, 65])
def test_points_that_wait_influence_nobody(transformer, points):
    active = torch.arange(points) % 3 > 0
    tokens = _tokens(points)
    changed = torch.where(active[:, None, None], tokens, _tokens(points, seed=1))
    found = transformer(tokens, active)[active]
    _close(transformer(changed, active)[active], found)
    _close(transformer(tokens[active], None), found)


def test_a_mask_of_all_points_is_no_mask(transformer):
    tokens = _tokens(5)
    _close(transformer(tokens, torch.ones(5, dtype=torch.bool)), transformer(tokens))


def test_with_exactly_64_points_waiting_ones_are_seen_by_some_virtual_tracks(transformer):
    """The public code takes the mask for one of virtual tracks, as it is as long as they are."""
    active = torch.arange(64) % 3 > 0
    tokens = _tokens(64)
    changed = torch.where(active[:, None, None], tokens, _tokens(64, seed=1))
    found, other = (transformer(given, active)[active] for given in (tokens, changed))
    assert (found - other).abs().max() > 1e-4


@pytest.mark.parametrize("points", [5, 64])
@pytest.mark.parametrize("half", [False, True])
def test_updates_stay_finite_when_no_point_is_active(transformer, points, half):
    none = torch.zeros(points, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = transformer(_tokens(points), none)
    assert found.isfinite().all()


def test_with_no_point_active_virtual_tracks_see_all_points_alike(transformer):
    tokens = _tokens(4)
    none = torch.zeros(4, dtype=torch.bool)
    changed = tokens[torch.tensor([0, 2, 3, 1])]
    # Seeing them alike, they do not care which of the others is which.
    _close(transformer(changed, none)[0], transformer(tokens, none)[0])
    changed[1] += 1
    assert (transformer(changed, none)[0] - transformer(tokens, none)[0]).abs().max() > 1e-6
