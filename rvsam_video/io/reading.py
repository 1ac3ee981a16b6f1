"""One pass over a video, from its opening to its end."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from av.error import FFmpegError
from av.video.frame import VideoFrame

from rvsam_video.errors import SourceError
from rvsam_video.io.conversion import displayed_size
from rvsam_video.io.decoding import Decoder
from rvsam_video.io.opening import lost, open_container, video_stream
from rvsam_video.io.place import Place
from rvsam_video.io.tally import Tally


class Reading:
    """An iterator over the decoded pictures of a video.

    The first picture is decoded at once, so that everything that keeps a video from being read
    comes out when it is opened.

    Args:
        place: where the video comes from.
        stop: end at the first damage.

    Attributes:
        tally: the account of this pass.
        size: (width, height) of the first picture in pixels, as displayed.
        endless: whether the video does not say when it will end, as a live stream.
        ended: whether all pictures were taken, or the video was lost.

    Raises:
        SourceError: if it cannot be opened, or not one frame can be decoded.
    """

    def __init__(self, place: Place, *, stop: bool) -> None:
        self._place = place
        self._container = open_container(place)
        # Closing a container in which another thread reads would end in freed memory.
        self._lock = Lock()
        self._closed = self.ended = False
        self._index = -1
        try:
            stream = video_stream(self._container, place.name)
            decoder = Decoder(self._container, stream, stop=stop, path=place.path)
            self.tally = decoder.tally
            self._pictures = decoder.pictures()
            first = self._next()
        except BaseException:
            self.close()
            raise
        self.endless = not self._container.duration
        if first is None:
            self.close()
            raise SourceError(_nothing_in(place.name, self.tally))
        self._first: tuple[float, VideoFrame] | None = first
        self.size = displayed_size(first[1])

    def __iter__(self) -> Iterator[tuple[int, float, VideoFrame]]:
        """Return the reading itself."""
        return self

    def __next__(self) -> tuple[int, float, VideoFrame]:
        """Return the index, time in seconds and decoded picture of the next frame.

        Raises:
            SourceError: if the reading was closed, or the disk or connection fails.
        """
        with self._lock:
            first, self._first = self._first, None
            item = first if first is not None and not self._closed else self._next()
        if item is None:
            raise StopIteration
        self._index += 1
        return self._index, *item

    def _next(self) -> tuple[float, VideoFrame] | None:
        if self._closed:
            msg = f"{self._place.name} was closed; open it again to read it"
            raise SourceError(msg)
        try:
            item = next(self._pictures, None)
        except FFmpegError as error:
            self.ended = True
            raise lost(self._place, self.tally.frames, error) from error
        self.ended = item is None
        return item

    def close(self) -> None:
        """Close the file or connection, as soon as no other thread reads from it."""
        with self._lock:
            self._closed = True
            self._container.close()


def _nothing_in(name: str, tally: Tally) -> str:
    if tally.stopped:
        return (
            f"{name} is damaged before its first whole frame; "
            "copy it again, or pass over bad frames instead of stopping at them"
        )
    if tally.bad:
        return f"no frame of {name} can be decoded, all of it is damaged; copy it again"
    return f"{name} holds no frames; copy or record it again"
