"""`Stops`: places in a run that it can go back to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rvsam_video.runs.layout import stop_file
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.writing import replacing, writing

MOST_STOPS = 32
"""Files kept: each holds a frame or more. With more of them, older ones are thinned out."""

RECENT_STOPS = 8
"""Never thinned out: corrections are mostly made where one has just been."""


class Stops:
    """Checkpoints by the frame that comes next there, one file each.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PARTS_FOLDER

    def _frames(self) -> list[int]:
        # Exactly eight digits: temporary files have other names.
        pattern = stop_file(0).replace("0" * 8, "[0-9]" * 8)
        return sorted(int(path.stem.rpartition("-")[2]) for path in self._folder.glob(pattern))

    def _path(self, frame: int) -> Path:
        return self._folder / stop_file(frame)

    def keep(self, frame: int, checkpoint: Path) -> None:
        """Keep the checkpoint that was just made.

        Args:
            frame: index of the frame that comes next there.
            checkpoint: its file; it is never changed in place, so a second name is enough.

        Raises:
            OutputError: if it cannot be written.
        """
        with replacing(self._path(frame), durable=False) as temporary:
            try:
                # A second name of the same bytes: the checkpoint is replaced, never written into.
                os.link(checkpoint, temporary)
            except OSError:
                # Some file systems know no second names.
                shutil.copyfile(checkpoint, temporary)
        frames = self._frames()
        if len(frames) > MOST_STOPS:
            # Every second of the older ones, but never the first: going far back stays possible.
            self._remove(frames[1:-RECENT_STOPS:2])

    def back_to(self, frame: int) -> Path | None:
        """Return the last checkpoint before a frame, None if there is none; drop later ones.

        Args:
            frame: index of the frame that is to be still to come there.

        Raises:
            OutputError: if one cannot be removed.
        """
        frames = self._frames()
        # They tell of prompts that no longer hold.
        self._remove([stop for stop in frames if stop > frame])
        usable = [stop for stop in frames if stop <= frame]
        return self._path(usable[-1]) if usable else None

    def _remove(self, frames: list[int]) -> None:
        for frame in frames:
            with writing(self._path(frame)):
                self._path(frame).unlink(missing_ok=True)
