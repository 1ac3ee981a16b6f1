"""Pictures in files as a video: a folder, a pattern, or a single picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.sources.base import DEFAULT_RATE, BadFrames, ReadReport, Tally, check_index, count
from rvsam_video.sources.part import WHOLE, ClipPart, nothing_there
from rvsam_video.sources.picture_reading import depth_of, load_picture


class ImageSequence(ClosesItself):
    """Pictures as a video of 25 frames per second, or as many as are asked for.

    The index of a frame is the place of its file in the order, so a broken picture that is
    passed over leaves a gap. Transparency is left out. Pictures of more than 8 bits are brought to
    8 by the bits that they use: the same for all, decided by a few of them, and said in the report.
    The orientation that a camera wrote into the picture is applied.

    Args:
        paths: the pictures in order, at least one.
        name: what to call the sequence.
        fps: frames per second; None takes 25.
        notes: sentences for the report of how the pictures were chosen.
        on_bad_frame: what to do with a picture that cannot be read.
        start: index of the first frame to give.
        part: which pictures count.

    Raises:
        SourceError: if there is no picture that can be read.
    """

    live = False

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        *,
        fps: float | None = None,
        notes: Sequence[str] = (),
        on_bad_frame: BadFrames = "skip",
        start: int = 0,
        part: ClipPart = WHOLE,
    ) -> None:
        self._rate, self._notes = fps or DEFAULT_RATE, notes
        self._depth = depth_of(paths)
        self._paths, self._start, self._stop = paths, start, on_bad_frame == "stop"
        self._wanted = part.indices(len(paths), self._rate)
        if not self._wanted:
            raise nothing_there(name, part)
        self.name = name
        self.frame_count = len(self._wanted)
        self.counted = part.whole
        self._tally = self._new_tally()
        self._closed = False
        self.size = self._first_size()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of the pictures, by frame index."""
        return tuple(self._paths)

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
        for index in self._wanted:
            if index < self._start:
                continue
            frame = self._read(index, tally)
            if frame is not None:
                tally.frames += 1
                yield frame
            elif self._stop:
                tally.stopped = True
                return

    def falling(self, last: int) -> Iterator[Frame]:
        """Read the pictures backward, the same as iteration gives at these indices.

        Args:
            last: index of the first frame to give; a shorter sequence begins with its end.

        Raises:
            SourceError: as iteration.
        """
        tally = self._new_tally()
        for index in reversed(self._wanted):
            if index <= last and (frame := self._read(index, tally)) is not None:
                yield frame

    def frame_at(self, index: int) -> Frame:
        """Read one picture, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no picture with this index.
            SourceError: if it cannot be read, or has another size than the first.
        """
        check_index(index, len(self._paths), self.name)
        # One of its own: looking at a single picture is no reading of the sequence.
        tally = self._new_tally()
        frame = self._read(index, tally)
        if frame is None:
            raise SourceError(f"{tally.notes[-1]}; replace the file")
        return frame

    def close(self) -> None:
        """Refuse any further reading; no file is open between two frames."""
        self._closed = True

    def _new_tally(self) -> Tally:
        tally = Tally("picture", len(self._paths))
        for note in (*self._notes, self._depth.note()):
            if note is not None:
                tally.note(note)
        return tally

    def _first_size(self) -> tuple[int, int]:
        for path in self._paths:
            image = load_picture(path, self._tally, self._depth)
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
        image = load_picture(self._paths[index], tally, self._depth)
        if image is None:
            return None
        frame = Frame(index, index / self._rate, image)
        # Raised, not scaled as in videos: such a folder holds more than one clip.
        if frame.size != self.size:
            (width, height), (first_width, first_height) = frame.size, self.size
            msg = (
                f"{self._paths[index]} is {width}x{height} pixels, but the first picture of "
                f"{self.name} is {first_width}x{first_height}; bring all to one size"
            )
            raise SourceError(msg)
        return frame
