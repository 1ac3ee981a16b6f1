"""`rvsam-video demo`: the first thing a newcomer runs."""

from __future__ import annotations

import json

from rvsam_video.cli.main import main


def test_the_demo_follows_all_objects_and_says_where_to_look(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--frames", "6", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = events[-1]
    assert done["event"] == "done"
    assert done["frames"] == 6
    assert sorted(done["mean_iou"]) == ["1", "2", "3"]
    assert min(done["mean_iou"].values()) > 0.9
    assert (out / "run" / "overlay.mp4").is_file()
    assert (out / "contact_sheet.png").is_file()


def test_what_the_demo_suggests_works(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--frames", "3"]) == 0
    shown = capsys.readouterr().out
    assert "object 1: mean IoU" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("try it yourself: ")]
    command = line.removeprefix("try it yourself: rvsam-video ").split()
    assert main(command) == 0
    again = main(["demo", "--frames", "3"])
    assert again == 0
