"""SAM networks run by other runtimes, without PyTorch: the same answers to every kind of prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic_picture
import torch
from golden_encoders import encoder_golden, golden_picture
from torch import Tensor, nn

from rvsam_video.clips.instances import automatic_proposals
from rvsam_video.errors import UsageError
from rvsam_video.export.runtimes import RUNTIMES
from rvsam_video.segmenters import ObjectPrompt, create_segmenter
from rvsam_video.segmenters.base import PromptPlan
from rvsam_video.segmenters.sam.backends import ExportedEncoder, encoder_on_backend
from rvsam_video.segmenters.sam.exported import ExportedDecoder, ExportedSam, load_exported_sam
from rvsam_video.segmenters.sam.fusing import fuse
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.prompts import DecodeRequest
from rvsam_video.segmenters.sam.registry import SamVariant, load_sam
from rvsam_video.segmenters.sam.transforms import to_picture_size


class Patches(nn.Module):
    """The smallest thing with an image encoder's shapes."""

    img_size = 1024

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 256, 16, 16)

    def forward(self, image: Tensor) -> Tensor:
        return self.convolution(image)


VARIANT = SamVariant("patches", Patches, fusible=False)
PICTURE = synthetic_picture.synthetic_picture(120, 200, seed=5)
XY = np.array([[60, 50], [90, 70], [10, 110]], np.float32)
BOX = np.array([20, 10, 150, 100], np.float32)


def prompt(number, labels=(), box=None, mask=None, plan=None) -> ObjectPrompt:
    labels = np.array(labels, np.int8)
    ids = np.arange(len(labels))
    return ObjectPrompt(
        number, XY[: len(labels)], labels, ids, box, mask, plan=plan or PromptPlan()
    )


REFINED = PromptPlan(refinements=3, best_of_three=False, refine_until=0.99)
PROMPTS = [
    prompt(1, [1]),
    prompt(2, [1, 1, 0]),
    prompt(3, box=BOX),
    prompt(4, [1, 1], plan=REFINED),
    prompt(5, [1], BOX, plan=REFINED),
    prompt(6, [0]),
    prompt(7, [1], mask=np.eye(120, 200, dtype=np.bool_)),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A file of weights around the smallest encoder."""
    sam = sam_around(Patches())
    torch.manual_seed(0)
    for parameter in sam.parameters():
        parameter.normal_(std=0.2)
    path = tmp_path_factory.mktemp("weights") / "patches.pt"
    torch.save(sam.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=RUNTIMES)
def exported(request, weights, cache) -> ExportedSam:
    pytest.importorskip(request.param)
    return ExportedSam(VARIANT, weights, request.param, cache)


def test_every_kind_of_prompt_is_answered_alike(exported, weights):
    ours = load_sam(VARIANT, weights, "cpu")
    found, wanted = (
        network.predict(network.embed(PICTURE), PROMPTS) for network in (exported, ours)
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, rtol=0, atol=2e-3)
        assert one.logits.dtype == np.float32
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.prompted == other.prompted
    # The comparison would be idle if the network said the same to all.
    assert len({round(float(item.logits.mean()), 3) for item in wanted}) == len(PROMPTS)


def test_no_objects_are_no_answers(exported):
    assert exported.predict(exported.embed(PICTURE), []) == []


def test_ambiguous_prompts_get_three_answers(exported, weights):
    image = exported.embed(PICTURE)
    request = DecodeRequest(XY[:1], np.ones(1, np.int8))
    three = exported.decoder.decode(image, [request], multimask=True)
    best = exported.decoder.decode_best(image, [request], [True])
    assert three.low_res_logits.shape == (1, 3, 256, 256)
    number = int(three.iou[0].argmax())
    np.testing.assert_array_equal(best.low_res_logits[0, 0], three.low_res_logits[0, number])
    assert best.iou[0, 0] == three.iou[0, number]


@pytest.mark.parametrize(
    "size", [(120, 200), (1024, 1024), (480, 854), (512, 256), (33, 1920), (1200, 1600), (256, 512)]
)
def test_logits_are_enlarged_as_by_pytorch(size):
    geometry = Geometry(size[1], size[0])
    logits = np.random.default_rng(0).normal(0, 5, (2, 256, 256)).astype(np.float32)
    found = ExportedDecoder(lambda _: []).enlarge(logits, geometry)
    wanted = to_picture_size(torch.from_numpy(logits), geometry).numpy()
    # Both take places between cells in single precision; white noise shows that most.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_files_are_made_for_the_weights_and_only_once(weights, tmp_path):
    pytest.importorskip("onnxruntime")

    def files() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in (tmp_path / "exported").glob("*.onnx")}

    ExportedSam(VARIANT, weights, "onnxruntime", tmp_path)
    first = files()
    assert len(first) == 2
    ExportedSam(VARIANT, weights, "onnxruntime", tmp_path)
    assert files() == first
    other = tmp_path / "other.pt"
    torch.save(sam_around(Patches(seed=1)).state_dict(), other)
    ExportedSam(VARIANT, other, "onnxruntime", tmp_path)
    assert len(files()) == 4


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it raises
import numpy as np
from pathlib import Path
from rvsam_video.segmenters.base import ObjectPrompt
from rvsam_video.segmenters.sam.exported import ExportedSam
from rvsam_video.segmenters.sam.registry import SamVariant
variant = SamVariant("patches", None, fusible=False)
network = ExportedSam(variant, Path(sys.argv[1]), "onnxruntime", Path(sys.argv[2]))
image = np.full((60, 80, 3), 100, np.uint8)
point = ObjectPrompt(1, np.array([[40, 30]], np.float32), np.ones(1, np.int8), np.zeros(1, int))
(answer,) = network.predict(network.embed(image), [point])
assert answer.logits.shape == (60, 80)
assert np.isfinite(answer.logits).all()
"""


def test_files_that_are_there_are_run_without_pytorch(weights, tmp_path):
    pytest.importorskip("onnxruntime")
    ExportedSam(VARIANT, weights, "onnxruntime", tmp_path)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(weights), str(tmp_path)]
    subprocess.run(command, check=True)


def test_a_device_is_not_for_other_runtimes(weights):
    with pytest.raises(UsageError, match="onnxruntime runs on the CPU here, not on cuda"):
        load_exported_sam(VARIANT, weights, "cuda", "onnxruntime")


def test_a_segmenter_without_a_network_has_no_backend():
    with pytest.raises(UsageError, match="leave out the checkpoint, the device and the backend"):
        create_segmenter("grabcut", backend="openvino")


# Encoders alone, for what only PyTorch does


@pytest.mark.parametrize("backend", RUNTIMES)
def test_an_encoder_gives_the_same_embedding(tmp_path, backend):
    pytest.importorskip(backend)
    encoder = encoder_on_backend(
        Patches(), backend, name="patches", weights_sha256="a" * 64, cache=tmp_path
    )
    assert isinstance(encoder, ExportedEncoder)
    images = torch.randn(2, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, wanted = encoder(images), Patches()(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_torch_is_the_encoder_itself(tmp_path):
    encoder = Patches()
    found = encoder_on_backend(encoder, "torch", name="x", weights_sha256="", cache=tmp_path)
    assert found is encoder
    assert list(tmp_path.iterdir()) == []


def test_everything_mode_has_the_exported_encoder(exported, monkeypatch, cache):
    monkeypatch.setenv("RVSAM_CACHE", str(cache))
    runs = []
    usual = ExportedEncoder.forward
    monkeypatch.setattr(
        ExportedEncoder, "forward", lambda self, x: runs.append(1) or usual(self, x)
    )
    list(automatic_proposals(exported)(PICTURE))
    assert runs == [1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repvit_sam", "mobile_sam"])
def test_whole_encoders_give_the_golden_embedding(tmp_path, name):
    pytest.importorskip("onnxruntime")
    golden = encoder_golden(name)
    encoder = encoder_on_backend(
        fuse(golden.encoder), "onnxruntime", name=name, weights_sha256="a" * 64, cache=tmp_path
    )
    golden.check_embedding(encoder(golden_picture()), "embedding", 5e-4)
