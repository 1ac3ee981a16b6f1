"""Video files that are known to break readers, each with the truth about its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from numbered_clips import FRAMES, RATE, Image, Recipe, encode, uneven_stamps

LONG = 200
"""Frames of the clips that are damaged afterwards, so that much is left around the damage."""

MATRICES = {
    "rotated 90": (0, -1, 1, 0),
    "rotated 180": (-1, 0, 0, -1),
    "rotated 270": (0, 1, -1, 0),
    "mirrored": (-1, 0, 0, 1),
    "mirrored and rotated 90": (0, 1, 1, 0),
}
"""Display matrices (a, b, c, d): a stored point (x, y) is shown at (ax + cy, bx + dy)."""


def turned(path: Path, matrix: tuple[int, int, int, int]) -> list[int]:
    """Write an MP4 that is stored turned, and says so in the matrix of its track header."""

    def store(image: Image) -> Image:
        a, b, c, d = matrix
        # The inverse of what a viewer does.
        if a == 0:
            return image[::b, ::c].swapaxes(0, 1)
        return image[::d, ::a]

    numbers = encode(path, Recipe(size=(240, 320), stored=store))
    data = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: in version 0 the matrix stands 40 bytes behind the name of the box.
    start = data.index(b"tkhd") + 44
    for place, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[start + place : start + place + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return numbers


def packets(path: Path) -> Iterator[tuple[int, int, int]]:
    """Give (begin, end, number) of every packet in a file with one frame per 1/30 s."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        first = stream.start_time or 0
        for packet in container.demux(stream):
            if packet.size:
                seconds = float((packet.pts - first) * packet.time_base)
                yield packet.pos, packet.pos + packet.size, round(seconds * RATE)


def cut(path: Path, recipe: Recipe, share: float = 0.6) -> list[int]:
    """Write a clip and keep the first `share` of its bytes; return the frames that are whole."""
    encode(path, recipe)
    kept = int(path.stat().st_size * share)
    whole = sorted(number for _, end, number in packets(path) if end <= kept)
    path.write_bytes(path.read_bytes()[:kept])
    return whole


def blank(path: Path, recipe: Recipe, begin: float = 0.45, share: float = 0.1) -> list[int]:
    """Write a clip and fill a tenth of it with zeros; return the frames that are whole."""
    encode(path, recipe)
    data = bytearray(path.read_bytes())
    start, stop = int(len(data) * begin), int(len(data) * (begin + share))
    whole = [number for first, end, number in packets(path) if end <= start or first >= stop]
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    return sorted(whole)


def speckle(path: Path, recipe: Recipe, count: int = 30) -> list[int]:
    """Write a clip and overwrite `count` places of 4 bytes; every frame can still be found."""
    numbers = encode(path, recipe)
    data, chance = bytearray(path.read_bytes()), np.random.default_rng(3)
    begin = next(packets(path))[0]
    for _ in range(count):
        # Inside the pictures: a broken index is another matter.
        place = int(chance.integers(begin + 2000, len(data) - 8000))
        data[place : place + 4] = chance.bytes(4)
    path.write_bytes(data)
    return numbers


def sound(path: Path, seconds: float = 1.0) -> list[int]:
    """Write a file that holds sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, int(44100 * seconds)), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return []


def content(data: bytes) -> Callable[[Path], list[int]]:
    """Return a maker of a file with exactly these bytes, which are no video."""

    def make(path: Path) -> list[int]:
        path.write_bytes(data)
        return []

    return make


def joined(path: Path) -> list[int]:
    """Write two recordings into one MPEG-TS: in the middle the size doubles, the clock restarts."""
    second = path.with_suffix(".second.ts")
    numbers = encode(path, Recipe())
    numbers += encode(second, Recipe(stored=lambda image: image.repeat(2, 0).repeat(2, 1)))
    with path.open("ab") as file:
        file.write(second.read_bytes())
    second.unlink()
    return numbers


@dataclass(frozen=True)
class Clip:
    """One hostile file.

    Attributes:
        file: its name.
        make: writes it to a path, and returns the numbers of the frames that are whole in it;
            none if it is no video, None if it does not exist.
    """

    file: str
    make: Callable[[Path], list[int]] | None


def _plain(**changes: object) -> Callable[[Path], list[int]]:
    return partial(encode, recipe=replace(Recipe(), **changes))  # type: ignore[arg-type]


_FASTSTART = {"movflags": "faststart"}
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "g": "20"}
_HEVC = {"preset": "ultrafast", "x265-params": "log-level=none"}
_AV1 = {"preset": "9", "crf": "20", "g": "20"}

_LONG = Recipe(numbers=range(LONG))
_INDEX_FIRST = replace(_LONG, container=_FASTSTART)
_LONG_VP9 = replace(_LONG, codec="libvpx-vp9", options=_VP9)
_LONG_AV1 = replace(_INDEX_FIRST, codec="libsvtav1", options=_AV1)
_LONG_MJPEG = replace(_LONG, codec="mjpeg", pixels="yuvj420p", options={})


def _edit_list(path: Path) -> list[int]:
    """Write 30 frames of which an edit list cuts the first three away."""
    numbers = encode(path, Recipe(numbers=range(30), stamps=range(-3, 27)))
    return numbers[3:]


CLIPS: dict[str, Clip] = {
    "mp4 H.264": Clip("plain.mp4", _plain()),
    "mkv H.264": Clip("plain.mkv", _plain()),
    "webm VP9": Clip("plain.webm", _plain(codec="libvpx-vp9", options=_VP9)),
    "mp4 AV1": Clip("av1.mp4", _plain(codec="libsvtav1", options=_AV1)),
    "MPEG-TS": Clip("plain.ts", _plain()),
    "GIF": Clip("plain.gif", _plain(codec="gif", pixels="rgb8", options={})),
    "avi MJPEG": Clip("plain.avi", _plain(codec="mjpeg", pixels="yuvj420p", options={})),
    "mp4 HEVC 10 bit": Clip(
        "ten_bit.mp4", _plain(codec="libx265", pixels="yuv420p10le", options=_HEVC)
    ),
    "odd size 321x241": Clip("odd.webm", _plain(codec="libvpx-vp9", options=_VP9, size=(321, 241))),
    "transparent": Clip("alpha.mov", _plain(codec="png", pixels="rgba", options={})),
    "greyscale": Clip("grey.mkv", _plain(codec="ffv1", pixels="gray", options={})),
    "fragmented mp4": Clip("fragments.mp4", _plain(container=_FRAGMENTS)),
    "variable frame rate mp4": Clip(
        "uneven.mp4", _plain(stamps=uneven_stamps(), unit=Fraction(1, 90000))
    ),
    "variable frame rate avi": Clip(
        "uneven.avi",
        _plain(codec="mjpeg", pixels="yuvj420p", options={}, stamps=range(0, 3 * FRAMES, 3)),
    ),
    "edit list, 3 of 30 cut": Clip("edit.mp4", _edit_list),
    "no time stamps": Clip("raw.h264", _plain()),
    "two recordings joined": Clip("joined.ts", joined),
    **{
        name: Clip(name.replace(" ", "_") + ".mp4", partial(turned, matrix=matrix))
        for name, matrix in MATRICES.items()
    },
    "cut off mp4, index first": Clip("cut_first.mp4", partial(cut, recipe=_INDEX_FIRST)),
    "cut off mp4, index last": Clip("cut_last.mp4", partial(cut, recipe=_LONG)),
    "cut off mp4 AV1": Clip("cut_av1.mp4", partial(cut, recipe=_LONG_AV1)),
    "cut off fragmented mp4": Clip(
        "cut_fragments.mp4", partial(cut, recipe=replace(_LONG, container=_FRAGMENTS))
    ),
    "cut off mkv": Clip("cut.mkv", partial(cut, recipe=_LONG)),
    "cut off webm": Clip("cut.webm", partial(cut, recipe=_LONG_VP9)),
    "cut off avi": Clip("cut.avi", partial(cut, recipe=_LONG_MJPEG)),
    "cut off MPEG-TS": Clip("cut.ts", partial(cut, recipe=_LONG)),
    "30 specks mp4": Clip("specks.mp4", partial(speckle, recipe=_INDEX_FIRST)),
    "10 % blank mp4": Clip("blank.mp4", partial(blank, recipe=_INDEX_FIRST)),
    "10 % blank mp4 AV1": Clip("blank_av1.mp4", partial(blank, recipe=_LONG_AV1)),
    "10 % blank mkv": Clip("blank.mkv", partial(blank, recipe=_LONG)),
    "10 % blank webm": Clip("blank.webm", partial(blank, recipe=_LONG_VP9)),
    "10 % blank avi": Clip("blank.avi", partial(blank, recipe=_LONG_MJPEG)),
    "10 % blank MPEG-TS": Clip("blank.ts", partial(blank, recipe=_LONG)),
    "empty": Clip("empty.mp4", content(b"")),
    "text": Clip("text.mp4", content(b"This is no video.\n" * 100)),
    "text.txt": Clip("text.txt", content(b"This is no video.\n" * 100)),
    "garbage": Clip("garbage.mp4", content(np.random.default_rng(1).bytes(100_000))),
    "missing": Clip("missing.mp4", None),
    "sound only": Clip("sound.m4a", sound),
}
