"""`HeldMasks`: masks of frames that are to be tracked again, shown until they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from rvsam_video.writing import writing


class HeldMasks:
    """Second names of mask files, outside the run folder.

    Args:
        folder: where they are kept.
        mask_file: frame index to the file that a run writes.
    """

    def __init__(self, folder: Path, mask_file: Callable[[int], Path]) -> None:
        self._folder, self._mask_file = folder, mask_file

    def file(self, frame: int) -> Path:
        """Return where the masks of a frame are held, if they are."""
        return self._folder / f"{frame:08d}.png"

    def keep(self, start: int, end: int) -> None:
        """Hold the masks of frames that are about to be dropped.

        Args:
            start: the first frame.
            end: the frame behind the last.

        Raises:
            OutputError: if it cannot be written.
        """
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for frame in range(start, end):
                source = self._path(frame)
                if source is None or not source.is_file():
                    continue
                self.file(frame).unlink(missing_ok=True)
                try:
                    # Mask files are replaced, never written into, so a second name is enough.
                    os.link(source, self.file(frame))
                except OSError:
                    shutil.copyfile(source, self.file(frame))

    def _path(self, frame: int) -> Path | None:
        try:
            return self._mask_file(frame)
        # Behind the last picture of a folder, whose names are a list.
        except IndexError:
            return None

    @property
    def end(self) -> int:
        """The frame behind the last that is held; 0 if none is."""
        frames = [int(path.stem) for path in self._folder.glob("[0-9]" * 8 + ".png")]
        return max(frames, default=-1) + 1

    def clear(self) -> None:
        """Let go of all."""
        shutil.rmtree(self._folder, ignore_errors=True)
