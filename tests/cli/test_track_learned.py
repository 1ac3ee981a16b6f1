"""`rvsam-video track` with a learned segmenter: where weights come from, and what is kept."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights for the family's decoder around a thin encoder, and that encoder."""
    from torch import nn

    from rvsam_video.segmenters.sam.model import sam_around

    def encoder() -> nn.Module:
        thin = nn.Sequential(nn.Conv2d(3, 256, 16, 16))
        thin.img_size = 1024
        return thin

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "thin.pt"
    torch.save(sam_around(encoder()).state_dict(), path)
    return path, encoder


@pytest.fixture
def here(weights, tmp_path, monkeypatch):
    """An empty current folder with a clip, an empty cache, and the thin network as repvit-sam."""
    from rvsam_video import segmenters
    from rvsam_video.segmenters.sam import registry

    variant = registry.SamVariant("repvit-sam", weights[1], fusible=False)
    monkeypatch.setitem(registry.SAM_VARIANTS, "repvit-sam", variant)
    entry = segmenters.SegmenterEntry(
        build=lambda asked: registry.load_sam(variant, asked.checkpoint, asked.device),
        network=True,
    )
    monkeypatch.setitem(segmenters.SEGMENTERS._entries, "repvit-sam", entry)
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    SyntheticClip(frames=3, size=(160, 90)).write(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(here):
    return json.loads((here / "run" / "run.json").read_text())


TRACK = ["track", "clip.mp4", "--points", "80,45", "--out", "run"]


def test_weights_from_a_file(here, weights, capsys):
    path = weights[0]
    assert main([*TRACK, "--segmenter", "repvit-sam", "--checkpoint", str(path)]) == 0
    assert str(path) in capsys.readouterr().err
    kept = record(here)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert kept["notes"]["weights"] == {"file": str(path), "sha256": digest}
    assert kept["command"]["weights"] == digest
    assert kept["device"] == "cpu"
    assert len(list((here / "run" / "masks").iterdir())) == 3


def test_auto_takes_weights_that_are_there(here, weights, capsys, monkeypatch):
    (here / "cache").mkdir()
    (here / "cache" / "repvit_sam.pt").write_bytes(weights[0].read_bytes())
    assert main(TRACK) == 0
    assert "segmenter repvit-sam (Apache-2.0)" in capsys.readouterr().err
    assert record(here)["notes"]["weights"]["licence"] == "Apache-2.0"


def test_auto_says_that_it_goes_without(here, capsys):
    assert main(TRACK) == 0
    assert "segmenter grabcut (no weights)" in capsys.readouterr().err
    assert record(here)["notes"]["weights"] == {}


def test_no_weights_and_no_network_names_both_ways_out(here, capsys):
    assert main([*TRACK, "--segmenter", "repvit-sam"]) == 1
    shown = capsys.readouterr().err
    assert "--checkpoint PATH" in shown
    assert "--segmenter grabcut" in shown
    assert not (here / "run").exists()


def test_weights_of_another_network_are_refused(here, weights, capsys):
    arguments = [*TRACK, "--segmenter", "mobile-sam", "--checkpoint", str(weights[0])]
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert "image_encoder." in shown
    assert "Traceback" not in shown
    assert not (here / "run").exists()


def test_a_device_beside_parts_without_networks_does_no_harm(here, capsys):
    assert main([*TRACK, "--segmenter", "grabcut", "--device", "cuda"]) == 0
    assert "no weights" in capsys.readouterr().err


def test_other_weights_are_another_run(here, weights, tmp_path, capsys):
    first = [*TRACK, "--segmenter", "repvit-sam", "--checkpoint", str(weights[0])]
    assert main(first) == 0
    state = torch.load(weights[0], weights_only=True)
    state["mask_decoder.iou_token.weight"] += 1
    torch.save(state, tmp_path / "other.pt")
    other = [*TRACK, "--segmenter", "repvit-sam", "--checkpoint", str(tmp_path / "other.pt")]
    assert main(other) == 1
    assert "weights was" in capsys.readouterr().err
