"""A network with closed-form answers that shows whatever the sliding window may do wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rvsam_video.trackers.cotracker.network import Levels, WindowInput, WindowOutput


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow cases of this folder to `pytest -m slow`: they take minutes."""
    if config.getoption("-m"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run with -m slow"))


@dataclass
class FakeNetwork:
    """Moves every point by what lies under it, and all of them by their order and their mean."""

    window: int = 8
    step: int = 4
    stride: int = 4
    logit_channels: int = 2
    initial_logit: float = 0.25
    waiting_take_part: bool = False
    pads: bool = True
    aligned_corners: bool = True
    encoded: int = 0
    refined: int = 0

    def encode(self, images: Tensor) -> Levels:
        self.encoded += len(images)
        first = F.avg_pool2d(images / 127.5 - 1, self.stride)
        return (first, F.avg_pool2d(first, 2))

    def describe(self, levels: Levels, xy: Tensor) -> Tensor:
        return _sample(levels[0], xy[None])[0]

    def refine(self, window: WindowInput, iterations: int) -> WindowOutput:
        self.refined += 1
        frames, points = window.xy.shape[:2]
        known = (window.query_frames < frames).float()
        times = torch.arange(frames)[:, None]
        real = ((times >= window.query_frames) & (times < window.frames)).float()
        weight = torch.linspace(0.5, 1.5, points) * (1 + known)
        xy, logits = window.xy, window.logits
        for _ in range(iterations):
            gap = _sample(window.levels[0], xy) - window.features
            mean = (gap * weight[:, None]).mean(1, keepdim=True)
            push = gap[..., :2] + 0.5 * mean[..., 1:] + 0.1 * real[..., None]
            push = push + 0.05 * window.carried[:, None] - 0.02 * float(window.first)
            xy = xy + 0.2 * torch.tanh(push + 0.1 * xy.diff(dim=0, prepend=xy[:1]))
            logits = logits + 0.1 * torch.sin(push[..., : logits.shape[-1]])
        return WindowOutput(xy, logits)


def _sample(level: Tensor, xy: Tensor) -> Tensor:
    """Read (S, N, C) values of a (S, C, h, w) level at (S, N, 2) cells."""
    size = torch.tensor([level.shape[3] - 1, level.shape[2] - 1])
    grid = (2 * xy / size - 1)[:, None]
    found = F.grid_sample(level, grid, align_corners=True, padding_mode="border")
    return found[:, :, 0].transpose(1, 2)


@pytest.fixture
def fake_network() -> Callable[..., FakeNetwork]:
    return FakeNetwork


@pytest.fixture(scope="session")
def soft_clip() -> np.ndarray:
    """(30, 48, 64, 3) uint8, a smooth pattern that drifts."""
    y, x, t = np.meshgrid(np.arange(48), np.arange(64), np.arange(30), indexing="ij")
    waves = [np.sin(x / 7 + 0.2 * t), np.cos(y / 5 - 0.15 * t), np.sin((x + y) / 9 + 0.1 * t)]
    pattern = np.stack(waves, -1).transpose(2, 0, 1, 3)
    return np.round(127.5 + 120 * pattern).astype(np.uint8)
