"""A folder belongs to one run: begun, gone on with, finished, and never mixed with another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvsam_video.errors import OutputError, SourceError
from rvsam_video.runs import folder as run_folder
from rvsam_video.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.identity import fingerprint, first_difference

COMMAND: dict[str, Any] = {"source": "clip.mp4", "points": [[1, 2]], "options": {"seed": 0}}
SAVING = COMMAND | {"prompts": {}, "save": ["masks", "overlay", "points", "rle"]}


def checkpoint(next_frame: int = 7) -> Checkpoint:
    state = {"xy": np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2), "count": np.array(3)}
    return Checkpoint(next_frame, {"points": {"size": 120}}, state, {"frames": next_frame})


def read_run(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content


def test_a_new_run_makes_its_folder_and_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    with RunFolder.open(folder, COMMAND) as run:
        assert run.checkpoint is None
        assert not run.complete
        content = read_run(folder)
    assert content["status"] == "running"
    assert content["command"] == COMMAND
    assert set(content["versions"]) >= {"rvsam-video", "python", "numpy", "opencv", "av"}
    assert "unknown" not in content["versions"].values()
    assert content["started"].endswith("+00:00")


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path: Path) -> None:
    with RunFolder.open(str(tmp_path), COMMAND) as run:
        assert run.path == tmp_path


def test_a_killed_run_goes_on_from_its_newest_checkpoint(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.save_checkpoint(checkpoint(3))
        run.save_checkpoint(checkpoint(7))
    with RunFolder.open(tmp_path, COMMAND) as again:
        assert again.record.resumed == 1
        found = again.checkpoint
    assert found is not None
    assert (found.next_frame, found.marks) == (7, {"points": {"size": 120}})
    assert found.info == {"frames": 7}
    for name, array in checkpoint().state.items():
        assert found.state[name].dtype == array.dtype
        np.testing.assert_array_equal(found.state[name], array)


def test_a_run_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SAVING):
        (tmp_path / "points.csv").write_text("half a li")
    with RunFolder.open(tmp_path, SAVING) as again:
        assert again.checkpoint is None
        assert not (tmp_path / "points.csv").exists()


def test_a_complete_run_says_so_and_holds_results_only(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.save_checkpoint(checkpoint())
        (tmp_path / "points.csv").write_text("all\n")
        run.finish("complete")
    with RunFolder.open(tmp_path, COMMAND) as again:
        assert again.complete
        assert again.checkpoint is None
    assert read_run(tmp_path)["finished"] is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.csv", "run.json"]


def test_a_kill_while_a_complete_run_cleans_up_is_no_harm(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.finish("complete")
    (tmp_path / ".parts").mkdir()
    (tmp_path / ".parts" / "rle.jsonl").write_text("{}")
    with RunFolder.open(tmp_path, COMMAND) as again:
        assert again.complete
    assert not (tmp_path / ".parts").exists()


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_an_interrupted_or_failed_run_can_be_gone_on_with(status: Any, tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.save_checkpoint(checkpoint())
        run.finish(status, "the camera was unplugged")
    assert read_run(tmp_path)["status"] == status
    with RunFolder.open(tmp_path, COMMAND) as again:
        assert again.checkpoint is not None
        assert again.record.status == "running"
        assert again.record.messages == ("the camera was unplugged",)


def test_what_is_learned_during_a_run_is_kept(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.update(device="cpu", counts={"frames": 1}, timings={"track": 0.5})
        run.update(counts={"frames": 2, "bad": 1}, notes={"licence": "Apache-2.0"}, message="m")
        content = read_run(tmp_path)
    assert content["device"] == "cpu"
    assert content["counts"] == {"frames": 2, "bad": 1}
    assert content["timings"] == {"track": 0.5}
    assert content["notes"] == {"licence": "Apache-2.0"}
    assert content["messages"] == ["m"]


def test_messages_do_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "_MOST_MESSAGES", 3)
    with RunFolder.open(tmp_path, COMMAND) as run:
        for index in range(5):
            run.update(message=f"frame {index} is damaged")
        assert len(run.record.messages) == 3


@pytest.mark.parametrize(
    ("command", "difference"),
    [
        (COMMAND | {"source": "b.mp4"}, 'source was "clip.mp4" and is now "b.mp4"'),
        (COMMAND | {"options": {"seed": 1}}, "options.seed was 0 and is now 1"),
        (COMMAND | {"crf": 3}, "crf was not given and is now 3"),
        ({"source": "clip.mp4"}, "points was [[1, 2]] and is now not given"),
        (COMMAND | {"points": [[i, i] for i in range(99)]}, "..."),
    ],
)
def test_a_different_command_is_refused_by_its_first_difference(
    command: Mapping[str, Any], difference: str, tmp_path: Path
) -> None:
    RunFolder.open(tmp_path, COMMAND).close()
    with pytest.raises(OutputError) as caught:
        RunFolder.open(tmp_path, command)
    assert f"{difference}" in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert "--out" in str(caught.value)
    RunFolder.open(tmp_path, COMMAND).close()


def test_tuples_and_paths_are_the_same_command_after_json(tmp_path: Path) -> None:
    command: dict[str, Any] = {"size": (3, 4), "out": tmp_path}
    RunFolder.open(tmp_path, command).close()
    RunFolder.open(tmp_path, command).close()


@given(st.dictionaries(st.text(), st.integers() | st.dictionaries(st.text(), st.integers())))
def test_a_command_does_not_differ_from_itself(command: dict[str, Any]) -> None:
    assert first_difference(command, json.loads(json.dumps(command))) is None
    assert first_difference(command, command | {"one more": 1, "x": None}) is not None


def test_overwrite_removes_results_and_nothing_else(tmp_path: Path) -> None:
    for status in ("interrupted", "complete"):
        folder = tmp_path / status
        with RunFolder.open(folder, SAVING) as run:
            run.save_checkpoint(checkpoint())
            for name in ("overlay.mp4", "results.json", "points.csv", "my notes.txt"):
                (folder / name).write_text(name)
            # Of outputs that this run was not asked for, so they are somebody's own.
            (folder / "coco.json").write_text("mine")
            (folder / "cutouts").mkdir()
            (folder / "cutouts" / "00000.png").write_text("mine")
            write_masks(folder, "00000.png", "00001.png", "shot.png")
            (folder / "masks" / "readme.txt").write_text("mine")
            (folder / "masks" / "00002.png").write_text("mine")
            (folder / ".parts" / "rle.jsonl").write_text("old")
            run.update(files=[folder / name for name in ("overlay.mp4", "points.csv", "masks")])
            run.update(files=[folder / "results.json"])
            run.finish(status)
        with RunFolder.open(folder, {"source": "other.mp4"}, overwrite=True) as again:
            assert again.checkpoint is None
            assert again.record.resumed == 0
            left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert left == {
            ".lock", "run.json", "my notes.txt", "coco.json", "cutouts/00000.png",
            "masks/00002.png", "masks/readme.txt",
        }  # fmt: skip


def write_masks(folder: Path, *names: str) -> None:
    """Write pictures as a sink does, with their list."""
    (folder / "masks").mkdir(exist_ok=True)
    for name in names:
        (folder / "masks" / name).write_text("old")
    (folder / ".parts" / "masks.names").write_bytes(b"".join(n.encode() + b"\0" for n in names))


def test_a_complete_run_knows_its_pictures_and_misses_those_that_are_gone(tmp_path: Path) -> None:
    names = [f"shot_{number:03d}.png" for number in range(7, 43)]
    with RunFolder.open(tmp_path, SAVING) as run:
        write_masks(tmp_path, *names, "last.png")
        run.update(files=[tmp_path / "masks"])
        run.finish("complete")
    assert read_run(tmp_path)["pictures"] == {"masks": [["shot_007.png", names[-1]], ["last.png"]]}
    RunFolder.open(tmp_path, SAVING).close()
    for name in names[4:24]:
        (tmp_path / "masks" / name).unlink()
    with pytest.raises(OutputError, match=r"20 of its files are gone: masks/shot_011\.png and"):
        RunFolder.open(tmp_path, SAVING)
    RunFolder.open(tmp_path, SAVING, overwrite=True).close()
    assert list(tmp_path.glob("masks/*")) == []


def test_an_earlier_runs_outputs_are_not_missed_by_the_next(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SAVING) as run:
        (tmp_path / "points.csv").write_text("old")
        run.update(files=[tmp_path / "points.csv"])
        run.finish("complete")
    with RunFolder.open(tmp_path, COMMAND, overwrite=True) as run:
        run.finish("complete")
    with RunFolder.open(tmp_path, COMMAND) as again:
        assert again.complete


@pytest.mark.parametrize("name", [".parts", "masks", "cutouts", "frames", ".lock"])
def test_a_link_planted_in_a_run_folder_is_not_followed(name: str, tmp_path: Path) -> None:
    folder, victim = tmp_path / "run", tmp_path / "victim"
    with RunFolder.open(folder, SAVING) as run:
        run.finish("complete")
    victim.mkdir()
    (victim / "checkpoint.npz").write_text("precious")
    target = victim / "checkpoint.npz" if name == ".lock" else victim
    (folder / name).symlink_to(target)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=f"{name}: a link stands there"):
            RunFolder.open(folder, SAVING, overwrite=overwrite)
    assert (victim / "checkpoint.npz").read_text() == "precious"


def test_the_prompts_of_a_run_outlive_overwrite(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, SAVING) as run:
        (tmp_path / "prompts.json").write_text("clicks")
        run.update(files=[tmp_path / "prompts.json"])
        run.finish("complete")
    RunFolder.open(tmp_path, COMMAND, overwrite=True).close()
    assert (tmp_path / "prompts.json").read_text() == "clicks"


def test_another_version_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.save_checkpoint(checkpoint())
    content = read_run(tmp_path)
    content["versions"]["rvsam-video"] = "0.0.1"
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(OutputError, match=r"rvsam-video 0\.0\.1, and this is .*--overwrite"):
        RunFolder.open(tmp_path, COMMAND)


def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"holds files but no run\.json"):
            RunFolder.open(tmp_path, COMMAND, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "damaged"),
        ('{"program": "rvsam-vi', "damaged"),
        ("[1, 2]", "another program"),
        ('{"status": "complete"}', "another program"),
        ('{"program": "rvsam-video", "format": 99}', "format is 99"),
        ('{"program": "rvsam-video", "format": 1}', "missing or unknown"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_file_that_is_not_ours_is_refused(
    content: str, reason: str, overwrite: bool, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(OutputError, match=f"cannot use .*{reason}.*--out"):
        RunFolder.open(tmp_path, COMMAND, overwrite=overwrite)
    assert (tmp_path / "run.json").read_text() == content


@pytest.mark.parametrize("key", ["status", "command", "counts"])
def test_a_run_file_with_senseless_values_is_refused(key: str, tmp_path: Path) -> None:
    RunFolder.open(tmp_path, COMMAND).close()
    (tmp_path / "run.json").write_text(json.dumps(read_run(tmp_path) | {key: 5}))
    with pytest.raises(OutputError, match="make no sense"):
        RunFolder.open(tmp_path, COMMAND)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        RunFolder.open(tmp_path / "out", COMMAND)
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        RunFolder.open(tmp_path / "out" / "run", COMMAND)


def test_two_runs_do_not_write_into_one_folder_at_once(tmp_path: Path) -> None:
    """Neither in one process nor in two; and the folder is free when the first one ends."""
    script = (
        "import sys; from rvsam_video.runs.folder import RunFolder\n"
        "try: RunFolder.open(sys.argv[1], {})\n"
        "except OSError as error: print(error)\n"
        "else: print('opened')"
    )

    def try_elsewhere() -> str:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with RunFolder.open(tmp_path, {}):
        assert f"is being written by another process (pid {os.getpid()})" in try_elsewhere()
        with pytest.raises(OutputError, match="another process"):
            RunFolder.open(tmp_path, {}, overwrite=True)
    assert try_elsewhere() == "opened\n"


def test_a_lock_file_left_by_a_killed_process_does_not_block(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("4711")
    RunFolder.open(tmp_path, COMMAND).close()


def test_a_refused_run_leaves_the_folder_free(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, COMMAND).close()
    with pytest.raises(OutputError):
        RunFolder.open(tmp_path, {})
    RunFolder.open(tmp_path, COMMAND).close()


def test_a_checkpoint_never_holds_python_objects(tmp_path: Path) -> None:
    unsafe = Checkpoint(0, {}, {"x": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match="'x' holds Python objects"):
        save_checkpoint(unsafe, tmp_path / "checkpoint.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 not really"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, COMMAND) as run:
        run.save_checkpoint(checkpoint())
    (tmp_path / ".parts" / "checkpoint.npz").write_bytes(content)
    with pytest.raises(OutputError, match=r"checkpoint\.npz: it is damaged.*--overwrite"):
        RunFolder.open(tmp_path, COMMAND)
    RunFolder.open(tmp_path, COMMAND, overwrite=True).close()


def test_a_pickle_in_a_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    header = np.frombuffer(
        b'{"format": 1, "next_frame": 0, "marks": {}, "info": {}, "state": ["x"]}', np.uint8
    )
    objects: Any = {"header": header, "state:x": np.array([{}], dtype=object)}
    np.savez(path, **objects)
    with pytest.raises(OutputError, match="damaged, or is no checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    np.savez(path, header=np.frombuffer(b'{"format": 2}', np.uint8))
    with pytest.raises(OutputError, match="its format is 2, this version reads 1"):
        load_checkpoint(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_damaged_checkpoint_is_refused_or_harmless(
    position: int, change: int, tmp_path: Path
) -> None:
    """Any one byte may be wrong: what is loaded is right, or it is an error for people."""
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(checkpoint(), path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= change
    path.write_bytes(content)
    try:
        found = load_checkpoint(path)
    except OutputError:
        return
    assert found is not None
    assert (found.next_frame, found.marks) == (7, {"points": {"size": 120}})
    for name, array in checkpoint().state.items():
        np.testing.assert_array_equal(found.state[name], array)


def test_the_fingerprint_follows_the_content_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"a" * 5000)
    before = fingerprint(path)
    assert before == fingerprint(path)
    assert before.startswith("file, 5000 bytes, ")
    path.write_bytes(b"a" * 4999 + b"b")
    assert fingerprint(path) != before


def test_the_fingerprint_of_a_folder_follows_its_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"12")
    first = fingerprint(tmp_path)
    (tmp_path / "0.png").write_bytes(b"123")
    second = fingerprint(tmp_path)
    (tmp_path / "0.png").rename(tmp_path / "1.png")
    assert len({first, second, fingerprint(tmp_path)}) == 3


def test_the_fingerprint_of_nothing_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*none\.mp4: No such file"):
        fingerprint(tmp_path / "none.mp4")
