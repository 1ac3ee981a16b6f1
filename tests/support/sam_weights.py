"""SAM networks with the weights of the golden files, by name."""

from __future__ import annotations

from functools import cache

import deterministic_weights
import numpy as np
import torch
from golden_data import manifest
from torch import Tensor

from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, sam_with_weights
from rvsam_video.segmenters.sam.segmenter import SamSegmenter

ENCODER_GAINS = {"repvit-sam": 0.66, "mobile-sam": 1.0}
REST_GAIN = 1.3


def state_of(name: str) -> dict[str, Tensor]:
    """The weights of the golden files: gains differ between the encoder and the rest."""
    make = deterministic_weights.deterministic_array
    gains = (ENCODER_GAINS[name], REST_GAIN)
    return {
        key: torch.from_numpy(
            np.asarray(make(key, shape, gains[not key.startswith("image_encoder.")]))
        )
        for key, shape in manifest("sam", name).items()
    }


@cache
def sam_with_golden_weights(name: str) -> SamSegmenter:
    """Load a network, once a session."""
    return sam_with_weights(SAM_VARIANTS[name], state_of(name), source="test", device="cpu")
