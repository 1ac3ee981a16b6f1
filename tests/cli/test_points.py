"""`rvsam-video points` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip


@pytest.fixture(scope="module")
def clip():
    return SyntheticClip(frames=5, size=(160, 90))


@pytest.fixture
def here(clip, tmp_path, monkeypatch):
    """An empty current folder with a clip, lists of points, a mask, and an empty cache."""
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    clip.write(tmp_path / "clip.mp4")
    (tmp_path / "points.csv").write_text("x,y\n10,20\n30,40\n")
    (tmp_path / "points.txt").write_text("1\n1;10,20 30,40\n")
    mask = Image.fromarray((clip.truth(0) == 1).astype(np.uint8) * 255)
    mask.save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def queries(folder):
    return np.load(folder / "points.npz")["queries"].tolist()


def test_a_grid_into_a_folder_named_after_the_video(here, capsys):
    assert main(["points", "clip.mp4", "--grid", "3"]) == 0
    shown = capsys.readouterr()
    assert "rvsam-runs/clip-points" in shown.out
    assert "tracker lucas-kanade (no weights); a grid of 3x3 points" in shown.err
    assert "a grid of 3x3 points" in shown.err
    folder = here / "rvsam-runs" / "clip-points"
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "overlay.mp4",
        "points.csv",
        "points.npz",
        "run.json",
    ]
    assert len(queries(folder)) == 9


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--point", "5,6", "--point", "7,8@3"], [[0, 5, 6], [3, 7, 8]]),
        (["--point", "5,6 7,8@3", "--query-frame", "2"], [[2, 5, 6], [3, 7, 8]]),
        (["--points-file", "points.csv", "--query-frame", "1"], [[1, 10, 20], [1, 30, 40]]),
        (["--points-file", "points.txt"], [[1, 10, 20], [1, 30, 40]]),
        (["--point", "5,6", "--grid", "1"], [[0, 5, 6], [0, 79.5, 44.5]]),
    ],
)
def test_every_way_to_name_points(here, arguments, rows):
    assert main(["points", "clip.mp4", *arguments, "--out", "run", "--save", "npz"]) == 0
    assert queries(here / "run") == rows


def test_a_mask_confines_the_grid(here, clip):
    arguments = ["--mask", "mask.png", "--query-frame", "0", "--grid", "30"]
    assert main(["points", "clip.mp4", *arguments, "--out", "run", "--save", "npz"]) == 0
    rows = np.rint(queries(here / "run")).astype(int)
    assert 3 < len(rows) < 300
    assert (clip.truth(0)[rows[:, 2], rows[:, 1]] == 1).all()


def test_machines_get_one_json_object_per_line(here, capsys):
    assert main(["points", "clip.mp4", "--grid", "2", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["message", "start", "progress", "done"]
    assert events[-1]["frames"] == 5


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["clip.mp4", "--point", "900,20"], "x must be 0 to 159 and y 0 to 89", 2),
        (["clip.mp4", "--point", "80;45"], "80;45", 2),
        (["clip.mp4", "--points-file", "no.csv"], "no.csv", 2),
        (["clip.mp4", "--points-file", "mask.png"], "mask.png", 2),
        (["clip.mp4", "--mask", "no.png"], "no.png", 2),
        (["clip.mp4", "--grid", "0"], "--grid", 2),
        (["clip.mp4", "--tracker", "nobody"], "cotracker3-online", 2),
        (["clip.mp4", "--tracker-checkpoint", "no.pth", "--tracker", "lucas-kanade"], "weights", 2),
        (["clip.mp4", "--save", "masks"], "overlay, npz, csv", 2),
        (["gone.mp4"], "gone.mp4", 1),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(here, capsys, arguments, sentence, code):
    before = sorted(here.rglob("*"))
    assert main(["points", *arguments]) == code
    streams = capsys.readouterr()
    assert sentence in streams.err
    lines = [line for line in streams.err.splitlines() if line.startswith("rvsam-video:")]
    assert len(lines) == 1
    assert "Traceback" not in streams.err
    assert sorted(here.rglob("*")) == before
