"""Leases, which stand in for locks on file systems that have none."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rvsam_video import OutputError
from rvsam_video.runs import lock
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.lease import LEASE_SECONDS, RENEW_SECONDS, Lease


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def leases(path: Path, clock: Clock, *hosts: str) -> list[Lease]:
    return [Lease(path / "lease", clock, host, settle=0) for host in hosts]


def test_only_one_host_has_a_lease(tmp_path, clock):
    mine, other = leases(tmp_path, clock, "here", "there")
    mine.acquire()
    with pytest.raises(OutputError, match=f"pid {os.getpid()} on here"):
        other.acquire()
    mine.release()
    other.acquire()
    assert [path.name for path in tmp_path.iterdir()] == ["lease"]


def test_a_lease_that_is_not_renewed_is_taken_after_five_minutes(tmp_path, clock):
    mine, other = leases(tmp_path, clock, "here", "there")
    mine.acquire()
    clock.now += LEASE_SECONDS - 1
    with pytest.raises(OutputError):
        other.acquire()
    clock.now += 2
    other.acquire()
    # Its former owner notices, and writes nothing more.
    with pytest.raises(OutputError, match="on there"):
        mine.renew()
    mine.release()
    assert json.loads((tmp_path / "lease").read_text())["host"] == "there"


def test_a_lease_that_is_renewed_is_kept(tmp_path, clock):
    mine, other = leases(tmp_path, clock, "here", "there")
    mine.acquire()
    for _ in range(20):
        clock.now += RENEW_SECONDS + 1
        mine.renew()
        with pytest.raises(OutputError):
            other.acquire()


def test_of_two_who_take_an_old_lease_at_once_one_has_it(tmp_path, clock, monkeypatch):
    mine, other, late = leases(tmp_path, clock, "here", "there", "late")
    late.acquire()
    clock.now += LEASE_SECONDS + 1
    # The other one writes its lease while this one waits for such.
    waits = iter([other.acquire])
    monkeypatch.setattr("time.sleep", lambda _: next(waits, lambda: None)())
    # As if it had looked when the lease was still old.
    monkeypatch.setattr(other, "_refuse_if_held", lambda: None)
    with pytest.raises(OutputError, match="on there"):
        mine.acquire()


def test_an_owner_that_has_ended_on_this_host_is_noticed_at_once(tmp_path, clock):
    code = (
        "import sys; from pathlib import Path; from rvsam_video.runs.lease import Lease;"
        "Lease(Path(sys.argv[1]), lambda: 1000.0, 'here', 0).acquire();"
        "print('has it', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lease"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout.readline() == "has it\n"
    (mine,) = leases(tmp_path, clock, "here")
    with pytest.raises(OutputError, match=f"pid {other.pid} on here"):
        mine.acquire()
    other.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    other.wait()
    if sys.platform != "win32":
        mine.acquire()


def test_a_damaged_lease_runs_out_as_well(tmp_path, clock):
    path = tmp_path / "lease"
    path.write_text("{")
    os.utime(path, (clock.now, clock.now))
    (mine,) = leases(tmp_path, clock, "here")
    with pytest.raises(OutputError, match="unknown"):
        mine.acquire()
    clock.now += LEASE_SECONDS + 1
    mine.acquire()


def test_a_run_folder_without_locks_is_kept_by_a_lease(tmp_path, monkeypatch):
    def no_locks(_: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(lock, "_try_lock", no_locks)
    monkeypatch.setattr("rvsam_video.runs.lease.SETTLE_SECONDS", 0.0)
    folder = tmp_path / "run"
    with RunFolder.open(folder, {"source": "a"}) as held:
        with pytest.raises(OutputError, match="being written by another process"):
            RunFolder.open(folder, {"source": "a"})
        held.renew()
    with RunFolder.open(folder, {"source": "a"}):
        pass
    assert not (folder / ".lock.lease").exists()
