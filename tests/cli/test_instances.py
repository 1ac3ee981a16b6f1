"""`rvsam-video instances`: everything in a video as one file of results."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from rvsam_video import segmenters
from rvsam_video.cli.main import main
from rvsam_video.clips import instances, kept
from rvsam_video.mask_rle import decode_mask


@pytest.fixture
def here(tmp_path, monkeypatch, fakes):
    """A folder of pictures with a square, and a second one from frame 2 on."""
    folder = tmp_path / "frames"
    folder.mkdir()
    texture = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    for index in range(5):
        picture = texture.copy()
        picture[8:20, 8:20] += 150
        if index > 1:
            picture[28:40, 40:52] += 150
        Image.fromarray(picture).save(folder / f"{index:05}.png")
    # Pictures are enlarged to a shortest side of 360: a square is 90 pixels wide there.
    disc = fakes.DiscSegmenter(radius=45)
    entry = segmenters.SegmenterEntry(build=lambda _asked: disc, network=True)
    monkeypatch.setitem(segmenters.SEGMENTERS._entries, "repvit-sam", entry)
    monkeypatch.setattr(instances, "automatic_proposals", lambda _: squares)
    # Weights that are there are not fetched; nobody reads these.
    (tmp_path / "repvit_sam.pt").touch()
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def squares(image):
    count, labels = cv2.connectedComponents((image[..., 0] > 110).astype(np.uint8))
    masks = (labels == number for number in range(1, count))
    return (mask for mask in masks if mask.sum() > 100)


@pytest.mark.parametrize(("every", "count"), [("0", 1), ("2", 2)])
def test_everything_is_found_and_written(here, capsys, every, count):
    arguments = ["instances", "frames", "--out", "all.json", "--propose-every", every, "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["instances"] == count
    results = json.loads((here / "all.json").read_text())
    assert [entry["video_id"] for entry in results] == ["frames"] * count
    for entry in results:
        assert len(entry["segmentations"]) == 5
        assert 0 < entry["score"] <= 1
    code = results[-1]["segmentations"][4]
    mask = decode_mask(code["counts"], *code["size"])
    assert mask[(34, 46) if count == 2 else (14, 14)]


def test_the_number_of_frames_and_objects_can_be_bounded(here, capsys):
    assert main(["instances", "frames", "--max-frames", "3", "--propose-every", "2",
                 "--most", "1"]) == 0  # fmt: skip
    assert "1 objects; their masks are in instances.json" in capsys.readouterr().out
    (entry,) = json.loads((here / "instances.json").read_text())
    assert len(entry["segmentations"]) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["0"], "0 can be read only once", 2),
        (["rtsp://camera"], "can be read only once", 2),
        (["gone.mp4"], "gone.mp4", 1),
        (["frames", "--tracker", "nobody"], "lucas-kanade", 2),
    ],
)
def test_bad_input_is_one_sentence(here, capsys, arguments, sentence, code):
    assert main(["instances", *arguments]) == code
    assert sentence in capsys.readouterr().err
    assert not (here / "instances.json").exists()


def test_an_interrupted_search_goes_on_to_the_same_results(here, monkeypatch, capsys):
    command = ["instances", "frames", "--propose-every", "1", "--out"]
    assert main([*command, "whole.json"]) == 0
    follow, times = instances.InstanceSegmenter._follow, []

    def killed(self, *arguments):
        times.append(arguments)
        if len(times) == 2:
            raise KeyboardInterrupt
        return follow(self, *arguments)

    monkeypatch.setattr(instances.InstanceSegmenter, "_follow", killed)
    assert main([*command, "all.json"]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert not (here / "all.json").exists()
    assert main([*command, "all.json"]) == 0
    assert "going on behind frame" in capsys.readouterr().err
    # The first object was not followed again.
    assert len(times) == 3
    assert (here / "all.json").read_bytes() == (here / "whole.json").read_bytes()
    assert [path.name for path in here.glob(".*")] == []


def test_what_another_command_kept_is_not_used(here, monkeypatch):
    command = ["instances", "frames", "--propose-every", "2", "--out", "all.json"]
    with monkeypatch.context() as patch:
        patch.setattr(kept.KeptInstances, "remove", lambda _: None)
        assert main(command) == 0
    (here / "all.json").unlink()
    assert main([*command, "--max-frames", "3"]) == 0
    found = json.loads((here / "all.json").read_text())
    assert {len(entry["segmentations"]) for entry in found} == {3}


@pytest.mark.parametrize("out", ["frames", "frames/00000.png/all.json", "there.json"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_loaded(
    here, monkeypatch, capsys, out
):
    (here / "there.json").write_text("mine")

    def loaded(_):
        raise AssertionError

    monkeypatch.setattr(instances, "automatic_proposals", loaded)
    assert main(["instances", "frames", "--out", out]) in {1, 2}
    errors = capsys.readouterr().err
    assert any(text in errors for text in ("is a directory", "a file stands", "is there already"))
    assert (here / "there.json").read_text() == "mine"


def test_results_are_replaced_when_told(here):
    (here / "there.json").write_text("mine")
    assert main(["instances", "frames", "--out", "there.json", "--overwrite"]) == 0
    assert len(json.loads((here / "there.json").read_text())) == 1
