"""CoTracker 1 and 2 against numbers of the public code, window by window and clip by clip."""

from __future__ import annotations

import json
from functools import cache

import cotracker_clip
import deterministic_weights
import numpy as np
import pytest
import torch
from golden_data import golden, manifest

from rvsam_video.errors import UsageError
from rvsam_video.trackers.cotracker.correlation import correlate
from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference, WindowInput
from rvsam_video.trackers.cotracker.predictor import NetworkTracks, track_clip
from rvsam_video.trackers.cotracker.v1 import CoTracker1, VectorTracker
from rvsam_video.trackers.cotracker.v2 import CoTracker2

VERSIONS = ("v1", "v2")
SMALL = (96, 128)
MOTION = slice(2, 130)
"""Columns of a token that amplify rounding, with frequencies of up to 968 per cell."""

PIXELS = 1e-3
CHANCE = 5e-4


def _golden(version: str) -> dict[str, np.ndarray]:
    return golden(f"cotracker_{version}")


def _fill(network: torch.nn.Module, version: str, gain: float | None = None) -> None:
    """Give a network the weights of the golden file; a gain of its own leaves out adjustments."""
    meta = json.loads(str(_golden(version)["meta"]))
    deterministic_weights.fill(network, gain or meta["gain"], tuple(meta["kept"]))
    state = network.state_dict()
    for name, columns, operation, value in [] if gain else meta["adjustments"]:
        part = state[name] if columns is None else state[name][:, slice(*columns)]
        part.copy_(part * value if operation == "*" else part + value)
    network.load_state_dict(state)


@cache
def _network(version: str, window: int = 8, stride: int = 4) -> VectorTracker:
    if version == "v1":
        network = CoTracker1(stride=stride, window=window)
    else:
        network = CoTracker2(window=window, resolution=SMALL)
    _fill(network, version)
    return network.eval().requires_grad_(False)


@cache
def _clip(version: str, letter: str) -> np.ndarray:
    recipe = [int(value) for value in _golden(version)[f"clip_{letter}_recipe"]]
    clip = cotracker_clip.moving_texture(*recipe[:3], seed=recipe[3])
    assert cotracker_clip.checksum(clip) == _golden(version)[f"clip_{letter}_crc32"]
    return clip


def _pictures(clip: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 3, 1, 2).float()


def _track(network: VectorTracker, clip: np.ndarray, queries: np.ndarray) -> NetworkTracks:
    inference = Inference(network)
    frames = [EncodedFrame(inference, picture) for picture in torch.split(_pictures(clip), 1)]
    asked = queries[:, 0].astype(np.int64), queries[:, 1:]
    return track_clip(inference, frames, *asked)


def _close(found: object, expected: np.ndarray, limit: float, what: str) -> None:
    worst = np.abs(np.asarray(found) - expected).max()
    assert worst < limit, f"{what} differ by {worst:.1e}"


def _agrees(found: NetworkTracks, version: str, case: str) -> None:
    golden = _golden(version)
    _close(found.xy, golden[f"{case}_coords"], PIXELS, f"{version} {case} places")
    chances = found.probabilities[..., 0]
    _close(chances, golden[f"{case}_vis"], CHANCE, f"{version} {case} visibility")


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("v1_stride_4_wind_8", lambda: CoTracker1(stride=4, window=8)),
        ("v1_stride_4_wind_12", lambda: CoTracker1(stride=4, window=12)),
        ("v1_stride_8_wind_16", lambda: CoTracker1(stride=8, window=16)),
        ("v2", lambda: CoTracker2(window=8)),
        ("v2_1", lambda: CoTracker2(window=16)),
    ],
)
def test_names_and_shapes_are_those_of_the_released_weights(name, network):
    found = {key: tuple(value.shape) for key, value in network().state_dict().items()}
    assert found == manifest("cotracker", name)


@pytest.mark.parametrize("version", VERSIONS)
def test_features_of_a_frame(version):
    features = _network(version).fnet(_pictures(_clip(version, "A")[:1]))[0]
    expected = _golden(version)["fnet_frame0_step2"]
    _close(features[:, ::2, ::2], expected, 2e-5, f"{version} features")


@pytest.mark.parametrize("version", VERSIONS)
def test_features_of_a_frame_at_full_resolution(version):
    picture = _pictures(_clip(version, "C")[:1])
    aligned = _network(version).aligned_corners
    picture = torch.nn.functional.interpolate(
        picture, (384, 512), mode="bilinear", align_corners=aligned
    )
    features = _network(version).fnet(picture)[0]
    expected = _golden(version)["full_fnet_frame0_stride8"]
    _close(features[:, ::8, ::8], expected, 5e-5, f"{version} features, full size")


@pytest.mark.parametrize("version", VERSIONS)
def test_features_and_correlations_of_the_queries(version):
    golden, network = _golden(version), _network(version)
    queries = golden["model_queries"]
    order = np.argsort(queries[:, 0], kind="stable") if version == "v1" else np.arange(10)
    levels = network.encode(_pictures(_clip(version, "A")))
    features = []
    for frame, *xy in torch.from_numpy(queries[order]):
        at = int(frame)
        one = tuple(level[at : at + 1] for level in levels)
        features.append(network.describe(one, torch.stack(xy)[None] / 4)[0])
    _close(torch.stack(features), golden["track_feat"], 1e-5, f"{version} track features")

    expected = golden["corr_w0_i0"]
    known = torch.stack(features[: len(expected)])
    known[queries[order[: len(expected)], 0] >= 8] = 0
    xy = torch.from_numpy(queries[order[: len(expected)], 1:] / np.float32(4))
    found = correlate(
        tuple(level[:8] for level in levels),
        known[:, None].expand(-1, 8, -1),
        xy[:, None].expand(-1, 8, -1),
        zeros=version == "v1",
    )
    _close(found, expected, 1e-5, f"{version} correlations")


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_and_updates_of_a_clip(version):
    golden, network = _golden(version), _network(version)
    tokens, updates = [], []

    def record(_module: object, given: tuple[torch.Tensor, ...], update: torch.Tensor) -> None:
        tokens.append(given[0].numpy())
        updates.append(update.numpy())

    with network.updateformer.register_forward_hook(record):
        tracks = _track(network, _clip(version, "A"), golden["model_queries"])
    _agrees(tracks, version, "model")
    assert len(updates) == 7 * 6
    for run, key, limit in ((0, "w0_i0", 5e-6), (1, "w0_i1", 1e-4), (36, "w6_i0", 1e-4)):
        _close(updates[run], golden[f"update_{key}"], limit, f"{version} update {key}")
    steps = np.stack(updates[:6])[..., :2]
    _close(steps, golden["deltas_first_window"], 1e-4, f"{version} steps")
    for run, key, limit, amplified in ((0, "w0_i0", 1e-5, 1e-5), (36, "w6_i0", 1e-3, 0.05)):
        found, expected = tokens[run][:, ::3], golden[f"tokens_{key}_frames"]
        _close(found[..., MOTION], expected[..., MOTION], amplified, f"{version} motion {key}")
        rest = np.delete(found, MOTION, -1), np.delete(expected, MOTION, -1)
        _close(*rest, limit, f"{version} tokens {key}")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("case", "frames"), [("late", 14), ("short", 5)])
def test_clips_that_start_or_end_early(version, case, frames):
    queries = _golden(version)[f"{case}_queries"]
    _agrees(_track(_network(version), _clip(version, "A")[:frames], queries), version, case)


@pytest.mark.parametrize(
    ("case", "letter", "window", "stride"), [("wind12", "A", 12, 4), ("stride8", "D", 16, 8)]
)
def test_the_other_networks_of_version_1(case, letter, window, stride):
    queries = _golden("v1")["variants_queries"]
    network = _network("v1", window, stride)
    _agrees(_track(network, _clip("v1", letter)[:20], queries), "v1", case)


def test_exactly_as_many_points_as_virtual_tracks():
    queries = _golden("v2")["n64_queries"]
    _agrees(_track(_network("v2"), _clip("v2", "A")[:12], queries), "v2", "n64")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_update_transformer_alone(version):
    network = CoTracker1() if version == "v1" else CoTracker2(resolution=SMALL)
    _fill(network, version, gain=1.0)
    random = np.random.RandomState(17)
    tokens = torch.from_numpy(random.standard_normal((6, 8, 456)).astype(np.float32))
    masks = [] if version == "v1" else [torch.from_numpy(_golden("v2")["former_mask"])]
    with torch.inference_mode():
        found = network.updateformer(tokens, *masks)
    _close(found, _golden(version)["former_update"], 3e-5, f"{version} transformer")


@pytest.mark.parametrize("version", VERSIONS)
def test_refining_leaves_no_trace(version):
    network = _network(version)
    levels = network.encode(_pictures(_clip(version, "A")[:8]))
    xy = torch.tensor([[4.0, 5.0], [20.0, 11.0], [30.0, 2.5]])
    window = WindowInput(
        levels=levels,
        xy=xy.repeat(8, 1, 1),
        logits=torch.full((8, 3, 1), network.initial_logit),
        features=network.describe(tuple(level[:1] for level in levels), xy),
        query_frames=torch.tensor([0, 0, 3]),
        carried=torch.zeros(3, dtype=torch.bool),
        first=True,
        frames=8,
    )
    before = [level.clone() for level in levels]
    first, second = network.refine(window, 2), network.refine(window, 2)
    assert torch.equal(first.xy, second.xy)
    assert torch.equal(first.logits, second.logits)
    assert all(torch.equal(old, new) for old, new in zip(before, levels, strict=True))
    assert (first.xy.shape, first.logits.shape) == ((8, 3, 2), (8, 3, 1))


@pytest.mark.parametrize(("stride", "least"), [(4, 64), (8, 128)])
def test_version_1_refuses_pictures_that_would_divide_by_zero(stride, least):
    network = CoTracker1(stride=stride)
    with pytest.raises(UsageError, match=f"at least {least}x{least}"):
        network.encode(torch.zeros(1, 3, least, least - 1))
    with torch.inference_mode():
        assert network.encode(torch.rand(1, 3, least, least))[-1].shape[2:] == (2, 2)
