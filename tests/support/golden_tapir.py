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

from rvsam_video.frame import Frame
from rvsam_video.trackers.base import QueryPoints, TrackedPoints
from rvsam_video.trackers.tapir.engine import Engine
from rvsam_video.trackers.tapir.loading import tapir_with_weights
from rvsam_video.trackers.tapir.network import TapirNetwork
from rvsam_video.trackers.tapir.tracker import Tapir
from rvsam_video.trackers.tapir.variants import TAPIR_VARIANTS, TapirSettings

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


# The run of `tapir_online.npz`

META = meta("tapir_online")
POINTS = np.array(META["points"], np.float32)
"""(t, y, x) from the outer corner of the picture."""


def golden_queries(points: np.ndarray, ids: np.ndarray, frames: np.ndarray) -> QueryPoints:
    """Return public points (N, 3) as ours, which start in these frames."""
    # Public places are counted from the corner, ours from the centre of the first pixel.
    return QueryPoints(ids, frames.astype(np.int64), points[:, :0:-1].copy() - np.float32(0.5))


def follow_golden(engine: Engine) -> list[TrackedPoints]:
    """Points come on frames 0 and 4, one goes before frame 8, one is put elsewhere before 10."""
    settings = TapirSettings(pin_query=False)
    state = Tapir("tapir-online", engine, settings).start((256, 256))
    starts = np.array(META["alive_from"])
    state.add(golden_queries(POINTS, np.arange(len(POINTS)), starts))
    given = []
    for index, image in enumerate(clip_a()):
        if index == META["removed"][1]:
            state.remove([META["removed"][0]])
        if index == META["requery"][1]:
            state.remove([META["requery"][0]])
            moved = np.array([META["requery_point"]], np.float32)
            state.add(golden_queries(moved, np.array([100]), np.array([index])))
        given += state.push(Frame(index, index / 25, image))
    return given


def check_golden(points: TrackedPoints, pixels: float, chance: float) -> int:
    """Hold a frame of that run against the public numbers; return how many points are visible."""
    golden_run = golden("tapir_online")
    index = points.frame_index
    rows = np.where(points.ids == 100, META["requery"][0], points.ids)
    assert set(rows) == set(np.flatnonzero(golden_run["alive"][index]))
    tracks = golden_run["tracks"][index, rows]
    np.testing.assert_allclose(points.xy + 0.5, tracks, rtol=0, atol=pixels)
    np.testing.assert_array_equal(points.visible, golden_run["visible"][index, rows])
    chances = [
        1 / (1 + np.exp(golden_run[name][index, rows].astype(np.float64)))
        for name in ("occlusion", "distance")
    ]
    wanted = chances[0] * chances[1]
    np.testing.assert_allclose(points.confidence, wanted, rtol=0, atol=chance)
    return int(points.visible.sum())
