"""A JSON list that is written part by part, such that a run can go on after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import UsageError
from ..json_values import Json
from ..sinks.names import PARTS_FOLDER
from ..writing import replacing, writing


class JsonListParts:
    """A list in one file, whose entries come in parts.

    Each part has a file of its own in `.parts` that appears as a whole when the part is done, so
    after an interruption, also by `kill -9`, only the part that was being made is made again.

    Args:
        target: the file of the whole list; its folder is made if it does not exist.
        kind: what a part is about, as "video"; it begins the names of the parts' files.
    """

    def __init__(self, target: Path, kind: str) -> None:
        self._target, self._kind = target, kind
        self._parts = target.parent / PARTS_FOLDER

    def has(self, key: int) -> bool:
        """Whether this part is there."""
        return self._file(key).is_file()

    @contextmanager
    def part(self, key: int) -> Iterator[JsonListPart]:
        """Take the entries of one part; they count only if the block ends without an error.

        Raises:
            OutputError: if they cannot be written.
        """
        with writing(self._parts):
            self._parts.mkdir(parents=True, exist_ok=True)
        # Under its name only when the block has ended well: that is what "done" means after a kill.
        with replacing(self._file(key)) as temporary, temporary.open("wb") as file:
            yield JsonListPart(file)

    def assemble(self, keys: Collection[int]) -> Path:
        """Put these parts into the whole list, in this order; return its path.

        The parts' files stay, so that more can be added and all put together again.

        Raises:
            UsageError: if a part is not there.
            OutputError: if the file cannot be written.
        """
        missing = [key for key in keys if not self.has(key)]
        if missing:
            msg = f"the results of {self._kind} {missing[0]} are not in {self._parts}; run it first"
            raise UsageError(msg)
        with replacing(self._target) as temporary, temporary.open("wb") as file:
            file.write(b"[")
            between = b"\n"
            # By the given order and not that of the folder, so that two runs give the same bytes.
            for path in map(self._file, keys):
                # A part without entries still counts as done.
                if path.stat().st_size:
                    file.write(between)
                    with path.open("rb") as entries:
                        shutil.copyfileobj(entries, file)
                    between = b",\n"
            file.write(b"\n]\n")
        return self._target

    def remove(self) -> None:
        """Remove all parts.

        Raises:
            OutputError: if one cannot be removed.
        """
        with writing(self._parts):
            for path in self._parts.glob(f"{self._kind}-*.json"):
                path.unlink()

    def _file(self, key: int) -> Path:
        return self._parts / f"{self._kind}-{int(key)}.json"


class JsonListPart:
    """The entries of one part while they are written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0

    def add(self, entry: Mapping[str, Json]) -> None:
        """Append an entry; it must hold no numbers that JSON does not know."""
        text = json.dumps(entry, separators=(",", ":"), allow_nan=False)
        self._file.write((",\n" if self._count else "").encode() + text.encode("ascii"))
        self._count += 1
