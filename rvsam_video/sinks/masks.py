"""One picture a frame: masks as DAVIS and YouTube-VOS keep them, objects cut out, the frames."""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image

from rvsam_video.errors import OutputError
from rvsam_video.palette import davis_palette
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.names import (
    CUTOUT_FOLDER,
    FRAME_FOLDER,
    MASK_FOLDER,
    PARTS_FOLDER,
    PICTURE_LOG,
    picture_names,
)
from rvsam_video.writing import (
    AppendFile,
    refuse_link,
    replacing,
    sync_file,
    sync_folder,
    temporary_name,
    writing,
)

# Index maps are flat: run lengths alone give files as small as zlib's default, in half the time.
_COMPRESSION = zlib.Z_RLE


@cache
def _palette_bytes() -> bytes:
    return davis_palette().tobytes()


class PictureFolder(ABC):
    """Writes one picture a frame into a folder, each in one step.

    The name of each goes into `.parts/FOLDER.names` before the picture is written, so that a run
    knows which files are its own, and which of them are gone.

    Args:
        folder: the run folder.
        name: of the folder for the pictures in it.
        file_name: frame index to file name.
    """

    def __init__(self, folder: Path, name: str, file_name: Callable[[int], str]) -> None:
        self._folder = folder / name
        self._file_name = file_name
        self._log = AppendFile(folder / PARTS_FOLDER / f"{name}{PICTURE_LOG}")
        self._unsynced: list[Path] = []

    @abstractmethod
    def save(self, result: FrameResult, path: Path) -> None:
        """Write the picture of one frame to a path whose ending says nothing."""

    def start(self, mark: Mark | None) -> None:
        """Make the folder; remove the pictures that were written behind the mark.

        Raises:
            OutputError: if pictures before the mark are gone, or the folder cannot be written.
        """
        size = mark["names"] if mark is not None else 0
        refuse_link(self._folder)
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._log.path.parent.mkdir(parents=True, exist_ok=True)
            logged = self._log.path.read_bytes() if self._log.path.is_file() else b""
            for name in picture_names(logged[size:]):
                (self._folder / name).unlink(missing_ok=True)
                # Of a run that was killed while it wrote one.
                (self._folder / temporary_name(name)).unlink(missing_ok=True)
        self._log.open(size)
        self._refuse_gaps(picture_names(logged[:size]))

    def _refuse_gaps(self, names: list[str]) -> None:
        """Refuse to go on behind pictures that somebody removed."""
        there = {path.name for path in self._folder.iterdir()}
        gone = [name for name in names if name not in there]
        if gone:
            msg = (
                f"{len(gone)} of the {len(names)} pictures that this run had written to "
                f"{self._folder} are gone, the first is {gone[0]}; put them back, or use "
                "--overwrite to start again"
            )
            raise OutputError(msg)

    def write(self, result: FrameResult) -> None:
        """Write one file in one step."""
        name = self._file_name(result.index)
        self._log.write(os.fsencode(name) + b"\0")
        # Handed to the system before the picture: a kill leaves no picture that nobody knows of.
        self._log.flush()
        path = self._folder / name
        # Not waited for one by one: the disk is slow to promise, so a whole checkpoint waits at
        # once.
        with replacing(path, durable=False) as temporary:
            self.save(result, temporary)
        self._unsynced.append(path)

    def commit(self) -> Mark:
        """Wait for the disk to have the files written since the last commit."""
        with writing(self._folder):
            # Contents first, then the folder's names for them.
            for path in self._unsynced:
                sync_file(path)
            sync_folder(self._folder)
        self._unsynced.clear()
        return {"names": self._log.sync()}

    def finish(self, complete: bool) -> list[Path]:
        """Return the folder; every file in it is final already."""
        del complete
        self._log.flush()
        self._log.close()
        return [self._folder]

    def close(self) -> None:
        """Close the list of names."""
        self._log.close()


class MaskSink(PictureFolder):
    """Writes `masks/00000.png`: mode P, the palette index of a pixel is its object id.

    Args:
        folder: the run folder.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, MASK_FOLDER, lambda index: f"{context.mask_stem(index)}.png")

    def save(self, result: FrameResult, path: Path) -> None:
        """Write the index map with its palette."""
        # Mode L becomes P with its palette; the pixels stay the object ids.
        picture = Image.fromarray(result.index_map())
        picture.putpalette(_palette_bytes())
        _save_png(picture, path)


class CutoutPngSink(PictureFolder):
    """Writes `cutouts/00000.png`: RGBA, all but the objects' pixels transparent (and black).

    Args:
        folder: the run folder.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, CUTOUT_FOLDER, lambda index: f"{context.mask_stem(index)}.png")

    def save(self, result: FrameResult, path: Path) -> None:
        """Write the frame with everything but the objects transparent."""
        _save_png(Image.fromarray(result.cut_out()), path)


class FramesSink(PictureFolder):
    """Writes `frames/00000.jpg`: the frames as they were tracked, by their names in `coco.json`.

    Args:
        folder: the run folder.
        context: names the files.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, FRAME_FOLDER, context.picture_name)

    def save(self, result: FrameResult, path: Path) -> None:
        """Write the frame in the format that its name stands for."""
        kind = Image.registered_extensions()[Path(self._file_name(result.index)).suffix.lower()]
        # Hardly visible losses; colours are kept at full size, since edges are what is labelled.
        options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
        Image.fromarray(result.image).save(path, format=kind, **options)


def _save_png(picture: Image.Image, path: Path) -> None:
    picture.save(path, format="PNG", compress_type=_COMPRESSION)
