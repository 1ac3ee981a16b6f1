"""Encoders run by other runtimes: exported once, kept by the weights' hash, the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden_encoders import encoder_golden, golden_picture
from torch import Tensor, nn

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.export.backends import (
    BACKENDS,
    ExportedEncoder,
    OnnxEncoder,
    OpenVinoEncoder,
    encoder_on_backend,
)
from rvsam_video.segmenters import ObjectPrompt, create_segmenter
from rvsam_video.segmenters.sam.fusing import fuse
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, SamVariant, load_sam

KINDS = {"onnxruntime": OnnxEncoder, "openvino": OpenVinoEncoder}
HASH, OTHER_HASH = "a" * 64, "b" * 64


class Patches(nn.Module):
    """The smallest thing with an image encoder's shapes."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 256, 16, 16)

    def forward(self, image: Tensor) -> Tensor:
        return self.convolution(image)


def on_backend(backend, folder, encoder=None, weights_sha256=HASH):
    return encoder_on_backend(
        encoder or Patches(), backend, name="patches", weights_sha256=weights_sha256, cache=folder
    )


@pytest.mark.parametrize("backend", KINDS)
def test_other_runtimes_give_the_same_embedding(tmp_path, backend):
    pytest.importorskip(backend)
    encoder = on_backend(backend, tmp_path)
    assert isinstance(encoder, KINDS[backend])
    images = torch.randn(2, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, wanted = encoder(images), Patches()(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", KINDS)
def test_an_exported_file_is_made_once_for_the_same_weights(tmp_path, backend):
    pytest.importorskip(backend)

    def files() -> dict[str, int]:
        found = (tmp_path / "exported").iterdir()
        return {p.name: p.stat().st_mtime_ns for p in found if not p.name.endswith(".lock")}

    on_backend(backend, tmp_path)
    first = files()
    on_backend(backend, tmp_path)
    assert files() == first
    on_backend(backend, tmp_path, Patches(seed=1), weights_sha256=OTHER_HASH)
    assert len(files()) == 2 * len(first)


def test_torch_is_the_encoder_itself(tmp_path):
    encoder = Patches()
    assert on_backend("torch", tmp_path, encoder) is encoder
    assert list(tmp_path.iterdir()) == []


def test_an_exported_encoder_is_a_module_like_any_other(tmp_path):
    pytest.importorskip("onnxruntime")
    encoder = on_backend("onnxruntime", tmp_path)
    assert isinstance(encoder, ExportedEncoder)
    assert encoder.to("cpu").eval() is encoder
    holder = nn.Module()
    holder.image_encoder = Patches()
    holder.image_encoder = encoder
    assert list(holder.parameters()) == []


def test_unknown_backends_list_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=f"'tensorrt'; choose one of: {', '.join(BACKENDS)}"):
        on_backend("tensorrt", tmp_path)


@pytest.mark.parametrize(("backend", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_a_missing_runtime_is_said_before_anything_is_exported(
    tmp_path, monkeypatch, backend, extra
):
    monkeypatch.setattr("rvsam_video.export.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf'pip install "rvsam-video\[{extra}\]"'):
        on_backend(backend, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_cannot_be_exported_leaves_nothing(tmp_path):
    pytest.importorskip("onnxruntime")

    class Moody(Patches):
        calls = 0

        def forward(self, image: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(image) * self.calls

    with pytest.raises(OutputError, match="away from PyTorch"):
        on_backend("onnxruntime", tmp_path, Moody())
    left = [p.name for p in (tmp_path / "exported").iterdir() if not p.name.endswith(".lock")]
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repvit_sam", "mobile_sam"])
def test_whole_encoders_give_the_golden_embedding(tmp_path, name):
    pytest.importorskip("onnxruntime")
    golden = encoder_golden(name)
    encoder = on_backend("onnxruntime", tmp_path, fuse(golden.encoder))
    golden.check_embedding(encoder(golden_picture()), "embedding", 5e-4)


@pytest.fixture
def patches_weights(tmp_path, monkeypatch):
    """A segmenter named `patches`, and a file of weights for it."""
    monkeypatch.setitem(SAM_VARIANTS, "patches", SamVariant("patches", Patches, fusible=False))
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    torch.save(sam_around(Patches()).state_dict(), tmp_path / "patches.pt")
    return tmp_path / "patches.pt"


@pytest.mark.parametrize("backend", KINDS)
def test_a_segmenter_gives_the_same_masks_on_another_backend(patches_weights, backend):
    pytest.importorskip(backend)
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    prompt = ObjectPrompt(
        1, np.array([[40, 30]], np.float32), np.ones(1, np.int8), np.zeros(1, np.int64)
    )
    answers = []
    for name in ("torch", backend):
        segmenter = load_sam(SAM_VARIANTS["patches"], patches_weights, "cpu", name)
        (answer,) = segmenter.predict(segmenter.embed(image), [prompt])
        answers.append(answer)
    np.testing.assert_allclose(answers[1].logits, answers[0].logits, rtol=0, atol=1e-4)
    assert answers[1].score == pytest.approx(answers[0].score, abs=1e-5)


def test_a_segmenter_without_a_network_has_no_backend():
    with pytest.raises(UsageError, match="leave out the checkpoint, the device and the backend"):
        create_segmenter("grabcut", backend="openvino")
