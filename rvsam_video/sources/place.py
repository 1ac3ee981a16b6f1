"""Where a video comes from: a file, a pipe, an address or standard input."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

from rvsam_video.errors import SourceError

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "srt", "rtp")

# At least two letters: one is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video comes from.

    Attributes:
        kind: a file, a pipe that can be read once, a network stream, or standard input.
        name: what to call it when talking to people; holds no password.
        target: path or address to open; empty for standard input.
        file: an open file that a program gave; of the kind "stdin", too, being read once.
    """

    kind: Literal["file", "pipe", "stream", "stdin"]
    name: str
    target: str = ""
    file: BinaryIO | None = None

    @property
    def path(self) -> Path | None:
        """The path if it is a regular file, else None."""
        return Path(self.target) if self.kind == "file" else None


STANDARD_INPUT = Place("stdin", "standard input")


def is_address(text: str) -> bool:
    """Whether a text begins like an address, as in `rtsp://`."""
    return _SCHEME.match(text) is not None


def address(text: str) -> Place:
    """Return the place of a network stream.

    Raises:
        SourceError: if it cannot be read in this way.
    """
    parts = urlsplit(text)
    if parts.scheme.lower() not in STREAM_SCHEMES:
        msg = (
            f"addresses that begin with {parts.scheme}:// cannot be read; "
            f"choose one of: {', '.join(STREAM_SCHEMES)}"
        )
        raise SourceError(msg)
    # User, password and the query, which may be a key, must not land in logs and run folders.
    # From the last @: a password may hold one.
    name = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return Place("stream", printable(name.geturl()), text)


def video_file(text: str) -> Place:
    """Return the place of a file, or of a pipe with a name.

    Raises:
        SourceError: if there is no such file, or it is empty.
    """
    path, name = Path(text), printable(text)
    if not path.exists():
        raise SourceError(f"there is no file {name}; check the path")
    regular = path.is_file()
    if regular and path.stat().st_size == 0:
        raise SourceError(f"{name} is empty (0 bytes); copy or record it again")
    # An absolute path cannot be mistaken for an address, whatever colons its name holds.
    return Place("file" if regular else "pipe", name, str(path.absolute()))


def printable(text: str) -> str:
    """Return a file name such that it can be printed, whatever bytes it is made of."""
    # Names of files need not be UTF-8 on Linux, but what is printed or written as JSON must be.
    return os.fsencode(text).decode("utf-8", "replace")
