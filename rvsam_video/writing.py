"""Writing that survives: clear errors, atomic replacement, files that can be cut back to a mark."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rvsam_video.errors import OutputError

_DISK_FULL = "the disk is full; free some space and run the same command again to go on"
_NO_PERMISSION = "no permission to write there; choose another folder with --out"
_NOT_A_FOLDER = "a file stands where a folder is needed; choose another folder with --out"

_REASONS = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "the file grew larger than this system allows; choose another folder with --out",
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: "the disk is read-only; choose another folder with --out",
    errno.ENOTDIR: _NOT_A_FOLDER,
    errno.EEXIST: _NOT_A_FOLDER,
    errno.EISDIR: "a folder stands where a file is needed; choose another folder with --out",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one with --out",
    errno.ELOOP: "a link stands there, which is not followed; remove it, or choose another folder "
    "with --out",
}


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the error for people that says why `path` cannot be written."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return OutputError(f"cannot write {path}: {reason}")


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link where a file or folder of our own belongs.

    Whoever can write into a results folder could otherwise make us write anywhere.

    Raises:
        OutputError: if the path is a symbolic link.
    """
    if path.is_symlink():
        raise output_error(path, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))


def temporary_name(name: str) -> str:
    """Return what a file, or pattern of files, is called until it is whole."""
    return f".{name}.tmp"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into an `OutputError` of one sentence about `path`.

    Raises:
        OutputError: in place of the `OSError`.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it.

    Yields the path of a temporary file in the same folder, for the block to write. When the block
    ends it takes the place of `path` in one step; when it fails the temporary file is removed.

    Args:
        path: the file to make or replace.
        durable: also wait until the disk has it, so that it outlives a power cut.

    Raises:
        OutputError: if the file cannot be written.
    """
    temporary = path.with_name(temporary_name(path.name))
    with writing(path):
        # The name is ours alone, so what stands there is left from a kill, or planted.
        if temporary.is_symlink():
            temporary.unlink()
        try:
            yield temporary
            if durable:
                sync_file(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the disk has the file's content."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has the folder's names, where the system can do so."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems cannot sync folders; the files themselves were synced.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class AppendFile:
    """A file that only grows, and can be cut back to a size it had before.

    Args:
        path: the file; its folder must exist when `open` is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file: BinaryIO | None = None

    def open(self, size: int = 0) -> None:
        """Begin anew (`size` 0), or go on behind the first `size` bytes; the rest is cut off.

        Raises:
            OutputError: if the file is missing, shorter than `size`, or cannot be written.
        """
        with writing(self.path):
            refuse_link(self.path)
            if size == 0:
                self._file = self.path.open("wb")
            else:
                self._file = self._cut(size)
        self.size = size

    def _cut(self, size: int) -> BinaryIO:
        present = self.path.stat().st_size if self.path.is_file() else 0
        # Below zero only if somebody changed the mark.
        if not 0 <= size <= present:
            msg = (
                f"cannot go on with {self.path}: it holds {present} bytes, but {size} had been "
                "written; use --overwrite to start again"
            )
            raise OutputError(msg)
        file = self.path.open("r+b")
        file.truncate(size)
        file.seek(size)
        return file

    def write(self, data: bytes) -> None:
        """Append `data`; may be buffered until `sync`.

        Raises:
            OutputError: if it cannot be written.
        """
        with writing(self.path):
            self._opened().write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Hand everything to the system, so that other readers of the file see it.

        Raises:
            OutputError: if it cannot be written.
        """
        with writing(self.path):
            self._opened().flush()

    def sync(self) -> int:
        """Wait until the disk has everything; return the file's size in bytes.

        Raises:
            OutputError: if it cannot be written.
        """
        with writing(self.path):
            file = self._opened()
            file.flush()
            os.fsync(file.fileno())
        return self.size

    def close(self) -> None:
        """Close the file; what was not flushed may be lost. Can be called twice."""
        file, self._file = self._file, None
        if file is not None:
            # A flush that failed before fails again here; its error was raised then.
            with suppress(OSError):
                file.close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            msg = f"{self.path} is not open"
            raise ValueError(msg)
        return self._file
