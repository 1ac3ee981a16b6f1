"""Disks that are full, read-only or not there: one sentence, and nothing committed is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results
import pytest

from rvsam_video import writing as writing_module
from rvsam_video.errors import OutputError
from rvsam_video.results import FrameResult
from rvsam_video.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rvsam_video.runs.folder import RunFolder
from rvsam_video.sinks.base import SinkWriter, create_sinks
from rvsam_video.sinks.names import SINK_NAMES
from rvsam_video.writing import AppendFile, replacing, writing

MakeResult = Callable[..., FrameResult]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space and run the same command again"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission to write there; choose another folder with --out"),
        (errno.EROFS, "the disk is read-only; choose another folder with --out"),
        (errno.ENOTDIR, "a file stands where a folder is needed"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_each_system_error_becomes_one_sentence(number: int, sentence: str) -> None:
    with pytest.raises(OutputError) as caught, writing(Path("out/points.csv")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"cannot write {Path('out/points.csv')}: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("before")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("aft")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="the disk is full"):
        write_half()
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]
    assert path.read_text() == "before"
    with replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"


def test_an_append_file_can_be_cut_back_and_read_while_open(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "x")
    file.open()
    file.write(b"one two")
    assert file.sync() == 7
    file.close()
    file.open(3)
    file.write(b"!")
    file.flush()
    assert (tmp_path / "x").read_bytes() == b"one!"
    file.close()
    with pytest.raises(ValueError, match="is not open"):
        file.write(b"?")


def test_a_checkpoint_survives_a_failed_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(Checkpoint(5, {}, {}), path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing_module.os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(Checkpoint(9, {}, {}), path)
    found = load_checkpoint(path)
    assert found is not None
    assert found.next_frame == 5


def test_a_failed_run_is_told_by_its_first_error_even_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunFolder.open(tmp_path, {}) as run:
        monkeypatch.setattr(writing_module.os, "fsync", full)
        run.finish("failed", "the disk is full")
        with pytest.raises(OutputError, match="the disk is full"):
            run.finish("interrupted")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_made_is_one_sentence(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"cannot write .*; choose another folder with --out"):
        RunFolder.open(tmp_path / "new", {})


@pytest.mark.parametrize("name", ["overlay", "rle", "points"])
def test_a_folder_that_is_removed_under_a_run_is_one_sentence(
    name: str, tmp_path: Path, make_result: MakeResult
) -> None:
    (tmp_path / ".parts").write_text("in the way")
    folder = tmp_path if name != "points" else tmp_path / ".parts"
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        SinkWriter(create_sinks([name], folder)).start()


_LIMITED_RUN = """
import resource, runpy, sys
from pathlib import Path
from rvsam_video.errors import OutputError
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.sinks.base import create_sinks

made, folder, name, stage, size = sys.argv[1:]
make_result = runpy.run_path(made)["make_result"]

def limit(now):
    if now == stage:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))

with BackgroundWriter(create_sinks([name], Path(folder))) as writer:
    writer.start()
    try:
        limit("write")
        for index in range(50):
            writer.write(make_result(index, size=(94, 70)))
        writer.commit()
        limit("finish")
        writer.finish(complete=True)
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize(
    ("name", "stage", "limit"),
    [
        ("overlay", "write", 0),
        ("overlay", "write", 30_000),
        ("overlay", "finish", 0),
        ("overlay", "finish", 5000),
        ("masks", "write", 300),
        ("rle", "write", 5000),
        ("rle", "finish", 500),
        ("points", "write", 5000),
    ],
)
def test_a_real_write_error_at_any_stage_is_one_sentence(
    name: str, stage: str, limit: int, tmp_path: Path
) -> None:
    """The system refuses to let files grow, as a full disk does: while writing, while joining."""
    arguments = [made_results.__file__, tmp_path, name, stage, str(limit)]
    command = [sys.executable, "-c", _LIMITED_RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot write {tmp_path}")
    assert "the file grew larger than this system allows" in done.stdout
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob(".*.tmp"))
    assert not (tmp_path / "overlay.mp4").exists()


@pytest.mark.parametrize("name", SINK_NAMES)
def test_closing_after_an_error_raises_nothing_more(
    name: str, tmp_path: Path, make_result: MakeResult
) -> None:
    writer = SinkWriter(create_sinks([name], tmp_path))
    writer.close()
    writer.start()
    writer.write(make_result(0))
    writer.close()
    writer.close()
