"""`rvsam-video track`: what a person types, sees and gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.prompts.files import save_prompts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("track")
    clip = SyntheticClip(frames=8, size=(160, 90))
    clip.write(path / "clip.mp4")
    Image.fromarray(clip.truth(0)).save(path / "first.png")
    (path / "text.mp4").write_text("this is no video")
    save_prompts(path / "clicks.json", clip.prompts())
    (path / "clicks.txt").write_text("1\n0;80,45\n")
    return path


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A folder of one's own with the clip in it, as the current one."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_click_becomes_a_folder_of_results(here, capsys):
    assert main(["track", "clip.mp4", "--points", "80,45"]) == 0
    shown = capsys.readouterr()
    assert "8 frames" in shown.out
    assert "rvsam-runs/clip" in shown.out
    opening = "tracker lucas-kanade, segmenter grabcut (no weights); object 1"
    assert shown.err.splitlines()[0] == opening
    assert (here / "rvsam-runs" / "clip" / "overlay.mp4").is_file()


@pytest.mark.parametrize(
    ("prompts", "objects"),
    [
        (["--points", "1:80,45", "--points", "7:20,20,1@2", "--points", "1:5,5,0"], [1, 7]),
        (["--points", "clicks.json"], [1, 2, 3]),
        (["--points", "clicks.txt"], [1]),
        (["--box", "4:10,10,60,60"], [4]),
        (["--mask", "first.png"], [1, 2, 3]),
    ],
)
def test_every_form_of_prompt(here, capsys, prompts, objects):
    assert main(["track", "clip.mp4", *prompts, "--out", "run", "--save", "rle"]) == 0
    tracks = json.loads((here / "run" / "results.json").read_text())
    assert [track["object_id"] for track in tracks] == objects


def test_outputs_for_other_tools_on_request(here):
    saves = "alpha,cutout,cutout-png,coco,cvat,npz,side-by-side,summary"
    arguments = ["--points", "80,45", "--out", "run", "--save", saves, "--background", "navy"]
    assert main(["track", "clip.mp4", *arguments]) == 0
    assert sorted(path.name for path in (here / "run").iterdir()) == [
        "alpha.mov", "coco.json", "contact_sheet.png", "cutout.mp4", "cutouts", "cvat.xml",
        "masks.npz", "plots.png", "prompts.json", "run.json", "side-by-side.mp4",
    ]  # fmt: skip


def test_an_unknown_colour_is_one_sentence(here, capsys):
    arguments = ["--points", "80,45", "--save", "cutout", "--background", "grellow"]
    assert main(["track", "clip.mp4", *arguments]) == 2
    assert "--background is 'grellow'; write a colour as #rrggbb" in capsys.readouterr().err


def test_machines_get_one_json_object_per_line(here, capsys):
    assert main(["track", "clip.mp4", "--points", "80,45", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # How often progress is told depends on the time it takes.
    assert list(dict.fromkeys(event["event"] for event in events)) == [
        "message", "start", "progress", "done",
    ]  # fmt: skip
    assert events[-1]["frames"] == 8
    assert all(Path(name).is_file() for name in events[-1]["files"] if "." in Path(name).name)


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["clip.mp4"], "nothing to follow", 2),
        (["clip.mp4", "--points", "--points", "80,45"], "give it alone", 2),
        (["-", "--points"], "save the video to a file first", 2),
        (["gone.mp4", "--points"], "gone.mp4", 1),
        (["clip.mp4", "--points", "900,20"], "x must be 0 to 159 and y 0 to 89", 2),
        (["clip.mp4", "--points", "80;45"], "80;45", 2),
        (["clip.mp4", "--points", "no.json"], "no.json", 2),
        (["clip.mp4", "--mask", "no.png"], "no.png", 2),
        (["clip.mp4", "--box", "50,50,10,10"], "50", 2),
        (["clip.mp4", "--points", "80,45", "--tracker", "nobody"], "lucas-kanade", 2),
        (["clip.mp4", "--points", "80,45", "--segmenter", "nobody"], "grabcut", 2),
        (["clip.mp4", "--points", "80,45", "--preset", "fast"], "paper, paper-r3, live", 2),
        (["clip.mp4", "--points", "80,45", "--save", "gif"], "overlay, masks, rle, points", 2),
        (["text.mp4", "--points", "80,45"], "text.mp4", 1),
        (["gone.mp4", "--points", "80,45"], "gone.mp4", 1),
        (["clip.mp4", "--points", "80,45", "--out", "clip.mp4/run"], "clip.mp4", 1),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(here, capsys, arguments, sentence, code):
    before = sorted(here.rglob("*"))
    assert main(["track", *arguments]) == code
    streams = capsys.readouterr()
    assert sentence in streams.err
    lines = [line for line in streams.err.splitlines() if line.startswith("rvsam-video:")]
    assert len(lines) == 1
    assert "Traceback" not in streams.err
    assert streams.out == ""
    assert sorted(here.rglob("*")) == before


def test_bare_points_open_the_page_on_this_video_and_this_folder(here, monkeypatch):
    pytest.importorskip("starlette", reason="the page needs rvsam-video[web]")
    from rvsam_video.web import server

    served = []
    monkeypatch.setattr(server, "serve", lambda _pair, settings, **_: served.append(settings))
    assert main(["track", "clip.mp4", "--save", "rle", "--points"]) == 0
    (settings,) = served
    assert (settings.source, settings.out) == ("clip.mp4", Path("rvsam-runs/clip"))
    assert (settings.run.save, settings.host) == (("masks", "rle"), "127.0.0.1")


def test_bare_points_open_a_run_that_is_there_and_change_nothing_of_it(here, monkeypatch):
    pytest.importorskip("starlette", reason="the page needs rvsam-video[web]")
    from rvsam_video.web import server

    served = []
    monkeypatch.setattr(server, "serve", lambda _pair, settings, **_: served.append(settings))
    assert main(["track", "clip.mp4", "--points", "80,45", "--save", "points"]) == 0
    folder = here / "rvsam-runs" / "clip"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["track", "clip.mp4", "--points"]) == 0
    assert served[0].out == Path("rvsam-runs/clip")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_same_command_again_says_that_all_is_done(here, capsys):
    arguments = ["track", "clip.mp4", "--points", "80,45", "--save", "points"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(arguments) == 0
    assert "already complete" in capsys.readouterr().err
    assert main([*arguments, "--seed", "5"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--seed", "5", "--overwrite"]) == 0


def test_a_preset_brings_settings_and_what_is_named_beside_it_counts(here):
    arguments = ["track", "clip.mp4", "--points", "80,45", "--save", "points", "--out", "run"]
    assert main([*arguments, "--preset", "live", "--segmenter", "grabcut", "--seed", "3"]) == 0
    command = json.loads((here / "run" / "run.json").read_text())["command"]
    assert (command["tracker"], command["segmenter"]) == ("lucas-kanade", "grabcut")
    assert (command["settings"]["positive_points"], command["settings"]["seed"]) == (8, 3)
