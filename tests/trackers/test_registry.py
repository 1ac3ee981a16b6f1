"""Trackers by name: the right network for the weights, and no other weights in a network."""

from __future__ import annotations

import pytest
import torch
from golden_data import manifest

from rvsam_video import UsageError, WeightsError
from rvsam_video.trackers import (
    COTRACKER_VARIANTS,
    TAPIR_VARIANTS,
    create_tracker,
    tracker_names,
    tracker_weights,
)
from rvsam_video.trackers.cotracker.loading import network_with_weights
from rvsam_video.weights.fetch import PUBLISHED

ENTRIES = {
    "cotracker1": "v1_stride_4_wind_8",
    "cotracker1-wind12": "v1_stride_4_wind_12",
    "cotracker1-stride8": "v1_stride_8_wind_16",
    "cotracker2": "v2",
    "cotracker2.1": "v2_1",
    "cotracker3-online": "v3_online",
    "cotracker3-offline": "v3_offline",
    "cotracker3-online-baseline": "v3_online",
    "cotracker3-offline-baseline": "v3_offline",
}


def zeros(entry):
    """Weights of the published names and shapes that take no memory."""
    return {
        name: torch.zeros(()).expand(shape) for name, shape in manifest("cotracker", entry).items()
    }


def saved(path, entry, wrap=None):
    state = zeros(entry)
    torch.save({wrap: state, "iteration": 7} if wrap else state, path)
    return path


def test_every_published_tracker_has_a_name():
    assert set(tracker_names()) == {"lucas-kanade", *COTRACKER_VARIANTS, *TAPIR_VARIANTS}
    published = {name for name, entry in PUBLISHED.items() if entry.part == "tracker"}
    assert {*COTRACKER_VARIANTS, *TAPIR_VARIANTS} == published == {*ENTRIES, *TAPIR_VARIANTS}


@pytest.mark.parametrize(
    ("name", "stride", "window", "whole"),
    [
        ("cotracker1", 4, 8, False),
        ("cotracker1-wind12", 4, 12, False),
        ("cotracker1-stride8", 8, 16, False),
        ("cotracker2", 4, 8, False),
        ("cotracker2.1", 4, 16, False),
        ("cotracker3-online", 4, 16, False),
        ("cotracker3-offline", 4, 60, True),
    ],
)
def test_the_name_decides_stride_and_window(name, stride, window, whole):
    variant = COTRACKER_VARIANTS[name]
    network = network_with_weights(variant, zeros(ENTRIES[name]), source="here")
    assert (network.stride, network.window, network.step) == (stride, window, window // 2)
    assert variant.any_length is whole
    assert not network.training
    assert not any(value.requires_grad for value in network.parameters())


def test_weights_of_the_first_version_fit_all_its_networks():
    # Nothing in the files tells them apart.
    assert manifest("cotracker", ENTRIES["cotracker1"]) == manifest(
        "cotracker", ENTRIES["cotracker1-stride8"]
    )
    weights = zeros("v1_stride_8_wind_16")
    assert network_with_weights(COTRACKER_VARIANTS["cotracker1"], weights, source="here")


@pytest.mark.parametrize("wrap", [None, "model"])
def test_a_file_may_hold_the_weights_bare_or_under_model(tmp_path, wrap):
    path = saved(tmp_path / "weights.pth", "v3_online", wrap)
    tracker = create_tracker("cotracker3-online", path, "cpu")
    assert (tracker.name, tracker.lookahead) == ("cotracker3-online", 15)
    facts = tracker_weights("cotracker3-online", path)
    assert facts["file"] == str(path)
    assert set(facts) == {"file", "sha256"}


@pytest.mark.parametrize(
    ("name", "entry", "sentence"),
    [
        ("cotracker2", "v2_1", r"windows of 16 frames, but cotracker2 looks at 8; .*cotracker2\.1"),
        ("cotracker2.1", "v2", r"windows of 8 frames, but cotracker2\.1 looks at 16; .*cotracker2"),
        ("cotracker3-online", "v3_offline", r"60 frames, .* looks at 16; .*cotracker3-offline"),
        ("cotracker3-offline", "v3_online", r"16 frames, .* looks at 60; .*cotracker3-online"),
    ],
)
def test_weights_for_another_window_name_the_tracker_to_choose(tmp_path, name, entry, sentence):
    path = saved(tmp_path / "weights.pth", entry)
    with pytest.raises(WeightsError, match=sentence) as caught:
        create_tracker(name, path, "cpu")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "entry", "sentence"),
    [
        ("cotracker1", "v2", r"lack ffeat_updater.*also hold time_emb"),
        ("cotracker3-online", "v2_1", r"lack .*corr_mlp.*other shapes"),
        ("cotracker2", "v1_stride_4_wind_8", r"lack (time|pos)_emb"),
    ],
)
def test_weights_of_another_version_name_the_first_differences(tmp_path, name, entry, sentence):
    path = saved(tmp_path / "weights.pth", entry)
    with pytest.raises(WeightsError, match=sentence) as caught:
        create_tracker(name, path, "cpu")
    assert len(str(caught.value)) < 1000


def test_unknown_names_and_devices(tmp_path):
    with pytest.raises(UsageError, match=r"no tracker named 'cotracker4'.*cotracker3-online"):
        create_tracker("cotracker4")
    with pytest.raises(UsageError, match="'gpu' cannot be used"):
        create_tracker("cotracker3-online", saved(tmp_path / "w.pth", "v3_online"), "gpu")
    with pytest.raises(UsageError, match="lucas-kanade has no weights"):
        create_tracker("lucas-kanade", device="cuda")
    with pytest.raises(UsageError, match="lucas-kanade has no weights"):
        create_tracker("lucas-kanade", tmp_path / "w.pth")
    with pytest.raises(UsageError, match="leave out the checkpoint, the device and the backend"):
        create_tracker("lucas-kanade", backend="onnxruntime")
    with pytest.raises(UsageError, match=r"openvino cannot run cotracker2; .* choose tapir-online"):
        create_tracker("cotracker2", backend="openvino")


def test_without_weights_and_network_both_ways_out_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"--tracker-checkpoint PATH.*--tracker lucas-kanade"):
        create_tracker("cotracker3-online")
