"""Many clips: what is to be done, who does it, and what is left when workers are killed."""

from __future__ import annotations

import csv
import json
import multiprocessing
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from deadly_units import Deadly, Fine

import rvsam_video as rv
from rvsam_video.batch.claims import Claim, tries_of
from rvsam_video.batch.clips import ClipUnit, unit_list
from rvsam_video.batch.crew import Crew, first_place
from rvsam_video.batch.loop import CLAIMS_FOLDER, WorkOrder, work_until_done
from rvsam_video.batch.manifest import batch_clips
from rvsam_video.batch.processors import environment_of
from rvsam_video.batch.report import save_batch
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.methods import Method
from rvsam_video.runs.objects import RunOptions
from rvsam_video.sources.part import ClipPart

CLIPS = 3
SAVE = ("masks", "rle")
COMMON = RunOptions(
    source="", out=Path(), prompts=(), save=SAVE, direction="auto",
    method=Method(tracker="lucas-kanade", segmenter="grabcut"),
)  # fmt: skip
PLAIN = ["--tracker", "lucas-kanade", "--segmenter", "grabcut", "--save", ",".join(SAVE)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """A folder with prompts beside clips of a second each."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(CLIPS):
        clip = SyntheticClip(frames=12 + number, size=(96, 64), seed=number)
        clip.write(folder / f"sea{number}.mp4")
        mask = clip.truth(4 * number) == 1
        prompt = rv.Prompt.create(1, 4 * number, mask=mask)
        rv.save_prompts(folder / f"sea{number}.json", [prompt])
    (folder / "notes.md").write_text("no clip")
    return folder


def contents(runs: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(runs)): path.read_bytes()
        for path in sorted(runs.rglob("*"))
        if path.is_file() and path.name != "run.json" and path.parent != runs
        and path.parent.name != CLAIMS_FOLDER
    }  # fmt: skip


@pytest.fixture(scope="module")
def serial(clips, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("serial")
    assert main(["batch", str(clips), "--out", str(out), *PLAIN]) == 0
    return out


def test_a_folder_is_tracked_and_told_in_a_table(serial):
    with (serial / "batch.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["complete"] * CLIPS
    assert [int(row["frames"]) for row in rows] == [12, 13, 14]
    assert all(float(row["fps"]) > 0 and 0 <= float(row["low_scores"]) <= 1 for row in rows)
    assert json.loads((serial / "batch.json").read_text())["clips"][0]["name"] == rows[0]["name"]
    folders = sorted(path.name for path in serial.iterdir() if path.name.startswith("sea"))
    assert [name[:5] for name in folders] == ["sea0-", "sea1-", "sea2-"]
    assert all(len(name) == 13 for name in folders)
    # Clicked in frame 4 and 8, and found before.
    assert (serial / folders[2] / "masks" / "00000.png").is_file()


def test_two_workers_leave_the_same_bytes_and_nothing_is_done_twice(clips, serial, tmp_path):
    done = list(rv.track_many(str(clips), tmp_path, workers=2, method=COMMON.method, save=SAVE))
    assert sorted(run.frames for run in done) == [12, 13, 14]
    assert {run.status for run in done} == {"complete"}
    assert contents(tmp_path) == contents(serial)
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("results.json"))]
    again = list(rv.track_many(str(clips), tmp_path, method=COMMON.method, save=SAVE))
    assert len(again) == CLIPS
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("results.json"))] == stamps


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_workers_killed_at_random_leave_the_same_bytes(clips, serial, tmp_path):
    units = unit_list(batch_clips(clips, COMMON), tmp_path)
    order = WorkOrder(place=tmp_path, retries=50, since=time.time(), workers=2)
    kills = 0
    with Crew(units, order) as crew:
        for event in crew.events():
            # One that has begun: a worker that never begins anything is another matter.
            if event.state == "tick" and event.frames and kills < 4:
                name = f"rvsam-worker-{event.worker}"
                found = [one for one in multiprocessing.active_children() if one.name == name]
                for child in found[:1]:
                    child.kill()
                    kills += 1
    assert kills == 4
    assert {line.status for line in save_batch(units, tmp_path)} == {"complete"}
    assert contents(tmp_path) == contents(serial)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_clip_that_kills_its_worker_is_skipped_after_some_tries(tmp_path):
    units = [Deadly(tmp_path / "tries"), Fine(tmp_path / "fine.done")]
    order = WorkOrder(place=tmp_path, retries=2, since=time.time(), workers=1)
    with Crew(units, order) as crew:
        events = [event.name for event in crew.events() if event.state == "complete"]
    assert events == ["fine"]
    assert (tmp_path / "tries").read_text() == "xxx"
    assert tries_of(tmp_path / CLAIMS_FOLDER, "deadly").count == 3
    # A new command tries it once more.
    with Crew(units, replace(order, since=time.time())) as crew:
        list(crew.events())
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_a_clip_that_cannot_be_read_fails_alone(clips, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    lines = [
        {"clip": "broken.mp4", "points": ["10,10"]},
        {"clip": str(clips / "sea0.mp4"), "points": "48,32", "end": "5", "save": "masks"},
    ]
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    out = tmp_path / "runs"
    assert main(["batch", str(manifest), "--out", str(out), *PLAIN]) == 1
    with (out / "batch.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["failed", "complete"]
    assert "is a text file" in rows[0]["error"]
    assert rows[1]["frames"] == "5"
    assert "1 complete, 1 failed" in capsys.readouterr().out


def test_a_manifest_says_what_holds_for_a_clip(clips, tmp_path):
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text(json.dumps({
        "clip": str(clips / "sea1.mp4"), "prompts": str(clips / "sea1.json"), "start": "0.1s",
        "stride": 2, "direction": "backward", "tracker": "lucas-kanade", "name": "my sea",
        "longest_side": 64,
    }))  # fmt: skip
    (clip,) = batch_clips(manifest, replace(COMMON, part=ClipPart(end=10)))
    assert clip.name == "my_sea"
    options = clip.options
    assert (options.part, options.direction) == (ClipPart(start=0.1, end=10, stride=2), "backward")
    assert options.longest_side == 64
    assert [prompt.frame for prompt in options.prompts] == [4]
    pattern = batch_clips(str(clips / "sea[01].mp4"), COMMON)
    assert [item.name for item in pattern] == ["sea0", "sea1"]
    one, other = unit_list([clip, pattern[1]], tmp_path)
    assert one.name.startswith("my_sea-")
    assert one.name[-8:] != other.name[-8:]


@pytest.mark.parametrize(("line", "told"), [
    ("{", "line 1 is not JSON"),
    ('["a.mp4"]', "write one object a line"),
    ('{"clip": "a.mp4", "colour": 1}', "'colour' is unknown"),
    ('{"points": "1,1"}', "it names no clip"),
    ('{"clip": "a.mp4"}', "nothing to follow"),
    ('{"clip": "a.mp4", "points": "1,1", "end": "soon"}', "--end is 'soon'"),
])  # fmt: skip
def test_a_wrong_line_is_told_with_its_number(tmp_path, line, told):
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text(line)
    with pytest.raises(rv.UsageError, match=told) as caught:
        batch_clips(manifest, COMMON)
    assert f"{manifest} line 1" in str(caught.value)


def test_nothing_to_do_is_an_error(tmp_path):
    for what in (tmp_path, tmp_path / "nothing.jsonl", str(tmp_path / "*.mp4")):
        with pytest.raises(rv.UsageError):
            batch_clips(what, COMMON)


class Noted(Fine):
    """Notes the order in which units are done."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.notes = name, log

    def complete(self) -> bool:
        return self.name in self.notes

    def work(self, tick, should_stop) -> bool:
        self.notes.append(self.name)
        tick(1)
        return True


def test_a_worker_begins_at_its_own_place_and_passes_over_what_others_have(tmp_path):
    notes: list[str] = []
    units = [Noted(name, notes) for name in "abcd"]
    order = WorkOrder(place=tmp_path)
    held = Claim(tmp_path / CLAIMS_FOLDER, "c")
    assert held.take()
    work_until_done(units, order, 0, lambda event: None, lambda: False, begin=0.5)
    assert notes == ["d", "a", "b"]
    held.release()
    work_until_done(units, order, 0, lambda event: None, lambda: False)
    assert notes == ["d", "a", "b", "c"]


def test_a_stopped_worker_begins_nothing(tmp_path):
    notes: list[str] = []
    work_until_done([Noted("a", notes)], WorkOrder(place=tmp_path), 0, print, lambda: True)
    assert notes == []


def test_workers_share_gpus_and_places(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [environment_of(number, 3)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == [
        "2", "5", "2",
    ]  # fmt: skip
    for name, value in (("COUNT", "4"), ("MIN", "1"), ("ID", "3")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert [first_place(number, 2) for number in range(2)] == [0.5, 0.625]


def test_the_units_of_clips_survive_being_sent(clips, tmp_path):
    import pickle

    (unit, *_) = unit_list(batch_clips(clips, COMMON), tmp_path)
    sent = pickle.loads(pickle.dumps(unit))  # noqa: S301 (our own)
    assert isinstance(sent, ClipUnit)
    assert sent.name == unit.name
