"""CoTracker networks with the weights of the golden files, so that nothing is downloaded."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"

GAINS = {1: 0.2, 2: 0.25, 3: 0.5}
"""Version to the size of its random weights."""


def golden_network(name: str):  # noqa: ANN201 - torch loads in workers only
    """Build the network of a variant.

    Random weights alone would make versions 1 and 2 chaotic, and no point visible: the changes
    are those that the golden files were made with.
    """
    import torch

    from rvsam_video.trackers.cotracker.loading import build_network
    from rvsam_video.trackers.cotracker.variants import COTRACKER_VARIANTS

    sys.path.insert(0, str(DATA))
    variant = COTRACKER_VARIANTS[name]
    network = build_network(variant)
    fill = importlib.import_module("deterministic_weights").fill
    fill(network, gain=GAINS[variant.version], keep=("time_emb", "pos_emb"))
    state = network.state_dict()
    if variant.version == 3:
        shift = (0.4, 0.4) if variant.any_length else (0.15, 0.2)
        state["updateformer.vis_conf_head.bias"] += torch.tensor(shift)
        return network
    first = variant.version == 1
    state["updateformer.input_transform.weight"][:, 2:130] /= 32 if first else 64
    state["vis_predictor.0.weight"] *= 64 if first else 16
    state["vis_predictor.0.bias"] += 13 if first else -1.5
    return network


def golden_clip(frames: int):  # noqa: ANN201 - numpy loads in workers only
    """Return a (frames, 384, 512, 3) uint8 clip: it goes to and fro if it is a long one."""
    import numpy as np

    sys.path.insert(0, str(DATA))
    texture = importlib.import_module("cotracker_clip").moving_texture
    clip = texture(min(frames, 48), 384, 512, seed=13)
    back = np.concatenate([clip, clip[::-1]])
    return back[np.arange(frames) % len(back)] if frames > len(clip) else clip


def spread_points(count: int):  # noqa: ANN201
    """Return (count, 2) float32 places spread over 512 x 384 pixels."""
    import numpy as np

    random = np.random.RandomState(5)
    return (8 + random.rand(count, 2) * (496, 368)).astype(np.float32)
