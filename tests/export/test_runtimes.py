"""Files of other runtimes: exported once, kept by the weights' hash, opened without PyTorch."""

from __future__ import annotations

import faulthandler
import gc
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.export import BACKENDS, ExportPart, KeptNetwork
from rvsam_video.export.runtimes import RUNTIMES, check_backend, check_on_cpu
from rvsam_video.export.signal_stack import signal_stack

HASH, OTHER_HASH = "a" * 64, "b" * 64


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Moody(nn.Module):
    """Never gives the same twice."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


def kept(folder, network=None, weights_sha256=HASH, made=None) -> KeptNetwork:
    def make() -> ExportPart:
        if made is not None:
            made.append(weights_sha256)
        module = (network or Twice()).eval()
        return ExportPart("body", module, ("x",), ("y",), {}, lambda: [(torch.ones(1, 4),)])

    return KeptNetwork(
        name="twice", part="body", weights_sha256=weights_sha256, make=make, cache=folder
    )


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_part_is_exported_once_for_the_same_weights(tmp_path, backend):
    pytest.importorskip(backend)
    made: list[str] = []
    for digest in (HASH, HASH, OTHER_HASH):
        run = kept(tmp_path, weights_sha256=digest, made=made).on(backend)
        (found,) = run({"x": np.arange(4, dtype=np.float32)[None]})
        np.testing.assert_array_equal(found, [[0, 2, 4, 6]])
        assert found.dtype == np.float32
    assert made == [HASH, OTHER_HASH]


@pytest.mark.skipif(sys.platform == "win32", reason="has no signal stacks")
def test_networks_leave_the_stack_of_signals_alone(tmp_path):
    """Else the next signal ends the process once they are gone, whatever its handler is."""
    pytest.importorskip("openvino")
    faulthandler.enable(sys.__stderr__)  # sets one, as many programs do
    before = signal_stack()
    first = kept(tmp_path).on("openvino")
    second = kept(tmp_path, weights_sha256=OTHER_HASH).on("openvino")
    assert signal_stack() == before
    # The one that was made first goes first.
    del first
    gc.collect()
    del second
    gc.collect()
    assert signal_stack() == before


def test_a_file_says_what_it_is(tmp_path):
    onnx = pytest.importorskip("onnx")
    kept(tmp_path).on("onnxruntime")
    (path,) = (tmp_path / "exported").glob("*.onnx")
    assert path.name.startswith("twice-body-aaaaaaaaaaaaaaaa-")
    notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert notes == {"network": "twice", "part": "body", "weights_sha256": HASH}


def test_a_part_that_cannot_be_exported_leaves_nothing(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(OutputError, match="away from PyTorch"):
        kept(tmp_path, Moody()).on("onnxruntime")
    left = [p.name for p in (tmp_path / "exported").iterdir() if not p.name.endswith(".lock")]
    assert left == []


def test_without_pytorch_only_files_that_are_there_can_be_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    kept(tmp_path).on("onnxruntime")
    monkeypatch.setitem(sys.modules, "torch", None)
    kept(tmp_path).on("onnxruntime")
    with pytest.raises(UsageError, match=r"no file yet of the body of twice, .* install torch"):
        kept(tmp_path, weights_sha256=OTHER_HASH).on("onnxruntime")


def test_unknown_backends_list_the_known_ones():
    with pytest.raises(UsageError, match=f"'tensorrt'; choose one of: {', '.join(BACKENDS)}"):
        check_backend("tensorrt")
    check_backend("torch")


@pytest.mark.parametrize(("backend", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_a_missing_runtime_comes_with_the_command_to_install_it(monkeypatch, backend, extra):
    monkeypatch.setattr("rvsam_video.export.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf'pip install "rvsam-video\[{extra}\]"'):
        check_backend(backend)


def test_other_devices_are_refused():
    check_on_cpu("auto", "openvino")
    with pytest.raises(UsageError, match="openvino runs on the CPU here, not on cuda"):
        check_on_cpu("cuda", "openvino")
