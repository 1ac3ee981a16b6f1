"""`Workspace`: the folder on disk where a visitor's videos and their results are."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.runs.folder import RunFolder
from rvsam_video.runs.layout import PROMPTS_FILE, RUN_FILE
from rvsam_video.runs.record import load_record
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.web.files import printable_name
from rvsam_video.writing import replacing, writing

PAGE_FOLDER = ".page"
"""What only the page needs stands there, so that run folders are those of commands."""

_STATE_FILE = "state.json"
_FORMAT = 1


class Workspace:
    """Run folders as commands make them, one a video, and beside them what the page knows.

    Args:
        root: the folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uploads(self) -> Path:
        """Where uploaded videos are kept."""
        return self.root / PAGE_FOLDER / "uploads"

    def run_folder(self, key: str) -> Path:
        """Return the run folder of a video."""
        return self.root / key

    def page_folder(self, key: str) -> Path:
        """Return the folder with what only the page needs of a video."""
        return self.root / PAGE_FOLDER / "videos" / key

    def key_of(self, source: str, name: str) -> str:
        """Return the key of a source: the one it has already, else a new one after its name.

        Args:
            source: what is opened.
            name: what it is called.
        """
        for key, state in self._states():
            if state.get("source") == source:
                return key
        stem = Path(printable_name(name)).stem or "video"
        names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 10**6))
        return next(key for key in names if self._free(key, source))

    def _free(self, key: str, source: str) -> bool:
        """Tell whether a key is nobody's, or has a run of this very source."""
        if self.page_folder(key).exists():
            return False
        folder = self.run_folder(key)
        if not folder.exists():
            return True
        try:
            command = load_record(folder / RUN_FILE).command
        except OutputError:
            return False
        return command.get("source") == str(Path(source).resolve()) and "prompts" in command

    def videos(self) -> list[dict[str, Any]]:
        """Return the videos with their state, the one worked on last first."""
        entries = [
            {"key": key, **{name: state.get(name) for name in _LISTED}}
            for key, state in self._states()
        ]
        return sorted(entries, key=lambda entry: -float(entry["saved"] or 0))

    def _states(self) -> list[tuple[str, dict[str, Any]]]:
        folder = self.root / PAGE_FOLDER / "videos"
        paths = sorted(folder.glob(f"*/{_STATE_FILE}")) if folder.is_dir() else []
        found = [(path.parent.name, _read(path)) for path in paths]
        return [(key, state) for key, state in found if state is not None]

    def state(self, key: str) -> dict[str, Any] | None:
        """Return what was saved of a video; None if there is nothing, or it is damaged."""
        return _read(self.page_folder(key) / _STATE_FILE)

    def save(self, key: str, state: Mapping[str, Any]) -> None:
        """Save what is to be known of a video when it is opened again.

        Raises:
            OutputError: if it cannot be written.
        """
        folder = self.page_folder(key)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        content = {"format": _FORMAT, "saved": time.time(), **state}
        # Not waited for: it is there after a kill, and every click would wait for the disk.
        with replacing(folder / _STATE_FILE, durable=False) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")

    def find(self, key: str) -> dict[str, Any]:
        """Return what was saved of a video that the visitor names.

        Raises:
            UsageError: if there is none of this key.
        """
        # Looked up and never joined to a folder: no key can lead out of the workspace.
        state = dict(self._states()).get(key)
        if state is None:
            raise UsageError("this video is not in the list any more; choose another")
        return state

    def discard(self, key: str) -> None:
        """Remove a video with its results, and its upload.

        Raises:
            UsageError: if there is none of this key.
            OutputError: if something cannot be removed.
        """
        source = Path(str(self.find(key).get("source")))
        with writing(self.root):
            _remove_run(self.run_folder(key))
            shutil.rmtree(self.page_folder(key), ignore_errors=True)
            # Videos that lie elsewhere are the user's own.
            if source.parent == self.uploads:
                source.unlink(missing_ok=True)


def _remove_run(folder: Path) -> None:
    """Remove what a run has written; other files of the user in its folder stay."""
    if not (folder / RUN_FILE).exists():
        return
    # To begin anew removes exactly what the run before has written, and no more.
    with RunFolder.open(folder, {}, overwrite=True):
        pass
    for name in (PROMPTS_FILE, RUN_FILE):
        (folder / name).unlink(missing_ok=True)
    for empty in (folder / PARTS_FOLDER, folder):
        with suppress(OSError):
            empty.rmdir()


_LISTED = ("name", "saved", "frames", "reach", "ended", "objects", "live")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    usable = isinstance(content, dict) and content.get("format") == _FORMAT
    return content if usable else None
