"""`eval uvo` as a person types it: found, followed, gone on with, and scored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.clips.frames import resize_mask
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.evals.uvo import run as uvo_run
from rvsam_video.mask_rle import encode_mask

FRAMES, SIZE = 2, (240, 136)
VIDEOS = {7: "near", 3: "far"}
"""Id to folder; the file's order is not that of the ids."""


@pytest.fixture(scope="module")
def truth():
    """(FRAMES, H, W) numbers of objects."""
    clip = SyntheticClip(frames=FRAMES, size=SIZE)
    return np.stack([clip.truth(index) for index in range(FRAMES)])


@pytest.fixture
def data(tmp_path, truth):
    """Two videos in the layout of UVO's download."""
    root = tmp_path / "data" / "UVOv1.0"
    for name in VIDEOS.values():
        folder = root / "uvo_videos_dense_frames" / name
        folder.mkdir(parents=True)
        for frame in SyntheticClip(frames=FRAMES, size=SIZE):
            Image.fromarray(frame.image).save(folder / f"{frame.index}.png")
    (root / "VideoDenseSet").mkdir()
    path = root / "VideoDenseSet" / "UVO_video_val_dense.json"
    path.write_text(json.dumps(document(truth)))
    return root.parent


def document(truth):
    width, height = SIZE
    videos = [
        {
            "id": key,
            "width": width,
            "height": height,
            "length": FRAMES,
            "file_names": [f"{name}/{index}.png" for index in range(FRAMES)],
        }
        for key, name in VIDEOS.items()
    ]
    annotations = [
        {
            "id": 10 * key + number,
            "video_id": key,
            "category_id": 1,
            "iscrowd": 0,
            "areas": [int((frame == number).sum()) for frame in truth],
            "segmentations": [
                {"size": [height, width], "counts": encode_mask(frame == number)} for frame in truth
            ],
        }
        for key in VIDEOS
        for number in (1, 2, 3)
    ]
    return {"videos": videos, "categories": [{"id": 1}], "annotations": annotations}


@pytest.fixture
def proposed(truth, monkeypatch):
    """The true masks are the proposals; whoever wants, fails at the second video."""
    state = {"asked": 0, "fails": False}

    def propose(image):
        state["asked"] += 1
        if state["fails"] and state["asked"] > 1:
            raise KeyboardInterrupt
        size = image.shape[1::-1]
        return (resize_mask(truth[0] == number, size) for number in (1, 2, 3))

    monkeypatch.setattr(uvo_run, "automatic_proposals", lambda _: propose)
    return state


def evaluate(data, *more):
    return ["eval", "uvo", "--root", str(data), "--out", str(data.parent / "run"), *more]


def record(data):
    return json.loads((data.parent / "run" / "run.json").read_text())


def test_everything_is_found_followed_and_scored(data, proposed, capsys):
    assert main(evaluate(data, "--json")) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in shown if "video" in line.get("text", "")] == [
        "video 3: done", "video 7: done",
    ]  # fmt: skip
    scores = shown[-1]
    out = data.parent / "run"
    assert scores.items() >= json.loads((out / "scores.json").read_text()).items()
    assert record(data)["status"] == "complete"
    arguments = ["score", "uvo", "--root", str(data), "--results", str(out / "results.json")]
    assert main([*arguments, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["scores"] == scores["scores"]
    assert scores["scores"]["AR100"] > 0.9
    assert scores["scores"]["AR1"] < 0.34


def test_an_interrupted_evaluation_goes_on_with_the_next_video(data, proposed, capsys):
    proposed["fails"] = True
    assert main(evaluate(data)) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert record(data)["status"] == "interrupted"
    first = data.parent / "run" / ".parts" / "video-3.json"
    kept = first.read_bytes()
    assert not (data.parent / "run" / "results.json").exists()
    proposed.update(asked=0, fails=False)
    assert main(evaluate(data)) == 0
    shown = capsys.readouterr().err
    assert "video 3: was there already" in shown
    assert "video 7: done" in shown
    assert (proposed["asked"], first.read_bytes()) == (1, kept)
    assert record(data)["status"] == "complete"
    assert len(json.loads((data.parent / "run" / "results.json").read_text())) == 6


def test_chosen_videos_alone_are_run_and_scored(data, proposed, capsys):
    assert main(evaluate(data, "--videos", "7,7", "--most", "2")) == 0
    results = json.loads((data.parent / "run" / "results.json").read_text())
    assert [entry["video_id"] for entry in results] == [7, 7]
    assert proposed["asked"] == 1
    scores = json.loads((data.parent / "run" / "scores.json").read_text())
    assert (scores["videos"], scores["predicted_tracks"]) == (1, 2)
    assert 0.6 < scores["scores"]["AR100"] < 0.67  # two of three objects
    assert main(evaluate(data, "--videos", "7", "--most", "3")) == 1
    assert "instances.most was 2 and is now 3" in capsys.readouterr().err
    assert main(evaluate(data, "--videos", "7", "--most", "3", "--overwrite")) == 0
    assert len(json.loads((data.parent / "run" / "results.json").read_text())) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--videos", "3,8"], "there is no video 8"),
        (["--videos", "near"], "--videos is 'near'; write ids with commas"),
        (["--version", "0.5"], "UVOv0.5"),
        (["--preset", "papper"], "there is no preset named 'papper'"),
        (["--frames", "nowhere"], "video 3 lacks 2 of 2 frames"),
    ],
)
def test_bad_usage_leaves_no_folder(data, proposed, capsys, arguments, sentence):
    assert main(evaluate(data, *arguments)) in (1, 2)
    assert sentence in capsys.readouterr().err
    assert not (data.parent / "run").exists()


def test_a_segmenter_that_finds_nothing_is_refused(data, capsys):
    assert main(evaluate(data)) == 2
    assert "grabcut has no everything mode" in capsys.readouterr().err
    assert not (data.parent / "run").exists()


def test_missing_and_wrong_frames_are_named(data, proposed, capsys):
    folder = data / "UVOv1.0" / "uvo_videos_dense_frames" / "near"
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").unlink()
    assert main(evaluate(data)) == 1
    assert "video 7 lacks 1 of 2 frames, the first of them" in capsys.readouterr().err
    assert proposed["asked"] == 0
    Image.new("RGB", (64, 64)).save(folder / "1.png")
    assert main(evaluate(data, "--videos", "7")) == 1
    assert "1.png is no picture of 240x136 pixels" in capsys.readouterr().err
    assert record(data)["status"] == "failed"
    (folder / "1.png").write_bytes(whole)
    assert main(evaluate(data, "--videos", "7")) == 0
