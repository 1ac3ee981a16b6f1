"""Read a long JSON list one element at a time, so that memory does not grow with the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..errors import SourceError

_CHUNK = 1 << 23
"""Bytes read at a time; doubled while a single element does not fit."""

_SPACE = " \t\n\r"
_BEHIND = (",", "]", *_SPACE)
"""What may follow an element."""


def json_list(path: Path) -> Iterator[object]:
    """Yield the elements of a file that holds one JSON list.

    As Python writes and reads it, `Infinity`, `-Infinity` and `NaN` may stand for numbers.

    Raises:
        SourceError: if the file cannot be read or is no JSON list.
    """
    try:
        with path.open("rb") as file:
            yield from _Elements(file, path)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        msg = f"{path} cannot be read: {error.strerror}; check the path"
        raise SourceError(msg) from error


class _Elements:
    """The elements of the list in an open file, and the text that is still to be parsed."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        # Incremental: a chunk may end in the middle of a character.
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._decoder = json.JSONDecoder()
        self._text, self._at, self._count = "", 0, 0
        self._chunk, self._ended = _CHUNK, False

    def __iter__(self) -> Iterator[object]:
        if self._next_character() != "[":
            self._refuse("it must hold a JSON list, so its first character must be '['")
        self._at += 1
        if self._next_character() == "]":
            self._at += 1
        else:
            yield from self._elements()
        if self._next_character():
            self._refuse("more follows behind the end of the list")

    def _elements(self) -> Iterator[object]:
        while True:
            self._next_character()
            yield self._element()
            self._count += 1
            mark = self._next_character()
            self._at += 1
            if mark == "]":
                return
            if mark != ",":
                self._refuse(f"',' or ']' must follow element {self._count - 1}")

    def _element(self) -> object:
        while True:
            try:
                element, end = self._decoder.raw_decode(self._text, self._at)
            # Cut off or wrong cannot be told apart before the end of the file, so more is read
            # first.
            except (ValueError, RecursionError) as error:
                if not self._read_more():
                    self._refuse(f"element {self._count} is damaged or cut off ({error})")
                continue
            # What ends where the chunk does, or in the middle of a number, may go on in the next.
            if self._text[end : end + 1] in _BEHIND or not self._read_more():
                self._at = end
                # Back to normal after an element that was longer.
                self._chunk = _CHUNK
                return element

    def _next_character(self) -> str:
        """Go to the next character that is no white space; "" at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def _read_more(self) -> bool:
        """Read another chunk and forget what is behind; False at the end of the file."""
        if self._ended:
            return False
        data = self._file.read(self._chunk)
        self._ended = not data
        try:
            more = self._utf8.decode(data, final=self._ended)
        except UnicodeDecodeError:
            self._refuse("it is not UTF-8 text")
        # What has been yielded goes, so that the text holds one element and a chunk.
        self._text, self._at = self._text[self._at :] + more, 0
        # Doubling keeps the time linear: the element is parsed from its start after each reading.
        self._chunk *= 2
        return not self._ended

    def _refuse(self, reason: str) -> NoReturn:
        msg = f"{self._path} cannot be used: {reason}"
        raise SourceError(msg)
