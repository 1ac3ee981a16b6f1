"""The learner of colours and texture."""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.segmenters.grabcut.texture import FEATURES, TextureModel, texture_features


def _stripes(seed: int, *, across: bool) -> np.ndarray:
    """Two halves of the same mean colour: one striped across, one downwards."""
    steps = np.sin(np.arange(120) * 0.9) * 40
    noise = np.random.default_rng(seed).normal(0, 6, (120, 120))
    grey = 120 + noise + (steps[None, :] if across else steps[:, None])
    return np.clip(grey, 0, 255).astype(np.uint8)


def _picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    on = np.zeros((120, 120), np.float32)
    on[:, 60:] = 1
    grey = np.where(on > 0, _stripes(seed, across=True), _stripes(seed, across=False))
    return cv2.merge([grey, grey, grey]), on


def test_textures_of_one_colour_are_told_apart_in_another_picture() -> None:
    first, on = _picture(0)
    model = TextureModel.learn(texture_features(first), on)
    second, _ = _picture(1)
    everywhere = np.ones(on.shape, bool)
    evidence = model.evidence(texture_features(second), everywhere)
    inner = np.abs(np.arange(120) - 59.5) > 8
    assert ((evidence > 0) == (on > 0))[:, inner].mean() > 0.97


def test_a_pixel_is_judged_alike_whichever_others_are() -> None:
    image, on = _picture(0)
    features = texture_features(image)
    model = TextureModel.learn(features, on)
    everywhere = model.evidence(features, np.ones(on.shape, bool))
    some = np.random.default_rng(0).random(on.shape) < 0.2
    evidence = model.evidence(features, some)
    np.testing.assert_allclose(evidence[some], everywhere[some], rtol=0, atol=1e-4)
    assert not evidence[~some].any()


def test_a_small_object_weighs_as_much_as_what_is_around_it() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal((60, 120, 60), 10, (120, 120, 3))
    on = np.zeros((120, 120), np.float32)
    on[55:65, 55:65] = 1
    image[on > 0] = rng.normal((150, 60, 60), 10, (100, 3))
    features = texture_features(np.clip(image, 0, 255).astype(np.uint8))
    evidence = TextureModel.learn(features, on).evidence(features, np.ones(on.shape, bool))
    assert (evidence[on > 0] > 0).mean() > 0.95
    assert (evidence[on == 0] > 0).mean() < 0.02


def test_a_flat_picture_and_an_empty_side_give_finite_evidence() -> None:
    features = texture_features(np.full((30, 40, 3), 77, np.uint8))
    assert features.shape == (30, 40, FEATURES)
    for on in (np.zeros((30, 40), np.float32), np.ones((30, 40), np.float32)):
        evidence = TextureModel.learn(features, on).evidence(features, np.ones((30, 40), bool))
        assert np.isfinite(evidence).all()


def test_blending_goes_from_one_model_to_the_other() -> None:
    (first, on), (second, _) = _picture(0), _picture(1)
    one, two = (TextureModel.learn(texture_features(image), on) for image in (first, second))
    np.testing.assert_array_equal(one.blend(two, 0).moments, one.moments)
    np.testing.assert_allclose(one.blend(two, 1).moments, two.moments, atol=1e-6)
