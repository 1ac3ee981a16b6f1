"""Files of a run, as one file or as a ZIP archive, in pieces that never fill the memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 18
_STORED = {".mp4", ".mov", ".png", ".npz", ".jpg"}
"""Compressed already; a second time only costs time."""


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file piece by piece."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK), b"")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: in the archive.
        path: the file.
        content: what to put there instead of the file's own content, or None.
    """

    name: str
    path: Path
    content: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the content piece by piece."""
        return file_chunks(self.path) if self.content is None else iter([self.content])


def zip_chunks(entries: Sequence[Entry]) -> Iterator[bytes]:
    """Yield a ZIP archive of files, while it is being made.

    Args:
        entries: the files.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w") as archive:
        for item in entries:
            path = item.path
            kind = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
            # With the file's own date and size, as if it had been added whole.
            info = zipfile.ZipInfo.from_file(path, item.name)
            info.compress_type = kind
            # The size must be settled before the entry begins, and videos can be larger than 2 GiB.
            with archive.open(info, "w", force_zip64=True) as entry:
                for chunk in item.chunks():
                    entry.write(chunk)
                    # After each chunk: the archive is never whole in memory or on disk.
                    yield from pieces.take()
            yield from pieces.take()
    yield from pieces.take()


class _Pieces(io.RawIOBase, BinaryIO):
    """A file that cannot be gone back in, whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held.append(bytes(data))
        return len(data)

    def take(self) -> list[bytes]:
        held, self._held = self._held, []
        return held
