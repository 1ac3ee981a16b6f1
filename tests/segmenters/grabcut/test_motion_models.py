"""Which motion a pixel's look goes with, and the user's mask carried over many frames at once."""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.segmenters.grabcut.crop import Crop
from rvsam_video.segmenters.grabcut.memory import Shape
from rvsam_video.segmenters.grabcut.motion import measure_motion
from rvsam_video.segmenters.grabcut.motion_models import layer_evidence, layers_of
from rvsam_video.segmenters.grabcut.pose import Pose
from rvsam_video.segmenters.grabcut.recutting import compare, signed_over

WIDTH, HEIGHT = 200, 160
WHOLE = Crop(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)


def _grain(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return 128 + 40 * smooth / smooth.std()


def _picture(step: int) -> tuple[np.ndarray, np.ndarray]:
    """A square of the ground's own look that moves right while the ground moves left."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[50:110, 60 + 3 * step : 120 + 3 * step] = True
    grey = np.where(inside, np.roll(_grain(1), 3 * step, 1), np.roll(_grain(0), -2 * step, 1))
    return np.clip(grey, 0, 255).astype(np.uint8), inside


def test_camouflage_ends_where_the_motion_changes() -> None:
    (before, _), (now, inside) = _picture(0), _picture(1)
    motion = measure_motion(before, now, (WIDTH, HEIGHT))
    layers = layers_of(motion, inside, 30, WHOLE.grid())
    assert layers is not None
    evidence = layer_evidence(before, now, motion, layers, 60)
    near = np.zeros_like(inside)
    near[40:120, 55:131] = True  # left of it the ground was hidden a frame before
    near[:, 50:64] = False
    agrees = (evidence > 0) == inside
    assert agrees[near].mean() > 0.95
    edge = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((7, 7))) > 0
    assert agrees[near & edge].mean() > 0.8


def test_a_still_picture_says_nothing() -> None:
    now, inside = _picture(0)
    motion = measure_motion(now, now, (WIDTH, HEIGHT))
    layers = layers_of(motion, inside, 30, WHOLE.grid())
    assert layers is not None
    assert np.abs(layer_evidence(now, now, motion, layers, 60)).max() < 0.2


def _shape(inside: np.ndarray) -> Shape:
    return Shape(WHOLE, signed_over(WHOLE, inside), Pose.of(inside, WHOLE.grid(), WHOLE.scale))


def test_a_mask_is_carried_to_a_later_picture_where_it_is_recognised() -> None:
    (seen, first), (now, truth) = _picture(0), _picture(10)
    pose = Pose.of(truth, WHOLE.grid(), WHOLE.scale)
    vote = compare(_shape(first), seen, pose, WHOLE.grid(), now)
    assert vote is not None
    core = cv2.erode(truth.astype(np.uint8), np.ones((9, 9))) > 0
    assert vote.trust[core].mean() > 0.8
    assert ((vote.signed > 0) & (vote.trust > 0.5))[core].mean() > 0.9


def test_a_mask_is_not_carried_to_a_picture_that_shows_something_else() -> None:
    seen, first = _picture(0)
    other = np.clip(_grain(7), 0, 255).astype(np.uint8)
    shape = _shape(first)
    vote = compare(shape, seen, shape.pose, WHOLE.grid(), other)
    assert vote is not None
    assert vote.trust.mean() < 0.15


def test_crops_too_small_for_flow_have_no_vote() -> None:
    seen, first = _picture(0)
    shape, tiny = _shape(first), Crop(0, 0, 8, 8, 8, 8)
    assert compare(shape, seen, shape.pose, tiny.grid(), seen[:8, :8].copy()) is None
