"""SAM networks with weights made by rule: two real ones with golden answers, and a tiny one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import golden_data
import numpy as np
import pytest
import synthetic_picture
from sam_weights import ENCODER_GAINS, sam_with_golden_weights, state_of
from segment_anything import SamPredictor
from tiny_sam import PatchEncoder, tiny_sam
from torch import Tensor

from rvsam_video.segmenters.sam.decoder import PreparedImage
from rvsam_video.segmenters.sam.segmenter import SamSegmenter

sam_manifest = partial(golden_data.manifest, "sam")


@dataclass(frozen=True, eq=False)
class Golden:
    """A segmenter of the family, what the public code answered, and the picture it was asked."""

    segmenter: SamSegmenter
    arrays: dict[str, np.ndarray]
    image: PreparedImage

    @property
    def picture(self) -> np.ndarray:
        return self.arrays["picture"]


@cache
def _golden(name: str) -> Golden:
    segmenter = sam_with_golden_weights(name)
    arrays = golden_data.golden(f"{name.replace('-', '_')}_predictor")
    return Golden(segmenter, arrays, segmenter.embed(arrays["picture"]))


@pytest.fixture(scope="session", params=sorted(ENCODER_GAINS))
def golden(request: pytest.FixtureRequest) -> Golden:
    """Each of the two networks that there are golden files of; encodes the picture once."""
    return _golden(request.param)


@pytest.fixture(scope="session")
def manifest() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """Names and shapes of the official checkpoints."""
    return sam_manifest


@pytest.fixture(scope="session")
def golden_state() -> Callable[[str], dict[str, Tensor]]:
    """A whole state dict under official names."""
    return state_of


@dataclass(frozen=True, eq=False)
class Tiny:
    """The same tiny network in this package and in the public one."""

    segmenter: SamSegmenter
    official: SamPredictor
    picture: np.ndarray
    image: PreparedImage


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    sam = tiny_sam()
    segmenter, official = SamSegmenter("tiny", sam, "cpu"), SamPredictor(sam)
    picture = synthetic_picture.synthetic_picture(120, 200, seed=5)
    official.set_image(picture)
    return Tiny(segmenter, official, picture, segmenter.embed(picture))


@pytest.fixture(scope="session")
def golden_segmenter() -> Callable[[str], SamSegmenter]:
    """A network that there are golden files of, by name; loaded once."""
    return lambda name: _golden(name).segmenter


@pytest.fixture(scope="session")
def patch_encoder() -> type[PatchEncoder]:
    """The least that can stand in for an image encoder."""
    return PatchEncoder
