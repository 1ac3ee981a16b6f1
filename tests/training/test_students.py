"""Students by name, and the names under which weights come."""

from __future__ import annotations

import gzip
import json

import golden_data
import pytest
import torch
from segment_anything.modeling import Sam

from rvsam_video.errors import UsageError, WeightsError
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, sam_network
from rvsam_video.segmenters.sam.repvit import REPVIT_CONFIGS, RepViTEncoder
from rvsam_video.training.students import (
    STUDENTS,
    find_student,
    initialise,
    parameter_groups,
    timm_prefixes,
)

NAMES = json.loads(gzip.decompress((golden_data.DATA / "distill_timm_names.json.gz").read_bytes()))


def timm_state(size: str, prefixes: dict[str, str]) -> dict[str, torch.Tensor]:
    """A classifier as timm names it, with weights that tell it from any other."""
    torch.manual_seed(5)
    own = RepViTEncoder(REPVIT_CONFIGS[size]).state_dict()
    state = {}
    for timm, ours in prefixes.items():
        for name, value in own.items():
            if name.startswith(f"{ours}."):
                state[timm + name.removeprefix(ours)] = torch.rand_like(value.float())
    return {**state, "head.head.l.weight": torch.ones(10, 4), "head.head.l.bias": torch.ones(10)}


def test_all_of_timm_s_large_repvit_has_a_place():
    prefixes = {name: f"image_encoder.{own}" for name, own in timm_prefixes(
        REPVIT_CONFIGS["m2.3"]).items()}  # fmt: skip
    # The rule also names gates that every other block lacks.
    assert {name: own for name, own in prefixes.items() if name in NAMES["prefixes"]} == (
        NAMES["prefixes"]
    )
    assert all(name.endswith(".se") for name in set(prefixes) - set(NAMES["prefixes"]))


@pytest.mark.slow
def test_timm_s_large_repvit_fills_all_but_the_neck(tmp_path):
    own = {name: value.removeprefix("image_encoder.") for name, value in NAMES["prefixes"].items()}
    torch.save(timm_state("m2.3", own), tmp_path / "timm.bin")
    entry = find_student("repvit-sam")
    encoder = entry.build()
    found = initialise(encoder, entry, tmp_path / "timm.bin")
    assert found.taken == NAMES["tensors"] == 1455
    assert [f"image_encoder.{name}" for name in found.random] == NAMES["without a source"]
    assert encoder.features[52].token_mixer[0].c.stride == (1, 1)
    assert sum(item.numel() for item in encoder.parameters()) == 23_158_920


def test_values_come_to_their_places_from_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    state = timm_state("m0.6", timm_prefixes(REPVIT_CONFIGS["m0.6"]))
    safetensors.save_file(state, tmp_path / "timm.safetensors")
    entry = find_student("repvit-m0.6")
    encoder = entry.build()
    neck = encoder.neck[0].weight.clone()
    found = initialise(encoder, entry, tmp_path / "timm.safetensors")
    assert found.unused == ("head.head.l.weight", "head.head.l.bias") or set(found.unused) == {
        "head.head.l.weight", "head.head.l.bias"
    }  # fmt: skip
    torch.testing.assert_close(
        encoder.features[0][0].c.weight, state["stem.conv1.c.weight"], rtol=0, atol=0
    )
    torch.testing.assert_close(
        encoder.features[3].channel_mixer.m[2].bn.bias,
        state["stages.1.downsample.ffn.conv2.bn.bias"], rtol=0, atol=0,
    )  # fmt: skip
    torch.testing.assert_close(
        encoder.features[2].token_mixer[0].conv.c.weight,
        state["stages.1.downsample.pre_block.token_mixer.conv.c.weight"], rtol=0, atol=0,
    )  # fmt: skip
    assert torch.equal(encoder.neck[0].weight, neck)


@pytest.mark.parametrize("name", ["repvit-m0.6", "tiny-vit-5m"])
def test_official_checkpoints_and_classifiers_are_taken(tmp_path, name):
    entry = find_student(name)
    source = entry.build()
    official = {f"image_encoder.{key}": value for key, value in source.state_dict().items()}
    torch.save({**official, "mask_decoder.x": torch.ones(1)}, tmp_path / "official.pt")
    classifier = {
        key: value for key, value in source.state_dict().items() if not key.startswith("neck.")
    }
    torch.save({"model": {**classifier, "head.weight": torch.ones(3, 2)}}, tmp_path / "own.pth")
    for file, left in (("official.pt", 0), ("own.pth", 6)):
        encoder = entry.build()
        assert len(initialise(encoder, entry, tmp_path / file).random) == left
        first = next(iter(encoder.state_dict().items()))
        assert torch.equal(first[1], source.state_dict()[first[0]])


def test_weights_of_another_size_are_refused_with_a_name(tmp_path):
    torch.save(timm_state("m0.6", timm_prefixes(REPVIT_CONFIGS["m0.6"])), tmp_path / "timm.bin")
    entry = find_student("repvit-m0.9")
    with pytest.raises(WeightsError, match=r"lacks \d+ tensors of repvit-m0\.9, such as features"):
        initialise(entry.build(), entry, tmp_path / "timm.bin")


def test_damaged_safetensors_are_refused(tmp_path):
    pytest.importorskip("safetensors.torch")
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    entry = find_student("repvit-m0.6")
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        initialise(entry.build(), entry, tmp_path / "x.safetensors")


def test_every_student_learns_all_that_it_uses():
    for name in ("repvit-m0.6", "tiny-vit-5m"):
        encoder = find_student(name).build()
        assert encoder.training
        encoder(torch.randn(2, 3, 64, 64)).square().mean().backward()
        learnt = {key: item for key, item in encoder.named_parameters() if item.requires_grad}
        assert [key for key, item in learnt.items() if item.grad is None] == []


def test_vectors_have_no_weight_decay():
    groups = parameter_groups({"x": torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))}, 0.1)
    shapes = [[tuple(item.shape) for item in group["params"]] for group in groups]
    assert shapes == [[(4, 3, 1, 1)], [(4,)]]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


@pytest.mark.parametrize("size", ["m0.6", "m1.1", "m1.5"])
def test_the_segmenter_takes_checkpoints_of_every_size(size):
    state = sam_around(RepViTEncoder(REPVIT_CONFIGS[size])).state_dict()
    loaded = sam_network(SAM_VARIANTS["repvit-sam"], state, source="test")
    assert isinstance(loaded, Sam)
    assert loaded.image_encoder.neck[0].in_channels == REPVIT_CONFIGS[size].widths[-1]


def test_unknown_students_are_refused():
    assert set(STUDENTS) >= {"repvit-m0.9", "repvit-m2.3", "tiny-vit-5m"}
    assert find_student("mobile-sam").segmenter == "mobile-sam"
    with pytest.raises(UsageError, match="choose one of"):
        find_student("vit-h")
