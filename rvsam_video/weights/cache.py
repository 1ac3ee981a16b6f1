"""The folder that downloaded weights live in: where it is, who may write, what was seen first."""

from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rvsam_video.errors import RvsamError, WeightsError

_LOGGER = logging.getLogger(__name__)

CACHE_VARIABLE = "RVSAM_CACHE"
OFFLINE_VARIABLE = "RVSAM_OFFLINE"

_SAYS_NO = ("", "0", "false", "no", "off")
_LOCK_POLL = 0.2
"""Seconds between two looks at a lock that another process holds."""

_ELSEWHERE = f"choose another folder with --cache or {CACHE_VARIABLE}"
_REASONS = {
    errno.ENOSPC: f"the disk is full; free some space, or {_ELSEWHERE}",
    errno.EDQUOT: f"the disk quota is used up; free some space, or {_ELSEWHERE}",
    errno.EACCES: f"no permission to write there; {_ELSEWHERE}",
    errno.EPERM: f"no permission to write there; {_ELSEWHERE}",
    errno.EROFS: f"the disk is read-only; {_ELSEWHERE}",
    errno.ENOTDIR: f"a file stands where a folder is needed; {_ELSEWHERE}",
    errno.EEXIST: f"a file stands where a folder is needed; {_ELSEWHERE}",
}


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the cache: `cache`, else the environment's RVSAM_CACHE, else the system's place.

    The folder need not exist yet.
    """
    # Imported when needed, as are the others below: naming weights should cost nothing.
    import pooch

    chosen = cache or os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(pooch.os_cache("rvsam-video"))


def is_offline(offline: bool | None = None) -> bool:
    """Return `offline`, or what the environment's RVSAM_OFFLINE says if that is None."""
    if offline is not None:
        return offline
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in _SAYS_NO


@contextmanager
def writing_cache(folder: Path) -> Iterator[None]:
    """Make the folder, and turn an `OSError` in the block into one sentence about it.

    Raises:
        WeightsError: in place of the `OSError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    # Has its own sentence already.
    except RvsamError:
        raise
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or f"{error.strerror or error}; {_ELSEWHERE}"
        msg = f"cannot write the cache {folder}: {reason}"
        raise WeightsError(msg) from error


@contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Wait until no other process writes `target`, and keep others out during the block.

    The operating system holds the lock, so it ends with the process, also by `kill -9`; the file
    `.NAME.lock` that stays behind means nothing.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        # Without waiting first, to be able to say that, and for whom, one waits.
        lock.acquire(timeout=0)
    except Timeout:
        _LOGGER.warning("another process is writing %s; waiting for it", target)
        lock.acquire(poll_interval=_LOCK_POLL)
    try:
        yield
    finally:
        lock.release()


def pin_file(weights: Path) -> Path:
    """Return where the hash that `weights` had when it was first seen is kept."""
    return weights.with_name(f"{weights.name}.json")


def read_pin(weights: Path) -> str | None:
    """Return the sha256 that `weights` had when it was first seen, or None if never seen.

    Raises:
        WeightsError: if the note of it is damaged.
    """
    # Beside the file, not in a list of all: caches are copied and cleaned file by file.
    path = pin_file(weights)
    try:
        pinned = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} should hold the hash of {weights.name} but cannot be read; remove it"
        raise WeightsError(msg) from error
    return str(pinned)


def write_pin(weights: Path, sha256: str, url: str) -> None:
    """Note the hash of weights that nobody published one for, to know them again."""
    content = {"sha256": sha256, "size": weights.stat().st_size, "url": url}
    # A name of its own: two processes may see a file for the first time at once.
    descriptor, name = tempfile.mkstemp(dir=weights.parent, prefix=f".{weights.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        # mkstemp makes files for their owner alone; a shared cache is for all.
        temporary.chmod(0o644)
        temporary.replace(pin_file(weights))
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
