"""Runs that go backward first: killed or stopped anywhere, they end with the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rvsam_video import Prompt, PromptError, UsageError
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.methods import Method
from rvsam_video.points.queries import PointRequest
from rvsam_video.runs.objects import RunOptions, run
from rvsam_video.runs.points import PointRunOptions, run_points
from rvsam_video.runs.repeating import options_of_run
from rvsam_video.sources.part import ClipPart

FRAMES = 36
CLIP = SyntheticClip(frames=FRAMES, size=(96, 64))
SAVE = ("masks", "rle", "points", "overlay")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "sea.mp4"
    CLIP.write(path)
    return path


@pytest.fixture
def options(video, tmp_path) -> RunOptions:
    prompts = [
        Prompt.create(1, 30, mask=CLIP.truth(30) == 1),
        Prompt.create(2, 8, mask=CLIP.truth(8) == 2),
    ]
    return RunOptions(
        source=str(video), prompts=prompts, out=tmp_path / "run", save=SAVE, direction="auto",
        method=Method(tracker="lucas-kanade", segmenter="grabcut"),
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def found(folder: Path, frame: int) -> set[int]:
    return set(np.unique(Image.open(folder / "masks" / f"{frame:05d}.png")).tolist())


@pytest.fixture(scope="module")
def finished(video, tmp_path_factory) -> Path:
    prompts = [
        Prompt.create(1, 30, mask=CLIP.truth(30) == 1),
        Prompt.create(2, 8, mask=CLIP.truth(8) == 2),
    ]
    out = tmp_path_factory.mktemp("finished") / "run"
    run(
        RunOptions(
            source=str(video), prompts=prompts, out=out, save=SAVE, direction="auto",
            method=Method(tracker="lucas-kanade", segmenter="grabcut"),
        )
    )  # fmt: skip
    return out


def test_objects_are_there_before_they_were_clicked(finished):
    record = json.loads((finished / "run.json").read_text())
    assert record["command"]["direction"] == "both"
    assert record["counts"]["frames"] == FRAMES
    assert all(found(finished, frame) == {0, 1, 2} for frame in range(FRAMES))
    assert not (finished / ".parts").exists()


@pytest.mark.parametrize("after", [1, 25, 26, 31, 32, 40, 60])
def test_a_stopped_run_goes_on_to_the_same_bytes(options, finished, after):
    steps = iter(range(10**6))
    first = run(options, should_stop=lambda: next(steps) + 1 >= after)
    assert first.status == "interrupted"
    second = run(options)
    assert (second.status, second.frames) == ("complete", FRAMES)
    assert contents(options.out) == contents(finished)


_KILLED = """
import os, signal, sys
from pathlib import Path
from rvsam_video.runs import loop
from rvsam_video.runs.objects import run
from rvsam_video.runs.repeating import options_of_run
from dataclasses import replace
loop.CHECKPOINT_EVERY = 7
steps, kill_at = [0], int(sys.argv[3])
def stop():
    steps[0] += 1
    if steps[0] == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
run(options_of_run(sys.argv[1], Path(sys.argv[2])), should_stop=stop)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_killed_in_either_direction_goes_on_to_the_same_bytes(finished, tmp_path):
    out = tmp_path / "killed"
    for kill_at in (3, 12, 30, 9):
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, finished, out, str(kill_at)],
            check=False, capture_output=True, env=os.environ | {"MALLOC_PERTURB_": "1"},
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
    run(options_of_run(finished, out))
    assert contents(out) == contents(finished)


def test_backward_alone_and_forward_alone(options):
    run(replace(options, direction="backward", save=("masks",)))
    assert found(options.out, 0) == {0, 1, 2}
    assert found(options.out, 20) == {0, 1}
    assert found(options.out, 33) == {0}
    run(replace(options, direction="forward", save=("masks",), overwrite=True))
    assert found(options.out, 5) == {0}
    assert found(options.out, 20) == {0, 2}
    assert found(options.out, 33) == {0, 1, 2}


def test_a_part_keeps_numbers_and_times(options, finished):
    part = ClipPart(start=6, end=33, stride=2)
    run(replace(options, part=part, save=("masks", "points")))
    names = sorted(int(path.stem) for path in (options.out / "masks").iterdir())
    assert names == list(range(6, 33, 2))
    assert found(options.out, 6) == {0, 1, 2}
    lines = (options.out / "points.csv").read_text().splitlines()[1:]
    times = sorted({float(line.split(",")[1]) for line in lines})
    assert times == pytest.approx([index / 24 for index in range(6, 33, 2)], abs=1e-4)
    again = options_of_run(options.out, options.out.parent / "again")
    assert again.part == part
    run(again)
    assert contents(again.out) == contents(options.out)


def test_a_part_is_resumed(options, tmp_path):
    options = replace(options, part=ClipPart(start=0.2, end=1.3), save=("masks",))
    whole = replace(options, out=tmp_path / "whole")
    run(whole)
    steps = iter(range(10**6))
    run(options, should_stop=lambda: next(steps) == 35)
    run(options)
    assert contents(options.out) == contents(whole.out)


@pytest.mark.parametrize("part", [ClipPart(start=9), ClipPart(end=30), ClipPart(start=2, stride=4)])
def test_prompts_outside_a_part_are_refused(options, part):
    with pytest.raises(PromptError, match="is not read"):
        run(replace(options, part=part))
    assert not options.out.exists()


def test_a_part_and_a_number_of_frames_contradict_each_other(options):
    with pytest.raises(UsageError, match="--end"):
        replace(options, part=ClipPart(start=5), max_frames=10)


def test_masks_of_smaller_pictures_have_the_full_size(options):
    run(replace(options, longest_side=64, save=("masks",)))
    assert Image.open(options.out / "masks" / "00000.png").size == (96, 64)
    assert found(options.out, 0) == {0, 1, 2}


def test_points_go_both_ways_and_are_resumed(video, tmp_path):
    request = PointRequest(prompts=[Prompt.create(1, 20, points=[[48, 32]])])
    options = PointRunOptions(
        source=str(video), out=tmp_path / "whole", request=request, direction="auto",
        save=("npz", "csv"), method=Method(tracker="lucas-kanade"),
    )  # fmt: skip
    run_points(options)
    arrays = np.load(options.out / "points.npz")
    assert np.isfinite(arrays["xy"]).all()
    assert arrays["xy"][20, 0].tolist() == [48, 32]
    other = replace(options, out=tmp_path / "stopped")
    for after in (4, 30):
        steps = iter(range(10**6))
        run_points(other, should_stop=lambda steps=steps, after=after: next(steps) == after)
    run_points(other)
    assert contents(other.out) == contents(options.out)


def test_the_command_has_all_of_it(video, tmp_path, capsys):
    out = str(tmp_path / "run")
    arguments = ["track", str(video), "--points", "48,32@20", "--out", out, "--save", "masks"]
    extra = ["--start", "0.5s", "--end", "30", "--direction", "both", "--longest-side", "80"]
    assert main([*arguments, *extra, "--tracker", "lucas-kanade", "--segmenter", "grabcut"]) == 0
    assert len(list(Path(out, "masks").iterdir())) == 18
    assert main([*arguments, "--start", "soon"]) == 2
    assert "--start is 'soon'" in capsys.readouterr().err
    assert main(["track", str(video), "--points", "--direction", "both"]) == 2
