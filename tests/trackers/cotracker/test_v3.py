"""CoTracker 3 against numbers of the public code, part by part and clip by clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import cotracker_clip
import deterministic_weights
import numpy as np
import pytest
import torch
from golden_data import golden, manifest
from torch import Tensor

from rvsam_video.trackers.cotracker.attention import VirtualTrackTransformer
from rvsam_video.trackers.cotracker.fourier import fit_time, motion_features, relative_motion
from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference, WindowInput
from rvsam_video.trackers.cotracker.predictor import NetworkTracks, track_clip
from rvsam_video.trackers.cotracker.v3 import CoTracker3

VARIANTS = ("offline", "online")
PIXELS = 3e-3
CHANCE = 5e-4


def _golden(variant: str) -> dict[str, np.ndarray]:
    return golden(f"cotracker_v3_{variant}")


def _build(variant: str, resolution: tuple[int, int] = (96, 128)) -> CoTracker3:
    whole = variant == "offline"
    return CoTracker3(window=60 if whole else 16, whole=whole, resolution=resolution)


@cache
def _network(variant: str) -> CoTracker3:
    """Return a network with the weights of the golden file."""
    meta = json.loads(str(_golden(variant)["meta"]))
    network = _build(variant)
    deterministic_weights.fill(network, gain=meta["gain"], keep=("time_emb",))
    state = network.state_dict()
    for name, _, _, value in meta["adjustments"]:
        state[name] += torch.tensor(value)
    return network.eval().requires_grad_(False)


@cache
def _pictures(variant: str) -> Tensor:
    golden = _golden(variant)
    clip = cotracker_clip.moving_texture(*map(int, golden["clip_A_recipe"]))
    assert cotracker_clip.checksum(clip) == golden["clip_A_crc32"]
    return torch.from_numpy(clip).permute(0, 3, 1, 2).float()


@dataclass(frozen=True)
class ClipRun:
    """A clip's tracks, and what modules got and gave, call by call."""

    tracks: NetworkTracks
    tokens: list[Tensor]
    updates: list[Tensor]
    volumes: list[Tensor]
    embedded: list[Tensor]


def _follow(variant: str, case: str, frames: int) -> ClipRun:
    """Follow the queries of a golden case through the first frames of the clip."""
    network, queries = _network(variant), _golden(variant)[f"{case}_queries"]
    inference = Inference(network)
    record: dict[str, list[Tensor]] = {name: [] for name in ClipRun.__annotations__}

    def keep(given: str, made: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            record[given].append(inputs[0])
            record[made].append(output)

        return hook

    pictures = torch.split(_pictures(variant)[:frames], 1)
    with (
        network.updateformer.register_forward_hook(keep("tokens", "updates")),
        network.corr_mlp.register_forward_hook(keep("volumes", "embedded")),
    ):
        tracks = track_clip(
            inference,
            [EncodedFrame(inference, picture) for picture in pictures],
            queries[:, 0].astype(np.int64),
            queries[:, 1:],
        )
    return ClipRun(**record | {"tracks": tracks})


@cache
def _model_run(variant: str) -> ClipRun:
    return _follow(variant, "model", 30)


@cache
def _short_window() -> WindowInput:
    """Return a window of four frames with ten points that stand still."""
    network, golden = _network("online"), _golden("online")
    cells = torch.from_numpy(golden["model_queries"][:, 1:]) / network.stride
    with torch.inference_mode():
        levels = network.encode(_pictures("online")[:4])
        features = network.describe(tuple(level[:1] for level in levels), cells)
    return WindowInput(
        levels=levels,
        xy=cells.repeat(4, 1, 1),
        logits=torch.zeros(4, len(cells), 2),
        features=features,
        query_frames=torch.zeros(len(cells), dtype=torch.int64),
        carried=torch.zeros(len(cells), dtype=torch.bool),
        first=True,
        frames=4,
    )


def _close(found: Tensor | np.ndarray, expected: np.ndarray, limit: float) -> None:
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=limit)


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_and_shapes_are_those_of_the_released_weights(variant):
    names = manifest("cotracker", f"v3_{variant}")
    network = _build(variant)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == names
    assert list(found) == list(names)
    assert sum(p.numel() for p in network.parameters()) == 25_385_700


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_time_embedding_is_the_official_one_to_the_last_bit(variant):
    golden = _golden(variant)
    embedding = _build(variant).time_emb
    np.testing.assert_array_equal(embedding[0, ::5], golden["time_emb_rows"])
    if variant == "offline":
        np.testing.assert_array_equal(fit_time(embedding, 30)[::5], golden["time_emb_30_rows"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_features_before_and_after_they_get_length_one(variant):
    network, picture = _network(variant), _pictures(variant)[:1]
    with torch.inference_mode():
        raw, levels = network.fnet(picture), network.encode(picture)
    _close(raw[0, :, ::2, ::2], _golden(variant)["fnet_frame0_stride2"], 5e-5)
    torch.testing.assert_close(levels[0], raw / raw.norm(dim=1, keepdim=True))
    assert [tuple(level.shape) for level in levels] == [
        (1, 128, 24 >> depth, 32 >> depth) for depth in range(4)
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_supports_are_the_official_ones(variant):
    golden, network = _golden(variant), _network(variant)
    time, *xy = golden["model_queries"][golden["subset_points"][0]]
    picture = _pictures(variant)[int(time)][None]
    with torch.inference_mode():
        found = network.describe(network.encode(picture), torch.tensor([xy]) / 4)[0]
    for depth in range(4):
        _close(found[depth], golden[f"support_l{depth}"][:, 0], 1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_correlations_are_the_official_ones(variant):
    golden, run = _golden(variant), _model_run(variant)
    calls = len(run.volumes) // len(run.tokens)
    first, second = (torch.cat(run.volumes[at : at + calls]) for at in (0, calls))
    embedded = torch.cat(run.embedded[:calls])
    frames, points = golden["subset_frames"], golden["subset_points"]
    for depth in range(4):
        chosen = np.ix_(points[:2], frames, [depth])
        expected = golden[f"corr_volume_l{depth}"].swapaxes(0, 1)
        _close(first[chosen][:, :, 0], expected, 1e-5)
        expected = golden[f"corr_embed_l{depth}"].swapaxes(0, 1)
        _close(embedded[chosen][:, :, 0], expected, 1e-5)
    for depth in (0, 3):
        expected = golden[f"corr_volume_i1_l{depth}"][:, 0]
        _close(second[points[0], frames, depth], expected, 1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tokens_and_updates_are_the_official_ones(variant):
    golden, run = _golden(variant), _model_run(variant)
    points = golden["subset_points"][:2]
    _close(torch.stack(run.updates[:6]), golden["deltas_first_window"], 1e-4)
    for call, key, tokens, updates in (
        (0, "w0_i0", 1e-5, 5e-6),
        (1, "w0_i1", 1e-3, 1e-4),
        *([(6, "w1_i0", 1e-3, 1e-4)] if variant == "online" else []),
    ):
        _close(run.tokens[call][points, ::3], golden[f"tokens_{key}"], tokens)
        _close(run.updates[call], golden[f"update_{key}"], updates)


def test_the_transformer_alone_gives_the_official_updates():
    network = torch.nn.Module()
    network.updateformer = VirtualTrackTransformer(1110, outputs=2, depth=3, logits=2)
    deterministic_weights.fill(network, gain=1.0)
    tokens = np.random.RandomState(17).standard_normal((6, 10, 1110)).astype(np.float32)
    with torch.inference_mode():
        found = network.updateformer(torch.from_numpy(tokens))
    _close(found, _golden("offline")["former_update"], 3e-5)


@pytest.mark.parametrize(
    ("variant", "case", "frames"),
    [
        ("offline", "model", 30),
        ("offline", "short", 5),
        ("offline", "one", 1),
        ("online", "model", 30),
        ("online", "late", 14),
        ("online", "short", 5),
    ],
)
def test_whole_clips_give_the_official_tracks(variant, case, frames):
    golden = _golden(variant)
    run = _model_run(variant) if case == "model" else _follow(variant, case, frames)
    _close(run.tracks.xy, golden[f"{case}_coords"], PIXELS)
    _close(run.tracks.probabilities[..., 0], golden[f"{case}_vis"], CHANCE)
    _close(run.tracks.probabilities[..., 1], golden[f"{case}_conf"], CHANCE)


def test_a_window_is_answered_the_same_whatever_was_asked_before():
    network, window = _network("online"), _short_window()
    xy, features = window.xy.clone(), window.features.clone()
    with torch.inference_mode():
        first = network.refine(window, 2)
        network.refine(replace(window, xy=window.xy + 3, features=-window.features), 1)
        again = network.refine(window, 2)
    assert torch.equal(first.xy, again.xy)
    assert torch.equal(first.logits, again.logits)
    assert torch.equal(window.xy, xy)
    assert torch.equal(window.features, features)


def test_motion_is_measured_in_fractions_of_the_resolution():
    small, large = _network("online"), _build("online", (384, 512)).eval()
    window = _short_window()
    steps = torch.arange(4.0)[:, None, None] * torch.tensor([1.0, 3.0])
    window = replace(window, xy=window.xy + steps)
    found = []

    def keep(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append((inputs[0] - fit_time(small.time_emb, 4))[:, 1:3, -84:-80])

    for network in (small, large):
        with torch.inference_mode(), network.updateformer.register_forward_hook(keep):
            network.refine(window, 1)
    expected = torch.tensor([-1 / 32, -3 / 24, 1 / 32, 3 / 24]).expand(10, 2, 4)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], expected / 4, atol=1e-5, rtol=0)


def test_relative_motion_looks_forward_then_backward():
    xy = torch.tensor([[[1.0, 1.0], [3.0, 2.0], [3.0, 8.0]]])
    found = relative_motion(xy, (2.0, 4.0))
    expected = [[-1, -0.25, 0, 0], [0, -1.5, 1, 0.25], [0, 0, 0, 1.5]]
    torch.testing.assert_close(found, torch.tensor([expected]))
    assert not relative_motion(xy[:, :1], (2.0, 4.0)).any()


def test_fourier_features_keep_the_components_of_a_scale_together():
    motion = torch.tensor([0.1, -0.2, 0.3, -0.4])
    found = motion_features(motion)
    assert found.shape == (84,)
    torch.testing.assert_close(found[:4], motion)
    torch.testing.assert_close(found[4:8], motion.sin())
    torch.testing.assert_close(found[12:16], (4 * motion).sin())
    torch.testing.assert_close(found[48:52], (2 * motion).cos())


def test_half_precision_leaves_places_in_single_precision():
    network, window = _network("online"), _short_window()
    with torch.inference_mode():
        exact = network.refine(window, 3)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network.refine(window, 3)
    assert rough.xy.dtype == rough.logits.dtype == torch.float32
    moved = (exact.xy - window.xy).abs().max()
    assert 0 < (rough.xy - exact.xy).abs().max() < 0.05 * moved
