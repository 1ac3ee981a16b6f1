"""TAPIR as files of other runtimes: the public numbers, any points at any time, and no PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_tapir import POINTS, check_golden, clip_a, follow_golden, golden_queries, tapir_state
from torch import nn

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.segmenters.sam.exported import ExportedSam
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SamVariant
from rvsam_video.trackers import create_tracker
from rvsam_video.trackers.tapir.tracker import Tapir

NAME = "tapir-online"
BACKENDS = ("onnxruntime", pytest.param("openvino", marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a file of weights, that keeps exported files as well."""
    folder = tmp_path_factory.mktemp("tapir")
    torch.save(tapir_state(NAME), folder / "weights.pt")
    return folder


@pytest.fixture(autouse=True)
def cache(home, monkeypatch) -> None:
    monkeypatch.setenv("RVSAM_CACHE", str(home))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")


@pytest.fixture(params=BACKENDS)
def exported(request, home) -> Tapir:
    pytest.importorskip(request.param)
    tracker = create_tracker(NAME, home / "weights.pt", backend=request.param)
    assert isinstance(tracker, Tapir)
    return tracker


def test_streaming_gives_the_public_tracks(exported):
    # The same limits as PyTorch's.
    assert sum(check_golden(points, 5e-4, 3e-4) for points in follow_golden(exported._engine)) > 0


def test_a_run_goes_on_to_the_last_bit(exported):
    queries = golden_queries(POINTS[:4], np.arange(4), np.zeros(4))
    state = exported.start((256, 256))
    state.add(queries)
    frames = [Frame(index, index / 25, image) for index, image in enumerate(clip_a()[:5])]
    wanted = [points for frame in frames for points in state.push(frame)]
    first = exported.start((256, 256))
    first.add(queries)
    for frame in frames[:3]:
        first.push(frame)
    second = exported.start((256, 256))
    second.restore(first.snapshot())
    found = [points for frame in frames[3:] for points in second.push(frame)]
    for one, other in zip(found, wanted[3:], strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.confidence, other.confidence)


@pytest.mark.parametrize("part", ["step", "describe"])
def test_shapes_can_be_fixed(part, home, tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    file = tmp_path / "part.onnx"
    weights = str(home / "weights.pt")
    command = ["export", NAME, "--part", part, "--checkpoint", weights, "--out", str(file)]
    assert main([*command, "--count", "3"]) == 0
    graph = onnx.load(file, load_external_data=False).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes["queries"] == [3, 1, 384]
    assert all(all(shape) for shape in shapes.values())
    if part == "step":
        assert shapes["memory"] == shapes["memory_out"] == [3, 4, 2, 12, 5, 512]
        assert shapes["xy"] == [3, 2]


def test_networks_that_look_ahead_have_no_other_runtime(home):
    with pytest.raises(UsageError, match=r"onnxruntime cannot run tapir-offline; .* tapir-online"):
        create_tracker("tapir-offline", home / "weights.pt", backend="onnxruntime")
    with pytest.raises(UsageError, match="runs on the CPU here, not on cuda"):
        create_tracker(NAME, home / "weights.pt", "cuda", backend="onnxruntime")


# The whole program

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it raises
from rvsam_video.cli.main import main
code = main(sys.argv[1:])
loaded = [name for name in sys.modules if name.partition(".")[0] in {"torch", "torchvision"}]
assert loaded == ["torch"] and sys.modules["torch"] is None, loaded
sys.exit(code)
"""


class Patches(nn.Sequential):
    """A thin encoder with the shapes of the real one."""

    img_size = 1024

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 256, 16, 16))


@pytest.fixture
def segmenter_weights(home) -> Path:
    """Weights of a thin `repvit-sam`, whose files for ONNX Runtime are there."""
    path = home / "thin.pt"
    torch.manual_seed(0)
    torch.save(sam_around(Patches()).state_dict(), path)
    ExportedSam(SamVariant("repvit-sam", Patches, fusible=False), path, "onnxruntime")
    return path


def without_torch(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_video_is_segmented_without_pytorch(home, segmenter_weights, tmp_path):
    pytest.importorskip("onnxruntime")
    create_tracker(NAME, home / "weights.pt", backend="onnxruntime")
    SyntheticClip(frames=4, size=(160, 90)).write(tmp_path / "clip.mp4")
    tracker = ["--tracker", NAME, "--tracker-checkpoint", str(home / "weights.pt")]
    tracker += ["--backend", "onnxruntime"]
    segmenter = ["--segmenter", "repvit-sam", "--checkpoint", str(segmenter_weights)]
    clicks = ["track", "clip.mp4", "--points", "80,45"]
    without_torch(tmp_path, *clicks, *tracker, *segmenter, "--out", "run")
    kept = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (kept["command"]["tracker"], kept["command"]["backend"]) == (NAME, "onnxruntime")
    assert len(list((tmp_path / "run" / "masks").iterdir())) == 4
    without_torch(tmp_path, "points", "clip.mp4", "--point", "80,45", *tracker, "--out", "points")
    with np.load(tmp_path / "points" / "points.npz") as points:
        assert np.isfinite(points["xy"]).all()
