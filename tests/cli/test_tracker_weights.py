"""Learned trackers on the command line: where weights come from, and what is said of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_data import manifest

from rvsam_video import trackers
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.trackers.cotracker.loading import load_cotracker
from rvsam_video.trackers.cotracker.variants import CoTrackerSettings
from rvsam_video.weights.fetch import PUBLISHED

NAME = "cotracker3-online"
NOTICE = f"the weights {NAME} are for non-commercial use only (CC-BY-NC-4.0)"
TRACK = ["track", "clip.mp4", "--points", "80,45", "--save", "points", "--out", "run"]
POINTS = ["points", "clip.mp4", "--grid", "2", "--out", "run"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a clip, an empty cache, and weights of zeros for a tracker of small pictures.

    The published hash is taken away, so that those weights can stand for the published ones.
    """
    shapes = manifest("cotracker", "v3_online")
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    torch.save(state, tmp_path / "own.pth")
    settings = CoTrackerSettings(network_size=(64, 48), iterations=1)
    variant = trackers.COTRACKER_VARIANTS[NAME]
    small = trackers.TrackerEntry(
        build=lambda asked: load_cotracker(variant, asked.checkpoint, asked.device, asked.settings),
        settings=settings,
        network=True,
    )
    monkeypatch.setitem(trackers.TRACKERS._entries, NAME, small)
    entry = replace(PUBLISHED[NAME], sha256=None, size=None)
    monkeypatch.setitem(PUBLISHED, NAME, entry)
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    SyntheticClip(frames=3, size=(160, 90)).write(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_into_cache(here):
    (here / "cache").mkdir()
    (here / "own.pth").rename(here / "cache" / PUBLISHED[NAME].file_name)


def record(here):
    return json.loads((here / "run" / "run.json").read_text())


@pytest.mark.parametrize("command", [TRACK, POINTS])
def test_auto_takes_weights_that_are_there_and_tells_of_their_licence(here, capsys, command):
    put_into_cache(here)
    assert main(command) == 0
    shown = capsys.readouterr().err
    assert f"tracker {NAME} (CC-BY-NC-4.0)" in shown
    assert shown.count(NOTICE) == 1
    kept = record(here)
    weights = kept["notes"]["tracker_weights"]
    assert weights["licence"] == "CC-BY-NC-4.0"
    assert weights["notice"] == NOTICE
    assert "CoTracker3" in weights["citation"]
    assert kept["device"] == "cpu"
    assert kept["command"]["tracker"] == NAME
    assert kept["command"]["tracker_weights"] == weights["sha256"]


@pytest.mark.parametrize("command", [TRACK, POINTS])
def test_auto_says_that_it_goes_without(here, capsys, command):
    assert main(command) == 0
    shown = capsys.readouterr().err
    assert "tracker lucas-kanade" in shown
    assert "commercial" not in shown
    assert record(here)["command"]["tracker"] == "lucas-kanade"


def test_weights_from_a_file(here, capsys):
    assert main([*POINTS, "--tracker-checkpoint", "own.pth"]) == 0
    assert f"tracker {NAME} from own.pth" in capsys.readouterr().err
    digest = hashlib.sha256((here / "own.pth").read_bytes()).hexdigest()
    assert record(here)["notes"]["tracker_weights"] == {"file": "own.pth", "sha256": digest}


@pytest.mark.parametrize("command", [TRACK, POINTS])
def test_no_weights_and_no_network_names_both_ways_out(here, capsys, command):
    assert main([*command, "--tracker", NAME]) == 1
    shown = capsys.readouterr().err
    assert "--tracker-checkpoint PATH" in shown
    assert "--tracker lucas-kanade" in shown
    assert not (here / "run").exists()


def test_the_device_is_for_the_part_that_has_a_network(here, capsys):
    arguments = ["--tracker", NAME, "--tracker-checkpoint", "own.pth", "--segmenter", "grabcut"]
    assert main([*TRACK, *arguments, "--device", "cpu"]) == 0
    assert "on cpu" in capsys.readouterr().err
    assert main([*TRACK, *arguments, "--device", "gpu", "--overwrite"]) == 2
    assert "'gpu' cannot be used" in capsys.readouterr().err


@pytest.fixture
def tapvid(here):
    """A clip of five frames and two points, `eval tapvid` on it, and what that noted."""
    video = np.stack([frame.image for frame in SyntheticClip(frames=5, size=(64, 64))])
    points = np.full((2, 5, 2), 0.5, np.float32)
    (here / "points").mkdir()
    np.savez(here / "points" / "one.npz", video=video, points=points, occluded=np.zeros((2, 5)))
    return ["eval", "tapvid", "--root", "points", "--out", "out", "--tracker", NAME]


def test_points_are_scored_with_weights_from_a_file(here, tapvid, capsys):
    own = [*tapvid, "--tracker-checkpoint", "own.pth"]
    assert main([*own, "--device", "cpu", "--json"]) == 0
    digest = hashlib.sha256((here / "own.pth").read_bytes()).hexdigest()
    assert json.loads((here / "out" / "tapvid.json").read_text())["tracker_weights"] == digest
    with np.load(here / "out" / "one.npz") as tracks:
        assert tracks["tracks"].shape == (2, 5, 2)
    assert main([*own, "--device", "gpu"]) == 2
    assert "'gpu' cannot be used" in capsys.readouterr().err
    put_into_cache(here)
    assert main(tapvid) == 0
    shown = capsys.readouterr().err
    assert shown.count(NOTICE) == 1
    assert "one: was there already" in shown


def test_points_without_weights_and_network_name_both_ways_out(here, tapvid, capsys):
    assert main(tapvid) == 1
    assert "--tracker-checkpoint PATH" in capsys.readouterr().err
    assert not (here / "out").exists()
