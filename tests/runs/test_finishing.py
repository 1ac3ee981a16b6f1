"""The files of a run that was killed are made from what it had written, without its source."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from rvsam_video import OutputError, Prompt
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.points.queries import PointRequest
from rvsam_video.runs.finishing import finish_run
from rvsam_video.runs.objects import RunOptions, run
from rvsam_video.runs.points import PointRunOptions, run_points

FRAMES = 40


class Killed(Exception):  # noqa: N818 (what a kill is, not an error of ours)
    """Ends a run where it stands, as a kill does."""


class KillAt:
    """A listener that ends the run in the middle."""

    def __init__(self, frame):
        self.frame = frame

    def message(self, text):
        """Ignore it."""

    def started(self, total, done):
        """Ignore it."""

    def result(self, result):
        if result.index == self.frame:
            raise Killed


@pytest.fixture
def clip(tmp_path):
    SyntheticClip(frames=FRAMES, size=(96, 64)).write(tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


def killed_run(clip, tmp_path, frame=30):
    options = RunOptions(
        source=str(clip), prompts=[Prompt.create(points=[[48, 32]])], out=tmp_path / "run"
    )
    with pytest.raises(Killed):
        run(options, KillAt(frame))
    return options


def frames_in(path):
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def test_a_killed_run_is_finished_and_can_still_be_gone_on_with(clip, tmp_path):
    options = killed_run(clip, tmp_path)
    assert not (options.out / "overlay.mp4").exists()
    summary = finish_run(options.out)
    assert (summary.status, summary.frames) == ("interrupted", 25)
    assert frames_in(options.out / "overlay.mp4") == 25
    tracks = json.loads((options.out / "results.json").read_text())
    assert [len(track["segmentations"]) for track in tracks] == [25]
    assert len((options.out / "points.csv").read_text().splitlines()) > 25
    assert (options.out / "plots.png").is_file()
    assert len(list((options.out / "masks").iterdir())) == 25
    assert run(options).status == "complete"
    assert frames_in(options.out / "overlay.mp4") == FRAMES


def test_the_command_says_what_it_made(clip, tmp_path, capsys):
    options = killed_run(clip, tmp_path)
    clip.unlink()
    assert main(["finish", str(options.out)]) == 0
    assert "stopped after 25 frames" in capsys.readouterr().out
    assert frames_in(options.out / "overlay.mp4") == 25
    assert main(["finish", str(options.out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 25


def test_a_run_of_points_is_finished_with_its_arrays(clip, tmp_path):
    import numpy as np

    options = PointRunOptions(
        source=str(clip), out=tmp_path / "run", request=PointRequest(grid=3), trail=2
    )
    with pytest.raises(Killed):
        run_points(options, KillAt(30))
    finish_run(options.out)
    with np.load(options.out / "points.npz") as arrays:
        assert arrays["xy"].shape == (25, 9, 2)
    assert frames_in(options.out / "overlay.mp4") == 25


def test_what_cannot_be_finished_is_one_sentence_and_left_alone(clip, tmp_path):
    with pytest.raises(OutputError, match=r"holds no run\.json"):
        finish_run(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    options = killed_run(clip, tmp_path, frame=10)
    masks = len(list((options.out / "masks").iterdir()))
    with pytest.raises(OutputError, match="before its first checkpoint"):
        finish_run(options.out)
    assert len(list((options.out / "masks").iterdir())) == masks > 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_live_run_that_is_told_to_end_leaves_whole_files(clip, tmp_path, name):
    process = live_run(clip, tmp_path / "run")
    number = getattr(signal, name)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert "what was tracked is in" in out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert frames_in(tmp_path / "run" / "overlay.mp4") == record["counts"]["frames"] > 5
    for file in ("results.json", "contact_sheet.png", "plots.png"):
        assert (tmp_path / "run" / file).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_live_run_that_was_killed_is_finished_for_good(clip, tmp_path, capsys):
    process = live_run(clip, tmp_path / "run", frames=28)
    process.kill()
    process.communicate()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    assert main(["finish", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"
    assert frames_in(tmp_path / "run" / "overlay.mp4") == 25
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "contact_sheet.png", "masks", "overlay.mp4", "plots.png", "points.csv", "prompts.json",
        "results.json", "run.json",
    ]  # fmt: skip


def live_run(clip: Path, out: Path, frames: int = 8) -> subprocess.Popen[str]:
    """Track a pipe that nobody closes, until so many masks are there."""
    stream = clip.with_suffix(".ts")
    with av.open(str(clip)) as reading, av.open(str(stream), "w") as writing:
        copied = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = copied
                writing.mux(packet)
    code = "import sys; from rvsam_video.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "track", "-", "--points", "48,32", "--out", str(out)]
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        command, stdin=read_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.close(read_end)
    # Never closed while the run lasts: it waits for more, as for a camera that is silent.
    os.write(write_end, stream.read_bytes())
    while process.poll() is None and not (out / "masks" / f"{frames - 1:05d}.png").exists():
        time.sleep(0.01)
    return process
