"""`Claim`: a unit of work that one worker has, and how often it was tried."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rvsam_video.errors import OutputError
from rvsam_video.runs.lock import FolderLock
from rvsam_video.writing import replacing, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How it went with a unit of work so far.

    Attributes:
        count: how often it was begun without getting any further.
        progress: how far it was when it was begun last.
        error: why it failed, None if it did not.
        final: whether trying again makes no sense.
        time: of the last change, in seconds.
    """

    count: int = 0
    progress: str = ""
    error: str | None = None
    final: bool = False
    time: float = 0.0


def tries_of(place: Path, name: str) -> Tries:
    """Read how it went with a unit of work so far.

    Args:
        place: folder of the claims.
        name: of the unit.
    """
    try:
        content = json.loads(_tries_file(place, name).read_text(encoding="utf-8"))
        return Tries(**content)
    except (OSError, ValueError, TypeError):
        # Not tried yet; damaged counts as that.
        return Tries()


def _tries_file(place: Path, name: str) -> Path:
    return place / f"{name}.json"


class Claim:
    """A unit of work that nobody else has meanwhile; it ends with the process, at the latest.

    Args:
        place: folder of the claims; made if it is missing.
        name: of the unit, fit for a file.
    """

    def __init__(self, place: Path, name: str) -> None:
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        self._place, self._name = place, name
        self._lock = FolderLock(place / f"{name}.lock")

    def take(self) -> bool:
        """Take it at once; False if somebody has it."""
        try:
            self._lock.acquire()
        except OutputError:
            return False
        return True

    def begin(self, progress: str, retries: int, since: float) -> bool:
        """Note that it is tried now; False if it was tried often enough.

        Args:
            progress: how far it is; trying counts anew when this has changed.
            retries: how often it is tried again without progress.
            since: when the worker was started. What happened before was perhaps mended, so it is
                tried once more.
        """
        tries = tries_of(self._place, self._name)
        earlier = tries.time < since
        count = tries.count if tries.progress == progress else 0
        if earlier:
            count = min(count, retries)
        if count > retries or (tries.final and not earlier):
            return False
        # Before the work: a unit that kills its worker gets no word in afterwards.
        self._save(Tries(count=count + 1, progress=progress, time=time.time()))
        return True

    def renew(self) -> None:
        """Keep it, where file systems have no locks."""
        self._lock.renew()

    def end(self, error: str | None = None, *, final: bool = False) -> None:
        """Note how it went.

        Args:
            error: why it failed; None if it did not.
            final: whether trying again makes no sense.
        """
        tries = tries_of(self._place, self._name)
        if error is None:
            with writing(self._place):
                _tries_file(self._place, self._name).unlink(missing_ok=True)
            return
        self._save(
            Tries(
                count=tries.count,
                progress=tries.progress,
                error=error,
                final=final,
                time=time.time(),
            )
        )

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def _save(self, tries: Tries) -> None:
        with replacing(_tries_file(self._place, self._name)) as temporary:
            temporary.write_text(json.dumps(asdict(tries)), encoding="utf-8")
