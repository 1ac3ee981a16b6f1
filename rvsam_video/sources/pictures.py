"""Pictures in files as a video: a folder, a pattern, or a single picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame, Image
from rvsam_video.sources.base import DEFAULT_RATE, BadFrames, ReadReport, Tally, count

MOST_NAMED = 5
"""Broken pictures that the report names one by one; a broken disk may have thousands."""

_UNREADABLE = (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError)
"""What Pillow raises for a broken picture, depending on its format."""


class ImageSequence(ClosesItself):
    """Pictures as a video of 25 frames per second.

    The index of a frame is the place of its file in the order, so a broken picture that is
    passed over leaves a gap. Transparency is left out; greyscale of 16 bits is cut to 8; the
    orientation that a camera wrote into the picture is applied.

    Args:
        paths: the pictures in order, at least one.
        name: what to call the sequence.
        on_bad_frame: what to do with a picture that cannot be read.
        start: index of the first frame to give.

    Raises:
        SourceError: if there is no picture that can be read.
    """

    live = False

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        *,
        on_bad_frame: BadFrames = "skip",
        start: int = 0,
    ) -> None:
        self._paths, self._start, self._stop = paths, start, on_bad_frame == "stop"
        self.name = name
        self.frame_count = len(paths)
        self._tally = self._new_tally()
        self._closed = False
        self.size = self._first_size()

    @property
    def stems(self) -> tuple[str, ...]:
        """File names of the pictures without their endings, by frame index."""
        return tuple(path.stem for path in self._paths)

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Read the pictures in order, those before `start` excepted.

        Raises:
            SourceError: if a picture has another size than the first, or after `close`.
        """
        # A new account for each reading, or broken pictures would be counted again and again.
        tally = self._tally = self._new_tally()
        tally.frames = min(self._start, len(self._paths))
        for index in range(self._start, len(self._paths)):
            frame = self._read(index, tally)
            if frame is not None:
                tally.frames += 1
                yield frame
            elif self._stop:
                tally.stopped = True
                return

    def frame_at(self, index: int) -> Frame:
        """Read one picture, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no picture with this index.
            SourceError: if it cannot be read, or has another size than the first.
        """
        if not 0 <= index < len(self._paths):
            msg = f"{self.name} has frames 0 to {len(self._paths) - 1}, not {index}"
            raise IndexError(msg)
        # One of its own: looking at a single picture is no reading of the sequence.
        tally = self._new_tally()
        frame = self._read(index, tally)
        if frame is None:
            raise SourceError(f"{tally.notes[0]}; replace the file")
        return frame

    def close(self) -> None:
        """Refuse any further reading; no file is open between two frames."""
        self._closed = True

    def _new_tally(self) -> Tally:
        return Tally("picture", len(self._paths))

    def _first_size(self) -> tuple[int, int]:
        for path in self._paths:
            image = _load(path, self._tally)
            if image is not None:
                height, width = image.shape[:2]
                return width, height
            # With `stop` the first picture must be whole: there is nothing before the damage.
            if self._stop:
                break
        reasons = "; ".join(self._tally.notes)
        what = f"{self._tally.bad} of {count(len(self._paths), 'picture')} tried"
        raise SourceError(f"{self.name} cannot be read, {what}: {reasons}; replace them")

    def _read(self, index: int, tally: Tally) -> Frame | None:
        if self._closed:
            raise SourceError(f"{self.name} was closed; open it again to read it")
        image = _load(self._paths[index], tally)
        if image is None:
            return None
        frame = Frame(index, index / DEFAULT_RATE, image)
        # Raised, not scaled as in videos: such a folder holds more than one clip.
        if frame.size != self.size:
            (width, height), (first_width, first_height) = frame.size, self.size
            msg = (
                f"{self._paths[index]} is {width}x{height} pixels, but the first picture of "
                f"{self.name} is {first_width}x{first_height}; bring all to one size"
            )
            raise SourceError(msg)
        return frame


def _load(path: Path, tally: Tally) -> Image | None:
    """Read one picture as (H, W, 3) uint8 RGB; None, and a note in `tally`, if that fails."""
    try:
        return decode_picture(path, str(path))
    except SourceError as error:
        tally.bad += 1
        if tally.bad <= MOST_NAMED:
            tally.note(str(error))
        return None


def decode_picture(file: Path | BinaryIO, name: str) -> Image:
    """Read one picture as (H, W, 3) uint8 RGB, upright.

    Args:
        file: its path, or its bytes.
        name: what to call it in messages.

    Raises:
        SourceError: if it is damaged, or no picture.
    """
    try:
        with PillowImage.open(file) as picture:
            return _to_rgb(picture)
    except _UNREADABLE as error:
        raise SourceError(f"{name} cannot be read ({_reason(error)})") from error


def _to_rgb(picture: PillowImage.Image) -> Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "F":
        msg = "its pixels are floating-point numbers; convert it to 8 bits"
        raise ValueError(msg)
    if upright.mode.startswith("I"):
        # Pillow would cut values above 255 off instead of scaling them.
        grey = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(upright.convert("RGB"), np.uint8)


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture, or its beginning is damaged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).lower()
