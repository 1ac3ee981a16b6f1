"""TAPIR by name: the right network for the weights, how it is used, and what it remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_data import manifest
from golden_tapir import KINDS, golden_network

from rvsam_video import UsageError, WeightsError
from rvsam_video.frame import Frame
from rvsam_video.trackers import TAPIR_VARIANTS, create_tracker, tracker_weights
from rvsam_video.trackers.base import QueryPoints
from rvsam_video.trackers.tapir.loading import load_tapir, tapir_with_weights
from rvsam_video.trackers.tapir.offline import TapirOffline
from rvsam_video.trackers.tapir.packed_linear import PackedLinear, packed
from rvsam_video.trackers.tapir.torch_engine import TorchEngine
from rvsam_video.trackers.tapir.tracker import Tapir
from rvsam_video.trackers.tapir.variants import TapirSettings
from rvsam_video.weights.fetch import PUBLISHED


def zeros(name):
    """Weights of the published names and shapes that take no memory."""
    shapes = manifest("tapir", KINDS[name])
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}


def saved(path, name, wrap=None):
    torch.save({wrap: zeros(name)} if wrap else zeros(name), path)
    return path


@pytest.mark.parametrize("name", TAPIR_VARIANTS)
@pytest.mark.parametrize("wrap", [None, "model"])
def test_a_file_in_the_official_format_fits_unchanged(tmp_path, name, wrap):
    path = saved(tmp_path / "weights.pt", name, wrap)
    tracker = create_tracker(name, path, "cpu")
    online = name == "tapir-online"
    assert tracker.name == name
    assert isinstance(tracker, Tapir if online else TapirOffline)
    assert tracker.lookahead == (0 if online else 96)
    assert set(tracker_weights(name, path)) == {"file", "sha256"}


def test_online_and_offline_weights_cannot_be_told_apart():
    assert manifest("tapir", "causal_bootstapir") == manifest("tapir", "bootstapir")
    causal = [TAPIR_VARIANTS[name].causal for name in KINDS]
    assert causal == [True, False, False]


@pytest.mark.parametrize(
    ("name", "other", "sentence"),
    [
        ("tapir-online", "tapir-offline-baseline", "without .* choose the tracker tapir-offline-b"),
        ("tapir-offline-baseline", "tapir-online", "with .* tapir-online or tapir-offline$"),
    ],
)
def test_weights_of_the_other_family_name_the_tracker_to_choose(tmp_path, name, other, sentence):
    path = saved(tmp_path / "weights.pt", other)
    with pytest.raises(WeightsError, match=sentence) as caught:
        create_tracker(name, path, "cpu")
    assert str(path) in str(caught.value)


def test_strange_weights_name_the_first_differences():
    state = zeros("tapir-online")
    del state["torch_pips_mixer.linear.bias"]
    state["torch_pips_mixer.linear_1.weight"] = torch.zeros(387, 512)
    state["more"] = torch.zeros(1)
    with pytest.raises(
        WeightsError,
        match=r"lack torch_pips_mixer.linear.bias; .*also hold more; .*other shapes in "
        r"torch_pips_mixer.linear_1.weight \(387, 512\) instead of \(388, 512\)",
    ):
        tapir_with_weights(TAPIR_VARIANTS["tapir-online"], state, source="here")


def test_published_weights_say_whose_they_are():
    for name in TAPIR_VARIANTS:
        entry = PUBLISHED[name]
        assert entry.licence == "Apache-2.0"
        assert entry.notice == ""
        assert entry.url.startswith("https://storage.googleapis.com/dm-tapnet/")
        assert "Doersch" in entry.citation
        assert len(entry.reported_sha256) == 64
    assert PUBLISHED["tapir-online"].file_name == "causal_bootstapir_checkpoint.pt"


def test_settings_must_be_of_the_kind_of_the_network(tmp_path):
    path = saved(tmp_path / "weights.pt", "tapir-offline")
    with pytest.raises(UsageError, match="its settings are a TapirClipSettings"):
        load_tapir(TAPIR_VARIANTS["tapir-offline"], path, "cpu", TapirSettings())
    offline = TAPIR_VARIANTS["tapir-offline"].settings
    tracker = load_tapir(
        TAPIR_VARIANTS["tapir-offline"], path, "cpu", replace(offline, window=200, margin=50)
    )
    assert tracker.lookahead == 200


@pytest.mark.parametrize(("resolution", "sizes"), [(256, 1), (512, 2)])
def test_what_is_remembered_of_a_point_has_one_size(resolution, sizes):
    """983 040 bytes a size of picture, however many frames it was followed."""
    settings = TapirSettings(resolution=resolution)
    engine = TorchEngine(golden_network("tapir-online"), settings)
    state = Tapir("tapir-online", engine, settings).start((256, 256))
    xy = np.array([[10, 20], [200, 100], [30, 40]], np.float32)
    state.add(QueryPoints(np.arange(3), np.zeros(3, np.int64), xy))
    noise = np.random.default_rng(0)
    for index in range(3):
        state.push(Frame(index, 0.0, noise.integers(0, 255, (256, 256, 3), np.uint8)))
        assert state.snapshot()["rows/0/memory"].nbytes == 3 * sizes * 983_040


def test_a_real_state_goes_on_with_the_same_bits():
    """Also in the second frame of the two that take turns, and with a point of another turn."""
    settings = TapirSettings(pin_query=False)
    engine = TorchEngine(golden_network("tapir-online"), settings)
    tracker = Tapir("tapir-online", engine, settings)
    noise = np.random.default_rng(0).integers(0, 255, (5, 120, 160, 3), np.uint8)
    xy = np.array([[10, 20], [100, 100], [30, 40]], np.float32)

    def run(kill):
        state, given = tracker.start((160, 120)), []
        state.add(QueryPoints(np.arange(2), np.zeros(2, np.int64), xy[:2]))
        for index, image in enumerate(noise):
            if index == 3:
                state.add(QueryPoints(np.array([7]), np.array([3]), xy[2:]))
            if index in kill:
                saved = state.snapshot()
                state = tracker.start((160, 120))
                state.restore(saved)
            given += state.push(Frame(index, 0.0, image))
        return given

    for one, other in zip(run(()), run((1, 2, 4)), strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.confidence, other.confidence)


def test_packed_layers_give_the_same_but_for_rounding():
    layer = torch.nn.Linear(512, 64)
    x = torch.randn(3, 5, 512)
    with torch.inference_mode():
        torch.testing.assert_close(packed(layer)(x), layer(x), rtol=1e-5, atol=1e-5)


def test_where_layers_cannot_be_packed_they_stay_as_they_are(monkeypatch):
    layer = torch.nn.Linear(4, 4)

    def missing(self, linear):
        raise AttributeError("no such operator")

    monkeypatch.setattr(PackedLinear, "__init__", missing)
    assert packed(layer) is layer
    meta = torch.nn.Linear(4, 4, device="meta")
    assert packed(meta) is meta
