"""Many pictures in one file as a video: multi-page TIFF, animated WebP and PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image as PillowImage

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.picture_file import check_size, opened_picture
from rvsam_video.sources.base import DEFAULT_RATE, BadFrames, ReadReport, Tally, check_index
from rvsam_video.sources.part import WHOLE, ClipPart, PartCounter, nothing_there
from rvsam_video.sources.picture_reading import UNREADABLE, depth_of, note_broken, reason_of, to_rgb


class PictureStack(ClosesItself):
    """The pages or frames of one file, in order.

    Animations have times of their own. Pages of a TIFF come at `fps`; its smaller copies of pages
    are left out by whoever chooses the pages.

    Args:
        path: the file.
        pages: places of the pictures in the file, rising.
        name: what to call it.
        fps: frames per second, instead of the file's own times; None keeps those, and takes 25
            where there are none.
        on_bad_frame: what to do with a page that cannot be read.
        start: index of the first frame to give.
        part: which pages count.

    Raises:
        SourceError: if there is no page that can be read.
    """

    live = False

    def __init__(
        self,
        path: Path,
        pages: list[int],
        name: str,
        *,
        fps: float | None = None,
        on_bad_frame: BadFrames = "skip",
        start: int = 0,
        part: ClipPart = WHOLE,
    ) -> None:
        self._path, self._pages, self.name = path, pages, name
        self._fps, self._start, self._stop = fps, start, on_bad_frame == "stop"
        self._closed = False
        self._part, rate = part, fps or DEFAULT_RATE
        self.frame_count, self.counted = part.expected(len(pages), rate), part.whole
        self._depth = depth_of([path])
        self._tally = self._new_tally()
        self.size = self._first_size()

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Read the pages in order, those before `start` excepted.

        Raises:
            SourceError: if a page has another size than the first, or after `close`.
        """
        tally = self._tally = self._new_tally()
        tally.frames = min(self._start, len(self._pages))
        yield from self._frames(tally)

    def _frames(self, tally: Tally) -> Iterator[Frame]:
        now, counter = 0.0, PartCounter(self._part)
        # Opened once for all: animations are differences from frame to frame.
        with opened_picture(self._path) as picture:
            for index, page in enumerate(self._pages):
                if self._part.over(index, now):
                    break
                frame = self._read(picture, page, index, now, tally)
                wanted = counter.takes(index, now) and index >= self._start
                now += self._seconds(picture)
                if frame is None and self._stop:
                    tally.stopped = True
                    return
                if frame is not None and wanted:
                    tally.frames += 1
                    yield frame
        if counter.first is None and not self._part.whole:
            raise nothing_there(self.name, self._part)

    def frame_at(self, index: int) -> Frame:
        """Read one page, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no page with this index.
            SourceError: if it cannot be read, or has another size than the first.
        """
        check_index(index, len(self._pages), self.name)
        tally = self._new_tally()
        now = 0.0
        with opened_picture(self._path) as picture:
            if self._fps is None and picture.format != "TIFF":
                for page in self._pages[:index]:
                    picture.seek(page)
                    picture.load()
                    now += self._seconds(picture)
            else:
                now = index / (self._fps or DEFAULT_RATE)
            frame = self._read(picture, self._pages[index], index, now, tally)
        if frame is None:
            raise SourceError(f"{tally.notes[-1]}; replace the file")
        return frame

    def close(self) -> None:
        """Refuse any further reading; the file is open while it is iterated only."""
        self._closed = True

    def _new_tally(self) -> Tally:
        tally = Tally("picture", len(self._pages))
        if (note := self._depth.note()) is not None:
            tally.note(note)
        return tally

    def _first_size(self) -> tuple[int, int]:
        with opened_picture(self._path) as picture:
            for index, page in enumerate(self._pages):
                frame = self._read(picture, page, index, 0.0, self._tally)
                if frame is not None:
                    return frame.size
                if self._stop:
                    break
        raise SourceError(f"{self.name} cannot be read: {'; '.join(self._tally.notes)}")

    def _read(
        self, picture: PillowImage.Image, page: int, index: int, now: float, tally: Tally
    ) -> Frame | None:
        if self._closed:
            raise SourceError(f"{self.name} was closed; open it again to read it")
        try:
            picture.seek(page)
            check_size(picture)
            image = to_rgb(picture, self._path, self._depth)
        except UNREADABLE as error:
            note_broken(tally, f"picture {page} of {self.name} cannot be read ({reason_of(error)})")
            return None
        frame = Frame(index, now, image)
        if hasattr(self, "size") and frame.size != self.size:
            (width, height), (first_width, first_height) = frame.size, self.size
            msg = (
                f"picture {page} of {self.name} is {width}x{height} pixels, but the first is "
                f"{first_width}x{first_height}; save the pictures of one size to files of their own"
            )
            raise SourceError(msg)
        return frame

    def _seconds(self, picture: PillowImage.Image) -> float:
        """Return how long the page that was read is shown."""
        milliseconds = float(picture.info.get("duration") or 0)
        if self._fps is not None or milliseconds <= 0:
            return 1 / (self._fps or DEFAULT_RATE)
        return milliseconds / 1000
