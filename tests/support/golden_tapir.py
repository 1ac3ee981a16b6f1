"""TAPIR networks with the weights of the golden files, and the pictures those were made from."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import cotracker_clip
import deterministic_weights
import numpy as np
import torch
from golden_data import golden, manifest
from torch import Tensor

from rvsam_video.trackers.tapir.loading import tapir_with_weights
from rvsam_video.trackers.tapir.network import TapirNetwork
from rvsam_video.trackers.tapir.variants import TAPIR_VARIANTS

KINDS = {
    "tapir-online": "causal_bootstapir",
    "tapir-offline": "bootstapir",
    "tapir-offline-baseline": "tapir",
}
"""Registry name to what the golden files call the network."""


def meta(name: str) -> dict[str, Any]:
    """Return what a golden file says of itself."""
    found: dict[str, Any] = json.loads(str(golden(name)["meta"]))
    return found


def tapir_state(name: str) -> dict[str, Tensor]:
    """Return the weights of a network: random ones that were made to follow pictures a little."""
    shapes = manifest("tapir", KINDS[name])
    arrays = deterministic_weights.deterministic_state(shapes, gain=1.0)
    for key, index, operation, value in meta("tapir_online")["adjustments"]:
        if key not in arrays:
            continue
        where = ... if index is None else tuple(index)
        if operation == "*":
            arrays[key][where] *= np.float32(value)
        else:
            arrays[key][where] += np.float32(value)
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def fresh_network(name: str) -> TapirNetwork:
    """Build a network that is not packed."""
    return tapir_with_weights(TAPIR_VARIANTS[name], tapir_state(name), source="here")


@cache
def golden_network(name: str) -> TapirNetwork:
    """Return a network in its fastest form, which is built once."""
    network = fresh_network(name)
    network.pack()
    return network


@cache
def moving_clip(frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """Return (frames, height, width, 3) uint8; it must not be changed."""
    clip = cotracker_clip.moving_texture(frames, height, width, seed=seed)
    clip.flags.writeable = False
    return clip


def clip_a() -> np.ndarray:
    """Return the clip of most golden arrays."""
    return moving_clip(14, 256, 256, 21)
