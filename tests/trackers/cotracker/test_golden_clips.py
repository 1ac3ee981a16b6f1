"""Whole clips, streams and SAM-PT's use of them against numbers of the public code.

The golden file was computed with the public repositories and with weights made from names and
shapes; see `tests/data/deterministic_weights.py` and `tests/data/cotracker_clip.py`. A few cases
run always, which together go through every rule; `pytest -m slow` runs the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import cotracker_clip
import deterministic_weights
import numpy as np
import pytest
import torch
from golden_data import golden

from rvsam_video.frame import Frame
from rvsam_video.trackers.base import QueryPoints
from rvsam_video.trackers.cotracker.geometry import FrameGeometry
from rvsam_video.trackers.cotracker.grids import regular_grid
from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference
from rvsam_video.trackers.cotracker.predictor import (
    ONLINE,
    ClipPredictor,
    ClipRecord,
    ClipTracks,
    track_clip,
)
from rvsam_video.trackers.cotracker.query_group import GroupPoints
from rvsam_video.trackers.cotracker.sam_pt import sam_pt_settings, track_both_ways
from rvsam_video.trackers.cotracker.sliding_window import SlidingWindow
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.cotracker.variants import COTRACKER_VARIANTS, CoTrackerSettings

GOLDEN = golden("cotracker_clips")
SMALL = (128, 96)
PIXELS = 3e-3
"""Largest difference of a place; two threads instead of one already make 5e-4."""
CHANCE = 1e-3
VERSIONS = ("v1", "v2", "v3_offline", "v3_online")


def _build(version: str, resolution: tuple[int, int]) -> torch.nn.Module:
    if version == "v1":
        from rvsam_video.trackers.cotracker.v1 import CoTracker1

        return CoTracker1(stride=4, window=8)
    if version == "v2":
        from rvsam_video.trackers.cotracker.v2 import CoTracker2

        return CoTracker2(window=8, resolution=resolution)
    from rvsam_video.trackers.cotracker.v3 import CoTracker3

    whole = version == "v3_offline"
    return CoTracker3(window=60 if whole else 16, whole=whole, resolution=resolution)


@cache
def _inference(version: str, resolution: tuple[int, int] = (96, 128)) -> Inference:
    """Return a network with the weights of the golden file."""
    meta = json.loads(str(GOLDEN[f"{version}/meta"]))
    network = _build(version, resolution)
    deterministic_weights.fill(network, gain=meta["gain"], keep=tuple(meta["kept"]))
    state = network.state_dict()
    for name, columns, operation, value in meta["adjustments"]:
        part = state[name] if columns is None else state[name][:, columns[0] : columns[1]]
        change = torch.tensor(value)
        part.copy_(part * change if operation == "*" else part + change)
    network.load_state_dict(state)
    return Inference(network.eval().requires_grad_(False))


@cache
def _clip(version: str, letter: str) -> np.ndarray:
    recipe = [int(value) for value in GOLDEN[f"{version}/clip_{letter}_recipe"]]
    clip = cotracker_clip.moving_texture(*recipe[:3], seed=recipe[3])
    assert cotracker_clip.checksum(clip) == GOLDEN[f"{version}/clip_{letter}_crc32"]
    return clip


def _close(found: np.ndarray, key: str, tolerance: float) -> None:
    np.testing.assert_allclose(found, GOLDEN[key], rtol=0, atol=tolerance)


def _agrees(found: ClipTracks, key: str) -> None:
    _close(found.xy, f"{key}_tracks", PIXELS)
    # Two probabilities are within 1e-5 of their threshold.
    assert np.sum(found.visible != GOLDEN[f"{key}_visible"]) <= 1


def _mask() -> np.ndarray:
    mask = np.zeros((80, 112), np.bool_)
    mask[20:60, 30:85] = True
    return mask


def _cases(versions: Sequence[str], cases: Sequence[str], quick: Sequence[str]) -> list[object]:
    """Return all pairs for parametrisation; those that are not among the quick ones are slow."""
    return [
        pytest.param(version, case, marks=() if f"{version}-{case}" in quick else pytest.mark.slow)
        for version in versions
        for case in cases
    ]


CASES: dict[str, tuple[str, dict[str, object]]] = {
    "grid": ("track_grid", {"count": 4}),
    "gridback": ("track_grid", {"count": 3, "frame": 6, "backward": True}),
    "points": ("track", {}),
    "back": ("track", {"backward": True}),
    "segm": ("track_grid", {"count": 5, "mask": _mask()}),
}


QUICK = ["v1-gridback", "v3_offline-gridback"]


@pytest.mark.parametrize(("version", "case"), _cases(VERSIONS, list(CASES), QUICK))
def test_whole_clip_predictor(version, case):
    predictor = ClipPredictor(_inference(version), network_size=SMALL)
    method, options = CASES[case]
    if method == "track":
        options = options | {"queries": GOLDEN[f"{version}/predictor_queries"]}
    found = getattr(predictor, method)(_clip(version, "B")[:22], **options)
    _agrees(found, f"{version}/predictor_{case}")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v2", "v3_offline"])
def test_dense_tracks(version):
    predictor = ClipPredictor(_inference(version), network_size=SMALL)
    found = predictor.track_dense(_clip(version, "E"), frame=2)
    _agrees(found, f"{version}/dense")


@pytest.mark.parametrize(
    ("version", "case"), _cases(["v2", "v3_online"], ["points", "support", "grid"], [])
)
def test_online_predictor_after_every_chunk(version, case):
    inference = _inference(version)
    clip = _clip(version, "B")[: len(GOLDEN[f"{version}/online_points_chunk2_tracks"])]
    geometry = FrameGeometry((112, 80), SMALL, aligned_corners=True)
    queries = GOLDEN[f"{version}/online_queries"]
    frames, xy = queries[:, 0].astype(np.int64), geometry.to_network(queries[:, 1:])
    if case == "grid":
        frames, xy = np.full(9, 2), regular_grid(3, SMALL)
    count = len(xy)
    if case == "support":
        frames = np.concatenate([frames, np.zeros(36, np.int64)])
        xy = np.concatenate([xy, regular_grid(6, SMALL)])
    window = SlidingWindow(inference)
    record = ClipRecord(window)
    ids = np.arange(len(xy))
    points = GroupPoints.create(
        ids=ids, order=0, indices=frames, frames=frames, given=xy, cells=xy / np.float32(4)
    )
    window.group(0).add(points)
    chunks = 0

    def check() -> None:
        record.update()
        tracks, key = record.tracks(), f"{version}/online_{case}_chunk{chunks}"
        found = geometry.to_frame(tracks.xy[:, :count])
        _agrees(ClipTracks(found, tracks.probabilities[:, :count].prod(-1) > 0.6), key)

    for image in clip:
        if window.push(EncodedFrame(inference, geometry.picture(image))):
            check()
            chunks += 1
    assert window.finish()
    check()
    if case == "support":
        tracks, key = record.tracks(), f"{version}/online_support_state"
        _close(tracks.xy, f"{key}_coords", PIXELS)
        logits = GOLDEN[f"{key}_vis"]
        chances = torch.sigmoid(torch.from_numpy(logits)).numpy()
        assert np.abs(tracks.probabilities[..., 0] - chances).max() < CHANCE


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v2", "v3_online"])
def test_online_rules_on_a_whole_clip(version):
    key = f"{version}/online_points_chunk2"
    clip = _clip(version, "B")[: len(GOLDEN[f"{key}_tracks"])]
    predictor = ClipPredictor(_inference(version), ONLINE, network_size=SMALL)
    found = predictor.track(clip, GOLDEN[f"{version}/online_queries"], support=False)
    _agrees(found, key)


@pytest.mark.parametrize(
    "version", [pytest.param("v2", marks=pytest.mark.slow), pytest.param("v3_online")]
)
def test_streaming_tracker_gives_the_online_predictors_tracks(version):
    key = f"{version}/online_points_chunk2"
    expected, visible = GOLDEN[f"{key}_tracks"], GOLDEN[f"{key}_visible"]
    queries = GOLDEN[f"{version}/online_queries"]
    settings = CoTrackerSettings(network_size=SMALL, pin_query=False)
    state = CoTracker("golden", _inference(version).network, settings).start((112, 80))
    frames = queries[:, 0].astype(np.int64)
    state.add(QueryPoints(np.arange(len(queries)), frames, queries[:, 1:]))
    given = []
    for index, image in enumerate(_clip(version, "B")[: len(expected)]):
        given += state.push(Frame(index, index / 25, image))
    for item in given + state.flush():
        live = np.flatnonzero(frames <= item.frame_index)
        np.testing.assert_array_equal(item.ids, live)
        np.testing.assert_allclose(item.xy, expected[item.frame_index, live], atol=PIXELS)
        np.testing.assert_array_equal(item.visible, visible[item.frame_index, live])


def test_the_offline_tracker_says_what_the_predictor_for_whole_clips_says():
    key = "v3_offline/predictor_points"
    expected, visible = GOLDEN[f"{key}_tracks"], GOLDEN[f"{key}_visible"]
    queries = GOLDEN["v3_offline/predictor_queries"]
    settings = replace(COTRACKER_VARIANTS["cotracker3-offline"].settings, network_size=SMALL)
    state = CoTracker("golden", _inference("v3_offline").network, settings).start((112, 80))
    frames = queries[:, 0].astype(np.int64)
    state.add(QueryPoints(np.arange(len(queries)), frames, queries[:, 1:]))
    given = []
    for index, image in enumerate(_clip("v3_offline", "B")[: len(expected)]):
        given += state.push(Frame(index, index / 25, image))
    for item in given + state.flush():
        np.testing.assert_allclose(item.xy, expected[item.frame_index, item.ids], atol=PIXELS)
        np.testing.assert_array_equal(item.visible, visible[item.frame_index, item.ids])


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_full_resolution(version):
    online = version == "v3_online"
    key = f"{version}/full_chunk1" if online else f"{version}/full"
    inference = _inference(version, (384, 512))
    predictor = ClipPredictor(inference, ONLINE) if online else ClipPredictor(inference)
    clip = _clip(version, "C")[: len(GOLDEN[f"{key}_tracks"])]
    queries = GOLDEN[f"{version}/full_queries"]
    _agrees(predictor.track(clip, queries, support=not online), key)


@pytest.mark.parametrize("case", ["long", "short"])
def test_sam_pt_follows_points_both_ways(case):
    key = f"sam_pt/{case}"
    clip = cotracker_clip.moving_texture(20 if case == "long" else 5, 64, 96, seed=5)
    found = track_both_ways(
        _inference("v1"), clip, GOLDEN[f"{key}/query_points"], network_size=SMALL
    )
    _close(found.xy, f"{key}/trajectories", PIXELS)
    np.testing.assert_array_equal(found.visible, GOLDEN[f"{key}/visibilities"])


@pytest.mark.parametrize("case", ["long", "short"])
def test_the_streaming_tracker_is_sam_pts_forward_pass(case):
    key = f"sam_pt/{case}"
    length = 20 if case == "long" else 5
    clip = cotracker_clip.moving_texture(length, 64, 96, seed=5)
    queries = GOLDEN[f"{key}/query_points"]
    network = _inference("v1").network
    state = CoTracker("golden", network, sam_pt_settings(network_size=SMALL)).start((96, 64))
    frames = queries[:, 0].astype(np.int64)
    state.add(QueryPoints(np.arange(len(queries)), frames, queries[:, 1:]))
    given = []
    for index, image in enumerate(clip):
        given += state.push(Frame(index, index / 25, image))
    for item in given + state.flush():
        live = np.flatnonzero(frames <= item.frame_index)
        expected = GOLDEN[f"{key}/trajectories"][item.frame_index, live]
        np.testing.assert_array_equal(item.ids, live)
        np.testing.assert_allclose(item.xy, expected, atol=PIXELS)
        shown = GOLDEN[f"{key}/visibilities"][item.frame_index, live]
        np.testing.assert_array_equal(item.visible, shown)


@pytest.mark.slow
def test_what_the_network_says_of_support_points():
    """The raw answers behind a predictor, all points and frames included."""
    inference = _inference("v3_offline")
    geometry = FrameGeometry((112, 80), SMALL, aligned_corners=True)
    queries = GOLDEN["v3_offline/predictor_queries"]
    frames = np.concatenate([queries[:, 0].astype(np.int64), np.zeros(36, np.int64)])
    xy = np.concatenate([geometry.to_network(queries[:, 1:]), regular_grid(6, SMALL)])
    pictures = (EncodedFrame(inference, geometry.picture(i)) for i in _clip("v3_offline", "B")[:22])
    found = track_clip(inference, pictures, frames, xy)
    key = "v3_offline/predictor_points_raw"
    _close(found.xy, f"{key}coords", PIXELS)
    _close(found.probabilities[..., 0], f"{key}vis", CHANCE)
    _close(found.probabilities[..., 1], f"{key}conf", CHANCE)


def test_a_real_network_streams_the_same_however_it_is_driven():
    """All queries first; each with its frame; and with the run killed now and then."""
    settings = CoTrackerSettings(network_size=None, iterations=1)
    tracker = CoTracker("golden", _inference("v1").network, settings)
    clip = cotracker_clip.moving_texture(13, 64, 96, seed=5)
    ids, starts = np.arange(3), np.array([0, 5, 10])
    places = np.array([[20.5, 30.25], [70, 12], [48, 32]], np.float32)
    runs = []
    for way in ("first", "in time", "killed"):
        state, given = tracker.start((96, 64)), []
        if way == "first":
            state.add(QueryPoints(ids, starts, places))
        for index, image in enumerate(clip):
            now = starts == index
            if way != "first" and now.any():
                state.add(QueryPoints(ids[now], starts[now], places[now]))
            given += state.push(Frame(index, index / 25, image))
            if way == "killed" and index % 5 == 1:
                saved, state = state.snapshot(), tracker.start((96, 64))
                state.restore(saved)
        runs.append(given + state.flush())
    for frames in zip(*runs, strict=True):
        for item in frames[1:]:
            np.testing.assert_array_equal(item.ids, frames[0].ids)
            np.testing.assert_array_equal(item.xy, frames[0].xy)
            np.testing.assert_array_equal(item.confidence, frames[0].confidence)
