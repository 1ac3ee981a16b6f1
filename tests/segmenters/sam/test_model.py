"""Whole networks against the names of the official checkpoints, and building them by name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from rvsam_video.errors import UsageError, WeightsError
from rvsam_video.segmenters import create_segmenter, segmenter_names
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.weights.devices import choose_device
from rvsam_video.weights.read import load_checked


@pytest.mark.parametrize("name", ["repvit-sam", "mobile-sam", "sam-vit-b"])
def test_networks_have_the_names_and_shapes_of_the_official_checkpoints(name, manifest):
    with torch.device("meta"):
        sam = sam_around(SAM_VARIANTS[name].encoder())
    found = {key: tuple(value.shape) for key, value in sam.state_dict().items()}
    assert found == manifest(name)


@pytest.mark.parametrize(
    ("name", "parameters"), [("sam-vit-l", 308_278_272), ("sam-vit-h", 637_026_048)]
)
def test_the_large_encoders_have_the_published_sizes(name, parameters):
    with torch.device("meta"):
        encoder = SAM_VARIANTS[name].encoder()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters


def test_every_variant_has_published_weights_with_a_licence():
    assert {variant.licence for variant in SAM_VARIANTS.values()} == {"Apache-2.0"}


def small() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def test_fitting_weights_are_taken_over():
    network, other = small(), small()
    load_checked(network, other.state_dict(), "weights.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.bias"), "from weights.pt .* they lack 0.bias;"),
        (lambda state: state.update(extra=torch.zeros(1)), "also hold extra;"),
        (
            lambda state: state.update({"0.weight": torch.zeros(3, 4)}),
            r"other shapes in 0.weight \(3, 4\) instead of \(3, 2\);",
        ),
        (lambda state: state.clear(), "lack 0.weight, 0.bias, 1.weight and 4 more;"),
    ],
)
def test_other_weights_are_refused_with_the_first_differences(change, message):
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = small().state_dict()
    change(state)
    with pytest.raises(WeightsError, match=message):
        load_checked(network, state, "weights.pt")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_segmenter_is_built_from_a_file_of_weights(golden_state, tmp_path):
    path = tmp_path / "mobile_sam.pt"
    torch.save(golden_state("mobile-sam"), path)
    segmenter = create_segmenter("mobile-sam", checkpoint=path, device="cpu")
    assert isinstance(segmenter, SamSegmenter)
    assert (segmenter.name, segmenter.device) == ("mobile-sam", torch.device("cpu"))
    with pytest.raises(WeightsError, match="do not fit"):
        create_segmenter("repvit-sam", checkpoint=path, device="cpu")


def test_names_and_what_they_refuse():
    assert {*SAM_VARIANTS, "grabcut"} <= set(segmenter_names())
    with pytest.raises(UsageError, match=r"no segmenter named 'sam-3'.*repvit-sam"):
        create_segmenter("sam-3")
    with pytest.raises(UsageError, match="grabcut has no weights"):
        create_segmenter("grabcut", checkpoint="weights.pt")
    with pytest.raises(UsageError, match="grabcut has no weights and runs on the CPU"):
        create_segmenter("grabcut", device="cuda")


def test_weights_that_are_nowhere_are_an_error_that_names_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    with pytest.raises(WeightsError, match="--segmenter grabcut"):
        create_segmenter("repvit-sam")


def test_devices_are_chosen_or_refused():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device().type in ("cuda", "mps", "cpu")
    with pytest.raises(UsageError, match="'toaster' cannot be used here"):
        choose_device("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="'cuda' cannot be used here"):
            choose_device("cuda")


def test_listing_segmenters_imports_no_network_code():
    code = (
        "import sys\nfrom rvsam_video.segmenters import create_segmenter, segmenter_names\n"
        "segmenter_names(); create_segmenter('grabcut')\n"
        "heavy = {'torch', 'torchvision', 'segment_anything'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
