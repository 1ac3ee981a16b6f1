"""Exported files compute what PyTorch computes, or they do not exist."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rvsam_video.cli.main import main
from rvsam_video.errors import OutputError, UsageError
from rvsam_video.export import FORMATS, ExportPart, export_part
from rvsam_video.export.parity import PARITY_TOLERANCE, check_parity
from rvsam_video.export.parts import Exports
from rvsam_video.export.runtimes import open_onnx
from rvsam_video.segmenters import SEGMENTERS, SegmenterEntry
from rvsam_video.segmenters.sam.exporting import decoder_part, encoder_part, sam_part
from rvsam_video.segmenters.sam.fusing import fuse
from rvsam_video.segmenters.sam.model import ViTConfig, sam_around, vit_encoder
from rvsam_video.segmenters.sam.registry import SAM_PARTS, SamVariant, load_sam
from rvsam_video.segmenters.sam.repvit import REPVIT_CONFIGS, RepViTEncoder
from rvsam_video.segmenters.sam.tiny_vit import TinyViTConfig, TinyViTEncoder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

RUNNABLE = ["onnx", "openvino"]


def package_of(format_name: str) -> str:
    return {"onnx": "onnxruntime", "openvino": "openvino", "coreml": "coremltools"}[format_name]


class Patches(nn.Module):
    """The smallest thing with an image encoder's shapes."""

    img_size = 1024

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 256, 16, 16)

    def forward(self, image: Tensor) -> Tensor:
        return self.convolution(image)


def small_repvit() -> nn.Module:
    return fuse(RepViTEncoder(REPVIT_CONFIGS["m0.6"]))


def small_tiny_vit() -> nn.Module:
    # One block per layer, with both window sizes and both kinds of padding.
    return fuse(TinyViTEncoder(TinyViTConfig((32, 32, 32, 64), (1, 1, 1, 1), (7, 14, 7))))


def small_vit() -> nn.Module:
    # One block that attends to windows and one to the whole picture.
    encoder = vit_encoder(ViTConfig(64, 2, 2, (1,)))
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.05)
    return encoder


@pytest.fixture(scope="module")
def sam():
    """A whole network with random weights around the smallest encoder."""
    torch.manual_seed(0)
    return sam_around(Patches())


@pytest.fixture
def decoder(sam) -> ExportPart:
    return decoder_part(sam.prompt_encoder, sam.mask_decoder)


@pytest.fixture
def patches(sam) -> ExportPart:
    return encoder_part(sam.image_encoder)


# What is computed


@pytest.mark.parametrize("format_name", RUNNABLE)
@pytest.mark.parametrize("build", [small_repvit, small_tiny_vit, small_vit])
def test_an_encoder_computes_the_same_elsewhere(tmp_path, build, format_name):
    pytest.importorskip(package_of(format_name))
    torch.manual_seed(0)
    out = tmp_path / f"encoder{FORMATS[format_name].suffix}"
    exported = export_part(encoder_part(build()), format_name, out)
    assert exported.parity is not None
    assert 0 < exported.parity.difference < exported.parity.allowed / 5


@pytest.mark.parametrize("format_name", RUNNABLE)
def test_a_decoder_computes_the_same_for_any_number_of_points(tmp_path, decoder, format_name):
    pytest.importorskip(package_of(format_name))
    out = tmp_path / f"decoder{FORMATS[format_name].suffix}"
    exported = export_part(decoder, format_name, out)
    assert exported.parity is not None
    assert 0 < exported.parity.difference < exported.parity.allowed / 5
    counts = {probe[1].shape[1] for probe in decoder.probes()}
    assert len(counts) > 2
    assert {float(probe[4]) for probe in decoder.probes()} == {0.0, 1.0}


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("box", [True, False])
def test_the_decoder_equals_the_public_package(sam, decoder, box, mask):
    random = torch.Generator().manual_seed(1)
    embedding = torch.randn(1, 256, 64, 64, generator=random)
    logits = torch.randn(1, 1, 256, 256, generator=random) * 5
    points, labels = torch.tensor([[[500.5, 20.0], [3.0, 900.0]]]), torch.tensor([[1.0, 0.0]])
    corners = torch.tensor([[[100.0, 110.0], [700.0, 800.0]]])
    with torch.inference_mode():
        sparse, dense = sam.prompt_encoder(
            points=(points, labels),
            boxes=corners.reshape(1, 4) if box else None,
            masks=logits if mask else None,
        )
        wanted = sam.mask_decoder.predict_masks(
            embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense
        )
        more = corners if box else torch.zeros(1, 1, 2)
        kinds = torch.tensor([[2.0, 3.0]] if box else [[-1.0]])
        found = decoder.network(
            embedding,
            torch.cat([points, more], 1),
            torch.cat([labels, kinds], 1),
            logits,
            torch.tensor([float(mask)]),
        )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("part_name", ["encoder", "decoder"])
def test_core_ml_packages_are_written_anywhere(tmp_path, patches, decoder, part_name):
    coreml = pytest.importorskip("coremltools")
    part = patches if part_name == "encoder" else decoder
    out = tmp_path / "part.mlpackage"
    exported = export_part(part, "coreml", out, metadata={"network": "test"})
    assert exported.parity is None
    assert "nothing was compared" in exported.remark
    description = coreml.utils.load_spec(str(out)).description
    assert [entry.name for entry in description.input] == list(part.inputs)
    assert [entry.name for entry in description.output] == list(part.outputs)
    assert description.metadata.userDefined["network"] == "test"


def test_files_say_where_they_come_from(tmp_path, patches):
    import onnx

    export_part(patches, "onnx", tmp_path / "a.onnx", metadata={"weights_sha256": "abc"})
    notes = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert notes == {"weights_sha256": "abc"}


# What must not come out


class Branch(nn.Module):
    """Tracing takes one way for good; PyTorch chooses each time."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -2 * x


def branch(values: tuple[float, ...]) -> ExportPart:
    probes = [(torch.full((1, 4), value),) for value in values]
    return ExportPart("encoder", Branch().eval(), ("x",), ("y",), {}, lambda: probes)


def test_a_file_that_computes_something_else_is_removed(tmp_path):
    with pytest.raises(OutputError, match=r"gives y up to 9 away from PyTorch.*removed"):
        export_part(branch((1.0, -3.0)), "onnx", tmp_path / "wrong.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_keeps_the_file_that_was_there(tmp_path, patches):
    out = tmp_path / "encoder.onnx"
    export_part(patches, "onnx", out)
    before = out.read_bytes()
    with pytest.raises(OutputError):
        export_part(branch((1.0, -3.0)), "onnx", out, overwrite=True)
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (np.full((1, 4), np.nan, np.float32), "up to nan away"),
        (np.full((1, 4), 1 + 2 * PARITY_TOLERANCE, np.float32), "away from PyTorch"),
        (np.ones((1, 5), np.float32), r"shape \(1, 5\) instead of \(1, 4\)"),
    ],
)
def test_parity_sees_every_kind_of_difference(answer, sentence):
    with pytest.raises(OutputError, match=sentence):
        check_parity(branch((1.0,)), lambda _: [answer])


def test_parity_forgives_rounding():
    part = branch((1.0,))
    near = np.full((1, 4), 1 + PARITY_TOLERANCE / 2, np.float32)
    parity = check_parity(part, lambda _: [near])
    assert parity.difference == pytest.approx(PARITY_TOLERANCE / 2, rel=1e-2)
    assert parity.allowed == PARITY_TOLERANCE


def test_a_converter_that_breaks_is_one_sentence(tmp_path, patches, monkeypatch):
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("no such operator\nand a hundred lines more")

    monkeypatch.setattr(torch.onnx, "export", broken)
    with pytest.raises(OutputError) as caught:
        export_part(patches, "onnx", tmp_path / "encoder.onnx")
    assert str(caught.value).endswith("into a working onnx file: no such operator")
    assert list(tmp_path.iterdir()) == []


def test_weights_too_large_for_onnx_are_refused(tmp_path):
    huge = nn.Module()
    huge.register_buffer("weights", torch.empty(2**29, device="meta"))
    part = ExportPart("encoder", huge, ("x",), ("y",), {}, list)
    with pytest.raises(UsageError, match=r"2\.1 GB of weights; an ONNX file holds up to 2 GB"):
        export_part(part, "onnx", tmp_path / "huge.onnx")


# Names, places and packages


def test_a_file_is_only_replaced_when_told_to(tmp_path, patches):
    out = tmp_path / "new" / "encoder.onnx"
    export_part(patches, "onnx", out)
    with pytest.raises(OutputError, match="already there; use --overwrite"):
        export_part(patches, "onnx", out)
    export_part(patches, "onnx", out, overwrite=True)
    assert [path.name for path in out.parent.iterdir()] == ["encoder.onnx"]


def test_a_package_is_replaced_as_a_whole(tmp_path, patches):
    pytest.importorskip("coremltools")
    out = tmp_path / "encoder.mlpackage"
    out.mkdir()
    (out / "leftover").write_text("from an earlier try")
    export_part(patches, "coreml", out, overwrite=True)
    assert (out / "Manifest.json").is_file()
    assert not (out / "leftover").exists()


def test_format_and_name_must_fit(tmp_path, patches):
    with pytest.raises(UsageError, match="no format named 'tflite'; choose one of: onnx"):
        export_part(patches, "tflite", tmp_path / "encoder.tflite")
    with pytest.raises(UsageError, match=r"must end in \.xml"):
        export_part(patches, "openvino", tmp_path / "encoder.onnx")


def test_a_place_that_cannot_be_written_is_said(tmp_path, patches):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place with --out"):
        export_part(patches, "onnx", tmp_path / "file" / "encoder.onnx")


@pytest.fixture
def without(monkeypatch) -> Callable[[str], None]:
    """Make a package look as if it were not installed."""
    usual = importlib.util.find_spec

    def hide(package: str) -> None:
        monkeypatch.setattr(
            "rvsam_video.export.extras.find_spec",
            lambda name: None if name == package else usual(name),
        )

    return hide


@pytest.mark.parametrize(
    ("format_name", "package"),
    [("onnx", "onnx"), ("openvino", "openvino"), ("coreml", "coremltools")],
)
def test_a_missing_package_comes_with_the_command_to_install_it(
    tmp_path, patches, without, format_name, package
):
    without(package)
    command = rf'pip install "rvsam-video\[{format_name}\]"'
    with pytest.raises(UsageError, match=f"package {package}, .*{command}"):
        export_part(patches, format_name, tmp_path / f"encoder{FORMATS[format_name].suffix}")
    assert list(tmp_path.iterdir()) == []


def test_without_the_runtime_the_file_is_written_but_not_compared(tmp_path, patches, without):
    without("onnxruntime")
    exported = export_part(patches, "onnx", tmp_path / "encoder.onnx")
    assert exported.parity is None
    assert "nothing was compared" in exported.remark
    assert exported.path.stat().st_size == exported.size
    # The file is whole all the same.
    session = pytest.importorskip("onnxruntime").InferenceSession(str(exported.path))
    assert [entry.name for entry in session.get_inputs()] == ["image"]


# The command


@pytest.fixture
def checkpoint(sam, tmp_path, monkeypatch) -> Path:
    """A file of weights for a network named `patches`."""
    variant = SamVariant("patches", Patches, fusible=False)
    entry = SegmenterEntry(
        build=lambda request: load_sam(variant, request.checkpoint),
        network=True,
        exports=Exports(SAM_PARTS, partial(sam_part, variant)),
    )
    monkeypatch.setitem(SEGMENTERS._entries, "patches", entry)
    torch.save(sam.state_dict(), tmp_path / "patches.pt")
    return tmp_path / "patches.pt"


def test_the_command_writes_and_compares(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "patches", "--checkpoint", str(checkpoint)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("patches-encoder.onnx  0.8 MB")
    assert shown[1].startswith("largest difference from PyTorch")
    assert (tmp_path / "patches-encoder.onnx").is_file()


def test_a_fixed_number_of_points_is_all_that_the_file_takes(checkpoint, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    out = tmp_path / "d.onnx"
    arguments = ["--part", "decoder", "--count", "3", "--out", str(out)]
    assert main(["export", "patches", *arguments, "--checkpoint", str(checkpoint)]) == 0
    shapes = {item.name: item.shape for item in runtime.InferenceSession(str(out)).get_inputs()}
    assert shapes["point_coords"] == [1, 3, 2]
    assert shapes["point_labels"] == [1, 3]


def test_the_command_speaks_json(checkpoint, tmp_path, capsys):
    out = tmp_path / "d.onnx"
    arguments = ["--part", "decoder", "--out", str(out), "--checkpoint", str(checkpoint), "--json"]
    assert main(["export", "patches", *arguments]) == 0
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "exported"
    assert event["path"] == str(out)
    assert event["max_abs_difference"] < event["allowed_difference"]
    assert len(event["weights_sha256"]) == 64
    assert event["weights_licence"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["nothing"], "'nothing' cannot be exported; choose one of: repvit-sam, mobile-sam", 2),
        (["patches", "--part", "step"], "patches has no part 'step'; choose one of: encoder", 2),
        (["patches", "--option", "a=1"], "patches has no settings, so 'a' cannot be set", 2),
        (["patches", "--checkpoint", "missing.pt"], "missing.pt cannot be read as weights", 1),
        (["mobile-sam", "--offline", "--cache", "nowhere"], "not in the cache", 1),
        (["patches", "--format", "tflite"], "'tflite' is not one of", 2),
    ],
)
def test_the_command_fails_in_one_sentence(checkpoint, capsys, arguments, sentence, code):
    assert main(["export", *arguments]) == code
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


def test_the_runner_of_files_is_the_one_that_parity_used(tmp_path, patches):
    export_part(patches, "onnx", tmp_path / "encoder.onnx")
    (image,) = patches.probes()[0]
    found = open_onnx(tmp_path / "encoder.onnx")({"image": image.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(found, patches.network(image).numpy(), rtol=0, atol=1e-4)
