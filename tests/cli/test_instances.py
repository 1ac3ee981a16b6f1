"""`rvsam-video instances`: everything in a video as one file of results."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from rvsam_video import segmenters
from rvsam_video.cli.main import main
from rvsam_video.clips import instances
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
