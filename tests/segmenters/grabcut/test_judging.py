"""Scores that fall when they should, and lost objects found at another size."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.segmenters import ObjectPrompt
from rvsam_video.segmenters.grabcut.memory import ObjectMemory
from rvsam_video.segmenters.grabcut.motion import Picture
from rvsam_video.segmenters.grabcut.relocation import find_again
from rvsam_video.segmenters.grabcut.segmenter import GrabCut

NO_POINTS = np.zeros((0, 2), np.float32)


def second_score(mask: np.ndarray, clip: SyntheticClip) -> float:
    segmenter = GrabCut()
    first = segmenter.embed(clip.frame(0).image)
    memory = segmenter.predict(first, [ObjectPrompt(1, mask=mask)])[0].memory
    second = segmenter.embed(clip.frame(1).image)
    return segmenter.predict(second, [ObjectPrompt(1, memory=memory)])[0].score


@pytest.mark.parametrize("object_id", [1, 2, 3])
def test_a_mask_beside_its_object_is_scored_lower(object_id: int) -> None:
    clip = SyntheticClip(frames=2, seed=1)
    truth = clip.truth(0) == object_id
    width = int(np.ptp(np.flatnonzero(truth.any(axis=0))))
    right, beside = second_score(truth, clip), second_score(np.roll(truth, width // 2, 1), clip)
    assert 0 <= beside < right <= 1
    assert right > 0.5


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_a_lost_object_is_found_at_the_size_it_has_now(scale: float) -> None:
    noise = np.random.default_rng(1).integers(60, 90, (240, 320, 3)).astype(np.uint8)
    x, y = np.meshgrid(np.arange(320), np.arange(240))

    def disc(radius: float) -> np.ndarray:
        return np.hypot(x - 160, y - 120) <= radius

    before, now = noise.copy(), noise.copy()
    before[disc(30)], now[disc(30 * scale)] = (230, 200, 60), (230, 200, 60)
    segmenter = GrabCut()
    arrays = segmenter.predict(segmenter.embed(before), [ObjectPrompt(1, mask=disc(30))])[0].memory
    assert arrays is not None
    memory = ObjectMemory.from_arrays(arrays)
    pose = find_again(Picture.of(now, 640), memory, NO_POINTS, recent=0.25, least=0.6)
    assert pose is not None
    assert pose.size / memory.full.pose.size == pytest.approx(scale)
