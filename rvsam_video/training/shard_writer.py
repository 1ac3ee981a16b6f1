"""`ShardWriter`: one shard of a store while it grows, picture by picture."""

from __future__ import annotations

import json
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rvsam_video.closing import ClosesItself
from rvsam_video.training.store import (
    HEADER_BYTES,
    StoredEmbedding,
    StoreFacts,
    shard_path,
)
from rvsam_video.writing import AppendFile, replacing, sync_file, writing

_PART = ".npy.part"
_JOURNAL = ".jsonl.part"


def shard_is_whole(folder: Path, number: int) -> bool:
    """Whether a shard was finished."""
    # Written last.
    return shard_path(folder, number, ".json").is_file()


class ShardWriter(ClosesItself):
    """Adds pictures to a shard in order; a killed process loses none that was added.

    The array grows in a file of its own; a journal says which pictures are in it. Both get their
    names when the shard is whole.

    Args:
        folder: the store.
        number: of the shard.
        facts: what the store is of.

    Attributes:
        done: pictures that are there or were skipped.

    Raises:
        OutputError: if the files cannot be written.
    """

    def __init__(self, folder: Path, number: int, facts: StoreFacts) -> None:
        self._folder, self._number, self._facts = folder, number, facts
        whole, part = (shard_path(folder, number, suffix) for suffix in (".npy", _PART))
        # Already renamed if the process was killed in the middle of `finish`.
        self._array = AppendFile(whole if whole.is_file() else part)
        self._journal = AppendFile(shard_path(folder, number, _JOURNAL))
        self._entries = self._kept()
        self._array.open(HEADER_BYTES + self._rows * facts.record_bytes if self._entries else 0)
        self._journal.open(sum(map(len, map(_line, self._entries))))
        if not self._entries:
            # Filled in at the end, when the number of rows is known.
            self._array.write(bytes(HEADER_BYTES))
            self._array.flush()

    @property
    def done(self) -> int:
        """Pictures that are there or were skipped."""
        return len(self._entries)

    @property
    def _rows(self) -> int:
        return sum("skipped" not in entry for entry in self._entries)

    def add(self, name: str, size: tuple[int, int], embedding: StoredEmbedding) -> None:
        """Append a picture.

        Args:
            name: of the picture.
            size: width and height that it has in its square.
            embedding: of the store's shape.

        Raises:
            OutputError: if it cannot be written.
        """
        data = embedding.tobytes()
        self._array.write(data)
        # Before the journal speaks of it: else a kill between the two would leave a gap.
        self._array.flush()
        self._note({"name": name, "size": list(size), "crc": zlib.crc32(data)})

    def skip(self, name: str, reason: str) -> None:
        """Note a picture that cannot be read.

        Raises:
            OutputError: if it cannot be written.
        """
        self._note({"name": name, "skipped": reason})

    def finish(self) -> None:
        """Give the shard its name.

        Raises:
            OutputError: if it cannot be written.
        """
        self.close()
        path = shard_path(self._folder, self._number, ".npy")
        with writing(self._array.path):
            with self._array.path.open("r+b") as file:
                file.write(_header((self._rows, *self._facts.shape)))
            sync_file(self._array.path)
            self._array.path.replace(path)
        with replacing(shard_path(self._folder, self._number, ".json")) as temporary:
            text = json.dumps({"pictures": self._entries}, separators=(",", ":"))
            temporary.write_text(text, encoding="utf-8")
        with writing(self._journal.path):
            self._journal.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files; another writer can go on."""
        self._array.close()
        self._journal.close()

    def _note(self, entry: dict[str, Any]) -> None:
        self._journal.write(_line(entry))
        self._journal.flush()
        self._entries.append(entry)

    def _kept(self) -> list[dict[str, Any]]:
        """Return the entries of an earlier process whose embeddings are on the disk, unharmed."""
        if not self._journal.path.is_file() or not self._array.path.is_file():
            return []
        kept: list[dict[str, Any]] = []
        with writing(self._array.path), self._array.path.open("rb") as array:
            array.seek(HEADER_BYTES)
            for line in self._journal.path.read_bytes().splitlines(keepends=True):
                try:
                    entry = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    entry = None
                # After a power cut the journal may be ahead of the array.
                if entry is None or not self._is_there(entry, array):
                    break
                kept.append(entry)
        return kept

    def _is_there(self, entry: dict[str, Any], array: Any) -> bool:  # noqa: ANN401 (a file)
        if "skipped" in entry:
            return True
        return bool(zlib.crc32(array.read(self._facts.record_bytes)) == entry["crc"])


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _header(shape: tuple[int, ...]) -> bytes:
    """Return the 128 bytes that stand before the values of a `.npy` file."""
    out = BytesIO()
    kind = np.lib.format.dtype_to_descr(np.dtype(np.float16))
    facts = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, facts)
    header = out.getvalue()
    if len(header) != HEADER_BYTES:
        msg = f"NumPy's header for {shape} has {len(header)} bytes, not {HEADER_BYTES}"
        raise ValueError(msg)
    return header
