"""One PNG file a frame: masks as DAVIS and YouTube-VOS keep them, or the objects cut out."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path

from PIL import Image

from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.colours import davis_palette
from rvsam_video.sinks.names import CUTOUT_FOLDER, MASK_FOLDER
from rvsam_video.writing import replacing, sync_file, sync_folder, temporary_name, writing

# Index maps are flat: run lengths alone give files as small as zlib's default, in half the time.
_COMPRESSION = zlib.Z_RLE


@cache
def _palette_bytes() -> bytes:
    return davis_palette().tobytes()


class PictureFolder(ABC):
    """Writes one picture a frame into a folder, each in one step.

    Args:
        folder: for the pictures.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        self._folder = folder
        self._stem = context.mask_stem
        self._next = 0
        self._unsynced: list[Path] = []

    @abstractmethod
    def picture(self, result: FrameResult) -> Image.Image:
        """Make the picture of one frame."""

    def start(self, mark: Mark | None) -> None:
        """Make the folder; remove pictures of frames behind the mark."""
        self._next = mark["next_frame"] if mark else 0
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            # Of a run that was killed while it wrote one.
            for leftover in self._folder.glob(temporary_name("*.png")):
                leftover.unlink()
            self._remove_from(self._next)

    def _remove_from(self, index: int) -> None:
        path = self._path(index)
        # Up to the first gap: what stands further on is written over when its frame comes.
        while path is not None and path.exists():
            path.unlink()
            index += 1
            path = self._path(index)

    def _path(self, index: int) -> Path | None:
        """Return the file of a frame; None behind the end of a naming by list."""
        try:
            return self._folder / f"{self._stem(index)}.png"
        except IndexError:
            return None

    def write(self, result: FrameResult) -> None:
        """Write one file in one step."""
        path = self._folder / f"{self._stem(result.index)}.png"
        picture = self.picture(result)
        # Not waited for one by one: the disk is slow to promise, so a whole checkpoint waits at
        # once.
        with replacing(path, durable=False) as temporary:
            picture.save(temporary, format="PNG", compress_type=_COMPRESSION)
        self._unsynced.append(path)
        self._next = int(result.index) + 1

    def commit(self) -> Mark:
        """Wait for the disk to have the files written since the last commit."""
        with writing(self._folder):
            # Contents first, then the folder's names for them.
            for path in self._unsynced:
                sync_file(path)
            sync_folder(self._folder)
        self._unsynced.clear()
        return {"next_frame": self._next}

    def finish(self, complete: bool) -> list[Path]:
        """Return the folder; every file in it is final already."""
        del complete
        return [self._folder]

    def close(self) -> None:  # noqa: B027 (nothing to do is right for every kind)
        """Nothing is open between frames."""


class MaskSink(PictureFolder):
    """Writes `masks/00000.png`: mode P, the palette index of a pixel is its object id.

    Args:
        folder: the run folder.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder / MASK_FOLDER, context)

    def picture(self, result: FrameResult) -> Image.Image:
        """Return the index map with its palette."""
        # Mode L becomes P with its palette; the pixels stay the object ids.
        picture = Image.fromarray(result.index_map())
        picture.putpalette(_palette_bytes())
        return picture


class CutoutPngSink(PictureFolder):
    """Writes `cutouts/00000.png`: RGBA, all but the objects' pixels transparent (and black).

    Args:
        folder: the run folder.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder / CUTOUT_FOLDER, context)

    def picture(self, result: FrameResult) -> Image.Image:
        """Return the frame with everything but the objects transparent."""
        return Image.fromarray(result.cut_out())
