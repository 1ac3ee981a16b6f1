"""`Lease`: a claim on a folder for file systems without locks, which runs out by itself."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError
from rvsam_video.writing import writing

LEASE_SECONDS = 300.0
"""A lease that was not renewed for so long belongs to nobody: five minutes."""

RENEW_SECONDS = 30.0
"""Between two renewals: often enough to outlast some that fail."""

SETTLE_SECONDS = 0.5
"""Two who take an old lease at once both write theirs; after so long, the last one counts."""

Clock = Callable[[], float]
"""Seconds since some moment that is the same for all hosts."""


class Lease:
    """A file that says who works in a folder, and until when that must be believed.

    Unlike a lock, it outlives its owner for `LEASE_SECONDS`; on the same host an owner that has
    ended is noticed at once. Clocks of hosts may differ by a small part of that.

    Args:
        path: the file; its folder must exist.
        clock: tells the time.
        host: what this machine is called.
        settle: seconds to wait for others that take it at the same moment.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock = time.time,
        host: str | None = None,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._path, self._clock, self._settle = path, clock, settle
        self._host = host or socket.gethostname()
        # Pids come again, and hosts may share a name.
        self._token = uuid.uuid4().hex
        self._held = False
        self._renewed = 0.0

    def acquire(self) -> None:
        """Take the lease.

        Raises:
            OutputError: if somebody else has it, or it cannot be written.
        """
        with writing(self._path):
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
                os.close(descriptor)
            except FileExistsError:
                self._refuse_if_held()
            self._write()
            time.sleep(self._settle)
            if self._read().get("token") != self._token:
                raise self._taken(self._read())
        self._held = True

    def renew(self) -> None:
        """Say that its owner is alive, if that was not said for a while.

        Raises:
            OutputError: if somebody else has taken it meanwhile, or it cannot be written.
        """
        if not self._held or self._clock() - self._renewed < RENEW_SECONDS:
            return
        with writing(self._path):
            if self._read().get("token") != self._token:
                self._held = False
                raise self._taken(self._read())
            self._write()

    def release(self) -> None:
        """Give it back; nothing happens if it is not held."""
        held, self._held = self._held, False
        if held and self._read().get("token") == self._token:
            self._path.unlink(missing_ok=True)

    def _refuse_if_held(self) -> None:
        owner = self._read()
        if not owner:
            # Being written at this moment, or damaged: its age is that of the file.
            held = self._clock() - self._path.stat().st_mtime < LEASE_SECONDS
        else:
            held = self._clock() - float(owner["time"]) < LEASE_SECONDS
            held = held and not (owner["host"] == self._host and _has_ended(int(owner["pid"])))
        if held:
            raise self._taken(owner)

    def _taken(self, owner: dict[str, Any]) -> OutputError:
        who = f"pid {owner['pid']} on {owner['host']}" if owner else "unknown"
        return OutputError(
            f"{self._path.parent} is being written by another process ({who}); wait for it, or "
            "choose another folder with --out"
        )

    def _write(self) -> None:
        content = {
            "host": self._host,
            "pid": os.getpid(),
            "time": self._clock(),
            "token": self._token,
        }
        # By a name of its own: others may write theirs at this moment.
        temporary = self._path.with_name(f"{self._path.name}.{self._token}")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(self._path)
        self._renewed = self._clock()

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(content, dict) and {"host", "pid", "time", "token"} <= content.keys():
                return content
        except (OSError, ValueError):
            pass
        return {}


def _has_ended(pid: int) -> bool:
    """Whether there is no such process on this host any more."""
    # Windows knows no harmless signal: there a lease runs out by time alone.
    if os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
