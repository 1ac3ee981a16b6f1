"""Own parts plug in: a package from outside, found by its entry points."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rvsam_video import UsageError, register_sink, register_tracker
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.registry import Registry

PLUGIN = Path(__file__).parent / "plugin"
ENTRY_POINTS = """[rvsam_video.trackers]
drift = rvsam_example:drift
broken = rvsam_example:nothing

[rvsam_video.segmenters]
squares = rvsam_example

[rvsam_video.sinks]
areas = rvsam_example
never = rvsam_example
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder as pip leaves it: the package with its metadata."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "rvsam_example").symlink_to(PLUGIN / "rvsam_example")
    about = folder / "rvsam_example-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rvsam-example\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def program(site, tmp_path, monkeypatch):
    """Runs the program where the package is installed; returns exit code and what it printed."""
    SyntheticClip(frames=6, size=(160, 90)).write(tmp_path / "clip.mp4")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "rvsam_video", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


TRACK = (
    "track", "clip.mp4", "--points", "40,40", "--tracker", "drift", "--segmenter", "squares",
    "--tracker-option", "speed=3", "--segmenter-option", "half=4", "--save", "areas,points",
    "--out", "run",
)  # fmt: skip


def test_a_package_brings_a_tracker_a_segmenter_and_an_output(program, tmp_path):
    code, shown = program(*TRACK)
    assert code == 0, shown
    assert "tracker drift, segmenter squares (no weights); object 1" in shown
    # Half a side of 4 around a pixel, open at its end: 7 x 7 pixels.
    areas = (tmp_path / "run" / "areas.txt").read_text().splitlines()
    assert areas[0] == "0 1:49"
    assert [line.split()[0] for line in areas] == ["0", "1", "2", "3", "4", "5"]
    with (tmp_path / "run" / "points.csv").open() as file:
        clicked = [row for row in csv.DictReader(file) if row["point_id"] == "0"]
    assert [float(row["x"]) for row in clicked] == [40, 43, 46, 49, 52, 55]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["command"]["tracker_options"] == {"speed": "3"}
    assert record["files"] == ["areas.txt", "points.csv"]


def test_what_an_own_output_wrote_is_removed_with_its_run_and_nothing_else(program, tmp_path):
    assert program(*TRACK)[0] == 0
    (tmp_path / "run" / "notes.txt").write_text("mine")
    other = [item.replace("areas,points", "points") for item in TRACK]
    assert program(*other, "--overwrite")[0] == 0
    assert not (tmp_path / "run" / "areas.txt").exists()
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_their_settings_and_names_are_listed(program):
    assert program("info", "--settings", "drift") == (0, "speed  1.0  (a number)\n")
    code, shown = program("info")
    assert code == 0
    assert "drift, lucas-kanade" in shown
    assert "areas" in shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drift": "broken"}, "the tracker 'broken' of the package rvsam-example fails to load"),
        ({"areas,points": "never"}, "names the output 'never' but does not register it"),
        ({"speed=3": "sped=3"}, "no setting of drift named 'sped'; did you mean 'speed'"),
        ({"half=4": "half"}, "--segmenter-option is 'half'; write NAME=VALUE"),
    ],
)
def test_what_is_wrong_with_a_package_is_one_sentence(program, tmp_path, changes, sentence):
    code, shown = program(*(changes.get(item, item) for item in TRACK))
    assert code == 2
    assert sentence in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_names_of_this_package_stay_its_own():
    with pytest.raises(UsageError, match="'lucas-kanade' is part of this package"):
        register_tracker("lucas-kanade")(lambda request: None)
    with pytest.raises(UsageError, match="'masks' is part of this package"):
        register_sink("masks")(lambda folder, context: None)


def test_a_program_may_replace_its_own_part():
    registry: Registry[int] = Registry("thing", {"ours": 0})
    registry.add("theirs", 1)
    registry.add("theirs", 2)
    assert registry.find("theirs") == 2
    assert registry.names() == ["ours", "theirs"]
    with pytest.raises(UsageError, match="no thing named 'their'; did you mean 'theirs'"):
        registry.find("their")
