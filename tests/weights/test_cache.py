"""The cache: others at the same time, kills, full disks, permissions, no network."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from weights_server import CUT, QUICK, WEIGHTS, Answer, left_behind

from rvsam_video.errors import WeightsError
from rvsam_video.weights.fetch import (
    PUBLISHED,
    checkpoint_path,
    fetch,
)

_FETCH = """
import sys
from rvsam_video.weights.fetch import PublishedWeights, fetch
entry = PublishedWeights(name="both", url=sys.argv[1], file_name="both.pt", licence="", citation="")
print(fetch(entry, cache=sys.argv[2]))
"""


def test_two_processes_download_once(server, tmp_path):
    server.script(Answer(pause=0.3))
    command = [sys.executable, "-c", _FETCH, f"{server.url}/both.pt", str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shown = [process.communicate(timeout=120)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert shown == [str(tmp_path / "both.pt")] * 2
    assert len(server.requests) == 1


def test_a_killed_download_is_taken_over(server, known, tmp_path):
    server.script(Answer(pause=60))
    command = [sys.executable, "-c", _FETCH, f"{server.url}/both.pt", str(tmp_path)]
    part = tmp_path / "both.pt.part"
    with subprocess.Popen(command) as process:
        while not server.requests or not part.is_file():
            time.sleep(0.01)
        process.kill()
    server.script(Answer())
    path = fetch(replace(known, file_name="both.pt"), cache=tmp_path, retries=QUICK)
    assert path.read_bytes() == WEIGHTS


# The disk


class FullDisk:
    """A file on a disk with room for `room` bytes."""

    def __init__(self, file: io.BufferedWriter, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        if self.file.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.file.write(data)


def test_a_full_disk_is_said_and_nothing_enters(known, get, tmp_path, monkeypatch):
    usual = Path.open

    def full(path: Path, mode: str = "r", **options: object) -> object:
        file = usual(path, mode, **options)
        return FullDisk(file, CUT) if path.suffix == ".part" and "a" in mode else file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WeightsError, match=r"the disk is full.*--cache or RVSAM_CACHE"):
        get(known)
    assert "known.pt" not in left_behind(tmp_path / "cache")
    monkeypatch.undo()
    assert get(known).read_bytes() == WEIGHTS


def test_a_file_in_the_place_of_the_cache_is_said(known, tmp_path):
    (tmp_path / "cache").write_text("I was here first")
    with pytest.raises(WeightsError, match=r"a file stands where a folder is needed.*--cache"):
        fetch(known, cache=tmp_path / "cache")


def test_a_cache_without_permission_is_said(known, tmp_path, monkeypatch):
    def refuse(*args: object, **options: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WeightsError, match=r"no permission to write there.*--cache"):
        fetch(known, cache=tmp_path / "cache")


def test_a_cache_that_is_shared_for_reading_serves(unpinned, get, tmp_path, monkeypatch, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "unpinned.pt").write_bytes(WEIGHTS)

    def refuse(*args: object, **options: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert get(unpinned).read_bytes() == WEIGHTS
    assert "could not be noted" in caplog.text


# Where, and whether at all


def test_the_cache_is_chosen_by_argument_then_environment(server, known, tmp_path, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "known", known)
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "environment"))
    assert checkpoint_path("known") == tmp_path / "environment" / "known.pt"
    assert checkpoint_path("known", cache=tmp_path / "own") == tmp_path / "own" / "known.pt"


@pytest.mark.parametrize(("argument", "variable"), [(True, ""), (None, "1"), (None, "true")])
def test_offline_never_touches_the_network(
    server, known, tmp_path, monkeypatch, argument, variable
):
    monkeypatch.setenv("RVSAM_OFFLINE", variable)
    with pytest.raises(WeightsError) as caught:
        fetch(known, cache=tmp_path, offline=argument)
    assert server.requests == []
    for part in ("known", known.url, "--checkpoint PATH", "--tracker lucas-kanade", "grabcut"):
        assert part in str(caught.value)


def test_offline_uses_what_is_here(server, known, get, tmp_path, monkeypatch):
    path = get(known)
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    assert fetch(known, cache=tmp_path / "cache") == path
    monkeypatch.setenv("RVSAM_OFFLINE", "0")
    path.unlink()
    assert fetch(known, cache=tmp_path / "cache") == path
