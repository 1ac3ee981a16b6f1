"""A whole run: outputs frame by frame, interrupted anywhere, resumed to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from rvsam_video import OutputError, Prompt, PromptError, SourceError, UsageError, load_prompts
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.methods import Method
from rvsam_video.runs.objects import RunOptions, run

FRAMES = 60


@pytest.fixture(scope="module")
def clip():
    return SyntheticClip(frames=FRAMES, size=(160, 90))


@pytest.fixture(scope="module")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    clip.write(path)
    return path


@pytest.fixture
def options(clip, video, tmp_path):
    mask = clip.truth(0)
    prompts = [Prompt.create(object_id=number, mask=mask == number) for number in (1, 2)]
    prompts.append(Prompt.create(object_id=3, frame=30, mask=clip.truth(30) == 3))
    return RunOptions(source=str(video), prompts=prompts, out=tmp_path / "run")


@pytest.fixture(scope="module")
def finished(clip, video, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    mask = clip.truth(0)
    prompts = [Prompt.create(object_id=number, mask=mask == number) for number in (1, 2)]
    prompts.append(Prompt.create(object_id=3, frame=30, mask=clip.truth(30) == 3))
    out = tmp_path_factory.mktemp("finished") / "run"
    run(RunOptions(source=str(video), prompts=prompts, out=out))
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """All results of a run by relative path; `run.json` holds times and is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


class StopAt:
    """Says stop once so many results have come."""

    def __init__(self, frame: int) -> None:
        self.frame, self.seen, self.messages = frame, 0, []

    def message(self, text):
        self.messages.append(text)

    def started(self, total, done):
        self.total, self.done = total, done

    def result(self, result):
        self.seen = result.index + 1

    def __call__(self):
        return self.seen >= self.frame


def test_a_run_writes_every_output(finished, clip):
    record = json.loads((finished / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["counts"]["frames"] == FRAMES
    assert record["counts"]["bad_packets"] == 0
    assert record["command"]["tracker"] == "lucas-kanade"
    assert record["versions"]["numpy"] == np.__version__
    assert record["timings"]["total"] > 0
    assert sorted(path.name for path in (finished / "masks").iterdir()) == [
        f"{index:05d}.png" for index in range(FRAMES)
    ]
    assert set(np.unique(Image.open(finished / "masks" / "00000.png"))) == {0, 1, 2}
    assert 3 in np.unique(Image.open(finished / "masks" / "00030.png"))
    with av.open(str(finished / "overlay.mp4")) as overlay:
        times = [frame.time for frame in overlay.decode(video=0)]
    assert times == pytest.approx([frame.time for frame in clip], abs=1e-3)
    tracks = json.loads((finished / "results.json").read_text())
    assert [len(track["segmentations"]) for track in tracks] == [FRAMES] * 3
    lines = (finished / "points.csv").read_text().splitlines()
    assert len({line.split(",")[0] for line in lines[1:]}) == FRAMES
    assert sorted(path.name for path in finished.iterdir()) == [
        "contact_sheet.png", "masks", "overlay.mp4", "plots.png", "points.csv", "prompts.json",
        "results.json", "run.json",
    ]  # fmt: skip


@pytest.mark.parametrize("frame", [1, 24, 25, 26, 45, 59])
def test_a_stopped_run_goes_on_to_the_same_bytes(options, finished, frame):
    stop = StopAt(frame)
    first = run(options, stop, stop)
    assert first.status == "interrupted"
    assert first.frames == frame
    with av.open(str(options.out / "overlay.mp4")) as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == frame
    assert len(list((options.out / "masks").glob("*.png"))) == frame
    again = StopAt(10**6)
    second = run(options, again)
    assert second.status == "complete"
    assert second.frames == FRAMES
    assert again.done == frame
    assert any("resuming" in text for text in again.messages)
    assert contents(options.out) == contents(finished)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(options, finished, video):
    command = [
        sys.executable, "-m", "rvsam_video", "track", str(video), "--points", "80,45",
        "--box", "2:10,10,60,60", "--out",
    ]  # fmt: skip
    whole, killed = options.out.parent / "whole", options.out.parent / "killed"
    subprocess.run([*command, whole], check=True, capture_output=True)
    for frame in (8, 33):
        process = subprocess.Popen(
            [*command, killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not (killed / "masks" / f"{frame:05d}.png").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads((killed / "run.json").read_text())["status"] == "running"
    subprocess.run([*command, killed], check=True, capture_output=True)
    assert contents(killed) == contents(whole)


def test_ctrl_c_leaves_a_valid_video_and_a_folder_to_resume(options, video):
    command = [
        sys.executable, "-m", "rvsam_video", "track", str(video), "--points", "80,45",
        "--out", options.out,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (options.out / "masks" / "00005.png").exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in out
    assert "Traceback" not in errors
    record = json.loads((options.out / "run.json").read_text())
    assert record["status"] == "interrupted"
    with av.open(str(options.out / "overlay.mp4")) as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == record["counts"]["frames"]


def test_a_complete_run_is_not_done_again(options):
    run(options)
    stamp = (options.out / "overlay.mp4").stat().st_mtime_ns
    listener = StopAt(0)
    summary = run(options, listener)
    assert summary.status == "complete"
    assert summary.frames == FRAMES
    assert (options.out / "overlay.mp4").stat().st_mtime_ns == stamp
    assert "already complete" in listener.messages[-1]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prompts": [Prompt.create(points=[[80, 45]])]}, "prompts"),
        ({"max_frames": 7}, "max_frames was 5 and is now 7"),
        ({"save": ("masks",)}, "save"),
    ],
)
def test_another_command_refuses_to_mix_unless_told_to_replace(options, change, named):
    options = replace(options, max_frames=5)
    run(options)
    other = replace(options, **change)
    before = contents(options.out)
    with pytest.raises(OutputError, match=named):
        run(other)
    assert contents(options.out) == before
    run(replace(other, overwrite=True))
    assert json.loads((options.out / "run.json").read_text())["status"] == "complete"


def test_a_changed_video_is_another_run(options, clip, tmp_path):
    path = tmp_path / "own.mp4"
    clip.write(path)
    options = replace(options, source=str(path), max_frames=5)
    run(options)
    SyntheticClip(frames=40, size=(160, 90), seed=5).write(path)
    with pytest.raises(OutputError, match="fingerprint"):
        run(options)


def test_a_run_can_be_replayed_from_its_prompt_file(options, tmp_path):
    options = replace(options, max_frames=4)
    run(options)
    again = load_prompts(options.out / "prompts.json")
    run(replace(options, prompts=again, out=tmp_path / "again"))
    assert contents(tmp_path / "again") == contents(options.out)


def test_only_what_was_asked_for_is_written(options):
    run(replace(options, save=("points",), max_frames=3))
    names = sorted(path.name for path in options.out.iterdir())
    assert names == ["points.csv", "prompts.json", "run.json"]


def test_nothing_is_made_when_the_request_is_wrong(options, tmp_path):
    for change, kind in (
        ({"source": "no-such.mp4"}, SourceError),
        ({"method": Method(tracker="nobody")}, UsageError),
        ({"save": ("masks", "hologram")}, UsageError),
        ({"prompts": [Prompt.create(points=[[500, 20]])]}, PromptError),
    ):
        with pytest.raises(kind):
            run(replace(options, **change))
    assert not options.out.exists()


def test_a_prompt_after_the_end_is_refused_before_work(options):
    late = Prompt.create(object_id=9, frame=500, points=[[5, 5]])
    with pytest.raises(PromptError, match="object 9 in frame 500 comes too late"):
        run(replace(options, prompts=[*options.prompts, late]))
    assert not options.out.exists()


def test_a_prompt_after_the_frames_that_are_asked_for_is_reported(options):
    summary = run(replace(options, max_frames=4))
    assert any("object 3 in frame 30 was not used" in text for text in summary.messages)
    with pytest.raises(PromptError, match="the last frame is 3"):
        run(replace(options, prompts=options.prompts[2:], max_frames=4))


def test_an_object_of_background_alone_is_refused_before_work(options):
    off = Prompt.create(points=[[80, 45]], labels=[0])
    with pytest.raises(PromptError, match="object 1 has only points off it"):
        run(replace(options, prompts=[off]))
    assert not options.out.exists()


def test_a_source_that_breaks_off_is_reported_and_nothing_is_lost(options, video, tmp_path):
    whole = video.read_bytes()
    cut = tmp_path / "cut.mkv"
    with av.open(str(video)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    size = cut.stat().st_size
    assert len(whole) > 0
    os.truncate(cut, size // 2)
    summary = run(replace(options, source=str(cut)))
    assert 0 < summary.frames < FRAMES
    assert len(list((options.out / "masks").glob("*.png"))) == summary.frames
    assert any("ended early" in text for text in summary.messages)


def test_a_full_disk_is_one_sentence_and_the_rerun_goes_on(options, finished, monkeypatch):
    from rvsam_video.sinks import masks as mask_sink

    original = mask_sink.MaskSink.write

    def write(self, result):
        if result.index == 40:
            raise OutputError("the disk is full: free some space and run the same command again")
        original(self, result)

    monkeypatch.setattr(mask_sink.MaskSink, "write", write)
    with pytest.raises(OutputError, match="disk is full"):
        run(options)
    record = json.loads((options.out / "run.json").read_text())
    assert record["status"] == "failed"
    assert len(list((options.out / "masks").glob("*.png"))) == 40
    monkeypatch.undo()
    listener = StopAt(10**6)
    run(options, listener)
    assert listener.done == 25
    assert contents(options.out) == contents(finished)


def test_masks_of_an_image_folder_have_the_names_of_its_pictures(options, clip, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for frame in SyntheticClip(frames=3, size=(160, 90)):
        Image.fromarray(frame.image).save(folder / f"shot_{frame.index + 7:03d}.png")
    run(replace(options, source=str(folder), prompts=options.prompts[:2], save=("masks",)))
    names = sorted(path.name for path in (options.out / "masks").iterdir())
    assert names == ["shot_007.png", "shot_008.png", "shot_009.png"]
