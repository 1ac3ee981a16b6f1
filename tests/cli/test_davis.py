"""`score davis`, `score compare` and `eval davis` as a person types them."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip

FRAMES = 6
TABLES = ("global_results-val.csv", "per-sequence_results-val.csv", "scores.json", "report.png")


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """Two short rendered sequences in the DAVIS layout, and the truth as a result."""
    root = tmp_path_factory.mktemp("davis")
    names = ["first", "second"]
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("\n".join(names) + "\n")
    clip = SyntheticClip(frames=FRAMES, size=(240, 136))
    for name in names:
        pictures = root / "JPEGImages" / "480p" / name
        truth = root / "Annotations" / "480p" / name
        for folder in (pictures, truth):
            folder.mkdir(parents=True)
        for frame, mask in clip.with_truth():
            Image.fromarray(frame.image).save(pictures / f"{frame.index:05d}.jpg", quality=95)
            numbers = Image.fromarray(mask)
            numbers.putpalette(bytes(768))
            numbers.save(truth / f"{frame.index:05d}.png")
    return root


def evaluate(davis, out, *more):
    return ["eval", "davis", "--root", str(davis), "--out", str(out), *more]


@pytest.fixture(scope="module")
def evaluated(davis, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "run"
    assert main(evaluate(davis, out)) == 0
    return out


def test_an_evaluation_leaves_masks_tables_and_a_picture(evaluated):
    masks = sorted(path.name for path in (evaluated / "masks" / "first").iterdir())
    assert masks == [f"{index:05d}.png" for index in range(FRAMES)]
    with (evaluated / TABLES[1]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Sequence"] for row in rows][:2] == ["first_1", "first_2"]
    assert all(float(row["J-Mean"]) > 0.8 for row in rows)
    with Image.open(evaluated / "report.png") as picture:
        assert picture.width == 1180
        assert len(picture.getcolors(1 << 24)) > 20
    assert json.loads((evaluated / "run.json").read_text())["status"] == "complete"


def test_scoring_the_masks_again_gives_the_same_tables(davis, evaluated, tmp_path, capsys):
    masks = str(evaluated / "masks")
    arguments = ["--root", str(davis), "--results", masks, "--out", str(tmp_path)]
    assert main(["score", "davis", *arguments, "--workers", "2"]) == 0
    assert "mean over objects" in capsys.readouterr().out
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_tables_go_to_the_masks_by_default(davis, tmp_path, capsys):
    truth = davis / "Annotations" / "480p"
    results = tmp_path / "results"
    results.mkdir()
    (results / "first").symlink_to(truth / "first")
    arguments = ["--root", str(davis), "--results", str(results), "--sequences", "first"]
    assert main(["score", "davis", *arguments, "--json"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["event"] == "done"
    assert done["J&F-Mean"] == 1
    assert done["files"] == [str(results / name) for name in TABLES]


def test_a_preset_for_whole_clips_runs_with_other_parts(davis, tmp_path, capsys):
    plain = ["--preset", "paper", "--tracker", "lucas-kanade", "--segmenter", "grabcut"]
    one = evaluate(davis, tmp_path / "run", *plain, "--sequences", "first")
    assert main(one) == 0
    assert "tracker lucas-kanade, segmenter grabcut (no weights)" in capsys.readouterr().err
    with (tmp_path / "run" / TABLES[1]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Sequence"] for row in rows] == ["first_1", "first_2", "first_3"]
    assert all(float(row["J-Mean"]) > 0.7 for row in rows)
    command = json.loads((tmp_path / "run" / "run.json").read_text())["command"]
    assert (command["longest_side"], command["settings"]["sam_pt_exact"]) == (1024, True)
    assert main([*one, "--tracker", "cotracker1", "--tracker-checkpoint", "none.pth"]) == 1
    assert "none.pth" in capsys.readouterr().err


def test_an_evaluation_goes_on_where_it_was(davis, evaluated, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(evaluate(davis, out, "--sequences", "second")) == 0
    before = (out / "masks" / "second" / "00003.png").stat().st_mtime_ns
    assert main(evaluate(davis, out)) == 0
    assert "masks were there already" in capsys.readouterr().err
    assert (out / "masks" / "second" / "00003.png").stat().st_mtime_ns == before
    for name in TABLES:
        assert (out / name).read_bytes() == (evaluated / name).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_evaluation_goes_on_to_the_same_table(davis, evaluated, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "rvsam_video", *evaluate(davis, out)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    aside = out / ".parts" / "second" / "masks"
    while not list(aside.glob("0*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert (out / "masks" / "first").is_dir()
    assert not (out / TABLES[0]).exists()
    # As if the one that was to note it had been killed before: only its worker has.
    record = json.loads((out / "run.json").read_text())
    for name in ("timings", "counts", "pictures"):
        record[name] = {}
    (out / "run.json").write_text(json.dumps(record))
    assert main(evaluate(davis, out, "--json")) == 0
    for name in TABLES:
        assert (out / name).read_bytes() == (evaluated / name).read_bytes()
    assert not (out / ".parts").exists()
    record = json.loads((out / "run.json").read_text())
    assert set(record["timings"]) == set(record["counts"]) == {"first", "second"}
    assert record["device"] == "cpu"
    speeds = (out / "sequences.csv").read_text().splitlines()
    assert [float(line.split(",")[4]) > 0 for line in speeds[1:]] == [True, True]


def test_another_command_does_not_mix_and_overwrite_begins_anew(davis, tmp_path, capsys):
    out = tmp_path / "run"
    one = evaluate(davis, out, "--sequences", "first")
    assert main(one) == 0
    assert main([*one, "--seed", "1"]) == 1
    assert "settings.seed was 0 and is now 1" in capsys.readouterr().err
    before = (out / "masks" / "first" / "00003.png").stat().st_mtime_ns
    assert main([*one, "--seed", "1", "--overwrite"]) == 0
    assert (out / "masks" / "first" / "00003.png").stat().st_mtime_ns > before


def test_masks_that_others_keep_beside_an_evaluations_own_are_left_alone(davis, tmp_path, capsys):
    out = tmp_path / "run"
    one = evaluate(davis, out, "--sequences", "first")
    assert main(one) == 0
    (out / "masks" / "first" / "mine.png").write_text("mine")
    (out / "masks" / "own").mkdir()
    (out / "masks" / "own" / "00000.png").write_text("mine")
    assert main([*one, "--seed", "1", "--overwrite"]) == 0
    assert (out / "masks" / "first" / "mine.png").read_text() == "mine"
    assert (out / "masks" / "own" / "00000.png").read_text() == "mine"
    assert "J&F" in capsys.readouterr().out
    (out / "masks" / "first" / "00002.png").unlink()
    assert main([*one, "--seed", "1"]) == 1
    assert "one of its files is gone: masks/first/00002.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "papper"], "there is no preset named 'papper'; did you mean 'paper'? Choose"),
        (["--tracker", "lukas"], "there is no tracker named 'lukas'"),
        (["--segmenter", "grapcut"], "there is no segmenter named 'grapcut'"),
        (["--sequences", "third"], "there are no annotations of third"),
        (["--year", "2016"], "there is no list"),
    ],
)
def test_bad_usage_leaves_no_folder(davis, tmp_path, capsys, arguments, sentence):
    out = tmp_path / "run"
    assert main(evaluate(davis, out, *arguments)) in (1, 2)
    assert sentence in capsys.readouterr().err
    assert not out.exists()


def test_frames_without_annotations_are_told_before_anything_runs(davis, tmp_path, capsys):
    root = tmp_path / "davis"
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p" / "first").mkdir(parents=True)
        for path in (davis / kind / "480p" / "first").iterdir():
            (root / kind / "480p" / "first" / path.name).symlink_to(path)
    (root / "JPEGImages" / "480p" / "first" / "00002.jpg").unlink()
    assert main(evaluate(root, tmp_path / "run", "--sequences", "first")) == 1
    assert "first has 6 annotations and 5 frames" in capsys.readouterr().err


def test_runs_are_compared_with_each_other_and_the_paper(davis_official, evaluated, capsys):
    assert main(["score", "compare", str(evaluated), str(davis_official), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["j_and_f"] for row in rows] == sorted(
        (row["j_and_f"] for row in rows), reverse=True
    )
    by_name = {row["name"]: row for row in rows}
    assert by_name["run"]["benchmark"] == "DAVIS 2017 val"
    assert by_name["official"]["j"] == 0.634
    paper = by_name["RepViT-SAM (RepViT-SAM paper)"]
    assert [paper[key] for key in ("j_and_f", "j", "f")] == [0.735, 0.71, 0.761]
    assert main(["score", "compare", str(evaluated), "--no-published"]) == 0
    shown = capsys.readouterr().out
    assert "run" in shown
    assert "paper" not in shown


@pytest.fixture
def davis_official(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    header = "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    (folder / TABLES[0]).write_text(f"{header}\n0.611,0.634,0.751,0.170,0.588,0.612,0.210\n")
    return folder


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", "J&F-Mean,J-Mean,F-Mean\n1,x,1\n"])
def test_what_holds_no_scores_is_told(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / TABLES[0]).write_text(content)
    assert main(["score", "compare", str(tmp_path)]) == 1
    assert "scores" in capsys.readouterr().err
