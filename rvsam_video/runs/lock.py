"""A lock on a folder that ends with the process that holds it, however that process ends."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from rvsam_video.errors import OutputError
from rvsam_video.runs.lease import Clock, Lease
from rvsam_video.writing import writing

_LOGGER = logging.getLogger(__name__)

# Systems disagree on how they say "taken", and on how they say "no such thing here".
_HELD_ELSEWHERE = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_PID_DIGITS = 20
# A link planted under the lock's name would have the process number written into its target.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

if sys.platform == "win32":
    import msvcrt

    # Windows locks bytes against reading, too: one far behind the text leaves the pid readable.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        # flock and not lockf: those locks end when any descriptor of the file is closed.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderLock:
    """Keeps a second process from writing into the same folder.

    The operating system holds the lock on the open file, so it is free again when the process
    ends, also by `kill -9`; the file that stays behind means nothing. On file systems without
    locks a lease takes its place, which `renew` keeps.

    Args:
        path: the lock file; its folder must exist.
        clock: tells the time of leases.
    """

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._lease = Lease(path.with_name(f"{path.name}.lease"), clock)

    def acquire(self) -> None:
        """Take the lock at once.

        Raises:
            OutputError: if another process holds it, or the file cannot be made.
        """
        with writing(self._path):
            # Again if the file was removed between opening and locking it: nobody else would see
            # that lock.
            while self._descriptor is None:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
                try:
                    self._lock(descriptor)
                except BaseException:
                    os.close(descriptor)
                    raise
                if self._still_named(descriptor):
                    self._descriptor = descriptor
                else:
                    os.close(descriptor)
            # For people who wonder who holds it; the lock itself does not depend on the text.
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, str(os.getpid()).encode())

    def _lock(self, descriptor: int) -> None:
        try:
            _try_lock(descriptor)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                # Many network drives have none, and runs on them are common.
                _LOGGER.info("%s: this file system has no locks; taking a lease", self._path.parent)
                self._lease.acquire()
                return
            if error.errno not in _HELD_ELSEWHERE:
                raise
            holder = os.read(descriptor, _PID_DIGITS).decode("ascii", "replace") or "unknown"
            msg = (
                f"{self._path.parent} is being written by another process (pid {holder}); wait "
                "for it or choose another folder with --out"
            )
            raise OutputError(msg) from error

    def renew(self) -> None:
        """Keep a lease, where there are no locks; nothing happens where there are.

        Raises:
            OutputError: if another process has taken it.
        """
        self._lease.renew()

    def _still_named(self, descriptor: int) -> bool:
        """Tell whether the holder before us did not remove the file while we opened it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the lock file and give the lock back; nothing happens if it is not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        # Windows cannot remove an open file; one left behind does no harm.
        with suppress(OSError):
            # While it is still held: after that it may be another process's lock already.
            self._path.unlink()
        os.close(descriptor)
        self._lease.release()
