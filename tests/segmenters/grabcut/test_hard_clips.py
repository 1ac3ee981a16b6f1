"""The default pair on what goes wrong in real videos: rendered clips with exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import pytest

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip

WIDTH, HEIGHT = 320, 240
Place = tuple[float, float]


@cache
def _ground(seed: int) -> np.ndarray:
    """The sea bed of a rendered clip, its actors painted over with more of it: (H, W, 3) uint8."""
    clip = SyntheticClip(frames=1, size=(2 * WIDTH, 2 * HEIGHT), seed=seed)
    image, actors = clip.frame(0).image, (clip.truth(0) > 0).astype(np.uint8)
    hidden = cv2.dilate(actors, np.ones((15, 15), np.uint8))
    return cv2.inpaint(image, hidden, 3, cv2.INPAINT_TELEA)


@cache
def _skin(seed: int) -> np.ndarray:
    """A pattern that moves with its object: (160, 160, 3) float32, in a colour of its own."""
    rng = np.random.default_rng(seed)
    spots = cv2.GaussianBlur(rng.normal(0, 1, (160, 160)).astype(np.float32), (0, 0), 3)
    light, dark = rng.permuted([210.0, 120.0, 50.0]), rng.permuted([90.0, 40.0, 60.0])
    return np.where((spots > 0)[..., None], light, dark).astype(np.float32)


def _shape(centre: Place, radius: float) -> np.ndarray:
    """A blob with three lobes, (H, W) bool."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.arctan2(rows - centre[1], columns - centre[0])
    distance = np.hypot(rows - centre[1], columns - centre[0])
    return distance <= radius * (1 + 0.25 * np.cos(3 * angle))


def _scene(
    objects: Sequence[tuple[Place, float]], *, index: int, ground: int = 3, pan: float = 1.0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw a frame and the truth of its objects, the first in front."""
    left = round(40 + pan * index)
    image = _ground(ground)[40 : 40 + HEIGHT, left : left + WIDTH].astype(np.float32)
    free, truths = np.ones((HEIGHT, WIDTH), bool), []
    for number, (centre, radius) in enumerate(objects):
        truths.append(_shape(centre, radius) & free)
        free &= ~truths[-1]
        move = np.array([[1, 0, centre[0] - 80], [0, 1, centre[1] - 80]], np.float32)
        skin = cv2.warpAffine(_skin(number), move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)
        soft = cv2.GaussianBlur(truths[-1].astype(np.float32), (0, 0), 0.6)[..., None]
        image += soft * (skin - image)
    noise = np.random.default_rng(index).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), truths


def _follow(frames: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> list[rv.FrameResult]:
    prompts = [rv.Prompt.create(object_id=key, mask=mask) for key, mask in enumerate(masks, 1)]
    return list(rv.VideoSegmenter().track(frames, prompts))


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def _one(places: Sequence[Place], radius: float = 30, **scene: float) -> tuple[list, list]:
    drawn = [_scene([(place, radius)], index=index, **scene) for index, place in enumerate(places)]
    return [image for image, _ in drawn], [truths[0] for _, truths in drawn]


def test_an_object_that_leaves_is_reported_gone_and_found_when_it_returns() -> None:
    steps = [*range(0, 144, 12), *[400] * 6, *range(132, 36, -12)]
    frames, truths = _one([(200 + step, 120) for step in steps])
    results = _follow(frames, [truths[0]])
    for result, truth in zip(results, truths, strict=True):
        if not truth.any():
            assert not result.masks[1].any()
            assert result.objects[0].score == 0
    found = [_iou(result.masks[1], truth) for result, truth in zip(results, truths, strict=True)]
    assert min(found[:8]) > 0.85
    assert min(found[-3:]) > 0.85


def test_an_object_behind_a_wall_is_gone_and_the_wall_is_never_taken_for_it() -> None:
    frames, truths = _one([(160, 120)] * 36)
    for index, frame in enumerate(frames):
        left = 12 * index - 130
        wall = np.zeros((HEIGHT, WIDTH), bool)
        wall[:, max(left, 0) : max(left + 130, 0)] = True
        frame[wall] = _ground(8)[:HEIGHT, :WIDTH][wall]
        truths[index] = truths[index] & ~wall
    results = _follow(frames, [_shape((160, 120), 30)])
    for result, truth in zip(results, truths, strict=True):
        extra = result.masks[1] & ~truth
        assert extra.sum() < 0.2 * truths[0].sum()
        if not truth.any():
            assert not result.masks[1].any()
    assert _iou(results[-1].masks[1], truths[-1]) > 0.9


@pytest.mark.parametrize("pan", [0.0, 2.0], ids=["resting camera", "panning camera"])
def test_an_object_that_rests_is_kept(pan: float) -> None:
    frames, truths = _one([(160 - pan * index, 120) for index in range(25)], pan=pan)
    results = _follow(frames, [truths[0]])
    assert min(map(_iou, [result.masks[1] for result in results], truths)) > 0.9


def test_an_object_of_twenty_pixels_is_followed() -> None:
    frames, truths = _one([(100 + 2 * index, 120) for index in range(25)], radius=2.5)
    assert 15 < truths[0].sum() < 25
    results = _follow(frames, [truths[0]])
    found = [_iou(result.masks[1], truth) for result, truth in zip(results, truths, strict=True)]
    assert np.mean(found) > 0.6
    assert found[-1] > 0.4


def test_an_object_that_fills_the_frame_stays() -> None:
    frames, truths = _one([(160 + index, 120) for index in range(12)], radius=400)
    assert truths[0].all()
    for result in _follow(frames, [truths[0]]):
        assert result.masks[1].mean() > 0.97


def test_a_black_frame_is_reported_and_does_no_lasting_harm() -> None:
    frames, truths = _one([(120 + 3 * index, 120) for index in range(18)])
    frames[8] = np.zeros_like(frames[8])
    results = _follow(frames, [truths[0]])
    assert not results[8].masks[1].any()
    assert results[8].objects[0].score == 0
    found = [_iou(result.masks[1], truth) for result, truth in zip(results, truths, strict=True)]
    assert min(found[10:]) > 0.85


@pytest.mark.parametrize("ground", [8, 21, 34])
def test_after_a_cut_to_another_scene_the_object_is_lost(ground: int) -> None:
    frames, truths = _one([(120 + 3 * index, 120) for index in range(10)])
    after = [_scene([], index=index, ground=ground)[0][:, ::-1] for index in range(10)]
    results = _follow([*frames, *after], [truths[0]])
    for result in results[10:]:
        assert not result.masks[1].any()
        assert result.objects[0].score == 0


def test_three_objects_that_touch_are_kept_apart() -> None:
    drawn = [
        _scene([((100 + x, 120), 30), ((155 + x, 120), 30), ((210 + x, 120), 30)], index=x)
        for x in range(20)
    ]
    results = _follow([image for image, _ in drawn], drawn[0][1])
    for result, (_, truths) in zip(results, drawn, strict=True):
        for key, truth in enumerate(truths, 1):
            assert _iou(result.masks[key], truth) > 0.85
