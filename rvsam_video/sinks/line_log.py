"""Sinks that keep one JSON line a frame on disk, and build a file of the whole run at its end."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rvsam_video.errors import OutputError
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.writing import AppendFile, replacing, writing


class LineLog:
    """Lines in `.parts`, so that memory does not grow with the video and a killed run goes on.

    Args:
        folder: the run folder.
        name: of the file in `.parts`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._file = AppendFile(folder / PARTS_FOLDER / name)

    @property
    def folder(self) -> Path:
        """Where the lines are, and other working files may be."""
        return self._file.path.parent

    def start(self, mark: Mark | None) -> None:
        """Begin anew, or cut back to the mark.

        Raises:
            OutputError: if the file cannot be written, or is shorter than the mark.
        """
        with writing(self._file.path):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._file.open(mark["size"] if mark is not None else 0)

    def add(self, record: dict[str, Any]) -> None:
        """Append one line.

        Raises:
            OutputError: if it cannot be written.
        """
        # Without blanks: these files grow with every frame and object.
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def commit(self) -> Mark:
        """Wait for the disk to have the lines; return where they end."""
        return {"size": self._file.sync()}

    def end(self) -> None:
        """Hand all lines to the system and close the file; `read` still works."""
        self._file.flush()
        self._file.close()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the lines again, one in memory at a time."""
        with self._file.path.open("rb") as file:
            # Lines, not one document: a killed run leaves whole lines up to the mark.
            for line in file:
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError) as error:
                    msg = f"{self._file.path} is damaged; use --overwrite to start again"
                    raise OutputError(msg) from error

    def close(self) -> None:
        """Close the file; can be called twice."""
        self._file.close()


class LinesSink(ABC):
    """A sink whose one file is built from lines when the run ends.

    Args:
        folder: the run folder.
        file_name: of the file to build.
        log: name of the file of lines.
    """

    def __init__(self, folder: Path, file_name: str, log: str) -> None:
        self._target = folder / file_name
        self._lines = LineLog(folder, log)

    @abstractmethod
    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return what is to be kept of one frame, fit for JSON."""

    @abstractmethod
    def build(self, lines: LineLog, path: Path) -> None:
        """Write the file from the lines."""

    def start(self, mark: Mark | None) -> None:
        """Open the file of lines, cut back to the mark."""
        self._lines.start(mark)

    def write(self, result: FrameResult) -> None:
        """Append the line of one frame."""
        self._lines.add(self.line(result))

    def commit(self) -> Mark:
        """Wait for the disk to have the lines."""
        return self._lines.commit()

    def finish(self, complete: bool) -> list[Path]:
        """Build the file; it appears in one step when it is whole."""
        del complete
        self._lines.end()
        # In one step: whoever watches the folder never sees half a file.
        with writing(self._target), replacing(self._target) as temporary:
            self.build(self._lines, temporary)
        return [self._target]

    def close(self) -> None:
        """Close the file of lines."""
        self._lines.close()
